/* Sites, strings and property sets of all blocks, each once. */
#include <stdlib.h>

#include "merge.h"

enum { SITE_NUMBERS = 8, SITE_FIRST_TEXT = 1, SITE_TEXTS = 4 }; /* id; name, target, file, unit; line, level, kind */
_Static_assert(offsetof(tachy_site_row, hash) == SITE_NUMBERS * sizeof(uint32_t), "a number for each column");

typedef struct uniting {
  merge *m;
  const tachy_block *block;
  uint32_t *strings; /* by the block's: index among the united ones + 1; 0: not asked for yet */
  tachy_status status;
} uniting;

static uint32_t add(uniting *u, tachy_dictionary *to, const void *bytes, uint64_t size) {
  uint32_t index = 0;
  tachy_read_error ignored;
  if (!u->status) u->status = tachy_dictionary_add(to, size ? bytes : "", size, &index, &ignored);
  return index;
}

static uint32_t string_of(uniting *u, uint32_t string) {
  if (!u->strings[string]) {
    const tachy_text text = u->block->strings[string];
    u->strings[string] = add(u, &u->m->tables.strings, text.bytes, text.size) + 1;
  }
  return u->strings[string] - 1;
}

static void unite_sites(uniting *u, uint32_t *sites) {
  for (uint32_t i = 0; i < u->block->site_count; i++) {
    uint32_t numbers[SITE_NUMBERS];
    memcpy(numbers, &u->block->sites[i], sizeof numbers);
    for (int k = 0; k < SITE_TEXTS; k++) {
      numbers[SITE_FIRST_TEXT + k] = string_of(u, numbers[SITE_FIRST_TEXT + k]);
    }
    sites[i] = add(u, &u->m->tables.sites, numbers, sizeof numbers);
  }
}

static void unite_sets(uniting *u, uint32_t *sets) {
  const tachy_block *const block = u->block;
  TACHY_LIST(uint32_t) pairs = {0};
  sets[0] = 0;
  for (uint32_t i = 0; i < block->set_count && !u->status; i++) {
    pairs.count = 0;
    for (uint64_t k = block->set_first[i]; k < block->set_first[i + 1]; k++) {
      uint32_t *const key = tachy_list_add(&pairs, sizeof *pairs.items);
      if (key) *key = string_of(u, block->set_keys[k]);
      uint32_t *const value = tachy_list_add(&pairs, sizeof *pairs.items);
      if (value) *value = string_of(u, block->set_values[k]);
      if (!key || !value) u->status = TACHY_ERROR_MEMORY;
    }
    sets[i + 1] = add(u, &u->m->tables.sets, pairs.items, pairs.count * sizeof *pairs.items) + 1;
  }
  free(pairs.items);
}

void merge_unite(merge *m) {
  for (uint64_t i = 0; i < m->count && !m->failed; i++) {
    merge_source *const source = &m->sources[i];
    const tachy_block *const block = &source->block;
    source->sites = malloc(((size_t)block->site_count + 1) * sizeof *source->sites);
    source->sets = malloc(((size_t)block->set_count + 1) * sizeof *source->sets);
    uniting u = {m, block, calloc((size_t)block->string_count + 1, sizeof *u.strings), TACHY_OK};
    if (source->sites && source->sets && u.strings) {
      unite_sites(&u, source->sites);
      unite_sets(&u, source->sets);
    } else {
      m->failed = 1;
    }
    free(u.strings);
    if (u.status == TACHY_ERROR_MEMORY) m->failed = 1;
    if (u.status == TACHY_ERROR_FORMAT) merge_refuse(m, i); /* more text than a table may have */
  }
}

static uint64_t size_at(const tachy_dictionary *of, uint32_t i) {
  return (uint64_t)(of->offsets[i + 1] - of->offsets[i]);
}

static void strings_columns(const tachy_dictionary *strings, tachy_columns *c) {
  tachy_plane sizes = {0};
  for (uint32_t i = 0; i < strings->count; i++) {
    const uint64_t size = size_at(strings, i);
    tachy_columns_row(c, &sizes, 1, &size);
  }
  tachy_columns_add(c, TACHY_COLUMN_STRING_SIZE, &sizes, 1);
  const uint64_t size = strings->bytes.size;
  uint8_t *const at = tachy_columns_open(c, TACHY_COLUMN_STRING_BYTES, TACHY_ENCODING_BYTES, size, size);
  if (at) memcpy(at, strings->bytes.bytes, size);
}

void merge_tables_columns(merge *m, tachy_columns *c) {
  const merge_tables *const t = &m->tables;
  tachy_plane sites[SITE_NUMBERS] = {0};
  for (uint32_t i = 0; i < t->sites.count; i++) {
    uint32_t numbers[SITE_NUMBERS];
    memcpy(numbers, t->sites.bytes.bytes + t->sites.offsets[i], sizeof numbers);
    for (int k = 0; k < SITE_NUMBERS; k++) {
      const uint64_t value = numbers[k];
      tachy_columns_row(c, &sites[k], 1, &value);
    }
  }
  tachy_columns_add(c, TACHY_COLUMN_SITE_ID, sites, SITE_NUMBERS);
  tachy_plane sets[3] = {0}; /* sizes; keys, values */
  for (uint32_t i = 0; i < t->sets.count; i++) {
    const uint64_t pairs = size_at(&t->sets, i) / (2 * sizeof(uint32_t));
    tachy_columns_row(c, sets, 1, &pairs);
    for (uint64_t k = 0; k < pairs; k++) {
      uint32_t pair[2];
      memcpy(pair, t->sets.bytes.bytes + t->sets.offsets[i] + k * sizeof pair, sizeof pair);
      const uint64_t strings[2] = {pair[0], pair[1]};
      tachy_columns_row(c, sets + 1, 2, strings);
    }
  }
  tachy_columns_add(c, TACHY_COLUMN_SET_SIZE, sets, 3);
  strings_columns(&t->strings, c);
}
