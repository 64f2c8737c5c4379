/* The tables of one block: which sites, sets and strings it uses, numbered in the order of their first use. */
#ifndef TACHY_SRC_BASE_TABLES_H
#define TACHY_SRC_BASE_TABLES_H

#include "buffer.h"

/* Numbers of the registry -> 1, 2, 3 … in this block. */
typedef struct tachy_index {
  tachy_bytes places; /* u32 by number: 0, or its place */
  tachy_bytes used;   /* u32 numbers by place - 1 */
} tachy_index;

typedef struct tachy_tables {
  tachy_index sites;
  tachy_index sets;
  tachy_index strings;
} tachy_tables;

/* 0: no memory. */
uint32_t tachy_index_add(tachy_index *index, uint32_t number);
void tachy_index_clear(tachy_index *index);

static inline uint32_t tachy_index_place(tachy_index *index, uint32_t number) {
  if ((uint64_t)number * 4 < index->places.size) {
    const uint32_t place = ((const uint32_t *)(const void *)index->places.bytes)[number];
    if (place) return place;
  }
  return tachy_index_add(index, number);
}

static inline uint32_t tachy_index_count(const tachy_index *index) { return (uint32_t)(index->used.size / 4); }

static inline uint32_t tachy_index_number(const tachy_index *index, uint32_t i) {
  return ((const uint32_t *)(const void *)index->used.bytes)[i];
}

void tachy_tables_clear(tachy_tables *tables);
void tachy_tables_free(tachy_tables *tables);

#endif
