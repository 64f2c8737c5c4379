/* Values on async spans, by id. A value may come on another thread than the begin and the end of its span, and threads
 * are read one after the other: so a value may be read before its span's begin (it waits until all that was recorded
 * before it has been read), and an end before the values (it waits for them, see open_async.c). */
#include "open_async.h"
#include "stream.h"

tachy_async_values *tachy_async_values_of(const tachy_values *v, uint64_t id) {
  return (tachy_async_values *)tachy_by_id_find(&v->asyncs, sizeof(tachy_async_values), id);
}

int tachy_async_values_put(tachy_values *v, uint64_t id, const tachy_value *value, const uint8_t *text) {
  int is_new;
  tachy_async_values *const of = (tachy_async_values *)tachy_by_id_add(&v->asyncs, sizeof *of, id, &is_new);
  if (!of) return 0;
  if (is_new) of->read_by = UINT64_MAX;
  of->met++;
  return tachy_values_put(v, &of->list, value, text);
}

void tachy_async_values_follow(tachy_channel *channel, uint64_t until) {
  tachy_values *const v = &channel->values;
  if (v->asyncs.count == 0) return;
  for (const tachy_stream *s = channel->streams; s; s = s->next) {
    const tachy_async_record *const rows = (const tachy_async_record *)(const void *)s->raw.bytes;
    for (uint64_t i = 0; i < s->async_rows; i++) {
      tachy_async_values *const of = tachy_async_values_of(v, rows[i].id);
      if (!of) continue;
      of->known = 1;
      if (rows[i].control == TACHY_CONTROL_ASYNC_END) of->ended = 1;
    }
  }
  const tachy_open_async *const open = (const tachy_open_async *)(const void *)channel->asyncs.before.bytes;
  for (uint64_t i = 0; i < channel->asyncs.before.size / sizeof *open; i++) {
    tachy_async_values *const of = tachy_async_values_of(v, open[i].id);
    if (of) of->known = 1;
  }
  for (uint64_t i = 0; i < v->asyncs.capacity; i++) {
    tachy_async_values *const of = tachy_async_values_at(v, i);
    if (of->read_by == UINT64_MAX) of->read_by = until;
  }
}

void tachy_async_values_next_block(tachy_values *v, uint64_t from) {
  for (uint64_t i = 0; i < v->asyncs.capacity;) {
    tachy_async_values *const of = tachy_async_values_at(v, i);
    if (!of->id || !(of->ended || (!of->known && of->read_by < from))) {
      i++;
      continue;
    }
    if (!of->ended) v->lost += of->list.count;
    tachy_values_drop(v, &of->list);
    tachy_by_id_remove(&v->asyncs, sizeof *of, of); /* another may have moved here: look again */
  }
  for (uint64_t i = 0; i < v->asyncs.capacity; i++) tachy_async_values_at(v, i)->known = 0;
}

void tachy_async_values_jump(tachy_values *v, uint64_t start) {
  for (uint64_t i = 0; i < v->asyncs.capacity; i++) {
    tachy_async_values *const of = tachy_async_values_at(v, i);
    if (of->read_by != UINT64_MAX) of->read_by = start;
  }
}
