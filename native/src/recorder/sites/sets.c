/* Property sets: numbers for sets of text pairs, by value. */
#include <string.h>

#include "../../base/entries.h"
#include "../../base/hash.h"
#include "../../base/inside.h"
#include "../pool/session_file.h"
#include "strings.h"

enum { SETS_MAX = 65535, PAIRS_MAX = 32 };

static tachy_list sets; /* of tachy_set_entry pointers */
static tachy_chains chains;

static tachy_set_entry *set_at(uint32_t number) {
  return *(tachy_set_entry **)tachy_list_at(&sets, number - 1, sizeof(tachy_set_entry *));
}

const tachy_set_entry *tachy_registry_set(const void *unused, uint32_t number) {
  (void)unused;
  tachy_registry_lock();
  const tachy_set_entry *const set = number - 1 < sets.count ? set_at(number) : NULL;
  tachy_registry_unlock();
  return set;
}

/* Sorted by the keys' numbers, each key once, the last value given wins. Returns the number of pairs, or -1. When no
 * set can be added its strings are not either: who makes sets without end must not fill the memory. */
static int collect(const tachy_property *pairs, size_t count, uint32_t *strings) {
  unsigned used = 0;
  const int add = sets.count < SETS_MAX;
  for (size_t i = 0; i < count; i++) {
    const char *const key = pairs[i].key ? pairs[i].key : "";
    const char *const value = pairs[i].value ? pairs[i].value : "";
    const uint32_t key_number = tachy_strings_number(key, strlen(key), add);
    const uint32_t value_number = tachy_strings_number(value, strlen(value), add);
    if (key_number == TACHY_NO_STRING || value_number == TACHY_NO_STRING) return -1;
    unsigned at = 0;
    while (at < used && strings[2 * at] < key_number) at++;
    if (at == used || strings[2 * at] != key_number) {
      memmove(&strings[2 * at + 2], &strings[2 * at], 2 * (used - at) * sizeof *strings);
      used++;
    }
    strings[2 * at] = key_number;
    strings[2 * at + 1] = value_number;
  }
  return (int)used;
}

static void save(const tachy_set_entry *set) { tachy_session_file_name(TACHY_NAME_SET, set->strings, set->count * 8); }

static uint32_t number_of(const uint32_t *strings, uint32_t count) {
  const size_t size = 2 * count * sizeof *strings;
  uint32_t *const head = tachy_chains_head(&chains, tachy_hash(strings, size));
  if (!head) return 0;
  for (uint32_t at = *head; at; at = set_at(at)->next) {
    if (set_at(at)->count == count && memcmp(set_at(at)->strings, strings, size) == 0) return at;
  }
  if (sets.count >= SETS_MAX) return 0;
  tachy_set_entry *const set = (tachy_set_entry *)tachy_registry_memory(sizeof *set + size);
  tachy_set_entry **const item = set ? tachy_list_add(&sets, sizeof *item) : NULL;
  if (!item) return 0;
  set->count = count;
  memcpy(set->strings, strings, size);
  set->next = *head;
  *head = sets.count;
  *item = set;
  save(set);
  return sets.count;
}

void tachy_sets_save(void) {
  for (uint32_t number = 1; number <= sets.count; number++) save(set_at(number));
}

uint32_t tachy_own_property_set(const tachy_property *pairs, size_t count) {
  if (!pairs || count == 0 || tachy_own_forking()) return 0;
  if (tachy_inside()) {
    tachy_registry_refuse();
    return 0;
  }
  uint32_t strings[2 * PAIRS_MAX];
  tachy_registry_lock();
  const int used = count <= PAIRS_MAX ? collect(pairs, count, strings) : -1;
  const uint32_t number = used > 0 ? number_of(strings, (uint32_t)used) : 0;
  if (number == 0) tachy_registry_refuse();
  tachy_registry_unlock();
  return number;
}
