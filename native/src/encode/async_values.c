/* Values on async spans, by id. A value may come on another thread than the begin and the end of its span, and threads
 * are read one after the other: so a value may be read before its span's begin (it waits until all that was recorded
 * before it has been read), and an end before the values (it waits for them, see open_async.c). */
#include "open_async.h"
#include "stream.h"

/* The id's entry, or the free one where it belongs. */
static uint64_t find(const tachy_values *v, uint64_t id) {
  uint64_t at = tachy_mix64(id) & (v->capacity - 1);
  while (v->asyncs[at].id && v->asyncs[at].id != id) at = (at + 1) & (v->capacity - 1);
  return at;
}

static int reserve(tachy_values *v) {
  if (v->count + 1 <= v->capacity / 2) return 1;
  tachy_values grown = *v;
  grown.capacity = v->capacity ? v->capacity * 2 : 64;
  const size_t size = grown.capacity * sizeof *grown.asyncs;
  grown.asyncs = tachy_os_allocate(size);
  if (!grown.asyncs) return 0;
  memset(grown.asyncs, 0, size);
  for (uint64_t i = 0; i < v->capacity; i++) {
    if (v->asyncs[i].id) grown.asyncs[find(&grown, v->asyncs[i].id)] = v->asyncs[i];
  }
  tachy_os_release(v->asyncs);
  *v = grown;
  return 1;
}

int tachy_async_values_put(tachy_values *v, uint64_t id, uint32_t site, uint32_t type, uint64_t bits,
                           const uint8_t *text) {
  if (id == 0 || !reserve(v)) return 0;
  tachy_async_values *const of = &v->asyncs[find(v, id)];
  v->count += of->id == 0;
  if (!of->id) *of = (tachy_async_values){.id = id, .read_by = UINT64_MAX};
  of->met++;
  return tachy_values_put(v, &of->list, site, type, bits, text);
}

const tachy_async_values *tachy_async_values_of(const tachy_values *v, uint64_t id) {
  if (v->count == 0) return NULL;
  const tachy_async_values *const of = &v->asyncs[find(v, id)];
  return of->id ? of : NULL;
}

void tachy_async_values_follow(tachy_channel *channel, uint64_t until) {
  tachy_values *const v = &channel->values;
  if (v->count == 0) return;
  for (const tachy_stream *s = channel->streams; s; s = s->next) {
    const tachy_async_record *const rows = (const tachy_async_record *)(const void *)s->raw.bytes;
    for (uint64_t i = 0; i < s->async_rows; i++) {
      tachy_async_values *const of = &v->asyncs[find(v, rows[i].id)];
      if (!of->id) continue;
      of->known = 1;
      if (rows[i].control == TACHY_CONTROL_ASYNC_END) of->ended = 1;
    }
  }
  const tachy_open_async *const open = (const tachy_open_async *)(const void *)channel->asyncs.before.bytes;
  for (uint64_t i = 0; i < channel->asyncs.before.size / sizeof *open; i++) {
    tachy_async_values *const of = &v->asyncs[find(v, open[i].id)];
    if (of->id) of->known = 1;
  }
  for (uint64_t i = 0; i < v->capacity; i++) {
    if (v->asyncs[i].read_by == UINT64_MAX) v->asyncs[i].read_by = until;
  }
}

void tachy_async_values_next_block(tachy_values *v, uint64_t from) {
  if (v->count == 0) return;
  tachy_values left = {.capacity = v->capacity};
  left.asyncs = tachy_os_allocate(left.capacity * sizeof *left.asyncs);
  if (!left.asyncs) return;
  memset(left.asyncs, 0, left.capacity * sizeof *left.asyncs);
  for (uint64_t i = 0; i < v->capacity; i++) {
    tachy_async_values of = v->asyncs[i];
    if (!of.id) continue;
    if (of.ended || (!of.known && of.read_by < from)) {
      if (!of.ended) v->lost += of.list.count;
      tachy_values_drop(v, &of.list);
      continue;
    }
    of.known = 0;
    left.asyncs[find(&left, of.id)] = of;
    left.count++;
  }
  tachy_os_release(v->asyncs);
  v->asyncs = left.asyncs;
  v->count = left.count;
}

void tachy_async_values_jump(tachy_values *v, uint64_t start) {
  for (uint64_t i = 0; i < v->capacity; i++) {
    if (v->asyncs[i].read_by != UINT64_MAX) v->asyncs[i].read_by = start;
  }
}

int tachy_async_values_save(tachy_bytes *out, const tachy_values *v) {
  for (uint64_t i = 0; i < v->capacity; i++) {
    if (v->asyncs[i].id && !tachy_values_write(out, v, &v->asyncs[i].list, v->asyncs[i].id)) return 0;
  }
  return 1;
}

int tachy_async_values_load(tachy_values *v, const uint8_t *bytes, uint64_t size) {
  const uint8_t *at = bytes;
  while (at < bytes + size) {
    uint64_t id;
    tachy_value value;
    const uint8_t *text;
    at = tachy_values_take(at, (uint64_t)(bytes + size - at), &id, &value, &text);
    if (!at || !tachy_async_values_put(v, id, value.site, value.type, value.bits, text)) return 0;
  }
  return 1;
}
