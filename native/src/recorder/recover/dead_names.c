/* Names out of a session file. What is not there, because the file had no room or was damaged, has a name that says so.
 */
#include "dead.h"

static uint32_t string_count(const tachy_dead_names *n) { return (uint32_t)(n->strings.size / sizeof(tachy_string)); }

static void find_strings(const void *context, const uint32_t *numbers, uint32_t count, tachy_string *found) {
  const tachy_dead_names *const n = context;
  for (uint32_t i = 0; i < count; i++) found[i] = ((const tachy_string *)(const void *)n->strings.bytes)[numbers[i]];
}

static void find_sites(const void *context, const uint32_t *numbers, uint32_t count, const tachy_site_entry **found) {
  const tachy_dead_names *const n = context;
  const tachy_site_entry *const sites = (const tachy_site_entry *)(const void *)n->sites.bytes;
  const uint64_t known = n->sites.size / sizeof *sites;
  for (uint32_t i = 0; i < count; i++) found[i] = numbers[i] - 1 < known ? &sites[numbers[i] - 1] : &n->nobody;
}

static const tachy_set_entry *set_of(const void *context, uint32_t number) {
  const tachy_dead_names *const n = context;
  if (number - 1 >= n->sets.size / sizeof(uint64_t)) return NULL;
  const uint64_t offset = ((const uint64_t *)(const void *)n->sets.bytes)[number - 1];
  return (const tachy_set_entry *)(const void *)(n->pairs.bytes + offset);
}

static int add_string(tachy_dead_names *n, const uint8_t *bytes, uint32_t size) {
  const tachy_string string = {(const char *)bytes, size};
  return tachy_bytes_append(&n->strings, &string, sizeof string);
}

/* They are registered before what is made of them. */
static int are_strings(const tachy_dead_names *n, const uint32_t *numbers, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    if (numbers[i] >= string_count(n)) return 0;
  }
  return 1;
}

static int add_site(tachy_dead_names *n, const uint8_t *bytes, uint32_t size) {
  tachy_name_site name;
  if (size != sizeof name) return 0;
  memcpy(&name, bytes, sizeof name);
  if (name.kind > TACHY_SITE_VALUE || name.level > TACHY_LEVEL_TRACE) return 0;
  if (!are_strings(n, name.strings, TACHY_SITE_TEXTS)) return 0;
  tachy_site_entry entry;
  memset(&entry, 0, sizeof entry);
  entry.line = name.line;
  entry.kind = name.kind;
  entry.level = name.level;
  memcpy(entry.strings, name.strings, sizeof entry.strings);
  return tachy_bytes_append(&n->sites, &entry, sizeof entry);
}

static int add_set(tachy_dead_names *n, const uint8_t *bytes, uint32_t size) {
  const tachy_set_entry head = {size / 8, 0};
  const uint64_t offset = n->pairs.size;
  if (size % 8 || size > UINT16_MAX || !are_strings(n, (const uint32_t *)(const void *)bytes, size / 4)) return 0;
  return tachy_bytes_append(&n->sets, &offset, sizeof offset) && tachy_bytes_append(&n->pairs, &head, sizeof head) &&
         tachy_bytes_append(&n->pairs, bytes, size);
}

int tachy_dead_names_read(tachy_dead_names *n, const tachy_os_file *file, uint64_t size) {
  memset(n, 0, sizeof *n);
  n->names = (tachy_names){find_sites, find_strings, set_of, n};
  if (size > TACHY_SESSION_NAMES_SIZE) size = TACHY_SESSION_NAMES_SIZE;
  n->bytes = tachy_os_allocate(size ? size : 1);
  if (!n->bytes || !tachy_os_file_read(file, TACHY_SESSION_NAMES, n->bytes, size)) return 0;
  for (uint64_t at = 0; size - at >= sizeof(tachy_name_entry);) {
    tachy_name_entry entry;
    memcpy(&entry, n->bytes + at, sizeof entry);
    at += sizeof entry;
    const uint64_t padded = tachy_pad8(entry.size);
    if (padded > size - at) break;
    const uint8_t *const bytes = n->bytes + at;
    const int ok = entry.kind == TACHY_NAME_STRING ? add_string(n, bytes, entry.size)
                   : entry.kind == TACHY_NAME_SITE ? add_site(n, bytes, entry.size)
                                                   : entry.kind == TACHY_NAME_SET && add_set(n, bytes, entry.size);
    if (!ok) break; /* the numbers of what follows would be wrong */
    at += padded;
  }
  const uint32_t unknown = string_count(n);
  n->nobody.strings[TACHY_TEXT_NAME] = unknown;
  for (unsigned i = TACHY_TEXT_NAME + 1; i < TACHY_SITE_TEXTS; i++) n->nobody.strings[i] = unknown + 1;
  return add_string(n, (const uint8_t *)"(unknown)", 9) && add_string(n, (const uint8_t *)"", 0);
}

void tachy_dead_names_free(tachy_dead_names *n) {
  tachy_os_release(n->bytes);
  tachy_bytes_free(&n->strings);
  tachy_bytes_free(&n->sites);
  tachy_bytes_free(&n->sets);
  tachy_bytes_free(&n->pairs);
}
