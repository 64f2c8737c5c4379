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

static void keep_span(tachy_channel *channel, tachy_stream *s, const tachy_span_record *record) {
  uint64_t begin = record->begin;
  uint64_t duration = record->duration;
  if (TACHY_UNLIKELY(duration == UINT32_MAX && s->long_duration)) {
    duration = s->long_duration;
    s->long_duration = 0;
  }
  const uint32_t depth = record->word >> TACHY_DEPTH_SHIFT;
  uint64_t end = begin + duration;
  if (TACHY_UNLIKELY(depth >= s->room) && !tachy_stream_reach(s, depth)) {
    s->broken = 1;
    return;
  }
  tachy_span_level *const level = &s->levels[depth];
  uint64_t lead = 0;
  uint64_t tail;
  if (TACHY_UNLIKELY(depth > s->deepest)) s->deepest = depth;
  if (TACHY_UNLIKELY(s->last == TACHY_NO_TICKS)) {
    s->base = s->last = tachy_is_stale(channel, begin) ? channel->from.ticks : begin;
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
    if (TACHY_UNLIKELY(begin < s->last)) {
      begin = s->last;
      channel->backwards++;
    }
    lead = begin - s->last;
    if (TACHY_UNLIKELY(end < begin)) end = begin;
    tail = end - begin;
    goto put;
  }
  if (TACHY_UNLIKELY(end < s->last)) {
    end = s->last;
    channel->backwards++;
  }
  tail = end - s->last;
put:
  tachy_plane_put(&s->planes[TACHY_PLANE_LEAD], lead);
  tachy_plane_put(&s->planes[TACHY_PLANE_TAIL], tail);
  const uint32_t position = tachy_index_position(&channel->tables.sites, record->word & TACHY_SITE_MAX);
  if (TACHY_UNLIKELY(position == 0)) s->broken = 1;
  tachy_plane_put(&s->planes[TACHY_PLANE_SITE], position);
  tachy_plane_put(&s->planes[TACHY_PLANE_DEPTH], tachy_zigzag((int64_t)depth - (int64_t)s->depth));
  level->size += 1 + level[1].size;
  if (level->child == TACHY_NO_TICKS) level->child = begin;
  level[1] = (tachy_span_level){TACHY_NO_TICKS, 0};
  if (TACHY_UNLIKELY(depth < s->values.levels)) tachy_values_end(s, depth);
  s->depth = depth;
  s->last = end;
  tachy_stream_extend(s, begin, end);
}

/* It began in another life of the counter, and knows no duration that says anything. */
static void keep_stale(tachy_channel *channel, tachy_stream *s, const tachy_span_record *record) {
  const tachy_span_record known = {tachy_stream_now(channel, s), 0, record->word};
  s->long_duration = 0;
  keep_span(channel, s, &known);
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
    while (at < until) {
      const tachy_span_record *const record = (const tachy_span_record *)(const void *)at;
      if (TACHY_LIKELY(record->begin - floor < range)) {
        if (TACHY_LIKELY(!s->broken)) keep_span(channel, s, record);
        kept++;
        at += sizeof *record;
      } else if (record->begin < TACHY_CONTROL_FIRST) {
        if (!s->broken) keep_stale(channel, s, record);
        kept++;
        at += sizeof *record;
      } else if (record->begin == TACHY_CONTROL_LONG) {
        s->long_duration = ((const tachy_long_record *)(const void *)at)->duration;
        at += sizeof(tachy_long_record);
      } else if (record->begin == TACHY_CONTROL_ASYNC_BEGIN || record->begin == TACHY_CONTROL_ASYNC_END) {
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
    s->rows += kept;
    s->total += kept;
    channel->events += kept;
    channel->recorded += kept;
    if (at < until) break;
  }
  return (uint64_t)(at - records);
}
