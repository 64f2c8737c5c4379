/* Arrays that double; maps of open addressing with linear probing, at most half full. */
#include "lists.h"

#include <stdlib.h>
#include <string.h>
#include <tachy/format.h>

enum { FIRST_CAPACITY = 16 };

void *tachy_list_add(void *list, size_t element) {
  TACHY_LIST(uint8_t) bytes; /* whatever they are */
  memcpy(&bytes, list, sizeof bytes);
  if (bytes.count == bytes.capacity) {
    const uint64_t wanted = bytes.capacity ? bytes.capacity * 2 : 8;
    if (bytes.count >= UINT32_MAX || wanted > SIZE_MAX / element) return NULL;
    uint8_t *const grown = realloc(bytes.items, (size_t)wanted * element);
    if (!grown) return NULL;
    bytes.items = grown;
    bytes.capacity = wanted;
  }
  void *const added = bytes.items + bytes.count++ * element;
  memset(added, 0, element);
  memcpy(list, &bytes, sizeof bytes);
  return added;
}

void tachy_map_free(tachy_map *map) {
  free(map->slots);
  *map = (tachy_map){0};
}

static tachy_map_slot *find(tachy_map_slot *slots, uint64_t mask, uint64_t seed, uint64_t key) {
  uint64_t i = tachy_mix64(key + seed) & mask;
  while (slots[i].used && slots[i].key != key) i = (i + 1) & mask;
  return slots + i;
}

static int grow(tachy_map *map, uint64_t seed) {
  const uint64_t capacity = map->slots ? (map->mask + 1) * 2 : FIRST_CAPACITY;
  tachy_map_slot *const slots = calloc((size_t)capacity, sizeof *slots);
  if (!slots) return 0;
  for (uint64_t i = 0; map->slots && i <= map->mask; i++) {
    if (map->slots[i].used) *find(slots, capacity - 1, seed, map->slots[i].key) = map->slots[i];
  }
  free(map->slots);
  map->slots = slots;
  map->mask = capacity - 1;
  return 1;
}

uint32_t *tachy_map_at(tachy_map *map, uint64_t seed, uint64_t key, int *added) {
  if ((!map->slots || map->count > map->mask / 2) && !grow(map, seed)) return NULL;
  tachy_map_slot *const slot = find(map->slots, map->mask, seed, key);
  *added = !slot->used;
  if (*added) {
    slot->key = key;
    slot->value = 0;
    slot->used = 1;
    map->count++;
  }
  return &slot->value;
}
