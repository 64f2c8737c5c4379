/* Which sites are on: a level, and categories with levels of their own; the server's word is laid over the program's.
 * What the program has switched off as a class stays off. All of it under the registry's lock. */
#ifndef TACHY_SRC_RECORDER_SITES_FILTER_H
#define TACHY_SRC_RECORDER_SITES_FILTER_H

#include <tachy/tachy.h>

#define TACHY_RULES_MAX 64u
#define TACHY_CATEGORY_MAX 128u

typedef struct tachy_rule {
  uint32_t size;
  tachy_level level;
  char category[TACHY_CATEGORY_MAX]; /* not terminated */
} tachy_rule;

typedef struct tachy_rules {
  tachy_level level; /* of what no rule covers; NONE: all of it is off */
  int has_level;     /* 0: as the layer below says */
  uint32_t count;
  tachy_rule rules[TACHY_RULES_MAX];
} tachy_rules;

/* Adds or replaces a category's rule. 0: empty, too long, or no room. */
int tachy_rules_put(tachy_rules *rules, const char *category, size_t size, tachy_level level);

/* The program's level. */
void tachy_filter_set_level(tachy_level level);
/* What the server says, copied; NULL: nothing. */
void tachy_filter_lay_over(const tachy_rules *rules);
/* Whether a site of this kind, level and target is on. */
int tachy_filter_passes(uint8_t kind, uint8_t level, const char *target, size_t size);

#endif
