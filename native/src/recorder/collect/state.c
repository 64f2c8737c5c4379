/* Channels and streams to bytes and back: session_layout.h. */
#include "state.h"

#include "../../encode/open_async.h"
#include "../pool/session_layout.h"
#include "source.h"

static int write_stream(tachy_bytes *out, const tachy_stream *s) {
  const tachy_source *const source = s->source;
  tachy_saved_stream row = {.position = source->position,
                            .os_id = s->os_id,
                            .total = s->total,
                            .last = s->last,
                            .known_lost = source->known_lost,
                            .emitted = source->emitted,
                            .number = s->number,
                            .open_count = s->at_start,
                            .held_count = (uint32_t)s->resumed,
                            .name_size = s->name_size};
  if (s->cls == TACHY_CLASS_SPAN) row.missed = source->slot->seen_async_lost + source->slot->seen_too_deep;
  memcpy(row.name, s->name, s->name_size);
  const uint64_t at = out->size;
  if (!tachy_bytes_append(out, &row, sizeof row)) return 0;
  for (uint32_t k = 0; k < row.open_count; k++) {
    const tachy_open_row *const open = &s->opens[k];
    const tachy_saved_open entry = {open->ticks, open->utc, open->id, open->site, 0};
    if (!tachy_bytes_append(out, &entry, sizeof entry)) return 0;
  }
  if (row.held_count && !tachy_bytes_append(out, s->raw.bytes, row.held_count * sizeof(tachy_async_record))) return 0;
  const uint64_t before = out->size;
  if (s->cls == TACHY_CLASS_SPAN && !tachy_values_save(out, s->values.all, s)) return 0;
  row.values_size = out->size - before;
  memcpy(out->bytes + at, &row, sizeof row);
  return 1;
}

int tachy_state_write(tachy_bytes *out, const tachy_channel *channel) {
  const tachy_past *const past = &channel->past;
  const tachy_bends *const bends = channel->bends;
  uint64_t first = bends->count; /* that lies in the next block */
  while (first && bends->points[first - 1].ticks > channel->from.ticks) first--;
  tachy_saved_channel head = {.sequence = channel->sequence,
                              .from_ticks = channel->from.ticks,
                              .from_utc = channel->from.utc,
                              .before_ticks = past->before.ticks,
                              .before_utc = past->before.utc,
                              .earlier_count = past->count,
                              .inner_count = bends->count - first};
  const tachy_open_asyncs *const a = &channel->asyncs;
  for (const tachy_stream *s = channel->streams; s; s = s->next) head.stream_count++;
  head.async_count = a->table.count;
  const uint64_t at = out->size;
  if (!tachy_bytes_append(out, &head, sizeof head)) return 0;
  if (!tachy_bytes_append(out, bends->points + first, head.inner_count * sizeof *bends->points)) return 0;
  if (!tachy_bytes_append(out, past->earlier, past->count * sizeof *past->earlier)) return 0;
  for (const tachy_stream *s = channel->streams; s; s = s->next) {
    if (!write_stream(out, s)) return 0;
  }
  if (!tachy_bytes_reserve(out, a->table.count * sizeof(tachy_saved_async))) return 0;
  for (uint64_t i = 0; i < a->table.capacity; i++) {
    const tachy_open_async *const entry = tachy_open_async_at(a, i);
    if (!entry->id) continue;
    const tachy_saved_async row = {entry->id, entry->parent, entry->utc, entry->site, entry->depth, entry->thread, 0};
    tachy_bytes_put(out, &row, sizeof row);
  }
  const uint64_t before = out->size;
  if (!tachy_values_save(out, &channel->values, NULL)) return 0;
  head.values_size = out->size - before;
  memcpy(out->bytes + at, &head, sizeof head);
  return 1;
}

/* What is left to be read. */
typedef struct rest {
  const uint8_t *bytes;
  uint64_t size;
} rest;

static int take(rest *r, void *to, uint64_t size) {
  if (r->size < size) return 0;
  memcpy(to, r->bytes, size);
  r->bytes += size;
  r->size -= size;
  return 1;
}

static int read_stream(tachy_channel *channel, rest *r) {
  tachy_saved_stream row;
  if (!take(r, &row, sizeof row) || row.name_size >= TACHY_THREAD_NAME_MAX || row.open_count > TACHY_DEPTH_MAX)
    return 0;
  if (channel->cls != TACHY_CLASS_SPAN && (row.open_count || row.held_count)) return 0;
  tachy_stream *const s = tachy_stream_new(channel, row.number);
  tachy_source *const source = s ? tachy_os_allocate(sizeof *source) : NULL;
  if (!source || (row.open_count && !tachy_stream_reach(s, row.open_count - 1))) {
    tachy_os_release(source);
    return 0;
  }
  *source = (tachy_source){s, NULL, NULL, row.position, row.known_lost, row.emitted, row.missed};
  s->source = source;
  s->os_id = row.os_id;
  s->total = s->first = row.total;
  s->last = s->base = row.last;
  s->name_size = row.name_size;
  memcpy(s->name, row.name, sizeof s->name);
  s->at_start = s->at_end = s->open = s->depth = row.open_count;
  for (uint32_t k = 0; k < row.open_count; k++) {
    tachy_saved_open open;
    if (!take(r, &open, sizeof open)) return 0;
    s->opens[k] = s->ends[k] = (tachy_open_row){open.ticks, open.utc, open.id, open.site & TACHY_SITE_MAX};
  }
  const uint64_t held = row.held_count * (uint64_t)sizeof(tachy_async_record);
  if (r->size < held || !tachy_bytes_append(&s->held, r->bytes, held)) return 0;
  r->bytes += held;
  r->size -= held;
  const tachy_async_record *const records = (const tachy_async_record *)(const void *)s->held.bytes;
  for (uint32_t i = 0; i < row.held_count; i++) {
    if (records[i].site > TACHY_SITE_MAX || records[i].ticks >= TACHY_CONTROL_FIRST) return 0;
  }
  const uint64_t values = row.values_size;
  if (r->size < values || (values && channel->cls != TACHY_CLASS_SPAN)) return 0;
  if (!tachy_values_load(&channel->values, s, r->bytes, values)) return 0;
  r->bytes += values;
  r->size -= values;
  return 1;
}

static int read_bends(tachy_bends *bends, uint64_t count, uint64_t from, rest *r) {
  if (count > TACHY_BENDS_MAX || !take(r, bends->points, count * sizeof *bends->points)) return 0;
  bends->count = count;
  for (uint64_t i = 0; i < count; i++) {
    if (bends->points[i].ticks <= from) return 0;
    from = bends->points[i].ticks;
  }
  return 1;
}

int tachy_state_read(tachy_channel *channel, tachy_bends *bends, const uint8_t *bytes, uint64_t size) {
  rest r = {bytes, size};
  tachy_saved_channel head;
  if (!take(&r, &head, sizeof head)) return 0;
  channel->sequence = head.sequence;
  channel->from = (tachy_clock_pair){head.from_ticks, head.from_utc};
  channel->past.before = (tachy_clock_pair){head.before_ticks, head.before_utc};
  channel->past.count = head.earlier_count;
  channel->bends = bends;
  if (!read_bends(bends, head.inner_count, head.from_ticks, &r)) return 0;
  if (head.earlier_count > TACHY_CLOCK_EARLIER_MAX) return 0;
  if (!take(&r, channel->past.earlier, head.earlier_count * sizeof *channel->past.earlier)) return 0;
  for (uint64_t i = 0; i < head.stream_count; i++) {
    if (!read_stream(channel, &r)) return 0;
  }
  tachy_open_async_resume(channel);
  for (uint64_t i = 0; i < head.async_count; i++) {
    tachy_saved_async row;
    if (!take(&r, &row, sizeof row)) return 0;
    const tachy_open_async entry = {row.id, row.parent, row.utc, row.site & TACHY_SITE_MAX, row.depth, row.thread, 0};
    if (!tachy_open_async_add(&channel->asyncs, &entry)) return 0;
  }
  return r.size == head.values_size && tachy_values_load(&channel->values, NULL, r.bytes, r.size);
}
