/* Programs that die at a chosen moment, having said what they did: one JSON line, and then a signal that nobody can
 * catch. No sender takes anything unless it says so. usage: deaths SCENARIO CAPTURE, with TACHY_SESSION_FOLDER. */
#include <dlfcn.h>
#include <signal.h>
#include <sys/wait.h>

#include "harness.h"

enum { LONG_TEXT = 32768, NEVER = 60000, PASS_MS = 1100 };

/* The collector looks at every thread, since it is asked what there is, and cuts nothing. */
static void pass(void) {
  sleep_ms(PASS_MS);
  get_stats();
  sleep_ms(PASS_MS / 10);
}

TACHY_DEFINE_SPAN(outer, "deaths", "outer");
TACHY_DEFINE_SPAN(inner, "deaths", "inner");
TACHY_DEFINE_ASYNC_SPAN(load, "deaths", "load");
TACHY_DEFINE_INT_METRIC(count, "deaths", "count", "1");
TACHY_DEFINE_LOG(line, "deaths", TACHY_LEVEL_INFO, "");

static void start(tachy_config config) {
  if (!config.flush_ms) config.flush_ms = NEVER;
  CHECK(tachy_start(&config) == TACHY_OK);
}

static void die(void) {
  fflush(stdout);
  raise(SIGKILL);
}

/* What has been recorded is in a batch when this returns. */
static void cut(void) {
  const uint64_t before = get_stats().batches;
  CHECK(tachy_flush(1) == 0);
  while (get_stats().batches == before) sleep_ms(1);
}

static void in_thread(void *(*function)(void *)) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, function, NULL) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
}

static void span(void) { tachy_span_end(tachy_span_begin(&inner)); }

static tachy_scope dive(void) {
  tachy_scope scope = 0;
  for (uint32_t i = 0; i < TACHY_DEPTH_MAX; i++) scope = tachy_span_begin(&outer);
  return scope;
}

static void rise(tachy_scope scope) {
  for (; scope >= (tachy_scope)TACHY_TOP_OF_(1); scope -= (tachy_scope)sizeof(tachy_open_span)) tachy_span_end(scope);
}

/* Spans deeper than the stack: they are counted, and have no row. */
static void dive_too_deep(int more) {
  const tachy_scope scope = dive();
  for (int i = 0; i < more; i++) CHECK(tachy_span_begin(&inner) == 0);
  rise(scope);
}

static void *five_too_deep(void *unused) {
  (void)unused;
  dive_too_deep(5);
  return NULL;
}

/* A thread that has gone, and whose losses no block has counted. */
static void gone(void) {
  start((tachy_config){0});
  in_thread(five_too_deep);
  pass();
  printf("{\"dropped\": [0, 0, 5], \"events\": [0, 0, %d], \"open\": 0}\n", TACHY_DEPTH_MAX);
  die();
}

/* Before any cut, but after the collector has counted the ticks: the pass that reads the second span has begun when the
 * first was read, and counting takes 3 ms. */
static void early(void) {
  start((tachy_config){0});
  sleep_ms(5);
  for (uint64_t i = 1; i <= 2; i++) {
    span();
    while (get_stats().recorded[TACHY_CLASS_SPAN] < i) sleep_ms(1);
  }
  printf("{\"dropped\": [0, 0, 0], \"events\": [0, 0, 2], \"open\": 0, \"frequency\": %llu}\n",
         (unsigned long long)get_stats().frequency);
  die();
}

/* Its slot's next owner does not inherit them. */
static void *two_too_deep(void *unused) {
  (void)unused;
  const tachy_scope scope = dive();
  for (int i = 0; i < 2; i++) CHECK(tachy_span_begin(&inner) == 0);
  tachy_span_end(scope);
  pass();
  printf("{\"dropped\": [0, 0, 7], \"events\": [0, 0, %d], \"open\": %d}\n", TACHY_DEPTH_MAX + 1, TACHY_DEPTH_MAX - 1);
  die();
  return NULL;
}

static void reused(void) {
  start((tachy_config){0});
  in_thread(five_too_deep);
  cut();
  in_thread(two_too_deep);
}

/* Nor does the second session inherit those of the first, nor its batches, which wait still. */
static void second(void) {
  start((tachy_config){0});
  dive_too_deep(5);
  tachy_stop(0);
  start((tachy_config){0});
  const tachy_scope scope = dive();
  for (int i = 0; i < 3; i++) CHECK(tachy_span_begin(&inner) == 0);
  tachy_span_end(scope);
  pass();
  printf("{\"sessions\": 2, \"dropped\": [0, 0, 8], \"events\": [0, 0, %d], \"open\": %d}\n", TACHY_DEPTH_MAX + 1,
         TACHY_DEPTH_MAX - 1);
  die();
}

/* Rings of a page and bursts into them: what found no room is counted, gap record or not. */
static void full(void) {
  enum { TIMES = 20000 };
  start((tachy_config){.pool_bytes = 2 * 65536, .flush_ms = 5});
  const tachy_scope scope = tachy_span_begin(&outer);
  for (int i = 0; i < TIMES; i++) {
    span();
    tachy_metric_int(&count, 0, i);
    tachy_log_text(&line, 0, "text", 4);
  }
  CHECK(scope == TACHY_TOP_OF_(1));
  printf("{\"all\": [%d, %d, %d], \"open\": 1}\n", TIMES, TIMES, TIMES);
  die();
}

/* Bursts of 13 MB of logs, with pauses in between: together they fit into the pool. */
static void burst(void) {
  enum { TIMES = 400, BURSTS = 8 };
  static char text[LONG_TEXT];
  memset(text, 'x', sizeof text);
  start((tachy_config){.pool_bytes = 256 << 20});
  for (int i = 0; i < TIMES * BURSTS; i++) {
    tachy_log_text(&line, 0, text, sizeof text);
    span();
    if (i % TIMES == 0) sleep_ms(60);
  }
  printf("{\"all\": [%d, 0, %d], \"open\": 0}\n", TIMES * BURSTS, TIMES * BURSTS);
  die();
}

/* Rings that nobody has used take no memory, neither here nor in a recovery. */
static void large(void) {
  start((tachy_config){});
  for (int i = 0; i < 10; i++) span();
  printf("{\"events\": [0, 0, 10], \"dropped\": [0, 0, 0], \"open\": 0}\n");
  die();
}

/* All the depth there is, held through blocks. */
static void deep(void) {
  start((tachy_config){.flush_ms = 10});
  dive();
  for (int i = 0; i < 10; i++) {
    tachy_span_end(TACHY_TOP_MAX_);
    CHECK(tachy_span_begin(&outer) == TACHY_TOP_MAX_);
    sleep_ms(10);
  }
  printf("{\"events\": [0, 0, 10], \"dropped\": [0, 0, 0], \"open\": %d}\n", TACHY_DEPTH_MAX);
  die();
}

/* Threads that come and go, in slots that are used again; the last ones stay, with a span open. */
enum { CROWD = 200, ROUNDS = 6, EACH = 5 };
static uint32_t there; /* atomic */

static void *visit(void *stays) {
  tachy_scope scope = 0;
  if (stays) scope = tachy_span_begin(&outer);
  const tachy_async async = tachy_async_begin(&load, NULL);
  for (int i = 0; i < EACH; i++) {
    span();
    tachy_metric_int(&count, 0, i);
    tachy_log_text(&line, 0, "text", 4);
  }
  tachy_async_end(&async);
  __atomic_fetch_add(&there, 1, __ATOMIC_SEQ_CST);
  if (scope) sleep_ms(60000);
  return NULL;
}

static void crowd(void) {
  static team t;
  start((tachy_config){.pool_bytes = 8 * 65536, .flush_ms = 20});
  for (int i = 0; i < ROUNDS; i++) {
    for (int k = 0; k < CROWD; k++) team_add(&t, visit, i + 1 == ROUNDS ? (void *)&t : NULL);
    if (i + 1 < ROUNDS) team_join(&t);
  }
  while (__atomic_load_n(&there, __ATOMIC_SEQ_CST) < ROUNDS * CROWD) sleep_ms(1);
  const int rows = ROUNDS * CROWD * EACH;
  printf("{\"events\": [%d, %d, %d], \"dropped\": [0, 0, 0], \"open\": %d}\n", rows, rows, rows + 2 * ROUNDS * CROWD,
         CROWD);
  die();
}

/* Names that were made a moment ago. */
static void named(void) {
  start((tachy_config){0});
  const tachy_property pairs[] = {{"key", "value"}, {"other", "text"}};
  tachy_log_text(&line, tachy_property_set(pairs, 2), "the last words", 14);
  tachy_set_crash_kind(TACHY_CRASH_HANG);
  tachy_set_crash_kind(TACHY_CRASH_ASSERT);
  printf("{\"events\": [1, 0, 0], \"dropped\": [0, 0, 0], \"open\": 0}\n");
  die();
}

/* More names than their region holds: the events are there nevertheless. */
static void names(void) {
  enum { SETS = 600, SIZE = 65000 };
  static char text[SIZE + 1];
  memset(text, 'x', SIZE);
  start((tachy_config){0});
  for (int i = 0; i < SETS; i++) {
    snprintf(text, 16, "%d", i);
    text[strlen(text)] = 'x';
    const tachy_property pair = {"key", text};
    const uint32_t set = tachy_property_set(&pair, 1);
    CHECK(set != 0);
    if (i % 100 == 99) tachy_log_text(&line, set, "text", 4);
  }
  TACHY_DEFINE_SPAN(late, "deaths", "late");
  tachy_span_end(tachy_span_begin(&late));
  printf("{\"events\": [6, 0, 1], \"dropped\": [0, 0, 0], \"open\": 0}\n");
  die();
}

/* Something of everything in state and chunks: what fuzz_dead.c changes at random. */
static void *short_life(void *unused) {
  (void)unused;
  tachy_set_thread_name("short");
  const tachy_async async = tachy_async_begin(&load, NULL);
  span();
  tachy_async_end(&async);
  tachy_metric_int(&count, 0, 7);
  return NULL;
}

static void record_everything(const tachy_async *parent) {
  TACHY_DEFINE_LOG(formatted, "deaths", TACHY_LEVEL_WARN, "%lld %f %s %p");
  const tachy_property pair = {"key", "value"};
  const uint32_t set = tachy_property_set(&pair, 1);
  const uint64_t values[] = {1, UINT64_C(0x3FF0000000000000), (uintptr_t) "text", 0x1234};
  const uint32_t sizes[] = {0, 0, 4, 0};
  const tachy_async async = tachy_async_begin(&load, parent);
  tachy_span_complete(&inner, 1, tachy_ticks()); /* a long one */
  tachy_span_begin(&outer);
  span();
  tachy_metric_int(&count, set, 1);
  tachy_log_args(&formatted, set, TACHY_ARG_I64 | TACHY_ARG_F64 << 4 | TACHY_ARG_TEXT << 8 | TACHY_ARG_POINTER << 12,
                 values, sizes);
  in_thread(short_life);
  tachy_async_end(parent);
  (void)async;
}

static void sample_in(tachy_mode mode) {
  start((tachy_config){.pool_bytes = 2 * 65536, .mode = mode, .flight_before_ms = NEVER});
  const tachy_async first = tachy_async_begin(&load, NULL);
  record_everything(&first);
  cut();
  const tachy_async second_one = tachy_async_begin(&load, &first);
  record_everything(&second_one);
  pass();
  record_everything(&first);
  for (int i = 0; i < 200; i++) span();
  die();
}

static void sample(void) { sample_in(TACHY_MODE_ALL); }
static void sample_flight(void) { sample_in(TACHY_MODE_FLIGHT); }

/* A slot that a session without a file has made is not for a session with one. */
static void *one_span(void *unused) {
  (void)unused;
  span();
  return NULL;
}

static void *last_span(void *unused) {
  span();
  printf("{\"events\": [0, 0, 1], \"dropped\": [0, 0, 0], \"open\": 0}\n");
  die();
  return unused;
}

static void later(void) {
  start((tachy_config){.session_folder = "-"});
  in_thread(one_span);
  tachy_stop(0);
  start((tachy_config){0});
  in_thread(last_span);
}

/* Recovering what an earlier session has left leaves the chunks alone that its threads have there. */
static void moved(void) {
  tachy_recovery found;
  start((tachy_config){.destination = "one"});
  span();
  tachy_stop(0);
  start((tachy_config){.destination = "two"});
  CHECK(tachy_recover(getenv("TACHY_SESSION_FOLDER"), &found) == TACHY_OK && found.sessions + found.busy == 1);
  span();
  pass();
  printf("{\"sessions\": 2, \"events\": [0, 0, 2], \"dropped\": [0, 0, 0], \"open\": 0}\n");
  die();
}

/* Another library's handlers record around a fork, in the child too, where our memory is not. */
static void record_around_fork(void) {
  TACHY_DEFINE_SPAN(site, "deaths", "around a fork");
  tachy_span_end(tachy_span_begin(&site));
  span();
}

static void forks(void) {
  pthread_atfork(record_around_fork, record_around_fork, record_around_fork);
  start((tachy_config){0});
  span();
  const tachy_scope scope = tachy_span_begin(&outer);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    span();
    _exit(0);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  span();
  tachy_span_end(scope);
  printf("{\"events\": [0, 0, 3], \"dropped\": [0, 0, 0], \"open\": 0}\n");
  die();
}

/* The collector cuts on while other exit handlers run. */
static void linger(void) { sleep_ms(200); }

static void exits(void) {
  atexit(linger);
  start((tachy_config){.flush_ms = 10});
  tachy_set_crash_kind(TACHY_CRASH_HANG);
  tachy_metric_int(&count, 0, 1);
  for (int i = 0; i < 10; i++) {
    span();
    sleep_ms(5);
  }
  printf("{\"events\": [0, 1, 10], \"dropped\": [0, 0, 0], \"open\": 0, \"state\": \"exited\"}\n");
}

static void *record_on(void *unused) {
  (void)unused;
  for (;;) {
    span();
    sleep_ms(1);
  }
  return NULL;
}

/* The same with a thread that records until the end. */
static void exits_busy(void) {
  static team t;
  team_add(&t, record_on, NULL);
  exits();
}

/* A second copy of the library in the process, as a plugin may bring it: what we record is not its to recover. */
static void copies(void) {
  Dl_info about;
  start((tachy_config){.flush_ms = 10});
  for (int i = 0; i < 100; i++) span();
  tachy_status (*address)(const tachy_config *) = tachy_start;
  void *symbol;
  memcpy(&symbol, &address, sizeof symbol);
  CHECK(dladdr(symbol, &about) != 0);
  void *const copy = dlmopen(LM_ID_NEWLM, about.dli_fname, RTLD_NOW);
  CHECK(copy != NULL);
  tachy_status (*recover)(const char *, tachy_recovery *);
  *(void **)&recover = dlsym(copy, "tachy_recover");
  tachy_recovery found;
  CHECK(recover && recover(getenv("TACHY_SESSION_FOLDER"), &found) == TACHY_OK);
  CHECK(found.sessions == 0 && found.busy == 1);
  for (int i = 0; i < 100; i++) span();
  printf("{\"events\": [0, 0, 200], \"dropped\": [0, 0, 0], \"open\": 0}\n");
  die();
}

/* Whatever becomes of the folder, the program goes on, and a sender that is there gets everything. */
static void *record_much(void *unused) {
  static char text[200]; /* all of them fit into the pool */
  (void)unused;
  for (int i = 0; i < 1000; i++) {
    span();
    tachy_metric_int(&count, 0, i);
    tachy_log_text(&line, 0, text, sizeof text);
    if (i % 10 == 0) sleep_ms(1);
  }
  return NULL;
}

static void survive(void) {
  static team t;
  begin_session(&(tachy_config){.flush_ms = 10});
  for (int i = 0; i < 4; i++) team_add(&t, record_much, NULL);
  team_join(&t);
  const tachy_stats stats = end_session();
  for (int cls = 1; cls < 4; cls++) CHECK(stats.sent[cls] == 4000);
}

int main(int argc, char **argv) {
  static const scenario all[] = {
      {"gone", gone},     {"early", early},     {"reused", reused}, {"second", second},
      {"full", full},     {"burst", burst},     {"deep", deep},     {"crowd", crowd},
      {"named", named},   {"names", names},     {"exits", exits},   {"exits_busy", exits_busy},
      {"copies", copies}, {"survive", survive}, {"sample", sample}, {"sample_flight", sample_flight},
      {"later", later},   {"forks", forks},     {"large", large},   {"moved", moved},
      {NULL, NULL}};
  exit(run_named(argc, argv, all));
}
