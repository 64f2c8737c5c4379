/* The tables of one block. */
#include "tables.h"

uint32_t tachy_index_add(tachy_index *index, uint32_t number) {
  const uint64_t size = ((uint64_t)number + 1) * 4;
  if (index->positions.size < size) {
    const uint64_t more = size - index->positions.size;
    if (!tachy_bytes_reserve(&index->positions, more)) return 0;
    memset(index->positions.bytes + index->positions.size, 0, more);
    index->positions.size = size;
  }
  if (!tachy_bytes_append(&index->used, &number, sizeof number)) return 0;
  const uint32_t position = tachy_index_count(index);
  ((uint32_t *)(void *)index->positions.bytes)[number] = position;
  return position;
}

void tachy_index_clear(tachy_index *index) {
  for (uint32_t i = 0; i < tachy_index_count(index); i++) {
    ((uint32_t *)(void *)index->positions.bytes)[tachy_index_number(index, i)] = 0;
  }
  index->used.size = 0;
}

void tachy_tables_clear(tachy_tables *tables) {
  tachy_index_clear(&tables->sites);
  tachy_index_clear(&tables->sets);
  tachy_index_clear(&tables->strings);
}

void tachy_tables_free(tachy_tables *tables) {
  tachy_index *const all[] = {&tables->sites, &tables->sets, &tables->strings};
  for (unsigned i = 0; i < 3; i++) {
    tachy_bytes_free(&all[i]->positions);
    tachy_bytes_free(&all[i]->used);
  }
}
