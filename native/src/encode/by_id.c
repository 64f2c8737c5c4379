/* Tables of entries that begin with their id. */
#include "by_id.h"

#include "../os/os.h"

/* Room for one more. 0: no memory, nothing changed. */
static int reserve(tachy_by_id *t, size_t size) {
  if (t->count + 1 <= t->capacity / 2) return 1;
  tachy_by_id grown = *t;
  grown.capacity = t->capacity ? t->capacity * 2 : 64;
  grown.entries = (uint8_t *)tachy_os_allocate(grown.capacity * size);
  if (!grown.entries) return 0;
  memset(grown.entries, 0, grown.capacity * size);
  for (uint64_t i = 0; i < t->capacity; i++) {
    const void *const entry = tachy_by_id_at(t, size, i);
    const uint64_t id = tachy_by_id_of(entry);
    if (id) memcpy(tachy_by_id_seek(&grown, size, id), entry, size);
  }
  tachy_os_release(t->entries);
  *t = grown;
  return 1;
}

void *tachy_by_id_add(tachy_by_id *table, size_t size, uint64_t id, int *is_new) {
  if (!id || !reserve(table, size)) return NULL;
  void *const entry = tachy_by_id_seek(table, size, id);
  *is_new = tachy_by_id_of(entry) == 0;
  if (*is_new) {
    memset(entry, 0, size);
    memcpy(entry, &id, sizeof id);
    table->count++;
  }
  return entry;
}

void tachy_by_id_remove(tachy_by_id *table, size_t size, void *entry) {
  const uint64_t mask = table->capacity - 1;
  uint64_t hole = (uint64_t)((uint8_t *)entry - table->entries) / size;
  for (uint64_t i = (hole + 1) & mask;; i = (i + 1) & mask) {
    const void *const next = tachy_by_id_at(table, size, i);
    const uint64_t id = tachy_by_id_of(next);
    if (!id) break;
    if (((i - tachy_mix64(id)) & mask) < ((i - hole) & mask)) continue;
    memcpy(tachy_by_id_at(table, size, hole), next, size);
    hole = i;
  }
  memset(tachy_by_id_at(table, size, hole), 0, size);
  table->count--;
}
