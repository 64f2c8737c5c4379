/* A hash map from 64-bit keys to 32-bit values, for the encoder's interning and its thread and span lookups.
 *
 * Keys come from outside, so they are mixed with a seed that the sender cannot know: the handle's address. Keys are
 * never removed one by one.
 */
#ifndef TACHY_PERFETTO_MAP_H
#define TACHY_PERFETTO_MAP_H

#include <stdint.h>

typedef struct perfetto_slot {
  uint64_t key;
  uint32_t value;
  uint32_t used;
} perfetto_slot;

typedef struct perfetto_map {
  perfetto_slot *slots;
  uint64_t mask; /* capacity - 1; 0 with slots NULL: empty */
  uint64_t count;
  uint64_t seed;
} perfetto_map;

void perfetto_map_free(perfetto_map *map);

/* Where the value of `key` is, and whether it has just been added (value 0). NULL: out of memory. The address holds
 * until the next call. */
uint32_t *perfetto_map_at(perfetto_map *map, uint64_t key, int *added);

#endif
