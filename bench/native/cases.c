/* The cases of the table in bench/budgets.toml, written as a program would write them. */
#include <stdio.h>
#include <tachy/tachy.h>

#include "bench.h"
#include "work.h"

/* A function that only the measured event is in: what callgrind says of it, less an empty one, is the event. */
#define ONCE(name, sites, ...)                              \
  __attribute__((noinline)) static void once_##name(void) { \
    sites;                                                  \
    __VA_ARGS__;                                            \
  }

#define CASE(name, sites, ...)                                    \
  __attribute__((noinline)) static void once_##name(void) {       \
    sites;                                                        \
    __VA_ARGS__;                                                  \
  }                                                               \
  __attribute__((noinline)) static void loop_##name(uint32_t n) { \
    sites;                                                        \
    for (; n; n--) {                                              \
      __VA_ARGS__;                                                \
      __asm__ volatile("" ::: "memory");                          \
    }                                                             \
  }

static uint32_t two_properties;
static volatile uint64_t integer = 42;
static volatile double number = 0.5;
static volatile tachy_scope first_scope = TACHY_TOP_OF_(1); /* what the outermost span of a thread gets */

/* The clock alone; its reading is used, as an event uses it. */
static uint64_t last_reading;
CASE(clock, (void)0, last_reading = tachy_ticks())
CASE(two_clocks, (void)0, last_reading = tachy_ticks(); __asm__ volatile("" ::: "memory"); last_reading = tachy_ticks())
CASE(empty, (void)0, (void)0)

CASE(span, TACHY_DEFINE_SPAN(site, "bench", "span"), tachy_span_end(tachy_span_begin(&site)))
ONCE(span_begin, TACHY_DEFINE_SPAN(site, "bench", "begin"), tachy_span_begin(&site))
ONCE(span_end, (void)0, tachy_span_end(first_scope))
CASE(log_two_ints, TACHY_DEFINE_LOG(site, "bench", TACHY_LEVEL_INFO, "%lld of %lld"),
     const uint64_t values[] = {integer, 7};
     tachy_log_words(&site, 0, TACHY_ARG_I64 | TACHY_ARG_I64 << 4, values, 2))
CASE(log_short_text, TACHY_DEFINE_LOG(site, "bench", TACHY_LEVEL_INFO, ""), tachy_log_text(&site, 0, "short text", 10))
CASE(metric_int, TACHY_DEFINE_INT_METRIC(site, "bench", "int", "1"), tachy_metric_int(&site, 0, (int64_t)integer))
CASE(metric_float, TACHY_DEFINE_FLOAT_METRIC(site, "bench", "float", "1"), tachy_metric_float(&site, 0, number))
CASE(metric_two_properties, TACHY_DEFINE_INT_METRIC(site, "bench", "properties", "1"),
     tachy_metric_int(&site, two_properties, (int64_t)integer))
CASE(frame_mark, TACHY_DEFINE_FRAME(site, "bench", "frame"), tachy_frame_mark(&site))

/* A frame's phases follow each other in one scope. */
static void loop_phase(uint32_t n) {
  TACHY_DEFINE_SPAN(first, "bench", "first phase");
  TACHY_DEFINE_SPAN(second, "bench", "second phase");
  tachy_scope scope = tachy_span_begin(&first);
  for (; n >= 2; n -= 2) {
    scope = tachy_phase_next(scope, &second);
    scope = tachy_phase_next(scope, &first);
  }
  tachy_span_end(scope);
}

/* Off: a level that bench_prepare_cases switches off. */
CASE(disabled_span, TACHY_DEFINE_SITE_(site, TACHY_SITE_SPAN, TACHY_LEVEL_TRACE, "bench", "off", ""),
     tachy_span_end(tachy_span_begin(&site)))
CASE(disabled_log, TACHY_DEFINE_LOG(site, "bench", TACHY_LEVEL_TRACE, "%lld"), const uint64_t values[] = {integer};
     tachy_log_words(&site, 0, TACHY_ARG_I64, values, 1))
CASE(disabled_metric, TACHY_DEFINE_SITE_(site, TACHY_SITE_METRIC_INT, TACHY_LEVEL_TRACE, "bench", "off too", ""),
     tachy_metric_int(&site, 0, (int64_t)integer))

__attribute__((noinline)) static void loop_work_clocks(uint32_t n) {
  for (; n; n--) {
    last_reading = tachy_ticks();
    bench_work();
    last_reading = tachy_ticks();
    __asm__ volatile("" ::: "memory");
  }
}

__attribute__((noinline)) static void loop_work_span(uint32_t n) {
  TACHY_DEFINE_SPAN(site, "bench", "work");
  for (; n; n--) {
    const tachy_scope scope = tachy_span_begin(&site);
    bench_work();
    tachy_span_end(scope);
  }
}

/* A span's value changes as often as a loop likes. */
static void loop_span_value(uint32_t n) {
  TACHY_DEFINE_SPAN(site, "bench", "valued");
  TACHY_DEFINE_VALUE(key, "bench", "integer");
  const tachy_scope scope = tachy_span_begin(&site);
  for (; n; n--) {
    tachy_span_value_int(scope, &key, (int64_t)integer);
    __asm__ volatile("" ::: "memory");
  }
  tachy_span_end(scope);
}

void bench_prepare_cases(void) {
  const tachy_property pairs[] = {{"map", "e1m1"}, {"mode", "coop"}};
  two_properties = tachy_property_set(pairs, 2);
  tachy_set_level(TACHY_LEVEL_DEBUG);
}

#define ROW(name, clocks, threads) \
  { #name, loop_##name, once_##name, clocks, threads, NULL }
const bench_case bench_cases[] = {
    ROW(clock, 1, 2),
    ROW(two_clocks, 2, 1),
    ROW(empty, 0, 1),
    ROW(span, 2, 2),
    ROW(log_two_ints, 1, 2),
    ROW(log_short_text, 1, 2),
    ROW(log_c_string, 1, 2),
    ROW(log_string, 1, 2),
    ROW(log_c_string_int, 1, 2),
    ROW(metric_int, 1, 2),
    ROW(metric_float, 1, 2),
    ROW(metric_two_properties, 1, 2),
    ROW(frame_mark, 1, 2),
    {"phase", loop_phase, NULL, 1, 1, NULL},
    {"span_value", loop_span_value, NULL, 0, 1, NULL},
    ROW(disabled_span, 0, 1),
    ROW(disabled_log, 0, 1),
    ROW(disabled_metric, 0, 1),
    {"work_clocks", loop_work_clocks, NULL, 2, 1, NULL},
    {"work_span", loop_work_span, NULL, 2, 1, NULL},
    {"span_begin", NULL, once_span_begin, 1, 1, once_span_end},
    {"compiled_out", NULL, once_compiled_out, 0, 1, NULL},
    {NULL, NULL, NULL, 0, 0, NULL},
};

int bench_time(unsigned rounds) {
  bench_start(0, 0);
  bench_prepare_cases();
  bench_measure(bench_cases, rounds, bench_drain);
  bench_stop();
  tachy_stats stats;
  tachy_get_stats(&stats);
  printf("{\"clock\": \"%s\", \"frequency\": %llu, \"dropped\": %llu, ", stats.clock,
         (unsigned long long)stats.frequency,
         (unsigned long long)(stats.dropped[1] + stats.dropped[2] + stats.dropped[3]));
  bench_print(bench_cases, (double)stats.frequency);
  printf("}\n");
  return 0;
}
