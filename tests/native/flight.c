/* Scenarios: the flight recorder ships what overlaps a trigger's window, to the event, and nothing else of class span.
 *
 * Where FLIGHT_JOURNAL names a file, what threads did is written there with the ticks of their records, which they read
 * back from their own chunks; test_flight.py works out from it what must have been shipped:
 *   C before after frequency       ticks around a trigger, ticks per second
 *   S thread number depth begin end told
 *                                  a span; end 0: it has not ended; told: when it was recorded whole, 0: as it went
 *   A begin|end number ticks
 *   T ticks                        a trigger */
#include "harness.h"

TACHY_DEFINE_FRAME(frame_site, "flight", "frame");
TACHY_DEFINE_LOG(error_site, "flight", TACHY_LEVEL_ERROR, "");
TACHY_DEFINE_LOG(info_site, "flight", TACHY_LEVEL_INFO, "");
TACHY_DEFINE_SPAN(work_site, "flight", "work");
TACHY_DEFINE_SPAN(outer_site, "flight", "outer");
TACHY_DEFINE_SPAN(filler_site, "flight", "filler"); /* fills chunks, and is in no journal */
TACHY_DEFINE_ASYNC_SPAN(async_site, "flight", "async");
TACHY_DEFINE_INT_METRIC(metric_site, "flight", "metric", "");

static FILE *journal;
static pthread_mutex_t journal_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t last_number;

/* What the thread wrote last of one class. */
static const void *written(const tachy_writer *writer, uint64_t size) {
  return (const void *)(writer->origin + (uintptr_t)(writer->head - size));
}

#define WRITE(...)                       \
  do {                                   \
    pthread_mutex_lock(&journal_lock);   \
    fprintf(journal, __VA_ARGS__);       \
    pthread_mutex_unlock(&journal_lock); \
  } while (0)

static uint64_t number_in(const char *name, uint64_t standard) {
  const char *const text = getenv(name);
  return text ? strtoull(text, NULL, 10) : standard;
}

static tachy_site *numbered(tachy_site_kind kind, uint32_t *number) {
  *number = __atomic_add_fetch(&last_number, 1, __ATOMIC_RELAXED);
  char name[24];
  snprintf(name, sizeof name, "%u", *number);
  return tachy_site_intern(kind, TACHY_LEVEL_NONE, "flight", name, "f", *number, "");
}

/* One thread of the random program ------------------------------------------------------------------------------- */

enum { DEPTH = 6, ASYNCS = 8 };

typedef struct in_flight {
  pthread_mutex_t lock;
  tachy_async span;
  uint32_t number;
} in_flight;

static in_flight asyncs[ASYNCS];
static int over; /* atomic: it is time to end */

typedef struct worker {
  uint64_t random;
  uint32_t depth;
  tachy_scope scopes[DEPTH];
  uint32_t numbers[DEPTH];
} worker;

/* Every span has its number. */
static void give_number(tachy_scope scope, uint32_t number) {
  TACHY_DEFINE_VALUE(value, "flight", "number");
  tachy_span_value_unsigned(scope, &value, number);
}

static void begin_span(worker *w) {
  if (w->depth == DEPTH) return;
  tachy_site *const site = numbered(TACHY_SITE_SPAN, &w->numbers[w->depth]);
  w->scopes[w->depth] = tachy_span_begin(site);
  give_number(w->scopes[w->depth], w->numbers[w->depth]);
  w->depth++;
}

static void end_span(worker *w) {
  if (w->depth == 0) return;
  const tachy_thread *const thread = tachy_here_();
  const uint64_t begin = thread->stack[w->depth - 1].begin;
  tachy_span_end(w->scopes[--w->depth]);
  const tachy_span_record *const record = written(&thread->span, sizeof *record);
  CHECK(record->begin == begin && record->duration < UINT32_MAX);
  WRITE("S %u %u %u %llu %llu 0\n", thread->number, w->numbers[w->depth], w->depth, (unsigned long long)begin,
        (unsigned long long)(begin + record->duration));
}

static void complete_span(const worker *w) {
  uint32_t number;
  tachy_site *const site = numbered(TACHY_SITE_SPAN, &number);
  const uint64_t begin = tachy_ticks();
  if (w->random % 8 == 0) sleep_ms(1);
  const uint64_t end = tachy_ticks();
  if (w->random % 16 < 4) sleep_ms(1); /* told of later than it ended */
  tachy_span_complete(site, begin, end);
  WRITE("S %u %u %u %llu %llu %llu\n", tachy_here_()->number, number, w->depth, (unsigned long long)begin,
        (unsigned long long)end, (unsigned long long)tachy_ticks());
}

static void write_async(const char *what, uint32_t number) {
  const tachy_async_record *const record = written(&tachy_here_()->span, sizeof *record);
  WRITE("A %s %u %llu\n", what, number, (unsigned long long)record->ticks);
}

/* Begins an async span, or ends one, which another thread may have begun. */
static void do_async(uint64_t random) {
  in_flight *const a = &asyncs[random % ASYNCS];
  pthread_mutex_lock(&a->lock);
  if (a->span.id) {
    tachy_async_end(&a->span);
    a->span.id = 0;
    write_async("end", a->number);
  } else {
    a->span = tachy_async_begin(numbered(TACHY_SITE_ASYNC, &a->number), NULL);
    write_async("begin", a->number);
    TACHY_DEFINE_VALUE(value, "flight", "number");
    tachy_async_value_unsigned(&a->span, &value, a->number);
  }
  pthread_mutex_unlock(&a->lock);
}

static void trigger(uint64_t random) {
  uint64_t ticks = 0;
  if (random % 3 == 0) {
    static const char reason[] = "because";
    const uint64_t size = sizeof(tachy_log_record) + tachy_pad8(4 + strlen("flight recorder: ") + strlen(reason));
    tachy_mark(reason);
    ticks = ((const tachy_log_record *)written(&tachy_here_()->log, size))->ticks;
  } else if (random % 3 == 1) {
    tachy_log_text(&error_site, 0, "four", 4);
    ticks = ((const tachy_log_record *)written(&tachy_here_()->log, sizeof(tachy_log_record) + 8))->ticks;
  } else {
    static int begun;
    for (int i = 0; i < 2; i++) {
      tachy_frame_mark(&frame_site); /* the first one of all only starts the count; later, it is very late */
      if (begun) {
        ticks = ((const tachy_metric_record *)written(&tachy_here_()->metric, sizeof(tachy_metric_record)))->ticks;
        WRITE("T %llu\n", (unsigned long long)ticks);
      }
      begun = 1;
      sleep_ms(25);
    }
    return;
  }
  WRITE("T %llu\n", (unsigned long long)ticks);
}

static void *work(void *argument) {
  worker *const w = calloc(1, sizeof *w);
  CHECK(w != NULL);
  w->random = (uint64_t)(uintptr_t)argument;
  const int restless = w->random % 2 == 0;
  for (int i = 0; i < 3000 && !TACHY_LOAD(&over); i++) {
    const uint64_t r = next_random(&w->random);
    const uint64_t what = r % 64;
    if (what < 26) {
      begin_span(w);
    } else if (what < 50) {
      end_span(w);
    } else if (what < 54) {
      do_async(r / 64);
    } else if (what < 57) {
      complete_span(w);
    } else if (what == 57) {
      tachy_log_text(&info_site, 0, "text", 4);
    } else if (what == 58) {
      for (int k = 0; k < 2000; k++) tachy_span_end(tachy_span_begin(&filler_site));
    } else if (r / 64 % 8 == 0) {
      sleep_ms((unsigned)(r / 512 % (restless ? 8 : 60)));
    }
  }
  while (w->depth > 0) end_span(w);
  free(w);
  return NULL;
}

static void *lane(void *argument) {
  uint64_t random = (uint64_t)(uintptr_t)argument;
  while (!TACHY_LOAD(&over)) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, work, (void *)(uintptr_t)next_random(&random)) == 0);
    pthread_join(thread, NULL);
  }
  return NULL;
}

/* Open for as long as the program runs, and it never ends a span. */
static void *hang(void *argument) {
  (void)argument;
  uint32_t number;
  tachy_site *const site = numbered(TACHY_SITE_SPAN, &number);
  const tachy_scope scope = tachy_span_begin(site);
  give_number(scope, number);
  WRITE("S %u %u 0 %llu 0 0\n", tachy_here_()->number, number, (unsigned long long)tachy_here_()->stack[0].begin);
  while (!TACHY_LOAD(&over)) sleep_ms(1);
  tachy_span_end(scope);
  return NULL;
}

static void flight_random(void) {
  uint64_t random = number_in("FLIGHT_SEED", 1);
  journal = fopen(getenv("FLIGHT_JOURNAL"), "w");
  CHECK(journal != NULL);
  const uint32_t before = 50 + (uint32_t)(next_random(&random) % 400);
  const uint32_t after = 20 + (uint32_t)(next_random(&random) % 200);
  const tachy_config config = {.mode = TACHY_MODE_FLIGHT,
                               .flight_before_ms = before,
                               .flight_after_ms = after,
                               .frame_budget_us = 20000,
                               .flush_ms = 20 + (uint32_t)(next_random(&random) % 300),
                               .block_bytes = 1600 + (uint32_t)(next_random(&random) % 320000)};
  for (int i = 0; i < ASYNCS; i++) pthread_mutex_init(&asyncs[i].lock, NULL);
  begin_session(&config);
  const double frequency = (double)get_stats().frequency;
  WRITE("C %llu %llu %llu\n", (unsigned long long)(before * frequency / 1000.0),
        (unsigned long long)(after * frequency / 1000.0), (unsigned long long)frequency);
  team lanes = {.count = 0};
  for (int i = 0; i < 3; i++) team_add(&lanes, lane, (void *)(uintptr_t)next_random(&random));
  team_add(&lanes, hang, NULL);
  const int rounds = (int)number_in("FLIGHT_TRIGGERS", 6);
  for (int i = 0; i < rounds; i++) {
    sleep_ms((unsigned)(next_random(&random) % (2 * (before + after))));
    trigger(next_random(&random));
    if (i % 3 == 1) tachy_flush(1000);
  }
  sleep_ms(before + after + 150); /* the last window is over */
  TACHY_STORE(&over, 1);
  team_join(&lanes);
  sleep_ms(50);
  end_session();
  fclose(journal);
}

/* Single promises ------------------------------------------------------------------------------------------------ */

static void spans(int count) {
  for (int i = 0; i < count; i++) tachy_span_end(tachy_span_begin(&work_site));
}

static const tachy_config flight = {.mode = TACHY_MODE_FLIGHT, .flush_ms = 10};

static void flight_quiet(void) {
  tachy_config config = flight;
  config.flight_before_ms = 100;
  begin_session(&config);
  for (int i = 0; i < 40; i++) {
    spans(100);
    const tachy_async async = tachy_async_begin(&async_site, NULL);
    tachy_async_end(&async);
    tachy_log_text(&info_site, 0, "text", 4);
    tachy_metric_int(&metric_site, 0, i);
    sleep_ms(10);
    if (i % 10 == 0) CHECK(tachy_flush(5000));
  }
  const tachy_stats s = get_stats();
  CHECK(s.sent[TACHY_CLASS_SPAN] == 0 && s.sent[TACHY_CLASS_LOG] > 0 && s.sent[TACHY_CLASS_METRIC] > 0);
  CHECK(s.not_retained > 0); /* while it runs, not only at its end */
  const tachy_stats end = end_session();
  CHECK(end.sent[TACHY_CLASS_SPAN] == 0 && end.not_retained == 40 * 102 && end.flight_overwritten == 0);
  CHECK(end.sent[TACHY_CLASS_LOG] == 40 && end.sent[TACHY_CLASS_METRIC] == 40);
}

/* A flush ships what a trigger wants of what was recorded before it, and does not wait for the window's end. */
static void flight_flush(void) {
  begin_session(&flight);
  const tachy_scope outer = tachy_span_begin(&outer_site);
  spans(1000);
  tachy_mark("look");
  CHECK(tachy_flush(5000));
  CHECK(get_stats().sent[TACHY_CLASS_SPAN] == 1000);
  spans(500);
  tachy_span_end(outer);
  CHECK(tachy_flush(5000));
  CHECK(get_stats().sent[TACHY_CLASS_SPAN] == 1501);
  const tachy_stats s = end_session();
  CHECK(s.not_retained == 0 && s.sent[TACHY_CLASS_LOG] == 1);
}

/* The end of the session cuts the window short. */
static void flight_stop(void) {
  begin_session(&flight);
  spans(1000);
  tachy_log_text(&error_site, 0, "bad", 3);
  const tachy_stats s = end_session();
  CHECK(s.sent[TACHY_CLASS_SPAN] == 1000 && s.not_retained == 0 && s.sent[TACHY_CLASS_LOG] == 2);
}

/* What is no trigger does not trigger. */
static void flight_ignores(void) {
  tachy_config config = flight;
  config.flight_ignore_errors = 1;
  config.frame_budget_us = 10000000;
  config.level = TACHY_LEVEL_ERROR;
  begin_session(&config);
  spans(100);
  tachy_log_text(&error_site, 0, "bad", 3);
  tachy_frame_mark(&frame_site);
  tachy_frame_mark(&frame_site);
  CHECK(tachy_flush(5000));
  CHECK(get_stats().sent[TACHY_CLASS_SPAN] == 0 && get_stats().sent[TACHY_CLASS_LOG] == 1);
  tachy_mark(NULL); /* its log is there at any level */
  CHECK(tachy_flush(5000));
  CHECK(end_session().sent[TACHY_CLASS_LOG] == 2);
}

/* The memory is bounded; what is in it is what ended last. */
static void flight_memory(void) {
  tachy_config config = flight;
  config.pool_bytes = 1 << 20;
  config.flight_before_ms = 60000;
  begin_session(&config);
  for (int i = 0; i < 400; i++) {
    spans(1000);
    sleep_ms(1);
  }
  sleep_ms(100);
  const tachy_stats before = get_stats();
  tachy_mark("now");
  CHECK(tachy_flush(5000));
  const tachy_stats s = end_session();
  CHECK(before.flight_overwritten > 0 && s.dropped[TACHY_CLASS_SPAN] == 0);
  CHECK(s.sent[TACHY_CLASS_SPAN] > 20000 && s.sent[TACHY_CLASS_SPAN] < 200000);
  CHECK(s.sent[TACHY_CLASS_SPAN] + s.flight_overwritten == 400000 && s.not_retained == s.flight_overwritten);
}

typedef struct load {
  int stop;       /* atomic */
  unsigned pause; /* ms, after some 300 spans */
} load;

static void *record_much(void *argument) {
  const load *const l = argument;
  while (!TACHY_LOAD(&l->stop)) {
    sleep_ms(l->pause);
    const tachy_scope outer = tachy_span_begin(&outer_site);
    for (int i = 0; i < 5; i++) {
      const tachy_scope inner = tachy_span_begin(&work_site);
      spans(60);
      const tachy_async async = tachy_async_begin(&async_site, NULL);
      tachy_span_end(inner);
      tachy_async_end(&async);
    }
    tachy_span_end(outer);
  }
  return NULL;
}

enum { HOLDERS = 40 /* more than there are slots ready: most of theirs are read before one that was given earlier */ };
static tachy_async held[HOLDERS];
static uint32_t opened, begun, skipping, going, ready, done; /* atomic */

static void wait_until(const uint32_t *count, uint32_t least) {
  while (__atomic_load_n(count, __ATOMIC_ACQUIRE) < least) sleep_ms(1);
}

static void more(uint32_t *count) { __atomic_fetch_add(count, 1, __ATOMIC_ACQ_REL); }

static void *end_asyncs(void *unused) {
  const tachy_scope outer = tachy_span_begin(&outer_site);
  const tachy_writer *const writer = &tachy_here_()->span;
  uint32_t inside = 0;
  more(&opened);
  wait_until(&begun, HOLDERS);
  sleep_ms(1);
  for (int i = 0; i < HOLDERS; i++) tachy_async_end(&held[i]);
  do {
    spans(1);
    inside++;
  } while (writer->limit - writer->head >= sizeof(tachy_span_record));
  tachy_span_end(outer); /* alone in the next chunk, without what was inside */
  __atomic_store_n(&skipping, inside, __ATOMIC_RELEASE);
  wait_until(&done, 1);
  return unused;
}

static void *hold_async(void *async) {
  *(tachy_async *)async = tachy_async_begin(&async_site, NULL);
  more(&begun);
  wait_until(&going, 1);
  spans(60);
  more(&ready);
  wait_until(&done, 1);
  return NULL;
}

/* Async ends whose chunk was skipped while their begins were kept go with these, in blocks that are full with spans of
 * the threads that began them and have none of their own thread's: a span of its that comes with a later block and was
 * open all the time has begun before them. */
static void flight_async(void) {
  tachy_config config = flight;
  config.flight_before_ms = 20;
  config.flight_after_ms = 1;
  config.block_bytes = 800;
  begin_session(&config);
  team threads = {.count = 0};
  team_add(&threads, end_asyncs, NULL);
  wait_until(&opened, 1);
  for (int i = 0; i < HOLDERS; i++) team_add(&threads, hold_async, &held[i]);
  wait_until(&skipping, 1);
  while (get_stats().not_retained < skipping) sleep_ms(1);
  more(&going);
  wait_until(&ready, HOLDERS);
  tachy_mark("what is left");
  CHECK(tachy_flush(5000));
  more(&done);
  team_join(&threads);
  end_session();
}

/* A pool that is much too small: what is lost is counted once, and the rest nests. */
static void flight_lossy(void) {
  static load l = {0, 2};
  tachy_config config = flight;
  config.pool_bytes = 65536;
  config.flight_before_ms = 30;
  config.flight_after_ms = 10;
  config.block_bytes = 80000;
  begin_session(&config);
  team threads = {.count = 0};
  for (int i = 0; i < 3; i++) team_add(&threads, record_much, &l);
  for (int i = 0; i < 8; i++) {
    sleep_ms(60);
    tachy_mark("again");
    if (i % 2) tachy_flush(2000);
  }
  TACHY_STORE(&l.stop, 1);
  team_join(&threads);
  const tachy_stats s = end_session();
  CHECK(s.dropped[TACHY_CLASS_SPAN] > 0 && s.sent[TACHY_CLASS_SPAN] > 0 && s.not_retained > 0);
}

/* The server switches to and fro under load. */
static void flight_modes(void) {
  static load l = {0, 1};
  tachy_config config = {.flush_ms = 20, .flight_before_ms = 50, .flight_after_ms = 20};
  begin_session(&config);
  team threads = {.count = 0};
  for (int i = 0; i < 3; i++) team_add(&threads, record_much, &l);
  unsigned version = 0;
  while (version < 12 || get_stats().not_retained == 0) { /* a busy machine may miss a mode */
    char text[80];
    version++;
    snprintf(text, sizeof text, "version=%u; mode=%s%s", version, version % 2 ? "flight" : "all",
             version % 3 ? "" : "; mark=as%20asked");
    tachy_control(text);
    sleep_ms(40);
    if (version % 4 == 3) tachy_mark("here");
  }
  TACHY_STORE(&l.stop, 1);
  team_join(&threads);
  const tachy_stats s = end_session();
  CHECK(s.sent[TACHY_CLASS_SPAN] > 0 && s.control_version == version);
}

/* In mode all everything travels, whatever the mode was before and in between; it comes back when the time is up. */
static void flight_control(void) {
  begin_session(&flight);
  spans(10);
  CHECK(tachy_flush(5000)); /* it is on */
  tachy_control("version=1; mode=all");
  CHECK(tachy_flush(5000));
  spans(100);
  CHECK(tachy_flush(5000));
  CHECK(get_stats().sent[TACHY_CLASS_SPAN] == 100);
  tachy_control("version=2; mark=the%20server");
  tachy_control("version=3; mode=loud");
  CHECK(get_stats().control_refused == 1);
  CHECK(tachy_flush(5000));
  spans(1000);
  const tachy_stats s = end_session();
  CHECK(s.sent[TACHY_CLASS_SPAN] + s.not_retained == 1110 && s.sent[TACHY_CLASS_LOG] == 1);
}

static void flight_switched(void) {
  begin_session(NULL);
  spans(10);
  CHECK(tachy_flush(5000));
  CHECK(get_stats().sent[TACHY_CLASS_SPAN] == 10);
  tachy_set_mode(TACHY_MODE_FLIGHT);
  CHECK(tachy_flush(5000)); /* it is on */
  spans(100);
  CHECK(tachy_flush(5000));
  CHECK(get_stats().sent[TACHY_CLASS_SPAN] == 10);
  tachy_control("version=1; mode=all"); /* the server's word wins for its time */
  CHECK(tachy_flush(5000));
  tachy_set_mode(TACHY_MODE_FLIGHT);
  spans(1000);
  CHECK(tachy_flush(5000));
  CHECK(get_stats().sent[TACHY_CLASS_SPAN] == 1010);
  tachy_control("version=2");
  tachy_set_mode(TACHY_MODE_DEFAULT);
  tachy_set_mode((tachy_mode)3);
  CHECK(tachy_flush(5000));
  spans(10000);
  CHECK(tachy_flush(5000));
  const tachy_stats s = end_session();
  CHECK(s.sent[TACHY_CLASS_SPAN] == 1010 && s.not_retained == 10100);
}

const scenario flight_scenarios[] = {
    {"flight_random", flight_random},     {"flight_quiet", flight_quiet},     {"flight_flush", flight_flush},
    {"flight_stop", flight_stop},         {"flight_ignores", flight_ignores}, {"flight_memory", flight_memory},
    {"flight_lossy", flight_lossy},       {"flight_modes", flight_modes},     {"flight_control", flight_control},
    {"flight_switched", flight_switched}, {"flight_async", flight_async},     {NULL, NULL}};
