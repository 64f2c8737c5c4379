/* Scenarios: starting, stopping, flushing, forking. */
#include "harness.h"

#if !defined(_WIN32)
#include <sys/resource.h>
#include <sys/wait.h>
#endif

static void record_some(int count) {
  TACHY_DEFINE_SPAN(site, "life", "span");
  TACHY_DEFINE_INT_METRIC(metric, "life", "metric", "");
  for (int i = 0; i < count; i++) {
    tachy_span_end(tachy_span_begin(&site));
    tachy_metric_int(&metric, 0, i);
  }
}

static void nothing_runs(void) {
  record_some(10);
  CHECK(tachy_flush(10) == 0);
  tachy_stop(10);
  int ended = 1;
  CHECK(tachy_batch_take(1, &ended) == NULL && ended == 0);
  const tachy_config odd = {.pool_bytes = 5000};
  CHECK(tachy_start(&odd) == TACHY_ERROR_ARGUMENT);
  const tachy_config no_parent = {.parent_process_id = "not a uuid"};
  CHECK(tachy_start(&no_parent) == TACHY_ERROR_ARGUMENT);
  begin_session(NULL);
  CHECK(tachy_start(NULL) == TACHY_JOINED);
  tachy_stop(60000); /* takes that back, at once */
  tachy_stats s = end_session();
  CHECK(s.recorded[TACHY_CLASS_SPAN] == 0 && s.batches == 1);
  record_some(10);
  s = get_stats();
  CHECK(s.recorded[TACHY_CLASS_SPAN] == 0);
}

#if !defined(_WIN32)
/* With less and less address space a session starts or is refused, and never takes the program with it. */
static void little_memory(void) {
  for (unsigned step = 0; step < 64; step++) {
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
      unsigned long pages = 0;
      FILE *const file = fopen("/proc/self/statm", "r");
      if (!file || fscanf(file, "%lu", &pages) != 1) _exit(2);
      fclose(file);
      const rlim_t size = pages * 4096 + (rlim_t)step * step * 4096; /* up to 16 MiB more */
      const struct rlimit limit = {size, size};
      if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(3);
      const tachy_config config = {.sdk = "a game"};
      if (tachy_start(&config) == TACHY_OK) {
        record_some(10);
        tachy_stop(0);
      }
      _exit(0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    if (status != 0) fprintf(stderr, "with %u KiB: status %d\n", step * step * 4, status);
    CHECK(status == 0);
  }
  begin_session(NULL);
  end_session();
}
#endif

static void many_sessions(void) {
  TACHY_DEFINE_SPAN(over, "life", "over the stop");
  TACHY_DEFINE_SPAN(inside, "life", "inside");
  for (int i = 0; i < 10; i++) {
    begin_session(NULL);
    record_some(100 + i);
    const tachy_scope scope = tachy_span_begin(&over);
    tachy_span_end(tachy_span_begin(&inside));
    const tachy_stats s = end_session();
    CHECK(s.recorded[TACHY_CLASS_SPAN] == 101 + (uint64_t)i);
    if (i % 2) continue; /* stays open into the next session: ended there by its thread's end */
    tachy_span_end(scope);
  }
}

static void open_over_sessions(void) {
  TACHY_DEFINE_SPAN(outer, "life", "outer");
  TACHY_DEFINE_SPAN(inner, "life", "inner");
  begin_session(NULL);
  const tachy_scope scope = tachy_span_begin(&outer);
  end_session();
  begin_session(NULL);
  tachy_span_end(tachy_span_begin(&inner));
  CHECK(tachy_flush(20000) == 1);
  tachy_span_end(tachy_span_begin(&inner));
  tachy_span_end(scope);
  CHECK(end_session().recorded[TACHY_CLASS_SPAN] == 3);
}

typedef struct stoppable {
  int stop;
} stoppable;

static void *record_always(void *argument) {
  const stoppable *const s = argument;
  while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
    record_some(20);
    sleep_ms(1);
  }
  return NULL;
}

static void restart_under_load(void) {
  static stoppable s;
  team t = {.count = 0};
  for (int i = 0; i < 3; i++) team_add(&t, record_always, &s);
  for (int i = 0; i < 12; i++) {
    begin_session(NULL);
    sleep_ms(20);
    end_session();
  }
  __atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
  team_join(&t);
}

static void *flush_often(void *argument) {
  (void)argument;
  for (int i = 0; i < 30; i++) {
    record_some(10);
    CHECK(tachy_flush(20000) == 1);
  }
  return NULL;
}

static void flushes(void) {
  const tachy_config config = {.flush_ms = 60000};
  team t = {.count = 0};
  begin_session(&config);
  record_some(5);
  CHECK(tachy_flush(20000) == 1);
  const tachy_stats s = get_stats();
  CHECK(s.sent[TACHY_CLASS_SPAN] == 5 && s.sent[TACHY_CLASS_METRIC] == 5);
  for (int i = 0; i < 3; i++) team_add(&t, flush_often, NULL);
  team_join(&t);
  CHECK(end_session().recorded[TACHY_CLASS_SPAN] == 5 + 3 * 300);
}

/* Flush and stop in halves: one waits in between, again and again, and nothing runs twice. */
static void halves(void) {
  const tachy_config config = {.flush_ms = 60000};
  CHECK(tachy_flush_begin(20000) == 0 && tachy_flush_wait(0, 0) == 0);
  tachy_stop_recording();
  CHECK(tachy_start(&config) == TACHY_OK);
  record_some(5);
  const uint64_t flush = tachy_flush_begin(20000);
  CHECK(flush != 0);
  for (int i = 0; i < 3; i++) CHECK(tachy_flush_wait(flush, 1) == 0); /* nobody sends yet */
  take_over_session();
  while (!tachy_flush_wait(flush, 1)) {
  }
  CHECK(get_stats().sent[TACHY_CLASS_SPAN] == 5);
  record_some(5);
  tachy_stop_recording();
  record_some(5);
  tachy_stop_recording();
  CHECK(tachy_start(NULL) == TACHY_ERROR_STATE && tachy_flush_begin(1000) == 0);
  while (!tachy_flush_wait(TACHY_FLUSH_ALL, 1)) {
  }
  CHECK(get_stats().sent[TACHY_CLASS_SPAN] == 10);
  CHECK(end_session().recorded[TACHY_CLASS_SPAN] == 10);
}

#if !defined(_WIN32) /* has no fork() */
static void *fork_bystander(void *argument) { return record_always(argument); }

/* The child does not record until it starts a session of its own; the parent goes on. */
static void forks(void) {
  static stoppable s;
  team t = {.count = 0};
  TACHY_DEFINE_SPAN(around, "life", "around the fork");
  begin_session(NULL);
  team_add(&t, fork_bystander, &s);
  const tachy_scope scope = tachy_span_begin(&around);
  for (int i = 0; i < 3; i++) {
    fflush(capture);
    const pid_t child = fork();
    if (child == 0) {
      record_some(1000);
      tachy_span_end(scope);
      if (tachy_flush(10) != 0) _exit(1);
      if (tachy_start(NULL) != TACHY_OK) _exit(2);
      record_some(7);
      uint64_t events = 0;
      tachy_batch *batch;
      int ended;
      if (tachy_flush(0) != 0) _exit(3); /* nobody has taken it */
      if ((batch = tachy_batch_take(20000, &ended)) == NULL) _exit(4);
      events = tachy_batch_block_count(batch);
      tachy_batch_done(batch, TACHY_SENT);
      tachy_stop(100);
      const tachy_stats stats = get_stats();
      if (events != 2) _exit(5);
      if (stats.recorded[TACHY_CLASS_SPAN] != 7 || stats.sent[TACHY_CLASS_SPAN] != 7) _exit(6);
      _exit(0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    if (WEXITSTATUS(status) != 0) fprintf(stderr, "the child says %d\n", WEXITSTATUS(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
  tachy_span_end(scope);
  __atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
  team_join(&t);
  end_session();
}

static int in_forks;         /* calls of call_everything, in parent and child */
static int forks_once_more;  /* the next handler forks itself */
static int forked_in_a_fork; /* this is that fork's child, in which the outer fork goes on */

/* What a signal handler or another library's fork handler may do on a thread that is inside fork(). */
static void call_everything(void) {
  static tachy_site fresh[2 * 64];
  tachy_site *const site = &fresh[in_forks++ % 128];
  const tachy_property pair = {"key", "value"};
  tachy_stats stats;
  int ended = 0;
  *site = (tachy_site){0, 1, TACHY_SITE_SPAN, 0, 0, "fresh", "life", "", ""};
  CHECK(tachy_forking());
  tachy_span_end(tachy_span_begin(site));
  CHECK(tachy_site_intern(TACHY_SITE_SPAN, TACHY_LEVEL_NONE, "life", "interned", "", 1, "") == NULL);
  CHECK(tachy_property_set(&pair, 1) == 0);
  const tachy_async async = tachy_async_begin(site, NULL);
  CHECK(async.id == 0);
  tachy_async_end(&async);
  tachy_span_complete(site, 1, 2);
  tachy_metric_at(site, 0, 1, 1);
  tachy_log_text(site, 0, "text", 4);
  tachy_log_args(site, 0, 0, NULL, NULL);
  tachy_mark("in a fork");
  tachy_set_process_property("in a", "fork");
  tachy_set_thread_name("in a fork");
  tachy_set_level(TACHY_LEVEL_ERROR);
  tachy_set_category("life", TACHY_LEVEL_NONE);
  tachy_unset_category("life");
  tachy_control("version=1");
  tachy_get_stats(&stats);
  CHECK(tachy_recover(NULL, NULL) == TACHY_ERROR_STATE);
  CHECK(tachy_start(NULL) == TACHY_ERROR_STATE);
  CHECK(tachy_flush(1000) == 0);
  CHECK(tachy_flush_begin(1000) == 0 && tachy_flush_wait(TACHY_FLUSH_ALL, 1000) == 0);
  tachy_stop_recording();
  tachy_stop(1000);
  CHECK(tachy_batch_take(1000, &ended) == NULL && !ended && tachy_batch_take_raw() == NULL);
  tachy_sender_compresses(1, TACHY_CODEC_ZSTD, NULL, NULL);
  if (forks_once_more) {
    forks_once_more = 0;
    forked_in_a_fork = fork() == 0;
  }
}

static void check_child(pid_t child) {
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Fork handlers that are registered before ours run between ours: while fork() has every lock. */
static void everything_in_a_fork(void) {
  pthread_atfork(call_everything, call_everything, call_everything);
  begin_session(NULL);
  record_some(1);
  for (int i = 0; i < 3; i++) {
    fflush(capture);
    forks_once_more = i == 2;
    const pid_t child = fork();
    CHECK(!tachy_forking());
    if (child == 0 || forked_in_a_fork) {
      CHECK(tachy_start(NULL) == TACHY_OK);
      record_some(1);
      tachy_stop(0);
      if (child != 0) check_child(child);
      _exit(get_stats().recorded[TACHY_CLASS_SPAN] == 1 ? 0 : 1);
    }
    check_child(child);
  }
  while (waitpid(-1, NULL, 0) > 0) continue;
  CHECK(in_forks >= 6);
  record_some(1);
  const tachy_stats stats = end_session();
  CHECK(stats.recorded[TACHY_CLASS_SPAN] == 2 && stats.sites <= 2);
}
#endif

static void names_and_properties(void) {
  const tachy_property properties[] = {{"build", "42"}, {"quote", "a \"b\" \\ \n \x01"}};
  const tachy_config config = {.exe = "/games/quake",
                               .sdk = "test 1",
                               .parent_process_id = "00112233-4455-6677-8899-aabbccddeeff",
                               .properties = properties,
                               .property_count = 2};
  tachy_set_thread_name("captain");
  begin_session(&config);
  tachy_set_process_property("map", "e1m1");
  tachy_set_process_property("build", "43");
  record_some(1);
  CHECK(tachy_flush(20000) == 1);
  tachy_set_thread_name("first mate");
  record_some(1);
  end_session();
}

#if defined(__linux__)
static void *renamed(void *stage) {
  int *const at = stage;
  pthread_setname_np(pthread_self(), "clone");
  record_some(1);
  pthread_setname_np(pthread_self(), "worker");
  __atomic_store_n(at, 1, __ATOMIC_RELEASE);
  while (__atomic_load_n(at, __ATOMIC_ACQUIRE) == 1) sleep_ms(1);
  record_some(1);
  pthread_setname_np(pthread_self(), "last words");
  return NULL;
}

static void *named_by_us(void *unused) {
  tachy_set_thread_name("ours");
  record_some(1);
  pthread_setname_np(pthread_self(), "system's");
  record_some(1);
  return unused;
}

/* Programs name threads once they run: after their first event, and again. */
static void named_later(void) {
  static int stage;
  team t = {.count = 0};
  begin_session(NULL);
  record_some(1);
  pthread_setname_np(pthread_self(), "the main one");
  team_add(&t, renamed, &stage);
  while (__atomic_load_n(&stage, __ATOMIC_ACQUIRE) == 0) sleep_ms(1);
  CHECK(tachy_flush(20000) == 1);
  __atomic_store_n(&stage, 2, __ATOMIC_RELEASE);
  team_add(&t, named_by_us, NULL);
  team_join(&t);
  record_some(1);
  end_session();
}

enum { CROWD = 40 };
static pthread_barrier_t barrier; /* of the crowd and the main thread */

static void *named_twice(void *number) {
  for (int part = 1; part <= 2; part++) {
    char name[16];
    snprintf(name, sizeof name, "%d of part %d", (int)(intptr_t)number, part);
    pthread_setname_np(pthread_self(), name);
    record_some(1);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
  }
  return NULL;
}

/* There are so many that not each cut asks for every name. */
static void named_in_a_crowd(void) {
  team t = {.count = 0};
  begin_session(NULL);
  pthread_barrier_init(&barrier, NULL, CROWD + 1);
  for (intptr_t i = 0; i < CROWD; i++) team_add(&t, named_twice, (void *)i);
  for (int part = 1; part <= 2; part++) {
    pthread_barrier_wait(&barrier);
    CHECK(tachy_flush(20000) == 1);
    sleep_ms(CROWD + 1); /* a millisecond for each, and names are asked for again */
    pthread_barrier_wait(&barrier);
  }
  team_join(&t);
  end_session();
}
#endif

/* Sends what a program left that was killed with the same session folder. */
static void inherits(void) {
  tachy_recovery found;
  begin_session(NULL);
  CHECK(tachy_recover(NULL, &found) == TACHY_OK);
  CHECK(found.sessions == 1 && found.crashed == 1 && found.batches == 1 && found.busy == 0);
  while (get_stats().recovered_batches < found.batches) sleep_ms(1);
  end_session();
}

const scenario life_scenarios[] = {{"nothing_runs", nothing_runs},
                                   {"many_sessions", many_sessions},
                                   {"open_over_sessions", open_over_sessions},
                                   {"restart_under_load", restart_under_load},
                                   {"flushes", flushes},
                                   {"halves", halves},
#if !defined(_WIN32)
                                   {"forks", forks},
                                   {"everything_in_a_fork", everything_in_a_fork},
                                   {"little_memory", little_memory},
#endif
#if defined(__linux__)
                                   {"named_later", named_later},
                                   {"named_in_a_crowd", named_in_a_crowd},
#endif
                                   {"names_and_properties", names_and_properties},
                                   {"inherits", inherits},
                                   {NULL, NULL}};
