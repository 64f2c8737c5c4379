/* Which sites are on: asked when a site registers and when a rule changes, never by an event. */
#include "filter.h"

#include <string.h>

#include "../../base/entries.h"
#include "../../base/inside.h"
#include "registry.h"

static tachy_rules own = {TACHY_LEVEL_TRACE, 1, 0, {{0, TACHY_LEVEL_NONE, {0}}}};
static tachy_rules over; /* the server's */
static uint32_t off;     /* classes that the program has switched off, a bit each */

static tachy_rule *find(tachy_rules *rules, const char *category, size_t size) {
  for (uint32_t i = 0; i < rules->count; i++) {
    tachy_rule *const rule = &rules->rules[i];
    if (rule->size == size && memcmp(rule->category, category, size) == 0) return rule;
  }
  return NULL;
}

int tachy_rules_put(tachy_rules *rules, const char *category, size_t size, tachy_level level) {
  if (size == 0 || size > TACHY_CATEGORY_MAX) return 0;
  tachy_rule *rule = find(rules, category, size);
  if (!rule) {
    if (rules->count == TACHY_RULES_MAX) return 0;
    rule = &rules->rules[rules->count++];
    rule->size = (uint32_t)size;
    memcpy(rule->category, category, size);
  }
  rule->level = level;
  return 1;
}

static int covers(const tachy_rule *rule, const char *target, size_t size) {
  return rule->size <= size && memcmp(rule->category, target, rule->size) == 0 &&
         (rule->size == size || target[rule->size] == '.');
}

/* The rule with the longest category that covers the target, if it is at least `size_min` long. */
static const tachy_rule *longest(const tachy_rules *rules, const char *target, size_t size, uint32_t size_min) {
  const tachy_rule *best = NULL;
  for (uint32_t i = 0; i < rules->count; i++) {
    const tachy_rule *const rule = &rules->rules[i];
    if (rule->size < size_min || !covers(rule, target, size)) continue;
    best = rule;
    size_min = rule->size + 1;
  }
  return best;
}

static tachy_class class_of_kind(uint8_t kind) {
  switch (kind) {
    case TACHY_SITE_LOG:
      return TACHY_CLASS_LOG;
    case TACHY_SITE_METRIC_INT:
    case TACHY_SITE_METRIC_F64:
    case TACHY_SITE_METRIC_TICKS:
    case TACHY_SITE_FRAME:
      return TACHY_CLASS_METRIC;
    default:
      return TACHY_CLASS_SPAN;
  }
}

int tachy_filter_passes(uint8_t kind, uint8_t level, const char *target, size_t size) {
  if (off >> class_of_kind(kind) & 1u) return 0;
  tachy_level limit = over.has_level ? over.level : own.level;
  const tachy_rule *const below = longest(&own, target, size, 1);
  const tachy_rule *const above = longest(&over, target, size, below ? below->size : 1);
  if (above) {
    limit = above->level;
  } else if (below) {
    limit = below->level;
  }
  if (limit == TACHY_LEVEL_NONE) return 0;
  return level <= (uint8_t)limit; /* a site without a level has the level 0 */
}

void tachy_filter_set_level(tachy_level level) { own.level = level; }

void tachy_filter_lay_over(const tachy_rules *rules) {
  if (rules) {
    over = *rules;
  } else {
    over.has_level = 0;
    over.count = 0;
  }
}

void tachy_own_set_category(const char *category, tachy_level level) {
  if (!category || (unsigned)level > TACHY_LEVEL_TRACE || tachy_own_forking() || tachy_inside()) return;
  tachy_registry_lock();
  const int put = tachy_rules_put(&own, category, strlen(category), level);
  if (!put) tachy_registry_refuse();
  tachy_registry_unlock();
  if (put) tachy_registry_switch_again();
}

void tachy_own_unset_category(const char *category) {
  if (!category || tachy_own_forking() || tachy_inside()) return;
  tachy_registry_lock();
  tachy_rule *const rule = find(&own, category, strlen(category));
  if (rule) *rule = own.rules[--own.count];
  tachy_registry_unlock();
  if (rule) tachy_registry_switch_again();
}

void tachy_own_set_class(tachy_class cls, int on) {
  if (cls < TACHY_CLASS_LOG || cls > TACHY_CLASS_SPAN || tachy_own_forking() || tachy_inside()) return;
  tachy_registry_lock();
  off = on ? off & ~(1u << cls) : off | 1u << cls;
  tachy_registry_unlock();
  tachy_registry_switch_again();
}
