/* The registry's answers to what the numbers in records stand for. */
#include "registry.h"

static const tachy_site_entry *site_of(const void *context, uint32_t number) {
  (void)context;
  return tachy_registry_site(number);
}

static const tachy_set_entry *set_of(const void *context, uint32_t number) {
  (void)context;
  return tachy_registry_set(number);
}

static tachy_string string_of(const void *context, uint32_t number) {
  (void)context;
  return tachy_registry_string(number);
}

const tachy_names tachy_registry_names = {site_of, set_of, string_of, NULL};
