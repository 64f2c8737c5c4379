/* What the numbers of sites, property sets and strings stand for. A live session asks the registry; a dead one, the
 * session file that it left. */
#ifndef TACHY_SRC_BASE_NAMES_H
#define TACHY_SRC_BASE_NAMES_H

#include <tachy/tachy.h>

typedef struct tachy_string {
  const char *text; /* not terminated, valid UTF-8 */
  uint32_t size;
} tachy_string;

enum { TACHY_TEXT_NAME, TACHY_TEXT_TARGET, TACHY_TEXT_FILE, TACHY_TEXT_UNIT, TACHY_SITE_TEXTS };

typedef struct tachy_site_entry {
  uint32_t line;
  uint8_t kind;
  uint8_t level;
  uint16_t zero;
  uint32_t strings[TACHY_SITE_TEXTS]; /* string numbers */
  uint32_t next;                      /* in its hash chain */
  tachy_site *interned;               /* the site that tachy_site_intern has made of it, or NULL */
} tachy_site_entry;

typedef struct tachy_set_entry {
  uint32_t count;
  uint32_t next;
  uint32_t strings[]; /* key, value, key, value, … */
} tachy_set_entry;

/* What the functions return stays as it is while the channel that asks is there. A site is never NULL. */
typedef struct tachy_names {
  void (*sites)(const void *context, const uint32_t *numbers, uint32_t count, const tachy_site_entry **found);
  void (*strings)(const void *context, const uint32_t *numbers, uint32_t count, tachy_string *found);
  const tachy_set_entry *(*set)(const void *context, uint32_t number); /* NULL: there is none */
  const void *context;
} tachy_names;

static inline const tachy_site_entry *tachy_names_site(const tachy_names *names, uint32_t number) {
  const tachy_site_entry *found;
  names->sites(names->context, &number, 1, &found);
  return found;
}

static inline const tachy_set_entry *tachy_names_set(const tachy_names *names, uint32_t number) {
  return names->set(names->context, number);
}

static inline tachy_string tachy_names_string(const tachy_names *names, uint32_t number) {
  tachy_string found;
  names->strings(names->context, &number, 1, &found);
  return found;
}

#endif
