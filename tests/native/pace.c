/* Scenarios: what waits for its block, and what does not. Sessions of which an event may wait for an hour. */
#include "harness.h"

TACHY_DEFINE_LOG(info, "pace", TACHY_LEVEL_INFO, "%lld");
TACHY_DEFINE_LOG(warning, "pace", TACHY_LEVEL_WARN, "%lld");
TACHY_DEFINE_LOG(error_text, "pace", TACHY_LEVEL_ERROR, "");
TACHY_DEFINE_LOG(error_format, "pace", TACHY_LEVEL_ERROR, "%s");
TACHY_DEFINE_SPAN(span, "pace", "span");

enum { HOUR_MS = 3600000, PATIENCE_MS = 20000 };

static void log_number(tachy_site *site, uint64_t number) { tachy_log_words(site, 0, TACHY_ARG_I64, &number, 1); }

static void one_span(void) { tachy_span_end(tachy_span_begin(&span)); }

static void wait_until_sent(tachy_class cls, uint64_t count) {
  for (unsigned waited = 0; get_stats().sent[cls] < count; waited++) {
    CHECK(waited < PATIENCE_MS);
    sleep_ms(1);
  }
  CHECK(get_stats().sent[cls] == count);
}

/* A log of each way that is to go at once takes the logs before it along, and nothing else. */
static void pace_urgent(void) {
  static const char text[] = "text";
  const uint64_t word = (uintptr_t)text;
  const uint32_t size = sizeof text - 1;
  const tachy_config config = {.flush_ms = HOUR_MS};
  begin_session(&config);
  one_span();
  log_number(&info, 1);
  sleep_ms(300);
  CHECK(get_stats().batches == 0);
  log_number(&warning, 2);
  wait_until_sent(TACHY_CLASS_LOG, 2);
  tachy_log_text(&error_text, 0, text, size);
  wait_until_sent(TACHY_CLASS_LOG, 3);
  tachy_log_args(&error_format, 0, TACHY_ARG_TEXT, &word, &size);
  wait_until_sent(TACHY_CLASS_LOG, 4);
  tachy_log_text_at(&error_text, 0, tachy_ticks(), "another", text, size);
  wait_until_sent(TACHY_CLASS_LOG, 5);
  tachy_mark("now");
  wait_until_sent(TACHY_CLASS_LOG, 6);
  CHECK(get_stats().sent[TACHY_CLASS_SPAN] == 0 && get_stats().batches == 5);
  end_session();
}

static uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* Who warns all the time sends four batches a second. */
static void pace_storm(void) {
  const tachy_config config = {.flush_ms = HOUR_MS};
  begin_session(&config);
  const uint64_t begin = now_ms();
  uint64_t count = 0;
  for (; now_ms() < begin + 1000; count++) {
    log_number(&warning, count);
    sleep_ms(1);
  }
  wait_until_sent(TACHY_CLASS_LOG, count);
  CHECK(get_stats().batches <= 2 + (now_ms() - begin) / 250);
  end_session();
}

/* A block's worth goes, from one thread and from several that each have less. */
static void *many_spans(void *count) {
  for (intptr_t i = 0; i < (intptr_t)count; i++) one_span();
  return NULL;
}

static void wait_for_spans(uint64_t least) {
  for (unsigned waited = 0; get_stats().sent[TACHY_CLASS_SPAN] < least; waited++) {
    CHECK(waited < PATIENCE_MS);
    sleep_ms(1);
  }
}

static void pace_full(void) {
  const tachy_config config = {.flush_ms = HOUR_MS, .block_bytes = 256 << 10};
  team all = {.count = 0};
  begin_session(&config);
  for (int i = 0; i < 5000; i++) one_span();
  sleep_ms(300);
  CHECK(get_stats().sent[TACHY_CLASS_SPAN] == 0);
  for (int i = 0; i < 16384; i++) one_span();
  wait_for_spans(16384);
  for (int i = 0; i < 10; i++) team_add(&all, many_spans, (void *)(intptr_t)5000);
  team_join(&all);
  wait_for_spans(16384 + 16384);
  end_session();
}

/* While the server says that somebody looks, nothing waits for more than a second; a text without a version. */
static void pace_watched(void) {
  const tachy_config config = {.flush_ms = HOUR_MS};
  begin_session(&config);
  one_span();
  tachy_control("flush=1s");
  wait_until_sent(TACHY_CLASS_SPAN, 1);
  one_span();
  tachy_control("flush=1s; version=7");
  wait_until_sent(TACHY_CLASS_SPAN, 2);
  tachy_control("flush=soon");
  const tachy_stats s = end_session();
  CHECK(s.control_version == 7 && s.control_refused == 1);
}

/* Without a session file what waits would die with the process: it waits no longer than it did at first. */
static void pace_young(void) {
  const tachy_config config = {.session_folder = "-"};
  begin_session(&config);
  one_span();
  wait_until_sent(TACHY_CLASS_SPAN, 1);
  end_session();
}

const scenario pace_scenarios[] = {{"pace_urgent", pace_urgent},   {"pace_storm", pace_storm}, {"pace_full", pace_full},
                                   {"pace_watched", pace_watched}, {"pace_young", pace_young}, {NULL, NULL}};
