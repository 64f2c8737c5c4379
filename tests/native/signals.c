/* Signal handlers that record, on threads that record. The checks are in test_signals.py.
 *
 *   signals steps CAPTURE        x86-64 Linux: the processor's trap flag makes every single instruction of the recorder
 *                                a place at which a handler has interrupted its thread
 *   signals timers CAPTURE MS N  two timers of 100 us for each thread, whose handlers interrupt one another, too; N
 *                                rounds at once
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "harness.h"

TACHY_DEFINE_SPAN(main_outer, "main", "main outer");
TACHY_DEFINE_SPAN(main_inner, "main", "main inner");
TACHY_DEFINE_SPAN(main_phase, "main", "main phase");
TACHY_DEFINE_SPAN(handler_outer, "handler", "handler outer");
TACHY_DEFINE_SPAN(handler_inner, "handler", "handler inner");
TACHY_DEFINE_ASYNC_SPAN(main_async, "main", "main async");
TACHY_DEFINE_ASYNC_SPAN(handler_async, "handler", "handler async");
TACHY_DEFINE_VALUE(main_value, "main", "main value");
TACHY_DEFINE_VALUE(handler_value, "handler", "handler value");
TACHY_DEFINE_INT_METRIC(main_metric, "main", "main metric", "");
TACHY_DEFINE_INT_METRIC(handler_metric, "handler", "handler metric", "");
TACHY_DEFINE_FRAME(main_frame, "main", "main frame");
TACHY_DEFINE_LOG(main_log, "main", TACHY_LEVEL_INFO, "main %lld");
TACHY_DEFINE_LOG(handler_log, "handler", TACHY_LEVEL_INFO, "handler %lld");
TACHY_DEFINE_LOG(main_text, "main", TACHY_LEVEL_INFO, "");
TACHY_DEFINE_LOG(handler_text, "handler", TACHY_LEVEL_INFO, "");

typedef uint64_t counts[TACHY_CLASSES];
static counts by_main, by_handlers; /* atomic: events that were tried */

/* Of the timers of this thread; 0: it has none. */
static _Thread_local volatile int timed;
static _Thread_local timer_t timers[2];

static void tried(counts which, tachy_class cls, uint64_t n) { __atomic_fetch_add(&which[cls], n, __ATOMIC_RELAXED); }

static void log_text(tachy_site *site, const char *front, unsigned long long n) {
  char text[64];
  size_t size = strlen(front);
  memcpy(text, front, size);
  char digits[24];
  size_t count = 0;
  do {
    digits[count++] = (char)('0' + n % 10);
  } while (n /= 10);
  while (count) text[size++] = digits[--count];
  tachy_log_text(site, 0, text, size);
}

/* What somebody makes at run time: a new site and a new set of properties, or known ones again. NULL: there is none. */
static tachy_site *made_site(const char *target, unsigned n) {
  char name[] = "made 00000";
  for (char *digit = name + sizeof name - 2; n; n /= 10) *digit-- = (char)('0' + n % 10);
  return tachy_site_intern(TACHY_SITE_METRIC_INT, TACHY_LEVEL_NONE, target, name, "", 0, "");
}

static uint32_t made_set(const char *key, unsigned n) {
  char value[] = "00000";
  for (char *digit = value + sizeof value - 2; n; n /= 10) *digit-- = (char)('0' + n % 10);
  const tachy_property property = {key, value};
  return tachy_property_set(&property, 1);
}

/* One of everything. Async-signal-safe as far as this program is concerned. */
static void record_in_handler(void) {
  static uint64_t calls; /* atomic */
  const uint64_t n = __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
  const int error = errno;
  const tachy_scope outer = tachy_span_begin(&handler_outer);
  const tachy_scope inner = tachy_span_begin(&handler_inner);
  tachy_span_value_int(inner, &handler_value, (int64_t)n);
  tachy_span_value_text(outer, &handler_value, "handler's", 9);
  tachy_metric_int(&handler_metric, 0, (int64_t)n);
  tachy_log_words(&handler_log, 0, TACHY_ARG_I64, &n, 1);
  tachy_span_end(inner);
  log_text(&handler_text, "handler text ", n);
  tachy_span_end(outer);
  tried(by_handlers, TACHY_CLASS_SPAN, 2);
  tried(by_handlers, TACHY_CLASS_METRIC, 1);
  tried(by_handlers, TACHY_CLASS_LOG, 2);
  if (n % 3 == 0) {
    const tachy_async async = tachy_async_begin(&handler_async, NULL);
    tachy_async_end(&async);
    tried(by_handlers, TACHY_CLASS_SPAN, async.id ? 2 : 1);
  }
  if (n % 5 == 0) {
    tachy_site *const made = made_site("handler", (unsigned)(n / 5 % 5000));
    if (made) {
      tachy_metric_int(made, made_set("of", (unsigned)(n / 5 % 500)), 1);
      tried(by_handlers, TACHY_CLASS_METRIC, 1);
    }
  }
  errno = error;
}

static uint64_t now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static void set_timer(timer_t timer, uint64_t us) {
  const struct itimerspec times = {{0, 0}, {(time_t)(us / 1000000), (long)(us % 1000000) * 1000}};
  CHECK(timer_settime(timer, 0, &times, NULL) == 0);
}

/* Its timer rings again when the thread has had more time of its own than this has taken: while the machine holds every
 * handler up for longer than 100 us, timers of a fixed rate would leave the thread no instruction between two of them,
 * and it would never end. */
static void on_signal(int number) {
  const uint64_t begin = now_us();
  record_in_handler();
  if (timed) set_timer(timers[number == SIGPROF], 50 + 4 * (now_us() - begin));
}

/* The thread's own: `n` is the number of the round, which its events bear. */
static void record(unsigned n) {
  static _Thread_local unsigned frames;
  const uint64_t number = n;
  tachy_scope scope = tachy_span_begin(&main_outer);
  tachy_metric_int(&main_metric, 0, n);
  tachy_log_words(&main_log, 0, TACHY_ARG_I64, &number, 1);
  const tachy_scope inner = tachy_span_begin(&main_inner);
  tachy_span_value_int(inner, &main_value, n);
  log_text(&main_text, "main text ", n);
  tachy_span_end(inner);
  const tachy_async async = tachy_async_begin(&main_async, NULL);
  tachy_span_value_text(scope, &main_value, "main's", 6);
  tachy_async_end(&async);
  scope = tachy_phase_next(scope, &main_phase);
  tachy_frame_mark(&main_frame);
  tachy_span_end(scope);
  tried(by_main, TACHY_CLASS_SPAN, async.id ? 5 : 4);
  tried(by_main, TACHY_CLASS_METRIC, frames++ ? 2 : 1); /* a thread's first frame only starts the count */
  tried(by_main, TACHY_CLASS_LOG, 2);
}

static void print_counts(void) {
  printf("{");
  for (int who = 0; who < 2; who++) {
    const uint64_t *const of = who ? by_handlers : by_main;
    printf("%s\"%s\": [0, %llu, %llu, %llu]", who ? ", " : "", who ? "handlers" : "main", (unsigned long long)of[1],
           (unsigned long long)of[2], (unsigned long long)of[3]);
  }
  printf("}\n");
}

static void handle(int number, void (*function)(int)) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = function;
  action.sa_flags = SA_RESTART;
  CHECK(sigaction(number, &action, NULL) == 0);
}

/* Single steps ---------------------------------------------------------------------------------------------------- */

#if defined(__x86_64__)
static void step(int on) {
  if (on) {
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
  } else {
    __asm__ volatile("pushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
  }
}

/* Keys whose destructors run before and after the recorder's at the end of a thread: in the order of their making. */
static pthread_key_t before_recorder, after_recorder;
static void step_from_here(void *unused) {
  (void)unused;
  step(1);
}
static void step_to_here(void *unused) {
  (void)unused;
  step(0);
}

static void *life_in_steps(void *number) {
  CHECK(pthread_setspecific(before_recorder, number) == 0 && pthread_setspecific(after_recorder, number) == 0);
  const unsigned first = (unsigned)(uintptr_t)number;
  step(1);
  record(first);
  step(0);
  tachy_scope left = tachy_span_begin(&main_outer); /* ended by the thread's end */
  (void)left;
  tried(by_main, TACHY_CLASS_SPAN, 1);
  return NULL;
}

static void steps(void) {
  enum { THREADS = 4, ROUNDS = 6 };
  CHECK(pthread_key_create(&before_recorder, step_from_here) == 0);
  begin_session(NULL);
  CHECK(pthread_key_create(&after_recorder, step_to_here) == 0);
  handle(SIGTRAP, on_signal);
  unsigned n = 1;
  for (int i = 0; i < THREADS; i++, n++) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, life_in_steps, (void *)(uintptr_t)n) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
  }
  for (int i = 0; i < ROUNDS; i++, n++) {
    step(1);
    record(n);
    tachy_site *const made = made_site("main", n);
    tachy_metric_int(made, made_set("number", n), n);
    step(0);
    tried(by_main, TACHY_CLASS_METRIC, 1);
  }
}
#endif

/* Timers ---------------------------------------------------------------------------------------------------------- */

static uint64_t deadline;
static unsigned numbers; /* atomic */

static timer_t make_timer(int number) {
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = number;
  event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
  timer_t timer;
  CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  return timer;
}

static void record_under_timers(unsigned rounds) {
  timers[0] = make_timer(SIGALRM);
  timers[1] = make_timer(SIGPROF);
  timed = 1;
  for (int i = 0; i < 2; i++) set_timer(timers[i], 50);
  for (unsigned i = 0; i < rounds; i++) record(__atomic_fetch_add(&numbers, 1, __ATOMIC_RELAXED));
  timed = 0;
  for (int i = 0; i < 2; i++) CHECK(timer_delete(timers[i]) == 0);
}

static void *short_life(void *unused) {
  record_under_timers(1);
  return unused;
}

static void *long_life(void *rounds) {
  while (now_us() < deadline) {
    record_under_timers((unsigned)(uintptr_t)rounds);
    sleep_ms(1);
  }
  return NULL;
}

static void under_timers(unsigned ms, unsigned rounds) {
  const tachy_config config = {.pool_bytes = 256 << 20};
  begin_session(&config);
  handle(SIGALRM, on_signal);
  handle(SIGPROF, on_signal);
  deadline = now_us() + (uint64_t)ms * 1000;
  team long_ones = {.count = 0};
  team_add(&long_ones, long_life, (void *)(uintptr_t)rounds);
  while (now_us() < deadline) {
    team short_ones = {.count = 0};
    for (int i = 0; i < 4; i++) team_add(&short_ones, short_life, NULL);
    team_join(&short_ones);
    tachy_set_level(TACHY_LEVEL_TRACE); /* what takes the registry's lock */
  }
  team_join(&long_ones);
}

int main(int count, char **arguments) {
  CHECK(count >= 3);
  capture = fopen(arguments[2], "wb");
  CHECK(capture != NULL);
  if (strcmp(arguments[1], "timers") == 0) {
    CHECK(count == 5);
    under_timers((unsigned)atoi(arguments[3]), (unsigned)atoi(arguments[4]));
#if defined(__x86_64__)
  } else if (strcmp(arguments[1], "steps") == 0) {
    steps();
#endif
  } else {
    return 2;
  }
  end_session();
  print_counts();
  CHECK(fclose(capture) == 0);
  return 0;
}
