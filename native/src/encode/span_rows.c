/* Span records -> span columns: docs/format.md, "Span rows". The collector's hottest loop. */
#include "stream.h"

enum { ROWS_AT_ONCE = 1024 };

static int reserve(tachy_stream *s, uint64_t rows) {
  return tachy_plane_reserve(&s->planes[TACHY_PLANE_SITE], rows) &&
         tachy_plane_reserve(&s->planes[TACHY_PLANE_DEPTH], rows) &&
         tachy_plane_reserve(&s->planes[TACHY_PLANE_LEAD], rows) &&
         tachy_plane_reserve(&s->planes[TACHY_PLANE_TAIL], rows);
}

static void keep_async(tachy_channel *channel, tachy_stream *s, const tachy_async_record *record) {
  if (!tachy_bytes_append(&s->raw, record, sizeof *record)) {
    tachy_stream_drop(channel, s, 1);
    return;
  }
  if (tachy_is_stale(channel, record->ticks)) {
    tachy_async_record *const kept = (tachy_async_record *)(void *)(s->raw.bytes + s->raw.size - sizeof *kept);
    kept->ticks = tachy_stream_now(channel, s);
  }
  if (record->control == TACHY_CONTROL_ASYNC_BEGIN) s->begun = record->id & TACHY_ASYNC_COUNT;
  s->async_rows++;
  channel->events++;
  channel->recorded++;
}

/* Where the stream's next row goes, in registers: stores of bytes might change anything that is in memory. */
typedef struct cursor {
  uint64_t row; /* its number in the block: each of these planes has a low byte of each row */
  uint8_t *site, *depth, *lead, *tail;
  uint32_t *lead_high, *tail_high; /* behind the high bytes of those that need them often */
  uint64_t last, begin_ticks;      /* as in the stream, from here on */
  uint32_t at_depth;
  uint32_t plain;  /* the least depth of which no span is special */
  uint32_t beside; /* the depth of the row above, if that was put by this cursor; or UINT32_MAX */
} cursor;

/* Deeper than any special span can be: the block's first, those that were open at its start, those with values. */
static uint32_t plain_from(const tachy_stream *s) {
  if (s->last == TACHY_NO_TICKS || s->begin_ticks > s->last) return UINT32_MAX;
  return s->open > s->values.levels ? s->open : s->values.levels;
}

static cursor cursor_of(const tachy_stream *s) {
  const tachy_plane *const lead = &s->planes[TACHY_PLANE_LEAD], *const tail = &s->planes[TACHY_PLANE_TAIL];
  return (cursor){lead->low.size,
                  s->planes[TACHY_PLANE_SITE].low.bytes,
                  s->planes[TACHY_PLANE_DEPTH].low.bytes,
                  lead->low.bytes,
                  tail->low.bytes,
                  tachy_behind_high(lead),
                  tachy_behind_high(tail),
                  s->last,
                  s->begin_ticks,
                  s->depth,
                  plain_from(s),
                  UINT32_MAX};
}

static void put_back(tachy_stream *s, const cursor *c) {
  tachy_plane *const lead = &s->planes[TACHY_PLANE_LEAD], *const tail = &s->planes[TACHY_PLANE_TAIL];
  if (c->row == lead->low.size) return;
  s->planes[TACHY_PLANE_SITE].low.size = s->planes[TACHY_PLANE_DEPTH].low.size = c->row;
  lead->low.size = tail->low.size = c->row;
  tachy_ends_at(&lead->high, c->lead_high);
  tachy_ends_at(&tail->high, c->tail_high);
  s->last = c->last; /* the latest end: no row ends before the one above it */
  tachy_stream_extend(s, c->begin_ticks, c->last);
  s->depth = c->at_depth;
}

/* 0: no memory. */
TACHY_INLINE int put_row(tachy_channel *channel, tachy_stream *s, cursor *c, uint64_t begin, uint64_t duration,
                         uint32_t word, int special) {
  const uint32_t depth = word >> TACHY_DEPTH_SHIFT;
  if (TACHY_UNLIKELY(depth > s->deepest)) {
    if (!tachy_stream_reach(s, depth)) return 0;
    s->deepest = depth;
  }
  tachy_span_level *const level = &s->levels[depth];
  uint64_t end = begin + duration;
  uint64_t lead = 0;
  uint64_t tail;
  if (special && depth < s->open) {
    begin = s->opens[depth].ticks;
    if (s->opens[depth].utc < s->begin_utc) s->begin_utc = s->opens[depth].utc;
    s->open = depth;
  } else if (level[1].child != TACHY_NO_TICKS) {
    if (TACHY_UNLIKELY(begin > level[1].child)) {
      begin = level[1].child;
      channel->backwards++;
    }
    lead = level[1].child - begin;
  } else {
    if (TACHY_UNLIKELY(begin < c->last)) {
      begin = c->last;
      channel->backwards++;
    }
    lead = begin - c->last;
    if (TACHY_UNLIKELY(end < begin)) end = begin;
    tail = end - begin;
    if (special && begin < c->begin_ticks) c->begin_ticks = begin; /* else another one has begun before */
    goto put;
  }
  if (begin < c->begin_ticks) c->begin_ticks = begin;
  if (TACHY_UNLIKELY(end < c->last)) {
    end = c->last;
    channel->backwards++;
  }
  tail = end - c->last;
put:
  tachy_put_ticks(c->lead + c->row, &c->lead_high, &s->planes[TACHY_PLANE_LEAD], lead);
  tachy_put_ticks(c->tail + c->row, &c->tail_high, &s->planes[TACHY_PLANE_TAIL], tail);
  const uint32_t position = tachy_index_position(&channel->tables.sites, word & TACHY_SITE_MAX);
  tachy_put_small(c->site + c->row, &s->planes[TACHY_PLANE_SITE], position);
  const uint64_t deeper = tachy_zigzag((int64_t)depth - (int64_t)c->at_depth);
  tachy_put_small(c->depth + c->row, &s->planes[TACHY_PLANE_DEPTH], deeper);
  c->row++;
  level->size += 1 + level[1].size;
  if (level->child == TACHY_NO_TICKS) level->child = begin;
  level[1] = (tachy_span_level){TACHY_NO_TICKS, 0};
  c->at_depth = c->beside = depth;
  c->last = end;
  return position != 0;
}

/* tachy_put_ticks of what 32 bits hold, without a branch on whether a byte does. */
TACHY_INLINE uint32_t *put_few(uint8_t *low, uint32_t *high, uint32_t v) {
  *low = v < 255 ? (uint8_t)v : 255;
  *high = v;
  return high + (v >= 255);
}

/* Whether put_beside may take the next two spans; a call of it for one would cost more than it saves. */
TACHY_INLINE int is_beside(const cursor *c, const uint8_t *at, const uint8_t *until) {
  const tachy_span_record *const next = (const tachy_span_record *)(const void *)at;
  return until - at >= (ptrdiff_t)(2 * sizeof *next) && next[0].word >> TACHY_DEPTH_SHIFT == c->beside &&
         next[1].word >> TACHY_DEPTH_SHIFT == c->beside;
}

/* Leaves in a row, most of what there is: at the depth of the row above and begun when that had ended, so that none is
 * inside; before `top`, and of sites that the block has. Returns the first that is something else. */
TACHY_OWN_REGISTERS const uint8_t *put_beside(const tachy_channel *channel, tachy_stream *s, cursor *c,
                                              const uint8_t *at, const uint8_t *until, uint64_t top) {
  const uint32_t *const positions = (const uint32_t *)(const void *)channel->tables.sites.positions.bytes;
  const uint64_t numbers = channel->tables.sites.positions.size / sizeof *positions;
  const uint32_t word = c->beside << TACHY_DEPTH_SHIFT;
  uint8_t *const sites = c->site, *const leads = c->lead, *const tails = c->tail;
  uint32_t *lead_high = c->lead_high, *tail_high = c->tail_high;
  uint64_t last = c->last;
  uint64_t row = c->row;
  for (; at < until; at += sizeof(tachy_span_record)) {
    const tachy_span_record *const record = (const tachy_span_record *)(const void *)at;
    const uint64_t lead = record->begin - last;
    const uint32_t number = record->word ^ word; /* of the site, or much more where the depth is another */
    if (record->begin >= top || lead >= UINT32_MAX || record->duration == UINT32_MAX || number >= numbers) break;
    const uint32_t position = positions[number];
    if (position == 0) break;
    tachy_put_small(sites + row, &s->planes[TACHY_PLANE_SITE], position);
    lead_high = put_few(leads + row, lead_high, (uint32_t)lead);
    tail_high = put_few(tails + row, tail_high, record->duration);
    last = record->begin + record->duration;
    row++;
    tachy_read_ahead(at);
  }
  memset(c->depth + c->row, 0, row - c->row);
  s->levels[c->beside].size += row - c->row;
  c->lead_high = lead_high;
  c->tail_high = tail_high;
  c->last = last;
  c->row = row;
  return at;
}

/* A special span, or a long one, whose duration came before it, or one that began in another life of the counter, which
 * nobody can date. Of a block that is lost nothing is kept. */
static void keep_special(tachy_channel *channel, tachy_stream *s, const tachy_span_record *record) {
  if (s->broken) return;
  uint64_t begin = record->begin;
  uint64_t duration = record->duration;
  if (tachy_is_stale(channel, begin)) {
    begin = tachy_stream_now(channel, s);
    duration = s->long_duration = 0;
  } else if (duration == UINT32_MAX && s->long_duration) {
    duration = s->long_duration;
    s->long_duration = 0;
  }
  if (s->last == TACHY_NO_TICKS) s->base = s->last = begin;
  cursor c = cursor_of(s);
  if (!put_row(channel, s, &c, begin, duration, record->word, 1)) {
    s->broken = 1;
    return;
  }
  put_back(s, &c);
  const uint32_t depth = record->word >> TACHY_DEPTH_SHIFT;
  if (depth < s->values.levels) tachy_values_end(s, depth);
}

uint64_t tachy_span_records(tachy_channel *channel, tachy_stream *s, const uint8_t *records, uint64_t size) {
  const uint64_t floor = channel->floor;
  const uint64_t dated = (channel->ceiling ? channel->ceiling : TACHY_CONTROL_FIRST) - floor;
  const uint8_t *at = records;
  const uint8_t *const end = records + size;
  while (at < end) {
    uint64_t rows = (uint64_t)(end - at) / sizeof(tachy_span_record);
    if (rows > ROWS_AT_ONCE) rows = ROWS_AT_ONCE;
    const uint8_t *const from = at, *const until = at + rows * sizeof(tachy_span_record);
    if (!reserve(s, rows)) s->broken = 1;
    uint64_t others = 0; /* bytes of other records */
    uint64_t range = s->broken ? 0 : dated;
    cursor c = cursor_of(s);
    while (at < until) {
      if (is_beside(&c, at, until)) {
        at = put_beside(channel, s, &c, at, until, floor + range);
        if (at == until) break;
      }
      const tachy_span_record *const record = (const tachy_span_record *)(const void *)at;
      if (TACHY_LIKELY(record->begin - floor < range && record->word >> TACHY_DEPTH_SHIFT >= c.plain &&
                       record->duration != UINT32_MAX)) {
        if (TACHY_UNLIKELY(!put_row(channel, s, &c, record->begin, record->duration, record->word, 0))) {
          s->broken = 1;
          range = 0;
        }
        tachy_read_ahead(at);
        at += sizeof *record;
        continue;
      }
      put_back(s, &c);
      uint64_t taken = sizeof *record;
      if (record->begin < TACHY_CONTROL_FIRST) {
        keep_special(channel, s, record);
      } else if (record->begin == TACHY_CONTROL_LONG) {
        s->long_duration = ((const tachy_long_record *)(const void *)at)->duration;
        others += taken = sizeof(tachy_long_record);
      } else if (record->begin == TACHY_CONTROL_ASYNC_BEGIN || record->begin == TACHY_CONTROL_ASYNC_END) {
        keep_async(channel, s, (const tachy_async_record *)(const void *)at);
        others += taken = sizeof(tachy_async_record);
      } else if (tachy_is_value(record->begin)) {
        const tachy_value_record *const value = (const tachy_value_record *)(const void *)at;
        tachy_values_read(channel, s, value);
        others += taken = tachy_value_size(value);
      } else {
        break;
      }
      at += taken;
      c = cursor_of(s);
      if (s->broken) range = 0;
    }
    put_back(s, &c);
    const uint64_t kept = ((uint64_t)(at - from) - others) / sizeof(tachy_span_record);
    s->rows += kept;
    s->total += kept;
    channel->events += kept;
    channel->recorded += kept;
    if (at < until) break;
  }
  return (uint64_t)(at - records);
}
