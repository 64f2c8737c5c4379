/* Log and metric records -> columns: docs/format.md, "Main rows". */
#include "../base/text.h"
#include "stream.h"

static int put_time(tachy_channel *channel, tachy_stream *s, uint64_t ticks) {
  if (tachy_is_stale(channel, ticks)) ticks = tachy_stream_now(channel, s);
  if (s->last == TACHY_NO_TICKS) s->base = s->last = ticks;
  if (ticks < s->last) {
    ticks = s->last;
    channel->backwards++;
  }
  const uint64_t delta = ticks - s->last;
  s->last = ticks;
  tachy_stream_extend(s, ticks, ticks);
  return tachy_plane_append(&s->planes[TACHY_PLANE_LEAD], delta);
}

static int put_head(tachy_channel *channel, tachy_stream *s, uint64_t ticks, uint32_t site, uint32_t set) {
  const uint32_t site_position = tachy_index_position(&channel->tables.sites, site);
  const uint32_t set_position =
      set && tachy_names_set(channel->names, set) ? tachy_index_position(&channel->tables.sets, set) : 0;
  return site_position && put_time(channel, s, ticks) &&
         tachy_plane_append(&s->planes[TACHY_PLANE_SITE], site_position) &&
         tachy_plane_append(&s->planes[TACHY_PLANE_SET], set_position);
}

static int put_metric(tachy_channel *channel, tachy_stream *s, const tachy_metric_record *record) {
  const tachy_raw_metric raw = {record->value, tachy_index_position(&channel->tables.sites, record->site), 0};
  if (!put_head(channel, s, record->ticks, record->site, record->set)) return 0;
  if (TACHY_UNLIKELY(channel->watch != NULL)) channel->watch->metric(channel, raw.position, record);
  return tachy_bytes_append(&s->raw, &raw, sizeof raw);
}

static int put_arguments(tachy_stream *s, const tachy_log_record *record) {
  const uint8_t *at = (const uint8_t *)(record + 1);
  for (uint32_t types = record->types; types & 15u; types >>= 4) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    int ok = 0;
    switch (types & 15u) {
      case TACHY_ARG_I64:
        ok = tachy_plane_append(&s->planes[TACHY_PLANE_INT], tachy_zigzag((int64_t)word));
        break;
      case TACHY_ARG_F64:
        ok = tachy_bytes_append(&s->floats, &word, sizeof word);
        break;
      case TACHY_ARG_TEXT: {
        const uint64_t size = (uint32_t)word;
        ok = tachy_plane_append(&s->planes[TACHY_PLANE_TEXT_SIZE], size) && tachy_bytes_append(&s->text, at + 4, size);
        if (ok) tachy_text_clean(s->text.bytes + s->text.size - size, size);
        at += tachy_pad8(4 + size) - 8;
        break;
      }
      default:
        ok = tachy_plane_append(&s->planes[TACHY_PLANE_INT], word);
        break;
    }
    if (!ok) return 0;
    at += 8;
  }
  return 1;
}

static int put_log(tachy_channel *channel, tachy_stream *s, const tachy_log_record *record) {
  if (!put_head(channel, s, record->ticks, record->site, record->set)) return 0;
  if (TACHY_UNLIKELY(channel->watch != NULL)) {
    channel->watch->log(channel, tachy_index_position(&channel->tables.sites, record->site), record);
  }
  return tachy_plane_append(&s->planes[TACHY_PLANE_TYPES], record->types) && put_arguments(s, record);
}

uint64_t tachy_row_records(tachy_channel *channel, tachy_stream *s, const uint8_t *records, uint64_t size) {
  const uint8_t *at = records;
  uint64_t kept = 0;
  while (at < records + size && *(const uint64_t *)(const void *)at < TACHY_CONTROL_FIRST) {
    if (channel->cls == TACHY_CLASS_METRIC) {
      const tachy_metric_record *const record = (const tachy_metric_record *)(const void *)at;
      if (!s->broken && !put_metric(channel, s, record)) s->broken = 1;
      at += sizeof *record;
    } else {
      const tachy_log_record *const record = (const tachy_log_record *)(const void *)at;
      if (!s->broken && !put_log(channel, s, record)) s->broken = 1;
      at += record->size;
    }
    kept++;
  }
  s->rows += kept;
  s->total += kept;
  channel->events += kept;
  channel->recorded += kept;
  return (uint64_t)(at - records);
}
