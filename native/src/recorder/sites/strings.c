/* Strings of the registry, and the two containers that the registry is made of. */
#include "strings.h"

#include <string.h>

#include "../../base/assert.h"
#include "../../base/hash.h"
#include "../../base/text.h"
#include "../../os/os.h"
#include "../pool/session_file.h"

enum { FIRST_CHUNK = 256, CHAINS = 1 << 14, ARENA = 1 << 20, ALONE = ARENA / 4 };

typedef struct string_entry {
  tachy_string string;
  uint32_t next;
} string_entry;

static tachy_list strings;
static tachy_chains chains;

/* What the registry keeps lies one after the other in mappings of ARENA bytes; what is large has one of its own. */
static uint8_t *arena;
static size_t arena_left;

static size_t rounded(size_t size) { return (size + 15) & ~(size_t)15; }

void *tachy_registry_memory(size_t size) {
  size = rounded(size);
  if (size > ALONE) return tachy_os_map(size);
  if (size > arena_left) {
    uint8_t *const more = (uint8_t *)tachy_os_map(ARENA);
    if (!more) return NULL;
    arena = more;
    arena_left = ARENA;
  }
  void *const memory = arena;
  arena += size;
  arena_left -= size;
  return memory;
}

void tachy_registry_take_back(void *memory, size_t size) {
  size = rounded(size);
  TACHY_ASSERT(size <= ALONE && (uint8_t *)memory + size == arena);
  memset(memory, 0, size);
  arena -= size;
  arena_left += size;
}

/* Chunk c holds FIRST_CHUNK << c items. */
static unsigned chunk_of(uint32_t index, uint32_t *offset) {
  const uint32_t group = index / FIRST_CHUNK + 1;
  unsigned chunk = 0;
  while (group >> (chunk + 1)) chunk++;
  *offset = index - FIRST_CHUNK * ((1u << chunk) - 1);
  return chunk;
}

void *tachy_list_at(const tachy_list *list, uint32_t index, size_t item_size) {
  uint32_t offset;
  const unsigned chunk = chunk_of(index, &offset);
  return list->chunks[chunk] + offset * item_size;
}

int tachy_list_reserve(tachy_list *list, size_t item_size) {
  uint32_t offset;
  const unsigned chunk = chunk_of(list->count, &offset);
  if (chunk >= 24) return 0;
  if (!list->chunks[chunk]) {
    list->chunks[chunk] = (uint8_t *)tachy_registry_memory(((size_t)FIRST_CHUNK << chunk) * item_size);
  }
  return list->chunks[chunk] != NULL;
}

void *tachy_list_add(tachy_list *list, size_t item_size) {
  if (!tachy_list_reserve(list, item_size)) return NULL;
  return tachy_list_at(list, list->count++, item_size);
}

uint32_t *tachy_chains_head(tachy_chains *table, uint64_t hash) {
  if (!table->heads) {
    table->heads = (uint32_t *)tachy_registry_memory(CHAINS * sizeof *table->heads);
    if (!table->heads) return NULL;
    table->mask = CHAINS - 1;
  }
  return &table->heads[hash & table->mask];
}

/* The number of a text that is clean, or TACHY_NO_STRING. */
static uint32_t find(const char *text, uint64_t size, uint32_t first) {
  for (uint32_t at = first; at;) {
    const string_entry *const entry = tachy_list_at(&strings, at - 1, sizeof *entry);
    if (entry->string.size == size && memcmp(entry->string.text, text, size) == 0) return at - 1;
    at = entry->next;
  }
  return TACHY_NO_STRING;
}

uint32_t tachy_strings_number(const char *text, uint64_t size, int add) {
  if (!chains.heads && !tachy_chains_head(&chains, 0)) return TACHY_NO_STRING; /* the copy is to be taken last */
  if (add && !tachy_list_reserve(&strings, sizeof(string_entry))) return TACHY_NO_STRING;
  const tachy_fit fit = tachy_text_fit(text, size, TACHY_STRING_MAX);
  const size_t room = fit.kept + fit.mark_size + 1;
  char *const copy = (char *)tachy_registry_memory(room);
  if (!copy) return TACHY_NO_STRING;
  size = tachy_text_put(copy, text, &fit);
  tachy_text_clean((uint8_t *)copy, size);
  uint32_t *const head = tachy_chains_head(&chains, tachy_hash(copy, size));
  const uint32_t known = find(copy, size, *head);
  if (known != TACHY_NO_STRING || !add) {
    tachy_registry_take_back(copy, room);
    return known;
  }
  string_entry *const entry = tachy_list_add(&strings, sizeof *entry);
  entry->string.text = copy;
  entry->string.size = (uint32_t)size;
  entry->next = *head;
  *head = strings.count;
  tachy_session_file_name(TACHY_NAME_STRING, copy, entry->string.size);
  return strings.count - 1;
}

void tachy_strings_save(void) {
  for (uint32_t i = 0; i < strings.count; i++) {
    const tachy_string string = tachy_strings_text(i);
    tachy_session_file_name(TACHY_NAME_STRING, string.text, string.size);
  }
}

tachy_string tachy_strings_text(uint32_t number) {
  return ((const string_entry *)tachy_list_at(&strings, number, sizeof(string_entry)))->string;
}
