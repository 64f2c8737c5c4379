/* Growing arrays, and a hash map from 64-bit keys to 32-bit values, for what is counted and looked up across blocks.
 *
 * Keys come from outside, so they are mixed with a seed that the sender cannot know: the handle's address. Nothing is
 * removed one by one. Zero both before the first use.
 */
#ifndef TACHY_READER_LISTS_H
#define TACHY_READER_LISTS_H

#include <stddef.h>
#include <stdint.h>

#define TACHY_LIST(type) \
  struct {               \
    type *items;         \
    uint64_t count;      \
    uint64_t capacity;   \
  }

/* One more element of a TACHY_LIST, zeroed. NULL: out of memory, nothing changed. Moves the others. */
void *tachy_list_add(void *list, size_t element);

typedef struct tachy_map_slot {
  uint64_t key;
  uint32_t value;
  uint32_t used;
} tachy_map_slot;

typedef struct tachy_map {
  tachy_map_slot *slots;
  uint64_t mask; /* capacity - 1; 0 with slots NULL: empty */
  uint64_t count;
} tachy_map;

void tachy_map_free(tachy_map *map);

/* Where the value of `key` is, and whether it has just been added (value 0). NULL: out of memory. The address holds
 * until the next call. */
uint32_t *tachy_map_at(tachy_map *map, uint64_t seed, uint64_t key, int *added);

#endif
