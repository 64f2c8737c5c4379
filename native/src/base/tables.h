/* The tables of one block: which sites, sets and strings it uses, numbered in the order of their first use. */
#ifndef TACHY_SRC_BASE_TABLES_H
#define TACHY_SRC_BASE_TABLES_H

#include <tachy/compiler.h>

#include "buffer.h"

/* One table: the registry's numbers -> their positions in the block's table. */
typedef struct tachy_index {
  tachy_bytes positions; /* u32 by number: its position in the table, from 1; 0: it is not there yet */
  tachy_bytes used;      /* u32 numbers, in the order of their positions */
} tachy_index;

typedef struct tachy_tables {
  tachy_index sites;
  tachy_index sets;
  tachy_index strings;
} tachy_tables;

/* The position that the number gets. 0: no memory. */
uint32_t tachy_index_add(tachy_index *index, uint32_t number);
void tachy_index_clear(tachy_index *index);

/* The position of the number, which it gets now if it has none. 0: no memory. */
static inline uint32_t tachy_index_position(tachy_index *index, uint32_t number) {
  if ((uint64_t)number * 4 < index->positions.size) {
    const uint32_t position = ((const uint32_t *)(const void *)index->positions.bytes)[number];
    if (position) return position;
  }
  return tachy_index_add(index, number);
}

/* Its place will be asked for. */
static inline void tachy_index_expect(const tachy_index *index, uint32_t number) {
  if ((uint64_t)number * 4 < index->positions.size) TACHY_PREFETCH(index->positions.bytes + (uint64_t)number * 4);
}

static inline uint32_t tachy_index_count(const tachy_index *index) { return (uint32_t)(index->used.size / 4); }

static inline const uint32_t *tachy_index_numbers(const tachy_index *index) {
  return (const uint32_t *)(const void *)index->used.bytes;
}

static inline uint32_t tachy_index_number(const tachy_index *index, uint32_t i) {
  return tachy_index_numbers(index)[i];
}

void tachy_tables_clear(tachy_tables *tables);
void tachy_tables_free(tachy_tables *tables);

#endif
