/* Tables of entries that begin with their id. */
#include "by_id.h"

#include <string.h>
#include <tachy/format.h>

#include "../os/os.h"

static uint64_t id_of(const void *entry) {
  uint64_t id;
  memcpy(&id, entry, sizeof id);
  return id;
}

static uint64_t home_of(const tachy_by_id *t, uint64_t id) { return tachy_mix64(id) & (t->capacity - 1); }

/* The id's entry, or the free one where it belongs. */
static uint8_t *entry_of(const tachy_by_id *t, size_t size, uint64_t id) {
  uint64_t at = home_of(t, id);
  for (;; at = (at + 1) & (t->capacity - 1)) {
    uint8_t *const entry = t->entries + at * size;
    const uint64_t there = id_of(entry);
    if (there == id || there == 0) return entry;
  }
}

void *tachy_by_id_find(const tachy_by_id *table, size_t size, uint64_t id) {
  uint8_t *const entry = id && table->count ? entry_of(table, size, id) : NULL;
  return entry && id_of(entry) ? entry : NULL;
}

/* Room for one more. 0: no memory, nothing changed. */
static int reserve(tachy_by_id *t, size_t size) {
  if (t->count + 1 <= t->capacity / 2) return 1;
  tachy_by_id grown = *t;
  grown.capacity = t->capacity ? t->capacity * 2 : 64;
  grown.entries = (uint8_t *)tachy_os_allocate(grown.capacity * size);
  if (!grown.entries) return 0;
  memset(grown.entries, 0, grown.capacity * size);
  for (uint64_t i = 0; i < t->capacity; i++) {
    const uint8_t *const entry = t->entries + i * size;
    if (id_of(entry)) memcpy(entry_of(&grown, size, id_of(entry)), entry, size);
  }
  tachy_os_release(t->entries);
  *t = grown;
  return 1;
}

void *tachy_by_id_add(tachy_by_id *table, size_t size, uint64_t id, int *is_new) {
  if (!id || !reserve(table, size)) return NULL;
  uint8_t *const entry = entry_of(table, size, id);
  *is_new = id_of(entry) == 0;
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
    const uint8_t *const next = table->entries + i * size;
    if (!id_of(next)) break;
    if (((i - home_of(table, id_of(next))) & mask) < ((i - hole) & mask)) continue;
    memcpy(table->entries + hole * size, next, size);
    hole = i;
  }
  memset(table->entries + hole * size, 0, size);
  table->count--;
}
