/* A host (tachy/host.h) of POSIX functions: with it the test programs run on a recorder that knows no system. */
#include <tachy/host.h>

#include "harness.h"

static void *allocate(size_t size, size_t alignment) {
  void *memory = NULL;
  return posix_memalign(&memory, alignment < sizeof(void *) ? sizeof(void *) : alignment, size) ? NULL : memory;
}

static void *make_lock(void) {
  pthread_mutex_t *const mutex = malloc(sizeof *mutex);
  pthread_mutexattr_t again;
  pthread_mutexattr_init(&again);
  pthread_mutexattr_settype(&again, PTHREAD_MUTEX_RECURSIVE);
  CHECK(mutex && pthread_mutex_init(mutex, &again) == 0);
  return mutex;
}
static void lock(void *mutex) { CHECK(pthread_mutex_lock(mutex) == 0); }
static void unlock(void *mutex) { CHECK(pthread_mutex_unlock(mutex) == 0); }

typedef struct event {
  pthread_mutex_t mutex;
  pthread_cond_t condition;
  int set;
} event;

static uint64_t now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}
static uint64_t monotonic(void) { return now(CLOCK_MONOTONIC); }
static int64_t utc(void) { return (int64_t)now(CLOCK_REALTIME); }

static void *make_event(void) {
  event *const made = calloc(1, sizeof *made);
  pthread_condattr_t steady;
  pthread_condattr_init(&steady);
  pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
  CHECK(made && pthread_mutex_init(&made->mutex, NULL) == 0 && pthread_cond_init(&made->condition, &steady) == 0);
  return made;
}
static void set_event(void *handle) {
  event *const e = handle;
  pthread_mutex_lock(&e->mutex);
  e->set = 1;
  pthread_cond_signal(&e->condition);
  pthread_mutex_unlock(&e->mutex);
}
static void wait_for_event(void *handle, uint64_t ns) {
  event *const e = handle;
  const uint64_t end = monotonic() + (ns < 3600000000000u ? ns : 3600000000000u);
  const struct timespec until = {.tv_sec = (time_t)(end / 1000000000), .tv_nsec = (long)(end % 1000000000)};
  pthread_mutex_lock(&e->mutex);
  while (!e->set && pthread_cond_timedwait(&e->condition, &e->mutex, &until) == 0) {
  }
  e->set = 0;
  pthread_mutex_unlock(&e->mutex);
}

typedef struct runner {
  pthread_t thread;
  void (*function)(void *);
  void *argument;
  char name[16];
} runner;

static void *run(void *argument) {
  runner *const self = argument;
  pthread_setname_np(pthread_self(), self->name);
  self->function(self->argument);
  return NULL;
}
static void *start_thread(void (*function)(void *), void *argument, const char *name) {
  runner *const made = calloc(1, sizeof *made);
  CHECK(made != NULL);
  made->function = function;
  made->argument = argument;
  snprintf(made->name, sizeof made->name, "%s", name);
  CHECK(pthread_create(&made->thread, NULL, run, made) == 0);
  return made;
}
static void join_thread(void *handle) {
  CHECK(pthread_join(((runner *)handle)->thread, NULL) == 0);
  free(handle);
}
static uint64_t thread_id(void) { return (uint64_t)gettid(); }
static void thread_name(char *text, size_t size) {
  if (pthread_getname_np(pthread_self(), text, size) != 0 && size) text[0] = 0;
}

static pthread_key_t at_exit;
static void (*function_at_exit)(void *);
static void call_at_exit(void *value) { __atomic_load_n(&function_at_exit, __ATOMIC_RELAXED)(value); }
static int at_thread_exit(void (*function)(void *), void *value) {
  __atomic_store_n(&function_at_exit, function, __ATOMIC_RELAXED); /* always the same */
  return pthread_setspecific(at_exit, value) == 0;
}

static void sleep_for(uint64_t ns) {
  const struct timespec time = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
  nanosleep(&time, NULL);
}
static int give_random(void *bytes, size_t size) {
  FILE *const source = fopen("/dev/urandom", "rb");
  const int all = source && fread(bytes, 1, size, source) == size;
  if (source) fclose(source);
  return all;
}
static void describe(tachy_host_fact fact, char *text, size_t size) {
  snprintf(text, size, "%s", fact == TACHY_HOST_COMPUTER ? "host" : "");
}
static void complain(const char *line) { fprintf(stderr, "%s\n", line); }

__attribute__((constructor)) static void begin(void) {
  static const tachy_host host = {
      allocate,       free,         make_lock,   lock,      unlock,      make_event,     set_event,
      wait_for_event, start_thread, join_thread, thread_id, thread_name, at_thread_exit, sleep_for,
      monotonic,      utc,          give_random, describe,  complain,
  };
  pthread_key_create(&at_exit, call_at_exit);
  tachy_set_host(&host);
}
