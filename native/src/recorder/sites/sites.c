/* Sites: numbers for descriptions of instrumented lines of code, and the switch that turns them on and off.
 *
 * A static site is written only while its module is certainly mapped: in tachy_site_register_, which its module calls,
 * and under the loader's lock, after its whole description has been compared with our copy. */
#include <string.h>

#include "../../base/add.h"
#include "../../base/entries.h"
#include "../../base/hash.h"
#include "../../base/inside.h"
#include "../../base/text.h"
#include "../../os/os.h"
#include "../pool/session_file.h"
#include "filter.h"
#include "strings.h"

/* Where a static site lies, and where its text did when it registered. */
typedef struct instance {
  tachy_site *site;
  const char *texts[TACHY_SITE_TEXTS];
  uint32_t number;
  uint32_t next;
} instance;

static tachy_os_mutex mutex = TACHY_OS_MUTEX_INIT;
static tachy_list entries;
static tachy_chains entry_chains;
static tachy_list instances;
static tachy_chains instance_chains;
static uint32_t free_instances; /* chain of those whose module has gone */
static uint64_t refused;        /* atomic */
static uint32_t switched_on;    /* atomic, for handlers */

void tachy_registry_lock(void) { tachy_inside_lock(&mutex); }
void tachy_registry_unlock(void) { tachy_inside_unlock(&mutex); }

void tachy_registry_after_fork(void) {
  tachy_os_mutex_init(&mutex);
  TACHY_STORE(&switched_on, 0);
}

static tachy_site_entry *entry_at(uint32_t number) {
  return tachy_list_at(&entries, number - 1, sizeof(tachy_site_entry));
}

static instance *instance_at(uint32_t index) { return tachy_list_at(&instances, index - 1, sizeof(instance)); }

static void find_sites(const void *unused, const uint32_t *numbers, uint32_t count, const tachy_site_entry **found) {
  (void)unused;
  tachy_registry_lock();
  for (uint32_t i = 0; i < count; i++) found[i] = numbers[i] - 1 < entries.count ? entry_at(numbers[i]) : NULL;
  tachy_registry_unlock();
}

static void find_strings(const void *unused, const uint32_t *numbers, uint32_t count, tachy_string *found) {
  (void)unused;
  tachy_registry_lock();
  for (uint32_t i = 0; i < count; i++) found[i] = tachy_strings_text(numbers[i]);
  tachy_registry_unlock();
}

const tachy_names tachy_registry_names = {find_sites, find_strings, tachy_registry_set, NULL};

uint32_t tachy_registry_site_count(void) {
  tachy_registry_lock();
  const uint32_t count = entries.count;
  tachy_registry_unlock();
  return count;
}

uint64_t tachy_registry_refused(void) { return TACHY_LOAD(&refused); }

void tachy_registry_refuse(void) { tachy_add(&refused, 1); }

/* The site's first word as it should be now. */
static int32_t switched(uint32_t number) {
  const tachy_site_entry *const entry = entry_at(number);
  const tachy_string target = tachy_strings_text(entry->strings[TACHY_TEXT_TARGET]);
  const int on = switched_on && tachy_filter_passes(entry->kind, entry->level, target.text, target.size);
  return on ? (int32_t)number : -(int32_t)number;
}

static void save(const tachy_site_entry *site) {
  tachy_name_site name = {site->line, site->kind, site->level, 0, {0}};
  memcpy(name.strings, site->strings, sizeof name.strings);
  tachy_session_file_name(TACHY_NAME_SITE, &name, sizeof name);
}

/* The number of the description, a new one if need be; 0: no memory or no number left. */
static uint32_t number_of(const tachy_site *site) {
  const char *const texts[TACHY_SITE_TEXTS] = {site->name, site->target, site->file, site->unit};
  tachy_site_entry wanted;
  memset(&wanted, 0, sizeof wanted);
  wanted.line = site->line;
  wanted.kind = site->kind;
  wanted.level = site->level;
  for (unsigned i = 0; i < TACHY_SITE_TEXTS; i++) {
    const char *const text = texts[i] ? texts[i] : "";
    wanted.strings[i] = tachy_strings_number(text, strlen(text), entries.count < TACHY_SITE_MAX);
    if (wanted.strings[i] == TACHY_NO_STRING) return 0;
  }
  const uint64_t hash = tachy_hash(&wanted, offsetof(tachy_site_entry, next));
  uint32_t *const head = tachy_chains_head(&entry_chains, hash);
  if (!head) return 0;
  for (uint32_t at = *head; at; at = entry_at(at)->next) {
    if (memcmp(entry_at(at), &wanted, offsetof(tachy_site_entry, next)) == 0) return at;
  }
  if (entries.count >= TACHY_SITE_MAX) return 0;
  tachy_site_entry *const entry = tachy_list_add(&entries, sizeof *entry);
  if (!entry) return 0;
  *entry = wanted;
  entry->next = *head;
  *head = entries.count;
  save(entry);
  return entries.count;
}

void tachy_registry_save(void) {
  tachy_strings_save();
  tachy_sets_save();
  for (uint32_t number = 1; number <= entries.count; number++) save(entry_at(number));
}

static uint32_t *instance_chain(const tachy_site *site) {
  const uintptr_t address = (uintptr_t)site;
  return tachy_chains_head(&instance_chains, tachy_mix64((uint64_t)address));
}

/* Remembers where the site lies, so that it can be switched. 0: no memory. */
static int remember(tachy_site *site, uint32_t number) {
  uint32_t *const head = instance_chain(site);
  if (!head) return 0;
  uint32_t at = *head;
  while (at && instance_at(at)->site != site) at = instance_at(at)->next;
  if (!at) {
    if (free_instances) {
      at = free_instances;
      free_instances = instance_at(at)->next;
    } else {
      if (!tachy_list_add(&instances, sizeof(instance))) return 0;
      at = instances.count;
    }
    instance_at(at)->next = *head;
    *head = at;
  }
  instance *const held = instance_at(at);
  held->site = site;
  held->number = number;
  held->texts[TACHY_TEXT_NAME] = site->name;
  held->texts[TACHY_TEXT_TARGET] = site->target;
  held->texts[TACHY_TEXT_FILE] = site->file;
  held->texts[TACHY_TEXT_UNIT] = site->unit;
  return 1;
}

/* In a handler that has interrupted this or the like: the event that wants the number is lost. */
static void drop_event(const tachy_site *site) {
  static const uint8_t classes[] = {TACHY_CLASS_SPAN,   TACHY_CLASS_LOG,    TACHY_CLASS_METRIC, TACHY_CLASS_METRIC,
                                    TACHY_CLASS_METRIC, TACHY_CLASS_METRIC, TACHY_CLASS_SPAN,   0};
  if (TACHY_LOAD(&switched_on) && site->kind < sizeof classes) tachy_inside_drop(classes[site->kind]);
}

int32_t tachy_own_site_register_(tachy_site *site) {
  if (tachy_own_forking()) return 0;
  if (tachy_inside()) {
    drop_event(site);
    return 0;
  }
  tachy_registry_lock();
  int32_t id = TACHY_LOAD(&site->id);
  if (id == 0) {
    const uint32_t number = number_of(site);
    if (number && remember(site, number)) {
      id = switched(number);
      TACHY_STORE(&site->id, id);
    } else {
      tachy_registry_refuse();
    }
  }
  tachy_registry_unlock();
  return id;
}

tachy_site *tachy_own_site_intern(tachy_site_kind kind, tachy_level level, const char *target, const char *name,
                                  const char *file, uint32_t line, const char *unit) {
  if (tachy_own_forking()) return NULL;
  if (tachy_inside()) {
    tachy_registry_refuse();
    return NULL;
  }
  const tachy_site wanted = {0, line, (uint8_t)kind, (uint8_t)level, 0, name, target, file, unit};
  tachy_registry_lock();
  const uint32_t number = number_of(&wanted);
  tachy_site *site = number ? entry_at(number)->interned : NULL;
  if (number && !site) {
    site = (tachy_site *)tachy_registry_memory(sizeof *site);
    if (site) {
      const tachy_site_entry *const entry = entry_at(number);
      *site = wanted;
      site->name = tachy_strings_text(entry->strings[TACHY_TEXT_NAME]).text;
      site->target = tachy_strings_text(entry->strings[TACHY_TEXT_TARGET]).text;
      site->file = tachy_strings_text(entry->strings[TACHY_TEXT_FILE]).text;
      site->unit = tachy_strings_text(entry->strings[TACHY_TEXT_UNIT]).text;
      TACHY_STORE(&site->id, switched(number));
      entry_at(number)->interned = site;
    }
  }
  if (!site) tachy_registry_refuse();
  tachy_registry_unlock();
  return site;
}

/* The end of the mapped part that holds the address, or 0. */
static uintptr_t mapped_until(const tachy_os_range *ranges, size_t count, uintptr_t address, int writable) {
  size_t low = 0;
  size_t high = count;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (ranges[middle].end <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == count || ranges[low].begin > address || (writable && !ranges[low].writable)) return 0;
  return ranges[low].end;
}

/* Whether the site that registered there is still there. Text is compared only where it lay then. */
static int still_there(const instance *held, const tachy_os_range *ranges, size_t count) {
  const uintptr_t address = (uintptr_t)held->site;
  const uintptr_t end = mapped_until(ranges, count, address, 1);
  if (end == 0 || end - address < sizeof(tachy_site)) return 0;
  const tachy_site *const site = held->site;
  const tachy_site_entry *const entry = entry_at(held->number);
  const int32_t id = TACHY_LOAD(&site->id);
  if ((id < 0 ? -id : id) != (int32_t)held->number) return 0;
  if (site->line != entry->line || site->kind != entry->kind || site->level != entry->level) return 0;
  const char *const texts[TACHY_SITE_TEXTS] = {site->name, site->target, site->file, site->unit};
  for (unsigned i = 0; i < TACHY_SITE_TEXTS; i++) {
    if (texts[i] != held->texts[i]) return 0;
    if (!texts[i]) continue;
    const tachy_string copy = tachy_strings_text(entry->strings[i]);
    const uintptr_t until = mapped_until(ranges, count, (uintptr_t)texts[i], 0);
    if (until == 0 || until - (uintptr_t)texts[i] <= copy.size) return 0;
    /* text that was shortened or repaired when it was copied differs from its copy: then the address must do */
    const int shortened = copy.size > TACHY_STRING_MAX - sizeof(tachy_fit);
    if (!shortened && memchr(copy.text, '?', copy.size) == NULL && memcmp(texts[i], copy.text, copy.size) != 0)
      return 0;
  }
  return 1;
}

static void forget(uint32_t at) {
  uint32_t *link = instance_chain(instance_at(at)->site);
  while (*link != at) link = &instance_at(*link)->next;
  *link = instance_at(at)->next;
  instance_at(at)->site = NULL;
  instance_at(at)->next = free_instances;
  free_instances = at;
}

static int by_address(const void *a, const void *b) {
  const tachy_os_range *const x = a, *const y = b;
  return (x->begin > y->begin) - (x->begin < y->begin);
}

typedef struct parts {
  tachy_bytes ranges; /* tachy_os_range */
  int failed;
} parts;

static void add_part(void *context, tachy_os_range range) {
  parts *const of = context;
  if (!tachy_bytes_append(&of->ranges, &range, sizeof range)) of->failed = 1;
}

static void switch_instances(void *context) {
  const parts *const of = context;
  tachy_os_range *const ranges = (tachy_os_range *)(void *)of->ranges.bytes;
  const size_t count = of->ranges.size / sizeof *ranges;
  if (of->failed || count == 0) return;
  qsort(ranges, count, sizeof *ranges, by_address);
  for (uint32_t at = 1; at <= instances.count; at++) {
    const instance *const held = instance_at(at);
    if (!held->site) continue;
    if (still_there(held, ranges, count)) {
      TACHY_STORE(&held->site->id, switched(held->number));
    } else {
      forget(at);
    }
  }
}

/* The sites of ours; those of modules follow without the lock, see tachy_os_with_modules. */
static void switch_interned(void) {
  for (uint32_t number = 1; number <= entries.count; number++) {
    tachy_site *const site = entry_at(number)->interned;
    if (site) TACHY_STORE(&site->id, switched(number));
  }
}

static void switch_modules(void) {
  tachy_inside_begins();
  parts of = {{0}, 0};
  tachy_os_with_modules(&mutex, add_part, switch_instances, &of);
  tachy_bytes_free(&of.ranges);
  tachy_inside_ends();
}

void tachy_registry_switch(int on) {
  tachy_registry_lock();
  TACHY_STORE(&switched_on, (uint32_t)on);
  switch_interned();
  tachy_registry_unlock();
  switch_modules();
}

void tachy_registry_switch_again(void) {
  tachy_registry_lock();
  const uint32_t on = switched_on;
  if (on) switch_interned();
  tachy_registry_unlock();
  if (on) switch_modules();
}
