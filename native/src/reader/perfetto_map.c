/* Open addressing with linear probing, at most half full. */
#include "perfetto_map.h"

#include <stdlib.h>
#include <string.h>
#include <tachy/format.h>

enum { FIRST_CAPACITY = 16 };

void perfetto_map_free(perfetto_map *map) {
  free(map->slots);
  map->slots = NULL;
  map->mask = 0;
  map->count = 0;
}

static perfetto_slot *find(perfetto_slot *slots, uint64_t mask, uint64_t seed, uint64_t key) {
  uint64_t i = tachy_mix64(key + seed) & mask;
  while (slots[i].used && slots[i].key != key) i = (i + 1) & mask;
  return slots + i;
}

static int grow(perfetto_map *map) {
  const uint64_t capacity = map->slots ? (map->mask + 1) * 2 : FIRST_CAPACITY;
  perfetto_slot *const slots = calloc((size_t)capacity, sizeof *slots);
  if (!slots) return 0;
  for (uint64_t i = 0; map->slots && i <= map->mask; i++) {
    if (map->slots[i].used) *find(slots, capacity - 1, map->seed, map->slots[i].key) = map->slots[i];
  }
  free(map->slots);
  map->slots = slots;
  map->mask = capacity - 1;
  return 1;
}

uint32_t *perfetto_map_at(perfetto_map *map, uint64_t key, int *added) {
  if ((!map->slots || map->count > map->mask / 2) && !grow(map)) return NULL;
  perfetto_slot *const slot = find(map->slots, map->mask, map->seed, key);
  *added = !slot->used;
  if (*added) {
    slot->key = key;
    slot->value = 0;
    slot->used = 1;
    map->count++;
  }
  return &slot->value;
}
