/* Growing arrays, and a hash map from 64-bit keys to 32-bit values, for the encoder's interning and its lookups.
 *
 * Keys come from outside, so they are mixed with a seed that the sender cannot know: the handle's address. Nothing is
 * removed one by one. Zero both before the first use.
 */
#ifndef TACHY_PERFETTO_LISTS_H
#define TACHY_PERFETTO_LISTS_H

#include <stddef.h>
#include <stdint.h>

#define PERFETTO_LIST(type) \
  struct {                  \
    type *items;            \
    uint64_t count;         \
    uint64_t capacity;      \
  }

/* One more element of a PERFETTO_LIST, zeroed. NULL: out of memory, nothing changed. Moves the others. */
void *perfetto_list_add(void *list, size_t element);

typedef struct perfetto_slot {
  uint64_t key;
  uint32_t value;
  uint32_t used;
} perfetto_slot;

typedef struct perfetto_map {
  perfetto_slot *slots;
  uint64_t mask; /* capacity - 1; 0 with slots NULL: empty */
  uint64_t count;
} perfetto_map;

void perfetto_map_free(perfetto_map *map);

/* Where the value of `key` is, and whether it has just been added (value 0). NULL: out of memory. The address holds
 * until the next call. */
uint32_t *perfetto_map_at(perfetto_map *map, uint64_t seed, uint64_t key, int *added);

#endif
