/* A program that records until it dies, in the way that it is told. What its threads have done stands in a file of its
 * own, which outlives it as well: each count is raised before an event and again after it.
 * usage: killed HOW FOLDER TRUTH CAPTURE MILLISECONDS [PLUGIN]     dies after so long
 * With FLUSH_MS in the environment, blocks are that long.
 *        killed recover FOLDER CAPTURE                             takes over what others left */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "harness.h"

enum { THREADS = 3, INNER = 3 };

/* Of one thread; the checker in test_killed.py reads the same words. */
typedef struct truth {
  uint64_t spans_begun; /* ends of spans, that is: their records */
  uint64_t spans_done;
  uint64_t metrics_begun;
  uint64_t metrics_done;
  uint64_t logs_begun;
  uint64_t logs_done;
  uint64_t depth; /* spans that are open, or are just beginning or ending */
  uint64_t asyncs_begun;
  uint64_t asyncs_done;
  uint64_t zeros[7];
} truth;

static truth *truths;
static int keep_going = 1;

#define MARK(member) __atomic_store_n(&t->member, t->member + 1, __ATOMIC_RELEASE)
#define UNMARK(member) __atomic_store_n(&t->member, t->member - 1, __ATOMIC_RELEASE)

static void end_span(truth *t, tachy_scope scope) {
  MARK(spans_begun);
  tachy_span_end(scope);
  MARK(spans_done);
  UNMARK(depth);
}

static void step(truth *t) {
  TACHY_DEFINE_SPAN(outer, "killed", "d0");
  TACHY_DEFINE_SPAN(inner, "killed", "d1");
  TACHY_DEFINE_ASYNC_SPAN(load, "killed", "load");
  TACHY_DEFINE_INT_METRIC(count, "killed", "count", "1");
  TACHY_DEFINE_VALUE(number, "killed", "step");
  TACHY_DEFINE_VALUE(who, "killed", "who");
  TACHY_DEFINE_LOG(line, "killed", TACHY_LEVEL_INFO, "step %lld");
  MARK(depth);
  const tachy_scope scope = tachy_span_begin(&outer);
  tachy_span_value_unsigned(scope, &number, t->logs_done);
  tachy_span_value_text(scope, &who, "a worker", 8);
  MARK(asyncs_begun);
  tachy_async async = tachy_async_begin(&load, NULL);
  tachy_async_value_unsigned(&async, &number, t->logs_done);
  MARK(asyncs_done);
  for (int i = 0; i < INNER; i++) {
    MARK(depth);
    end_span(t, tachy_span_begin(&inner));
  }
  MARK(metrics_begun);
  tachy_metric_int(&count, 0, (int64_t)t->metrics_done);
  MARK(metrics_done);
  const uint64_t words[] = {t->logs_done};
  MARK(logs_begun);
  tachy_log_words(&line, 0, TACHY_ARG_I64, words, 1);
  MARK(logs_done);
  MARK(asyncs_begun);
  tachy_async_end(&async);
  MARK(asyncs_done);
  end_span(t, scope);
}

static void *work(void *argument) {
  truth *const t = argument;
  char name[16];
  snprintf(name, sizeof name, "worker %d", (int)(t - truths));
  tachy_set_thread_name(name);
  for (unsigned i = 0; __atomic_load_n(&keep_going, __ATOMIC_RELAXED); i++) {
    step(t);
    if (i % 4 == 0) sleep_ms(1);
  }
  return NULL;
}

/* Writes what it takes, and says that it is sent, as long as the process lives. */
static void *send_always(void *unused) {
  (void)unused;
  for (int ended = 0; !ended;) {
    tachy_batch *const batch = tachy_batch_take(50, &ended);
    if (!batch) continue;
    write_batch(batch);
    fflush(capture);
    tachy_batch_done(batch, TACHY_SENT);
  }
  return NULL;
}

static void overflow(volatile char *before);
static void (*volatile again)(volatile char *) = overflow;

static void overflow(volatile char *before) {
  volatile char room[4096];
  room[0] = before ? before[0] : 1;
  again(room);
  room[1] = room[0];
}

static void use_up_memory(void) {
  const struct rlimit limit = {UINT64_C(600) << 20, UINT64_C(600) << 20};
  setrlimit(RLIMIT_AS, &limit);
  for (;;) {
    char *const memory = malloc(1 << 20);
    if (!memory) abort(); /* as a program does that cannot go on */
    memset(memory, 1, 1 << 20);
  }
}

static void die(const char *how) {
  const int none = open("/dev/null", O_WRONLY);
  dup2(none, 2);
  volatile int *volatile nowhere = NULL;
  if (strcmp(how, "segv") == 0) *nowhere = 0;
  if (strcmp(how, "abort") == 0) abort();
  if (strcmp(how, "_exit") == 0) _exit(3);
  if (strcmp(how, "exit") == 0) exit(0);
  if (strcmp(how, "overflow") == 0) overflow(NULL);
  if (strcmp(how, "memory") == 0) use_up_memory();
  if (strcmp(how, "exec") == 0) execl("/bin/true", "true", (char *)NULL);
  if (strcmp(how, "stop") == 0) return;
  raise(SIGKILL);
}

/* The child lives on, without recording, and has every file that it got with the fork. */
static void leave_a_child(void) {
  fflush(NULL);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child > 0) return;
  TACHY_DEFINE_SPAN(site, "killed", "in the child");
  for (int i = 0; i < 20; i++) {
    tachy_span_end(tachy_span_begin(&site));
    sleep_ms(10);
  }
  _exit(0);
}

/* Sites of a library that is gone when the process dies. */
static void use_plugin(const char *path) {
  void *const plugin = dlopen(path, RTLD_NOW);
  CHECK(plugin != NULL);
  void (*record)(int) = NULL;
  *(void **)&record = dlsym(plugin, "plugin_record");
  CHECK(record != NULL);
  record(100);
  dlclose(plugin);
}

static void recover(const char *folder) {
  tachy_recovery found;
  CHECK(tachy_recover(folder, &found) == TACHY_OK);
  int ended = found.batches == 0;
  while (!ended) {
    tachy_batch *const batch = tachy_batch_take(0, &ended);
    if (!batch) continue;
    write_batch(batch);
    fflush(capture);
    tachy_batch_done(batch, TACHY_SENT);
  }
  printf("{\"sessions\": %llu, \"crashed\": %llu, \"batches\": %llu, \"busy\": %llu, \"unreadable\": %llu}\n",
         (unsigned long long)found.sessions, (unsigned long long)found.crashed, (unsigned long long)found.batches,
         (unsigned long long)found.busy, (unsigned long long)found.unreadable);
}

int main(int argc, char **argv) {
  CHECK(argc >= 4);
  if (strcmp(argv[1], "recover") == 0) {
    capture = fopen(argv[3], "ab");
    CHECK(capture != NULL);
    recover(argv[2]);
    return fclose(capture) != 0;
  }
  CHECK(argc >= 6);
  const char *const how = argv[1];
  const int file = open(argv[3], O_RDWR | O_CREAT, 0600);
  CHECK(file >= 0 && ftruncate(file, THREADS * sizeof(truth)) == 0);
  truths = mmap(NULL, THREADS * sizeof(truth), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  CHECK(truths != MAP_FAILED);
  capture = fopen(argv[4], "wb");
  CHECK(capture != NULL);
  const int flight = getenv("KILLED_FLIGHT") != NULL; /* with a flight recorder, and one trigger */
  const char *const flush_ms = getenv("FLUSH_MS");
  const tachy_config config = {.session_folder = argv[2],
                               .flush_ms = flush_ms ? (uint32_t)atoi(flush_ms) : 30,
                               .mode = flight ? TACHY_MODE_FLIGHT : TACHY_MODE_ALL,
                               .flight_before_ms = flight ? (uint32_t)atoi(getenv("KILLED_FLIGHT")) : 0,
                               .flight_after_ms = 10};
  CHECK(tachy_start(&config) == TACHY_OK);
  pthread_t sender;
  team t = {.count = 0};
  CHECK(pthread_create(&sender, NULL, send_always, NULL) == 0);
  for (int i = 0; i < THREADS; i++) team_add(&t, work, &truths[i]);
  if (strcmp(how, "fork") == 0) leave_a_child();
  if (strcmp(how, "unload") == 0) use_plugin(argv[6]);
  sleep_ms((unsigned)atoi(argv[5]) / 2);
  if (flight) tachy_mark("half of it");
  sleep_ms((unsigned)atoi(argv[5]) / 2);
  if (strcmp(how, "threads") == 0) { /* they have gone, with events that nobody has taken */
    __atomic_store_n(&keep_going, 0, __ATOMIC_RELAXED);
    team_join(&t);
  }
  die(how);
  __atomic_store_n(&keep_going, 0, __ATOMIC_RELAXED);
  team_join(&t);
  tachy_stop(20000);
  pthread_join(sender, NULL);
  return fclose(capture) != 0;
}
