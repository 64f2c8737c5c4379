/* A table of entries that begin with their id, a uint64_t: 0 is a free one. Open addressing, at most half full,
 * backward shifts instead of tombstones. Zero it before the first use. `size` is that of an entry. */
#ifndef TACHY_SRC_ENCODE_BY_ID_H
#define TACHY_SRC_ENCODE_BY_ID_H

#include <stddef.h>
#include <string.h>
#include <tachy/format.h>

typedef struct tachy_by_id {
  uint8_t *entries;
  uint64_t capacity; /* a power of two, or 0 */
  uint64_t count;
} tachy_by_id;

static inline void *tachy_by_id_at(const tachy_by_id *table, size_t size, uint64_t i) {
  return table->entries + i * size;
}

static inline uint64_t tachy_by_id_of(const void *entry) {
  uint64_t id;
  memcpy(&id, entry, sizeof id);
  return id;
}

/* The id's entry, or the free one where it belongs. The table has memory. */
static inline void *tachy_by_id_seek(const tachy_by_id *table, size_t size, uint64_t id) {
  uint64_t at = tachy_mix64(id);
  for (;; at++) {
    void *const entry = tachy_by_id_at(table, size, at & (table->capacity - 1));
    const uint64_t there = tachy_by_id_of(entry);
    if (there == id || there == 0) return entry;
  }
}

/* NULL: there is none. */
static inline void *tachy_by_id_find(const tachy_by_id *table, size_t size, uint64_t id) {
  void *const entry = table->count ? tachy_by_id_seek(table, size, id) : NULL;
  return entry && tachy_by_id_of(entry) ? entry : NULL;
}

/* The id's entry, zeroed but for the id if it is new. NULL: no memory, or the id is 0. */
void *tachy_by_id_add(tachy_by_id *table, size_t size, uint64_t id, int *is_new);
/* Another entry may take its position. */
void tachy_by_id_remove(tachy_by_id *table, size_t size, void *entry);

#endif
