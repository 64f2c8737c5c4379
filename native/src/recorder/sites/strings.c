/* Strings of the registry, and the two containers that the registry is made of. */
#include "strings.h"

#include <string.h>

#include "../../base/hash.h"
#include "../../base/text.h"
#include "../../os/os.h"
#include "../pool/session_file.h"

enum { FIRST_CHUNK = 256, CHAINS = 1 << 14 };

typedef struct string_entry {
  tachy_string string;
  uint32_t next;
} string_entry;

static tachy_list strings;
static tachy_chains chains;

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

void *tachy_list_add(tachy_list *list, size_t item_size) {
  uint32_t offset;
  const unsigned chunk = chunk_of(list->count, &offset);
  if (chunk >= 24) return NULL;
  if (!list->chunks[chunk]) {
    const size_t size = ((size_t)FIRST_CHUNK << chunk) * item_size;
    uint8_t *const memory = tachy_os_allocate(size);
    if (!memory) return NULL;
    memset(memory, 0, size);
    list->chunks[chunk] = memory;
  }
  list->count++;
  return list->chunks[chunk] + offset * item_size;
}

uint32_t *tachy_chains_head(tachy_chains *table, uint64_t hash) {
  if (!table->heads) {
    table->heads = tachy_os_allocate(CHAINS * sizeof *table->heads);
    if (!table->heads) return NULL;
    memset(table->heads, 0, CHAINS * sizeof *table->heads);
    table->mask = CHAINS - 1;
  }
  return &table->heads[hash & table->mask];
}

uint32_t tachy_strings_number(const char *text, uint64_t size, int add) {
  const tachy_fit fit = tachy_text_fit(text, size, TACHY_STRING_MAX);
  char *const copy = tachy_os_allocate(fit.kept + fit.mark_size + 1);
  if (!copy) return TACHY_NO_STRING;
  size = tachy_text_put(copy, text, &fit);
  copy[size] = 0;
  tachy_text_clean((uint8_t *)copy, size);
  uint32_t *const head = tachy_chains_head(&chains, tachy_hash(copy, size));
  for (uint32_t at = head ? *head : 0; at;) {
    const string_entry *const entry = tachy_list_at(&strings, at - 1, sizeof *entry);
    if (entry->string.size == size && memcmp(entry->string.text, copy, size) == 0) {
      tachy_os_release(copy);
      return at - 1;
    }
    at = entry->next;
  }
  string_entry *const entry = head && add ? tachy_list_add(&strings, sizeof *entry) : NULL;
  if (!entry) {
    tachy_os_release(copy);
    return TACHY_NO_STRING;
  }
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
