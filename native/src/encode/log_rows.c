/* Log and metric records -> columns: docs/format.md, "Main rows". */
#include "../base/text.h"
#include "stream.h"

/* Where the stream's next row goes, in registers: stores of bytes might change anything that is in memory. */
typedef struct cursor {
  uint8_t *site, *set, *lead; /* behind the planes' bytes */
  uint32_t *lead_high;
  uint8_t *types, *text_size, *text; /* of logs */
  uint64_t last;                     /* as in the stream */
  uint32_t number, position;         /* of the row before: its site, and where that is in the block; 0: none */
} cursor;

/* Room for whatever so many bytes of records hold. 0: no memory. */
static int reserve(tachy_channel *channel, tachy_stream *s, uint64_t size) {
  const uint64_t rows = size / sizeof(tachy_log_record); /* a metric takes as much */
  const uint64_t arguments = size / sizeof(uint64_t);
  tachy_plane *const planes = s->planes;
  if (!tachy_plane_reserve(&planes[TACHY_PLANE_LEAD], rows) || !tachy_plane_reserve(&planes[TACHY_PLANE_SITE], rows) ||
      !tachy_plane_reserve(&planes[TACHY_PLANE_SET], rows)) {
    return 0;
  }
  if (channel->cls == TACHY_CLASS_METRIC) return tachy_bytes_reserve(&s->raw, rows * sizeof(tachy_raw_metric));
  return tachy_plane_reserve(&planes[TACHY_PLANE_TYPES], rows) &&
         tachy_plane_reserve(&planes[TACHY_PLANE_INT], arguments) &&
         tachy_plane_reserve(&planes[TACHY_PLANE_TEXT_SIZE], arguments) && tachy_bytes_reserve(&s->floats, size) &&
         tachy_bytes_reserve(&s->text, size);
}

static cursor cursor_of(const tachy_stream *s) {
  const tachy_plane *const planes = s->planes;
  return (cursor){tachy_behind(&planes[TACHY_PLANE_SITE].low),
                  tachy_behind(&planes[TACHY_PLANE_SET].low),
                  tachy_behind(&planes[TACHY_PLANE_LEAD].low),
                  tachy_behind_high(&planes[TACHY_PLANE_LEAD]),
                  tachy_behind(&planes[TACHY_PLANE_TYPES].low),
                  tachy_behind(&planes[TACHY_PLANE_TEXT_SIZE].low),
                  tachy_behind(&s->text),
                  s->last,
                  0,
                  0};
}

static void put_back(tachy_stream *s, const cursor *c) {
  tachy_plane *const planes = s->planes;
  tachy_ends_at(&planes[TACHY_PLANE_SITE].low, c->site);
  tachy_ends_at(&planes[TACHY_PLANE_SET].low, c->set);
  tachy_ends_at(&planes[TACHY_PLANE_LEAD].low, c->lead);
  tachy_ends_at(&planes[TACHY_PLANE_LEAD].high, c->lead_high);
  tachy_ends_at(&planes[TACHY_PLANE_TYPES].low, c->types);
  tachy_ends_at(&planes[TACHY_PLANE_TEXT_SIZE].low, c->text_size);
  tachy_ends_at(&s->text, c->text);
  s->last = c->last;
}

/* 0: no memory. */
TACHY_INLINE int put_head(tachy_channel *channel, tachy_stream *s, cursor *c, uint64_t ticks, uint32_t site,
                          uint32_t set) {
  if (TACHY_UNLIKELY(tachy_is_stale(channel, ticks))) {
    ticks = c->last == TACHY_NO_TICKS ? channel->from.ticks : c->last;
  }
  if (TACHY_UNLIKELY(c->last == TACHY_NO_TICKS)) s->base = c->last = ticks;
  if (TACHY_UNLIKELY(ticks < c->last)) {
    ticks = c->last;
    channel->backwards++;
  }
  tachy_put_ticks(c->lead++, &c->lead_high, &s->planes[TACHY_PLANE_LEAD], ticks - c->last);
  c->last = ticks;
  if (site != c->number) {
    c->position = tachy_index_position(&channel->tables.sites, site);
    c->number = site;
  }
  tachy_put_small(c->site++, &s->planes[TACHY_PLANE_SITE], c->position);
  uint32_t set_position = 0;
  if (set && tachy_names_set(channel->names, set)) {
    set_position = tachy_index_position(&channel->tables.sets, set);
    if (!set_position) return 0;
  }
  tachy_put_small(c->set++, &s->planes[TACHY_PLANE_SET], set_position);
  return c->position != 0;
}

TACHY_INLINE int put_metric(tachy_channel *channel, tachy_stream *s, cursor *c, const tachy_metric_record *record) {
  if (!put_head(channel, s, c, record->ticks, record->site, record->set)) return 0;
  if (TACHY_UNLIKELY(channel->watch != NULL)) channel->watch->metric(channel, c->position, record);
  const tachy_raw_metric raw = {record->value, c->position, 0};
  tachy_bytes_put(&s->raw, &raw, sizeof raw);
  return 1;
}

TACHY_INLINE int put_log(tachy_channel *channel, tachy_stream *s, cursor *c, const tachy_log_record *record) {
  if (!put_head(channel, s, c, record->ticks, record->site, record->set)) return 0;
  if (TACHY_UNLIKELY(channel->watch != NULL)) channel->watch->log(channel, c->position, record);
  tachy_put_small(c->types++, &s->planes[TACHY_PLANE_TYPES], record->types);
  const uint8_t *at = (const uint8_t *)(record + 1);
  for (uint32_t types = record->types; types & 15u; types >>= 4) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    switch (types & 15u) {
      case TACHY_ARG_TEXT: {
        const uint64_t size = (uint32_t)word;
        tachy_put_small(c->text_size++, &s->planes[TACHY_PLANE_TEXT_SIZE], size);
        tachy_text_copy(c->text, at + 4, size);
        c->text += size;
        at += tachy_pad8(4 + size) - 8;
        break;
      }
      case TACHY_ARG_F64:
        tachy_bytes_put(&s->floats, &word, sizeof word);
        break;
      case TACHY_ARG_I64:
        word = tachy_zigzag((int64_t)word);
        /* fall through */
      default:
        tachy_plane_put(&s->planes[TACHY_PLANE_INT], word);
        break;
    }
    at += 8;
  }
  return 1;
}

uint64_t tachy_row_records(tachy_channel *channel, tachy_stream *s, const uint8_t *records, uint64_t size) {
  const uint8_t *at = records;
  const int metrics = channel->cls == TACHY_CLASS_METRIC;
  uint64_t kept = 0;
  uint64_t first = TACHY_NO_TICKS; /* of the rows that are kept */
  if (!s->broken && !reserve(channel, s, size)) s->broken = 1;
  int ok = !s->broken;
  cursor c = cursor_of(s);
  while (at < records + size && *(const uint64_t *)(const void *)at < TACHY_CONTROL_FIRST) {
    if (metrics) {
      const tachy_metric_record *const record = (const tachy_metric_record *)(const void *)at;
      ok = ok && put_metric(channel, s, &c, record);
      at += sizeof *record;
    } else {
      const tachy_log_record *const record = (const tachy_log_record *)(const void *)at;
      ok = ok && put_log(channel, s, &c, record);
      at += record->size;
    }
    tachy_read_ahead(at);
    if (TACHY_UNLIKELY(first == TACHY_NO_TICKS)) first = c.last;
    kept++;
  }
  if (ok) {
    if (kept) tachy_stream_extend(s, first, c.last);
    put_back(s, &c);
  } else {
    s->broken = 1;
  }
  s->rows += kept;
  s->total += kept;
  channel->events += kept;
  channel->recorded += kept;
  return (uint64_t)(at - records);
}
