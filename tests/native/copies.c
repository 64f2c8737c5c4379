/* Scenarios: the program and a plugin have the recorder each for themselves, or together. */
#include "harness.h"

#if !defined(_WIN32)
#include <sys/wait.h>
#endif

enum { THREADS = 8, ROUNDS = 50, EACH = 20 };

static void (*record)(int);

#if !defined(_WIN32)
static pthread_key_t farewell;
static int has_farewell;

/* Runs after the recorder's own end of the thread: the event gets a slot of its own. */
static void record_at_end(void *unused) {
  (void)unused;
  record(1);
}
#endif

static void *record_both(void *unused) {
  TACHY_DEFINE_SPAN(outer, "program", "outer");
  TACHY_DEFINE_INT_METRIC(count, "program", "count", "");
  (void)unused;
  for (int i = 0; i < ROUNDS; i++) {
    const tachy_scope scope = tachy_span_begin(&outer);
    record(EACH);
    tachy_metric_int(&count, 0, i);
    tachy_span_end(scope);
  }
#if !defined(_WIN32)
  if (has_farewell) pthread_setspecific(farewell, &farewell);
#endif
  return NULL;
}

/* On threads that begin with the plugin's event or with the program's, and end while the plugin is there or after it
 * has gone. */
static void two_copies(void) {
  team t = {0};
  begin_session(NULL);
  uint64_t ends = 0;
#if !defined(_WIN32)
  CHECK(pthread_key_create(&farewell, record_at_end) == 0);
  has_farewell = 1;
  ends = THREADS;
#endif
  for (int loads = 0; loads < 3; loads++) {
    void *const library = load_plugin();
    record = (void (*)(int))find_in_plugin(library, "plugin_record");
    record(1);
    for (int i = 0; i < THREADS; i++) team_add(&t, record_both, NULL);
    team_join(&t);
    unload_plugin(library);
  }
  const tachy_stats s = end_session();
  CHECK(s.recorded[TACHY_CLASS_SPAN] == 3 * (1 + ends + THREADS * ROUNDS * (EACH + 1)));
  CHECK(s.recorded[TACHY_CLASS_LOG] == 3 * (1 + ends + THREADS * ROUNDS * EACH));
  CHECK(s.recorded[TACHY_CLASS_METRIC] == 3 * THREADS * ROUNDS);
  CHECK(s.sites == 4 && s.threads == 1 + 3 * (THREADS + ends));
}

/* A start of the plugin's joins the program's session, and its stop takes only that back. */
static void joins(void) {
  void *const library = load_plugin();
  record = (void (*)(int))find_in_plugin(library, "plugin_record");
  int (*const start)(void) = (int (*)(void))find_in_plugin(library, "plugin_start");
  void (*const stop)(void) = find_in_plugin(library, "plugin_stop");
  begin_session(NULL);
  for (int i = 0; i < 3; i++) {
    CHECK(start() == TACHY_JOINED);
    record(10);
    stop();
    record(10);
  }
  const tachy_stats s = end_session();
  CHECK(s.recorded[TACHY_CLASS_SPAN] == 60);
  record(10);
  /* the other way round: the program takes over what the plugin has begun */
  CHECK(start() == TACHY_OK);
  CHECK(tachy_start(NULL) == TACHY_JOINED);
  take_over_session();
  record(10);
  stop();
  record(10);
  CHECK(end_session().recorded[TACHY_CLASS_SPAN] == 20);
}

/* The plugin's copy cannot join: what it records is gone, and nothing waits for it. */
static void refused_copy(void) {
  begin_session(NULL);
  void *const library = load_plugin();
  record = (void (*)(int))find_in_plugin(library, "plugin_record");
  int (*const start)(void) = (int (*)(void))find_in_plugin(library, "plugin_start");
  CHECK(start() == TACHY_ERROR_STATE);
  record_both(NULL);
  CHECK(end_session().recorded[TACHY_CLASS_SPAN] == ROUNDS);
}

#if !defined(_WIN32)
/* The child of a thread that both have recorded on records nothing until it has a session of its own. */
static void forks_with_copies(void) {
  void *const library = load_plugin();
  record = (void (*)(int))find_in_plugin(library, "plugin_record");
  begin_session(NULL);
  record(10);
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    record(10);
    const tachy_config config = {.session_folder = "-"};
    CHECK(tachy_start(&config) == TACHY_OK);
    record(10);
    tachy_stop(0);
    CHECK(get_stats().recorded[TACHY_CLASS_SPAN] == 10);
    _exit(0);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  record(10);
  CHECK(end_session().recorded[TACHY_CLASS_SPAN] == 20);
}
#endif

const scenario copy_scenarios[] = {{"two_copies", two_copies},
                                   {"joins", joins},
                                   {"refused_copy", refused_copy},
#if !defined(_WIN32)
                                   {"forks_with_copies", forks_with_copies},
#endif
                                   {NULL, NULL}};
