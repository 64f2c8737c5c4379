/* Scenarios: values on spans. The checks are in test_values.py. */
#include "harness.h"

TACHY_DEFINE_SPAN(outer_site, "values", "outer");
TACHY_DEFINE_SPAN(inner_site, "values", "inner");
TACHY_DEFINE_SPAN(plain_site, "values", "plain");
TACHY_DEFINE_ASYNC_SPAN(load_site, "values", "load");
TACHY_DEFINE_VALUE(number_site, "values", "number");
TACHY_DEFINE_VALUE(again_site, "values", "again");
TACHY_DEFINE_VALUE(text_site, "values", "text");
TACHY_DEFINE_VALUE(flow_site, "values", "flow");

static tachy_site *key(int number) {
  char name[24];
  snprintf(name, sizeof name, "key %d", number);
  return tachy_site_intern(TACHY_SITE_VALUE, TACHY_LEVEL_NONE, "values", name, "", 0, "");
}

static void values_of_all_kinds(void) {
  static char long_text[400];
  memset(long_text, 'x', sizeof long_text);
  begin_session(NULL);
  tachy_span_value_int(tachy_span_innermost(), &number_site, 1); /* nowhere */
  const tachy_scope outer = tachy_span_begin(&outer_site);
  tachy_span_value_int(tachy_span_innermost(), &number_site, INT64_MIN);
  tachy_span_value_int(outer, &again_site, 1);
  const tachy_scope inner = tachy_span_begin(&inner_site);
  tachy_span_value_unsigned(inner, &number_site, UINT64_MAX);
  tachy_span_value_text(inner, &text_site, long_text, sizeof long_text);
  tachy_span_value_text(outer, &text_site, "outer's", 7);
  tachy_span_value_text(inner, key(0), NULL, 9);
  tachy_span_value_text(inner, key(1), "sixteen bytes!!!", 16);
  tachy_span_value_text(inner, key(2), "not UTF-8: \xFF", 12);
  tachy_span_value_bool(inner, key(3), 7);
  tachy_span_value_float(inner, key(4), 0.1);
  tachy_span_flow(inner, &flow_site, 7);
  tachy_span_flow(inner, &flow_site, UINT64_C(1) << 63);
  tachy_span_flow(inner, &flow_site, 7);
  tachy_span_end(inner);
  tachy_span_value_int(inner, &number_site, 2); /* it has ended */
  tachy_span_value_text(inner, &text_site, "late", 4);
  tachy_span_value_float(outer, &again_site, 2.5);
  tachy_span_end(tachy_span_begin(&plain_site));
  tachy_span_value_text(outer, &again_site, "3", 1);
  tachy_span_end(outer);
  tachy_scope phase = tachy_span_begin(&inner_site);
  for (int i = 0; i < 3; i++) {
    tachy_span_value_int(phase, &number_site, i);
    phase = tachy_phase_next(phase, &inner_site);
  }
  tachy_span_end(phase);
  CHECK(end_session().values_dropped == 0);
}

static void values_too_many(void) {
  begin_session(NULL);
  const tachy_scope scope = tachy_span_begin(&outer_site);
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 40; i++) tachy_span_value_int(scope, key(i), round * 100 + i);
  }
  tachy_span_end(scope);
  CHECK(end_session().values_dropped == 16);
}

/* "outer" is open over blocks, and gets values in several. */
static void values_over_blocks(void) {
  const tachy_config config = {.flush_ms = 60000};
  begin_session(&config);
  const tachy_scope outer = tachy_span_begin(&outer_site);
  tachy_async load = tachy_async_begin(&load_site, NULL);
  tachy_span_value_text(outer, &text_site, "from the first", 14);
  for (int i = 0; i < 4; i++) {
    tachy_span_value_int(outer, &number_site, i);
    tachy_async_value_int(&load, &number_site, i);
    tachy_async_value_text(&load, key(i), "of the load", 11);
    const tachy_scope inner = tachy_span_begin(&inner_site);
    tachy_span_value_int(inner, &number_site, 100 + i);
    tachy_span_end(inner);
    CHECK(tachy_flush(20000) == 1);
  }
  tachy_async_end(&load);
  tachy_span_end(outer);
  CHECK(end_session().values_dropped == 0);
}

/* A pool that is far too small: what arrives belongs together all the same. */
static void values_in_a_small_pool(void) {
  const tachy_config config = {.pool_bytes = 2 * 65536};
  begin_session(&config);
  for (int i = 0; i < 60000; i++) {
    const tachy_scope outer = tachy_span_begin(&outer_site);
    tachy_span_value_int(outer, &number_site, i);
    for (int k = 0; k < 3; k++) {
      const tachy_scope inner = tachy_span_begin(&inner_site);
      tachy_span_value_int(inner, &number_site, i);
      if (k == 1) tachy_span_value_text(inner, &text_site, "some text to fill the pool", 26);
      tachy_span_end(inner);
    }
    tachy_span_end(outer);
  }
  end_session();
}

enum { LOADS = 20000, GIVERS = 3, CUTTER = GIVERS + 1 };
typedef struct relay {
  tachy_async spans[LOADS];
  uint64_t turns[GIVERS + 2]; /* atomic: how many spans this one has handed on; of the cutter, how many cuts */
} relay;

static relay race;

static void wait_for(int who, uint64_t count) {
  while (__atomic_load_n(&race.turns[who], __ATOMIC_ACQUIRE) <= count) sched_yield();
}

static void hand_on(int who, uint64_t i) { __atomic_store_n(&race.turns[who], i + 1, __ATOMIC_RELEASE); }

static void *begin_all(void *unused) {
  (void)unused;
  for (uint64_t i = 0; i < LOADS; i++) {
    if (i == LOADS / 2) wait_for(CUTTER, 0);
    race.spans[i] = tachy_async_begin(&load_site, NULL);
    hand_on(0, i);
  }
  return NULL;
}

static void *give(void *argument) {
  const int who = (int)(intptr_t)argument;
  tachy_site *const site = key(who);
  for (uint64_t i = 0; i < LOADS; i++) {
    wait_for(who - 1, i);
    tachy_async_value_unsigned(&race.spans[i], site, i);
    hand_on(who, i);
  }
  return NULL;
}

static void *end_all(void *unused) {
  (void)unused;
  for (uint64_t i = 0; i < LOADS; i++) {
    wait_for(GIVERS, i);
    tachy_async_end(&race.spans[i]);
  }
  return NULL;
}

/* Every async span gets its values from threads that are neither the one that began it nor the one that ends it, while
 * blocks are cut: at least once in the first half. */
static void values_race(void) {
  const tachy_config config = {.flush_ms = 1};
  begin_session(&config);
  team t = {.count = 0};
  team_add(&t, begin_all, NULL);
  for (int who = 1; who <= GIVERS; who++) team_add(&t, give, (void *)(intptr_t)who);
  team_add(&t, end_all, NULL);
  wait_for(0, 0);
  CHECK(tachy_flush(20000) == 1);
  hand_on(CUTTER, 0);
  team_join(&t);
  CHECK(end_session().values_dropped == 0);
}

static void values_switched_off(void) {
  begin_session(NULL);
  tachy_set_category("values.detail", TACHY_LEVEL_NONE);
  TACHY_DEFINE_VALUE(detail, "values.detail", "detail");
  const tachy_scope scope = tachy_span_begin(&outer_site);
  tachy_span_value_int(scope, &detail, 1);
  tachy_span_value_text(scope, &detail, "1", 1);
  tachy_span_value_int(scope, &number_site, 1);
  tachy_span_end(scope);
  CHECK(end_session().values_dropped == 0);
}

const scenario value_scenarios[] = {{"values_of_all_kinds", values_of_all_kinds},
                                    {"values_too_many", values_too_many},
                                    {"values_over_blocks", values_over_blocks},
                                    {"values_in_a_small_pool", values_in_a_small_pool},
                                    {"values_race", values_race},
                                    {"values_switched_off", values_switched_off},
                                    {NULL, NULL}};
