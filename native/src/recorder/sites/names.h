/* What the numbers in rings stand for. A live session asks the registry; a dead one, the session file that it left. */
#ifndef TACHY_SRC_RECORDER_SITES_NAMES_H
#define TACHY_SRC_RECORDER_SITES_NAMES_H

#include "registry.h"

/* What the functions return stays as it is while the channel that asks is there. */
typedef struct tachy_names {
  const tachy_site_entry *(*site)(const void *context, uint32_t number); /* never NULL */
  const tachy_set_entry *(*set)(const void *context, uint32_t number);   /* NULL: there is none */
  tachy_string (*string)(const void *context, uint32_t number);
  const void *context;
} tachy_names;

extern const tachy_names tachy_registry_names;

static inline const tachy_site_entry *tachy_names_site(const tachy_names *names, uint32_t number) {
  return names->site(names->context, number);
}

static inline const tachy_set_entry *tachy_names_set(const tachy_names *names, uint32_t number) {
  return names->set(names->context, number);
}

static inline tachy_string tachy_names_string(const tachy_names *names, uint32_t number) {
  return names->string(names->context, number);
}

#endif
