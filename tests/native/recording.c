/* Scenarios: what threads record comes out, and what they lose is counted. */
#include <math.h>
#include <sched.h>

#include "harness.h"

enum { DEPTHS = 40 };
static tachy_site *depth_sites[DEPTHS]; /* "d0", "d1", … */

static void intern_depths(void) {
  for (int d = 0; d < DEPTHS; d++) {
    char name[16];
    snprintf(name, sizeof name, "d%d", d);
    depth_sites[d] = tachy_site_intern(TACHY_SITE_SPAN, TACHY_LEVEL_NONE, "tree", name, __FILE__, (uint32_t)d, "");
    CHECK(depth_sites[d] != NULL);
  }
}

typedef struct job {
  uint64_t seed;
  long steps;
  long pause; /* steps between pauses of a millisecond, or 0 */
} job;

/* Opens and closes spans at random; every span's name says its depth. Logs and metrics in between. */
static void *random_tree(void *argument) {
  const job *const j = argument;
  TACHY_DEFINE_INT_METRIC(number, "tree", "number", "steps");
  TACHY_DEFINE_FLOAT_METRIC(half, "tree", "half", "steps");
  TACHY_DEFINE_LOG(note, "tree", TACHY_LEVEL_INFO, "");
  TACHY_DEFINE_FRAME(frame, "tree", "frame");
  uint64_t random = j->seed;
  tachy_scope scopes[DEPTHS];
  int depth = 0;
  for (long i = 0; i < j->steps; i++) {
    const uint64_t r = next_random(&random);
    if (j->pause && i % j->pause == 0) sleep_ms(1);
    if (depth < DEPTHS && (depth == 0 || r % 16 < 7)) {
      scopes[depth] = tachy_span_begin(depth_sites[depth]);
      depth++;
    } else if (r % 16 < 13) {
      depth--;
      tachy_span_end(scopes[depth]);
    } else if (r % 16 == 13) {
      scopes[depth - 1] = tachy_phase_next(scopes[depth - 1], depth_sites[depth - 1]);
    } else if (r % 16 == 14) {
      tachy_metric_int(&number, 0, i);
      tachy_metric_float(&half, 0, (double)i / 2);
      if (i % 64 == 0) tachy_frame_mark(&frame);
    } else {
      char text[32];
      const int size = snprintf(text, sizeof text, "step %ld", i);
      tachy_log_text(&note, 0, text, (size_t)size);
    }
  }
  while (depth > 0) tachy_span_end(scopes[--depth]);
  return NULL;
}

static void run_trees(int threads, long steps, long pause, const tachy_config *config) {
  job jobs[16];
  team t = {.count = 0};
  intern_depths();
  begin_session(config);
  for (int i = 0; i < threads; i++) {
    jobs[i] = (job){(uint64_t)i + 1, steps, pause};
    team_add(&t, random_tree, &jobs[i]);
  }
  team_join(&t);
  end_session();
}

static const tachy_config roomy = {.flush_ms = 20};
/* Cuts as often as it can while the pool overflows. */
static const tachy_config cramped = {.pool_bytes = 2 * 65536, .flush_ms = 1, .block_bytes = 8000};

static void one_thread(void) { run_trees(1, 20000, 0, &roomy); }
static void two_threads(void) { run_trees(2, 10000, 0, &roomy); }
static void eight_threads(void) { run_trees(8, 3000, 0, &roomy); }
static void full_pool(void) { run_trees(4, 20000, 500, &cramped); }
static void full_pool_alone(void) { run_trees(1, 40000, 1000, &cramped); }

static void *storm(void *argument) {
  TACHY_DEFINE_SPAN(span, "storm", "span");
  TACHY_DEFINE_ASYNC_SPAN(async, "storm", "async");
  TACHY_DEFINE_INT_METRIC(metric, "storm", "metric", "");
  TACHY_DEFINE_LOG(text, "storm", TACHY_LEVEL_INFO, "");
  const long count = *(const long *)argument;
  for (long i = 0; i < count; i++) {
    tachy_span_end(tachy_span_begin(&span));
    tachy_metric_int(&metric, 0, i);
    if (i % 8 == 0) tachy_log_text(&text, 0, "storm", 5);
    if (i % 16 == 0) {
      const tachy_async a = tachy_async_begin(&async, NULL);
      tachy_async_end(&a);
    }
  }
  return NULL;
}

/* Prints how many events were tried, besides the stats. */
static void exact_counts(void) {
  long count = 100000;
  team t = {.count = 0};
  const tachy_config config = {.pool_bytes = 4 * 65536};
  begin_session(&config);
  for (int i = 0; i < 2; i++) team_add(&t, storm, &count);
  team_join(&t);
  const tachy_stats s = end_session();
  CHECK(s.recorded[TACHY_CLASS_METRIC] >= 2u * (uint64_t)count);
  CHECK(s.recorded[TACHY_CLASS_METRIC] <= 2u * (uint64_t)count + 3 * s.batches); /* with the rows that report losses */
  CHECK(s.recorded[TACHY_CLASS_LOG] == 2u * (uint64_t)count / 8);
  /* an async span whose begin is lost has no end: so the losses of begins bound the difference */
  const uint64_t most = 2u * (uint64_t)count + 4u * (uint64_t)count / 16;
  CHECK(s.recorded[TACHY_CLASS_SPAN] <= most);
  CHECK(s.recorded[TACHY_CLASS_SPAN] >= 2u * (uint64_t)count + 2u * (uint64_t)count / 16);
}

static void long_spans(void) {
  TACHY_DEFINE_SPAN(slow, "long", "slept");
  TACHY_DEFINE_SPAN(given, "long", "given");
  TACHY_DEFINE_SPAN(inner, "long", "inner");
  TACHY_DEFINE_SPAN(limit, "long", "limit");
  begin_session(NULL);
  const uint64_t now = tachy_ticks();
  tachy_span_complete(&given, now - UINT64_C(50000000000), now - UINT64_C(40000000000));
  /* the longest that fits, which looks as one that does not: what was said of the span before is not meant */
  CHECK(tachy_enabled(&limit));
  const tachy_open_span longest = {now - UINT64_C(30000000000), (uint32_t)limit.id, 0};
  CHECK(tachy_span_write_(tachy_here_(), TACHY_TOP_OF_(1), &longest, UINT32_MAX));
  tachy_span_complete(&given, now - UINT64_C(20000000001), now);
  const tachy_scope scope = tachy_span_begin(&slow);
  for (int i = 0; i < 18; i++) {
    tachy_span_end(tachy_span_begin(&inner));
    sleep_ms(100);
  }
  tachy_span_end(scope);
  end_session();
}

/* Spans in a row with nothing inside; each line is the pause before one and its length, both below and beyond 32 bits.
 */
static void leaves(void) {
  TACHY_DEFINE_SPAN(leaf, "leaves", "leaf");
  static const uint64_t times[][2] = {{0, 300},
                                      {200, 300},
                                      {200, 100000},
                                      {UINT64_C(5000000000), 300}, /* a row ends before it, and begins with it */
                                      {100000, 300},
                                      {200, 300},
                                      {200, UINT64_C(5000000000)},
                                      {200, 300},
                                      {200, UINT32_MAX},
                                      {200, 300},
                                      {UINT32_MAX, 300},
                                      {UINT32_MAX - 1, UINT32_MAX - 1},
                                      {200, 300}};
  enum { COUNT = sizeof times / sizeof *times };
  begin_session(NULL);
  uint64_t at = tachy_ticks() - UINT64_C(40000000000);
  for (int i = 0; i < COUNT; i++) {
    at += times[i][0];
    if (times[i][1] == UINT32_MAX) {
      /* the longest that fits, as inline code writes it: it looks as one that does not */
      const tachy_open_span longest = {at, (uint32_t)leaf.id, 0};
      CHECK(tachy_span_write_(tachy_here_(), TACHY_TOP_OF_(1), &longest, UINT32_MAX));
    } else {
      tachy_span_complete(&leaf, at, at + times[i][1]);
    }
    at += times[i][1];
  }
  end_session();
}

static void too_deep(void) {
  static tachy_scope scopes[1100];
  TACHY_DEFINE_SPAN(site, "deep", "level");
  const tachy_config config = {.flush_ms = 5};
  begin_session(&config);
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 1100; i++) scopes[i] = tachy_span_begin(&site);
    for (int i = 1099; i >= 600; i--) tachy_span_end(scopes[i]);
    CHECK(tachy_flush(20000) == 1); /* 600 spans are open */
    for (int i = 599; i >= 0; i--) tachy_span_end(scopes[i]);
  }
  const tachy_stats s = end_session();
  CHECK(s.too_deep == 3 * 76);
  CHECK(s.recorded[TACHY_CLASS_SPAN] == 3 * 1100);
  CHECK(s.dropped[TACHY_CLASS_SPAN] == 3 * 76);
}

static void *end_foreign(void *argument) {
  tachy_span_end(*(tachy_scope *)argument);
  return NULL;
}

static void mismatched(void) {
  TACHY_DEFINE_SPAN(a, "order", "a");
  TACHY_DEFINE_SPAN(b, "order", "b");
  TACHY_DEFINE_SPAN(c, "order", "c");
  begin_session(NULL);
  tachy_scope outer = tachy_span_begin(&a);
  const tachy_scope middle = tachy_span_begin(&b);
  const tachy_scope inner = tachy_span_begin(&c);
  tachy_span_end(outer); /* ends c and b first: 2 mismatched */
  tachy_span_end(inner); /* 1 each: they have ended */
  tachy_span_end(middle);
  outer = tachy_span_begin(&a);
  team t = {.count = 0};
  team_add(&t, end_foreign, &outer); /* 1: another thread's */
  team_join(&t);
  tachy_span_end(outer);
  tachy_span_end(0); /* not recorded: nothing to end */
  const tachy_stats s = end_session();
  CHECK(s.recorded[TACHY_CLASS_SPAN] == 4);
  CHECK(s.mismatched == 5);
}

static void phases(void) {
  TACHY_DEFINE_SPAN(frame, "phase", "frame");
  TACHY_DEFINE_SPAN(input, "phase", "input");
  TACHY_DEFINE_SPAN(think, "phase", "think");
  TACHY_DEFINE_SPAN(draw, "phase", "draw");
  begin_session(NULL);
  for (int i = 0; i < 1000; i++) {
    const tachy_scope whole = tachy_span_begin(&frame);
    tachy_scope phase = tachy_span_begin(&input);
    phase = tachy_phase_next(phase, &think);
    phase = tachy_phase_next(phase, &draw);
    tachy_span_end(phase);
    tachy_span_end(whole);
  }
  end_session();
}

typedef struct baton {
  tachy_async spans[100];
} baton;

static tachy_site load_site = {0, 1, TACHY_SITE_ASYNC, 0, 0, "load", "async", "recording.c", ""};
static tachy_site read_site = {0, 2, TACHY_SITE_ASYNC, 0, 0, "read", "async", "recording.c", ""};

static void *begin_loads(void *argument) {
  baton *const b = argument;
  for (int i = 0; i < 100; i++) b->spans[i] = tachy_async_begin(&load_site, NULL);
  return NULL;
}

static void *end_loads(void *argument) {
  const baton *const b = argument;
  for (int i = 0; i < 100; i++) {
    const tachy_async child = tachy_async_begin(&read_site, &b->spans[i]);
    CHECK(child.depth == 1 && child.parent == b->spans[i].id);
    tachy_async_end(&child);
    tachy_async_end(&b->spans[i]);
  }
  return NULL;
}

static void async_across_threads(void) {
  static baton b;
  begin_session(NULL);
  for (int round = 0; round < 2; round++) {
    team t = {.count = 0};
    team_add(&t, begin_loads, &b);
    team_join(&t);
    team_add(&t, end_loads, &b);
    team_join(&t);
  }
  const tachy_async none = {0, 0, &load_site, 0, 0};
  tachy_async_end(&none);
  tachy_async_end(NULL);
  CHECK(end_session().recorded[TACHY_CLASS_SPAN] == 800);
}

/* "outer" stays open over all blocks, "load" over two of them, begun and ended on different threads. */
static void async_over_blocks(void) {
  static baton b;
  static tachy_site outer_site = {0, 3, TACHY_SITE_ASYNC, 0, 0, "outer", "async", "recording.c", ""};
  TACHY_DEFINE_SPAN(quiet, "async", "quiet");
  const tachy_config config = {.flush_ms = 60000};
  begin_session(&config);
  const tachy_async outer = tachy_async_begin(&outer_site, NULL);
  CHECK(tachy_flush(20000) == 1);
  team t = {.count = 0};
  team_add(&t, begin_loads, &b);
  team_join(&t);
  for (int i = 0; i < 3; i++) {
    CHECK(tachy_flush(20000) == 1);
    tachy_span_end(tachy_span_begin(&quiet));
  }
  CHECK(tachy_flush(20000) == 1);
  CHECK(tachy_flush(20000) == 1); /* nothing happened: no block */
  team_add(&t, end_loads, &b);
  team_join(&t);
  CHECK(tachy_flush(20000) == 1);
  tachy_span_end(tachy_span_begin(&quiet));
  CHECK(tachy_flush(20000) == 1);
  tachy_async_end(&outer);
  end_session();
}

enum { HANDED = 20000, PLACES = 64, RACED_CUTS = 4 };
typedef struct handover {
  tachy_async spans[PLACES];
  uint64_t begun; /* atomic */
  uint64_t ended; /* atomic */
} handover;

static uint64_t raced_cuts; /* atomic: that were asked for during the race */

static void *hand_over(void *argument) {
  handover *const h = argument;
  for (uint64_t i = 0; i < HANDED; i++) {
    while (i - __atomic_load_n(&h->ended, __ATOMIC_ACQUIRE) >= PLACES) sched_yield();
    while (i * (RACED_CUTS + 1) / HANDED > __atomic_load_n(&raced_cuts, __ATOMIC_ACQUIRE)) sched_yield();
    h->spans[i % PLACES] = tachy_async_begin(&load_site, NULL);
    __atomic_store_n(&h->begun, i + 1, __ATOMIC_RELEASE);
    if (i % 64 == 0) sched_yield();
  }
  return NULL;
}

static void *take_over(void *argument) {
  handover *const h = argument;
  for (uint64_t i = 0; i < HANDED; i++) {
    while (__atomic_load_n(&h->begun, __ATOMIC_ACQUIRE) <= i) sched_yield();
    tachy_async_end(&h->spans[i % PLACES]);
    __atomic_store_n(&h->ended, i + 1, __ATOMIC_RELEASE);
  }
  return NULL;
}

/* Spans go from thread to thread, in both directions, while blocks are cut: ends are read before their begins. */
static void async_races(void) {
  static handover h[2];
  const tachy_config config = {.flush_ms = 1, .block_bytes = 4800};
  begin_session(&config);
  team t = {.count = 0};
  team_add(&t, hand_over, &h[0]);
  team_add(&t, take_over, &h[0]);
  team_add(&t, take_over, &h[1]);
  team_add(&t, hand_over, &h[1]);
  for (uint64_t i = 1; i <= RACED_CUTS; i++) {
    while (__atomic_load_n(&h[0].begun, __ATOMIC_ACQUIRE) * (RACED_CUTS + 1) / HANDED < i - 1) sched_yield();
    __atomic_store_n(&raced_cuts, i, __ATOMIC_RELEASE);
    CHECK(tachy_flush(20000) == 1);
  }
  team_join(&t);
  CHECK(end_session().recorded[TACHY_CLASS_SPAN] == 4 * HANDED);
}

/* The end of a span whose site has been switched off since its begin still names the site. */
static void async_switched_off(void) {
  begin_session(NULL);
  tachy_site *const first = tachy_site_intern(TACHY_SITE_ASYNC, TACHY_LEVEL_NONE, "async", "first", __FILE__, 1, "");
  tachy_site *const detail = tachy_site_intern(TACHY_SITE_ASYNC, TACHY_LEVEL_DEBUG, "async", "detail", __FILE__, 2, "");
  const tachy_async outer = tachy_async_begin(first, NULL);
  const tachy_async inner = tachy_async_begin(detail, &outer);
  tachy_set_level(TACHY_LEVEL_WARN);
  CHECK(tachy_async_begin(detail, &outer).id == 0);
  tachy_async_end(&inner);
  tachy_async_end(&outer);
  CHECK(end_session().recorded[TACHY_CLASS_SPAN] == 4);
}

/* More than the collector keeps, and ends that come twice or for what it does not know. */
static void async_untracked(void) {
  enum { MANY = 70000 };
  static tachy_async spans[MANY];
  const tachy_config config = {.flush_ms = 60000, .block_bytes = 16u << 20};
  begin_session(&config);
  for (int i = 0; i < MANY; i++) spans[i] = tachy_async_begin(&load_site, NULL);
  CHECK(tachy_flush(20000) == 1);
  CHECK(get_stats().async_untracked == MANY - 65536);
  for (int i = 0; i < MANY; i++) tachy_async_end(&spans[i]);
  tachy_async_end(&spans[0]);
  CHECK(tachy_flush(20000) == 1);
  const tachy_async last = tachy_async_begin(&read_site, NULL);
  tachy_async_end(&last);
  const tachy_stats s = end_session();
  CHECK(s.recorded[TACHY_CLASS_SPAN] == 2 * MANY + 3 && s.dropped[TACHY_CLASS_SPAN] == 0);
}

static uint64_t bits_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static void logs(void) {
  TACHY_DEFINE_LOG(mixed, "logs", TACHY_LEVEL_WARN, "%s has %lld of %llu, %.2f at %p");
  TACHY_DEFINE_LOG(plain, "logs", TACHY_LEVEL_INFO, "");
  TACHY_DEFINE_LOG(bare, "logs", TACHY_LEVEL_ERROR, "nothing to add");
  const tachy_property pairs[] = {{"map", "e1m1"}, {"build", "42"}};
  const tachy_property same[] = {{"build", "41"}, {"map", "e1m1"}, {"build", "42"}};
  begin_session(NULL);
  const uint32_t set = tachy_property_set(pairs, 2);
  CHECK(set != 0 && tachy_property_set(same, 3) == set);
  CHECK(tachy_property_set(pairs, 1) != set && tachy_property_set(NULL, 0) == 0);
  const char *const who = "the orc";
  const uint64_t values[] = {(uint64_t)(uintptr_t)who, (uint64_t)-5, 7, bits_of(2.5), 0x1234};
  const uint32_t sizes[] = {7, 0, 0, 0, 0};
  tachy_log_args(&mixed, set, 0x53214, values, sizes);
  tachy_log_args(&bare, 0, 0, NULL, NULL);
  tachy_log_text(&plain, 0, "", 0);
  tachy_log_text(&plain, set, "caf\xC3\xA9 \xFF\xC3", 8);
  static char big[100000];
  memset(big, 'x', sizeof big);
  tachy_log_text(&plain, 0, big, sizeof big);
  const uint64_t texts[8] = {(uintptr_t)big, (uintptr_t)big, (uintptr_t)big, (uintptr_t)big,
                             (uintptr_t)big, (uintptr_t)big, (uintptr_t)big, (uintptr_t)big};
  const uint32_t lengths[8] = {90000, 90000, 90000, 90000, 90000, 90000, 90000, 90000};
  tachy_log_args(&mixed, 0, 0x44444444, texts, lengths);
  end_session();
}

/* Texts of all short lengths, each with a byte that is no UTF-8 at each of its places, and, where that fits, with a
 * character of two bytes there: some five chunks of them. */
static void texts(void) {
  TACHY_DEFINE_LOG(plain, "texts", TACHY_LEVEL_INFO, "");
  char text[80];
  begin_session(NULL);
  for (unsigned size = 1; size < sizeof text; size++) {
    for (unsigned place = 0; place < size; place++) {
      for (unsigned i = 0; i < size; i++) text[i] = (char)('a' + (size + i) % 26);
      text[place] = '\xFF';
      tachy_log_text(&plain, 0, text, size);
      if (place + 1 == size) continue;
      text[place] = '\xC3';
      text[place + 1] = '\xA9';
      tachy_log_text(&plain, 0, text, size);
    }
  }
  end_session();
}

static void metrics(void) {
  TACHY_DEFINE_INT_METRIC(whole, "metrics", "whole", "apples");
  TACHY_DEFINE_FLOAT_METRIC(real, "metrics", "real", "m");
  TACHY_DEFINE_SITE_(wait, TACHY_SITE_METRIC_TICKS, 0, "metrics", "wait", "ticks");
  begin_session(NULL);
  tachy_metric_int(&whole, 0, INT64_MIN);
  tachy_metric_int(&whole, 0, INT64_MAX);
  tachy_metric_int(&whole, 0, -1);
  tachy_metric_float(&real, 0, -0.5);
  tachy_metric_float(&real, 0, INFINITY);
  const uint64_t now = tachy_ticks();
  tachy_metric_at(&wait, 0, now, now - (now - 1000));
  tachy_metric_at(&wait, 0, now - 5000, 2000); /* raised to the one before, and counted */
  CHECK(end_session().clock_backwards == 1);
}

/* Ticks from elsewhere may be anything: what lies in the future is now, what lies in the past is where the thread is.
 */
static void strange_times(void) {
  TACHY_DEFINE_SPAN(span, "strange", "span");
  TACHY_DEFINE_INT_METRIC(metric, "strange", "metric", "");
  static const uint64_t strange[] = {0,
                                     1,
                                     INT64_MAX,
                                     (uint64_t)INT64_MAX + 1,
                                     TACHY_CONTROL_FIRST,
                                     UINT64_MAX - 5,
                                     UINT64_MAX - 2,
                                     UINT64_MAX - 1,
                                     UINT64_MAX};
  enum { COUNT = sizeof strange / sizeof *strange };
  begin_session(NULL);
  tachy_span_end(tachy_span_begin(&span));
  for (int i = 0; i < COUNT; i++) {
    tachy_metric_at(&metric, 0, strange[i], (uint64_t)i);
    for (int k = 0; k < COUNT; k++) tachy_span_complete(&span, strange[i], strange[k]);
  }
  tachy_span_end(tachy_span_begin(&span));
  const tachy_stats stats = end_session();
  CHECK(stats.sent[TACHY_CLASS_METRIC] == COUNT);
  CHECK(stats.sent[TACHY_CLASS_SPAN] == COUNT * COUNT + 2);
}

static void *live_shortly(void *argument) {
  TACHY_DEFINE_SPAN(site, "churn", "life");
  TACHY_DEFINE_LOG(note, "churn", TACHY_LEVEL_INFO, "");
  const tachy_scope scope = tachy_span_begin(&site);
  tachy_set_thread_name("mayfly");
  tachy_log_text(&note, 0, "born", 4);
  if (*(const int *)argument) return NULL; /* leaves its span open: it ends with the thread */
  tachy_span_end(scope);
  return NULL;
}

static void thread_churn(void) {
  static int leave_open[1000];
  const tachy_config config = {.pool_bytes = 2 * 65536, .flush_ms = 7};
  begin_session(&config);
  team t = {.count = 0};
  for (int i = 0; i < 1000; i++) {
    leave_open[i] = i % 10 == 0;
    team_add(&t, live_shortly, &leave_open[i]);
    if (t.count == 8) team_join(&t);
  }
  team_join(&t);
  const tachy_stats s = end_session();
  CHECK(s.threads == 1000);
  CHECK(s.recorded[TACHY_CLASS_SPAN] == 1000 && s.recorded[TACHY_CLASS_LOG] == 1000);
  CHECK(s.mismatched == 100);
}

/* Spans stay open over many cuts, under load: each block must know the stack at its last row. */
static void *keep_open(void *argument) {
  const int *const stop = argument;
  tachy_scope scopes[20];
  uint64_t random = (uint64_t)(uintptr_t)&random;
  int depth = 0;
  while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
    const int target = (int)(next_random(&random) % 20);
    while (depth < target) scopes[depth] = tachy_span_begin(depth_sites[depth]), depth++;
    while (depth > target) tachy_span_end(scopes[--depth]);
    for (int i = 0; i < 20; i++) tachy_span_end(tachy_span_begin(depth_sites[depth]));
    if (next_random(&random) % 16 == 0) sleep_ms(1);
  }
  while (depth > 0) tachy_span_end(scopes[--depth]);
  return NULL;
}

static void cuts_under_load(void) {
  int stop = 0;
  const tachy_config config = {.flush_ms = 1};
  intern_depths();
  begin_session(&config);
  team t = {.count = 0};
  for (int i = 0; i < 3; i++) team_add(&t, keep_open, &stop);
  sleep_ms(100);
  __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
  team_join(&t);
  end_session();
}

typedef struct late {
  const char *name;
  int64_t utc;
} late;

static void *hand_on(void *argument) {
  const late *const l = argument;
  TACHY_DEFINE_LOG(site, "late", TACHY_LEVEL_INFO, "");
  for (int i = 0; i < 500; i++) {
    tachy_log_text_at(&site, 0, tachy_ticks_of(l->utc + i * 1000), l->name, "handed on", 9);
    tachy_log_text(&site, 0, "own", 3);
  }
  return NULL;
}

/* Logs of other threads and times, under names that several threads hand on at once. */
static void late_logs(void) {
  team t = {.count = 0};
  begin_session(NULL);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  const int64_t utc = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
  sleep_ms(50);
  CHECK(tachy_ticks_of(INT64_MIN) <= tachy_ticks_of(0) && tachy_ticks_of(0) <= tachy_ticks_of(utc));
  CHECK(tachy_ticks_of(utc) < tachy_ticks_of(utc + 1000000) && tachy_ticks_of(INT64_MAX) <= tachy_ticks());
  late handed[] = {
      {"worker", utc}, {"worker", utc}, {NULL, utc}, {"a name that is far longer than what a thread may have", 0}};
  for (int i = 0; i < 4; i++) team_add(&t, hand_on, &handed[i]);
  team_join(&t);
  const tachy_stats s = end_session();
  CHECK(s.recorded[TACHY_CLASS_LOG] == 4000 && s.dropped[TACHY_CLASS_LOG] == 0 && s.clock_backwards == 0);
  CHECK(s.threads == 4 + 3);
}

static uint8_t pixels[100001];

static void *send_images(void *argument) {
  static const size_t sizes[] = {1, 2, 3, 5699, 5700, 5701, 11400, sizeof pixels};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) tachy_image(argument, "image/x", pixels, sizes[i]);
  return NULL;
}

/* Images of several threads at once, cut into many blocks; and what is none. */
static void images(void) {
  static char names[3][32] = {"first", "of two\nlines", "\xff"};
  const tachy_config config = {.flush_ms = 1};
  for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * i >> 3);
  tachy_image("too early", "image/x", "x", 1);
  begin_session(&config);
  team t = {.count = 0};
  for (int i = 0; i < 3; i++) team_add(&t, send_images, names[i]);
  team_join(&t);
  tachy_image(NULL, NULL, "nameless", 8);
  tachy_image("empty", "image/x", "x", 0);
  tachy_image("nothing", "image/x", NULL, 5);
  tachy_image("too large", "image/x", "x", TACHY_IMAGE_MAX + 1);
  tachy_set_category("tachy.image", TACHY_LEVEL_NONE);
  tachy_image("switched off", "image/x", "x", 1);
  tachy_unset_category("tachy.image");
  const tachy_stats s = end_session();
  CHECK(s.dropped[TACHY_CLASS_LOG] == 1 && s.clock_backwards == 0);
}

const scenario recording_scenarios[] = {{"one_thread", one_thread},
                                        {"two_threads", two_threads},
                                        {"eight_threads", eight_threads},
                                        {"full_pool", full_pool},
                                        {"full_pool_alone", full_pool_alone},
                                        {"exact_counts", exact_counts},
                                        {"long_spans", long_spans},
                                        {"leaves", leaves},
                                        {"too_deep", too_deep},
                                        {"mismatched", mismatched},
                                        {"phases", phases},
                                        {"async_across_threads", async_across_threads},
                                        {"async_over_blocks", async_over_blocks},
                                        {"async_races", async_races},
                                        {"async_switched_off", async_switched_off},
                                        {"async_untracked", async_untracked},
                                        {"late_logs", late_logs},
                                        {"images", images},
                                        {"logs", logs},
                                        {"texts", texts},
                                        {"metrics", metrics},
                                        {"strange_times", strange_times},
                                        {"thread_churn", thread_churn},
                                        {"cuts_under_load", cuts_under_load},
                                        {NULL, NULL}};
