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
  uint8_t *site, *depth, *lead, *tail; /* behind the planes' low bytes */
  uint32_t *lead_high, *tail_high;     /* and behind the high ones of those that need them often */
  uint64_t last;                       /* as in the stream, from here on */
  uint64_t begin_ticks, end_ticks;
  uint32_t at_depth;
} cursor;

static cursor cursor_of(const tachy_stream *s) {
  const tachy_plane *const lead = &s->planes[TACHY_PLANE_LEAD], *const tail = &s->planes[TACHY_PLANE_TAIL];
  return (cursor){tachy_behind(&s->planes[TACHY_PLANE_SITE].low),
                  tachy_behind(&s->planes[TACHY_PLANE_DEPTH].low),
                  tachy_behind(&lead->low),
                  tachy_behind(&tail->low),
                  tachy_behind_high(lead),
                  tachy_behind_high(tail),
                  s->last,
                  s->begin_ticks,
                  s->end_ticks,
                  s->depth};
}

static void put_back(tachy_stream *s, const cursor *c) {
  tachy_plane *const lead = &s->planes[TACHY_PLANE_LEAD], *const tail = &s->planes[TACHY_PLANE_TAIL];
  tachy_plane *const site = &s->planes[TACHY_PLANE_SITE], *const depth = &s->planes[TACHY_PLANE_DEPTH];
  site->low.size = (uint64_t)(c->site - site->low.bytes);
  depth->low.size = (uint64_t)(c->depth - depth->low.bytes);
  lead->low.size = (uint64_t)(c->lead - lead->low.bytes);
  tail->low.size = (uint64_t)(c->tail - tail->low.bytes);
  lead->high.size = (uint64_t)((const uint8_t *)(const void *)c->lead_high - lead->high.bytes);
  tail->high.size = (uint64_t)((const uint8_t *)(const void *)c->tail_high - tail->high.bytes);
  s->last = c->last;
  s->begin_ticks = c->begin_ticks;
  s->end_ticks = c->end_ticks;
  s->depth = c->at_depth;
}

/* 0: no memory. */
TACHY_INLINE int keep_span(tachy_channel *channel, tachy_stream *s, cursor *c, uint64_t begin, uint64_t duration,
                           uint32_t word) {
  const uint32_t depth = word >> TACHY_DEPTH_SHIFT;
  uint64_t end = begin + duration;
  if (TACHY_UNLIKELY(depth >= s->room) && !tachy_stream_reach(s, depth)) return 0;
  tachy_span_level *const level = &s->levels[depth];
  uint64_t lead = 0;
  uint64_t tail;
  if (TACHY_UNLIKELY(depth > s->deepest)) s->deepest = depth;
  if (TACHY_UNLIKELY(c->last == TACHY_NO_TICKS)) {
    s->base = c->last = tachy_is_stale(channel, begin) ? channel->from.ticks : begin;
  }
  if (TACHY_UNLIKELY(depth < s->open)) {
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
    goto put;
  }
  if (TACHY_UNLIKELY(end < c->last)) {
    end = c->last;
    channel->backwards++;
  }
  tail = end - c->last;
put:
  tachy_put_ticks(&c->lead, &c->lead_high, &s->planes[TACHY_PLANE_LEAD], lead);
  tachy_put_ticks(&c->tail, &c->tail_high, &s->planes[TACHY_PLANE_TAIL], tail);
  const uint32_t position = tachy_index_position(&channel->tables.sites, word & TACHY_SITE_MAX);
  tachy_put_small(&c->site, &s->planes[TACHY_PLANE_SITE], position);
  tachy_put_small(&c->depth, &s->planes[TACHY_PLANE_DEPTH], tachy_zigzag((int64_t)depth - (int64_t)c->at_depth));
  level->size += 1 + level[1].size;
  if (level->child == TACHY_NO_TICKS) level->child = begin;
  level[1] = (tachy_span_level){TACHY_NO_TICKS, 0};
  c->at_depth = depth;
  c->last = end;
  if (begin < c->begin_ticks) c->begin_ticks = begin;
  if (end > c->end_ticks) c->end_ticks = end;
  if (TACHY_UNLIKELY(depth < s->values.levels)) {
    put_back(s, c);
    tachy_values_end(s, depth);
  }
  return position != 0;
}

/* One span. A long one's duration came before it; one that began in another life of the counter knows none. */
TACHY_INLINE void keep(tachy_channel *channel, tachy_stream *s, cursor *c, const tachy_span_record *record, int stale) {
  uint64_t begin = record->begin;
  uint64_t duration = record->duration;
  if (TACHY_UNLIKELY(stale)) {
    begin = c->last == TACHY_NO_TICKS ? channel->from.ticks : c->last;
    duration = s->long_duration = 0;
  } else if (TACHY_UNLIKELY(duration == UINT32_MAX && s->long_duration)) {
    duration = s->long_duration;
    s->long_duration = 0;
  }
  if (TACHY_LIKELY(!s->broken) && TACHY_UNLIKELY(!keep_span(channel, s, c, begin, duration, record->word)))
    s->broken = 1;
}

uint64_t tachy_span_records(tachy_channel *channel, tachy_stream *s, const uint8_t *records, uint64_t size) {
  const uint64_t floor = channel->floor;
  const uint64_t range = (channel->ceiling ? channel->ceiling : TACHY_CONTROL_FIRST) - floor;
  const uint8_t *at = records;
  const uint8_t *const end = records + size;
  while (at < end) {
    uint64_t rows = (uint64_t)(end - at) / sizeof(tachy_span_record);
    if (rows > ROWS_AT_ONCE) rows = ROWS_AT_ONCE;
    const uint8_t *const until = at + rows * sizeof(tachy_span_record);
    if (!reserve(s, rows)) s->broken = 1;
    uint64_t kept = 0;
    cursor c = cursor_of(s);
    while (at < until) {
      const tachy_span_record *const record = (const tachy_span_record *)(const void *)at;
      if (TACHY_LIKELY(record->begin - floor < range)) {
        keep(channel, s, &c, record, 0);
        kept++;
        at += sizeof *record;
      } else if (record->begin < TACHY_CONTROL_FIRST) {
        keep(channel, s, &c, record, 1);
        kept++;
        at += sizeof *record;
      } else if (record->begin == TACHY_CONTROL_LONG) {
        s->long_duration = ((const tachy_long_record *)(const void *)at)->duration;
        at += sizeof(tachy_long_record);
      } else if (record->begin == TACHY_CONTROL_ASYNC_BEGIN || record->begin == TACHY_CONTROL_ASYNC_END) {
        put_back(s, &c);
        keep_async(channel, s, (const tachy_async_record *)(const void *)at);
        at += sizeof(tachy_async_record);
      } else if (tachy_is_value(record->begin)) {
        const tachy_value_record *const value = (const tachy_value_record *)(const void *)at;
        tachy_values_read(channel, s, value);
        at += tachy_value_size(value);
      } else {
        break;
      }
    }
    put_back(s, &c);
    s->rows += kept;
    s->total += kept;
    channel->events += kept;
    channel->recorded += kept;
    if (at < until) break;
  }
  return (uint64_t)(at - records);
}
