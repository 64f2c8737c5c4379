/* A program made by a seed: threads that record at random and write down what they did, in a journal that
 * test_random_programs.py compares with what arrived. environment: RANDOM_SEED, RANDOM_STEPS, RANDOM_POOL (bytes),
 * RANDOM_JOURNAL (a file).
 *
 * A journal has one group of lines per thread, the first `T number`, then in the thread's order:
 *   S depth parent                 a span began; its number is the line's among the S lines, from 1; parent 0: none
 *   A begin|end id name parent depth
 *   M name value                   `value` counts up in the thread
 *   L number kind
 */
#include <stdarg.h>

#include "harness.h"

enum { NAMES = 40, SPANS = 1 << 16, DEPTHS = 1024, ASYNCS = 16 };

static tachy_site *spans[SPANS]; /* atomic */
static tachy_site *asyncs[4];
static FILE *journal;
static pthread_mutex_t journal_lock = PTHREAD_MUTEX_INITIALIZER;
static long steps;
static uint32_t sets[4];
static int busy; /* atomic: whether somebody records still */

/* The site of a thread's span of this number, which is its line: so every span that arrives says which it is. */
static tachy_site *span_site(uint64_t number) {
  CHECK(number < SPANS);
  tachy_site *site = __atomic_load_n(&spans[number], __ATOMIC_ACQUIRE);
  if (site) return site;
  char name[64];
  const int kind = (int)(number % NAMES);
  /* odd names too: none at all, and one that is not UTF-8 */
  snprintf(name, sizeof name, kind == 0 ? "%.0d" : kind == 1 ? "\xff\xc3%d" : "span %d", kind);
  site = tachy_site_intern(TACHY_SITE_SPAN, TACHY_LEVEL_NONE, "random", name, __FILE__, (uint32_t)number, "");
  CHECK(site != NULL);
  __atomic_store_n(&spans[number], site, __ATOMIC_RELEASE);
  return site;
}

static void intern_sites(void) {
  for (int i = 0; i < 4; i++) {
    char name[16];
    snprintf(name, sizeof name, "async %d", i);
    asyncs[i] = tachy_site_intern(TACHY_SITE_ASYNC, TACHY_LEVEL_NONE, "random", name, __FILE__, (uint32_t)i, "");
    CHECK(asyncs[i] != NULL);
    const tachy_property pair = {"set", name};
    sets[i] = i ? tachy_property_set(&pair, 1) : 0;
  }
}

/* Async spans that anybody may end. */
static struct {
  pthread_mutex_t lock;
  tachy_async spans[ASYNCS];
  int names[ASYNCS];
  int count;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

typedef struct worker {
  char *lines; /* of the journal */
  size_t size;
  size_t capacity;
  uint64_t random;
  uint64_t value;
  uint64_t begun;
  uint32_t depth;
  tachy_scope scopes[DEPTHS];
  uint64_t numbers[DEPTHS]; /* of the spans that are open */
} worker;

/* Adds a line to the thread's part of the journal. */
static void note(worker *w, const char *format, ...) {
  char line[128];
  va_list arguments;
  va_start(arguments, format);
  const size_t size = (size_t)vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  CHECK(size < sizeof line);
  if (w->size + size > w->capacity) {
    w->capacity = 2 * w->capacity + sizeof line;
    w->lines = realloc(w->lines, w->capacity);
    CHECK(w->lines != NULL);
  }
  memcpy(w->lines + w->size, line, size);
  w->size += size;
}

static void began(worker *w) {
  w->numbers[w->depth] = ++w->begun;
  note(w, "S %u %llu\n", w->depth, (unsigned long long)(w->depth ? w->numbers[w->depth - 1] : 0));
  w->depth++;
}

static void do_span(worker *w, uint64_t r) {
  tachy_site *const site = span_site(w->begun + 1);
  if (w->depth > 0 && r % 7 == 0) {
    w->depth--;
    w->scopes[w->depth] = tachy_phase_next(w->scopes[w->depth], site);
    began(w);
  } else if (w->depth < DEPTHS) {
    w->scopes[w->depth] = tachy_span_begin(site);
    CHECK(w->scopes[w->depth] == TACHY_TOP_OF_(w->depth + 1));
    began(w);
  }
}

static void end_spans(worker *w, uint32_t depth) {
  while (w->depth > depth) tachy_span_end(w->scopes[--w->depth]);
}

static void note_async(worker *w, const char *what, const tachy_async *span, int name) {
  note(w, "A %s %llu %d %llu %u\n", what, (unsigned long long)span->id, name, (unsigned long long)span->parent,
       span->depth);
}

static void do_async(worker *w, uint64_t r) {
  pthread_mutex_lock(&shared.lock);
  if (shared.count < ASYNCS && r % 2) {
    const int name = (int)(r / 2 % 4);
    const tachy_async *const parent = shared.count && r % 3 ? &shared.spans[shared.count - 1] : NULL;
    const tachy_async span = tachy_async_begin(asyncs[name], parent);
    if (span.id) {
      note_async(w, "begin", &span, name);
      shared.names[shared.count] = name;
      shared.spans[shared.count++] = span;
    }
  } else if (shared.count > 0) {
    const tachy_async span = shared.spans[--shared.count];
    tachy_async_end(&span);
    note_async(w, "end", &span, shared.names[shared.count]);
  }
  pthread_mutex_unlock(&shared.lock);
}

static void do_metric(worker *w, uint64_t r) {
  TACHY_DEFINE_INT_METRIC(whole, "random", "whole", "");
  TACHY_DEFINE_FLOAT_METRIC(half, "random", "real", "");
  const uint64_t value = ++w->value;
  if (r % 2) {
    tachy_metric_int(&whole, sets[r / 2 % 4], (int64_t)value);
  } else {
    tachy_metric_float(&half, sets[r / 2 % 4], (double)value);
  }
  note(w, "M %s %llu %llu\n", r % 2 ? "whole" : "real", (unsigned long long)value, (unsigned long long)(r / 2 % 4));
}

static void do_log(worker *w, uint64_t r) {
  TACHY_DEFINE_LOG(text, "random", TACHY_LEVEL_INFO, "");
  TACHY_DEFINE_LOG(format, "random", TACHY_LEVEL_WARN, "%u: %s is %.2f");
  const uint64_t value = ++w->value;
  char message[300];
  if (r % 2) {
    const int padding = (int)(r / 2 % 200);
    const int size = snprintf(message, sizeof message, "%llu%*s", (unsigned long long)value, padding, "");
    tachy_log_text(&text, 0, message, (size_t)size);
  } else {
    const char *const who = r % 4 ? "orc"
                                  : "b\xe9"
                                    "ar";
    const double real = 0.25;
    uint64_t words[3] = {value, (uint64_t)(uintptr_t)who, 0};
    memcpy(&words[2], &real, sizeof real);
    const uint32_t sizes[3] = {0, (uint32_t)strlen(who), 0};
    const uint32_t types = TACHY_ARG_U64 | TACHY_ARG_TEXT << 4 | TACHY_ARG_F64 << 8;
    tachy_log_args(&format, 0, types, words, sizes);
  }
  note(w, "L %llu %s\n", (unsigned long long)value, r % 2 ? "text" : r % 4 ? "orc" : "b?ar");
}

static void *work(void *argument) {
  worker *const w = calloc(1, sizeof *w);
  CHECK(w != NULL);
  w->random = (uint64_t)(uintptr_t)argument;
  const uint64_t eager = next_random(&w->random) % 16; /* how deep this thread likes to go */
  const long mine = steps / 2 + (long)(next_random(&w->random) % (uint64_t)steps);
  for (long i = 0; i < mine; i++) {
    const uint64_t r = next_random(&w->random);
    const uint64_t what = r % 64;
    const uint64_t more = r >> 8;
    if (what < 20 + eager) {
      do_span(w, more);
    } else if (what < 48) {
      if (w->depth > 0) end_spans(w, w->depth - 1);
    } else if (what < 51) {
      do_async(w, more);
    } else if (what < 56) {
      do_metric(w, more);
    } else if (what < 60) {
      do_log(w, more);
    } else if (what < 61 && w->depth > 0) {
      end_spans(w, (uint32_t)(more % w->depth));
    } else if (what < 62 && more % 16 == 0) {
      const struct timespec pause = {0, (long)(more % 2000000)};
      nanosleep(&pause, NULL);
    } else if (what < 63 && more % 64 == 0) {
      tachy_flush((uint32_t)(more / 64 % 3));
    }
  }
  /* a thread may end with open spans: then they end there */
  if (next_random(&w->random) % 2) end_spans(w, 0);
  pthread_mutex_lock(&journal_lock);
  if (tachy_here_() != &tachy_no_thread_) {
    fprintf(journal, "T %u\n", tachy_here_()->number);
    fwrite(w->lines, 1, w->size, journal);
  }
  pthread_mutex_unlock(&journal_lock);
  free(w->lines);
  free(w);
  return NULL;
}

/* Threads one after the other, in each of a few lanes. */
static void *lane(void *argument) {
  uint64_t random = (uint64_t)(uintptr_t)argument;
  for (int i = 0; i < 3; i++) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, work, (void *)(uintptr_t)next_random(&random)) == 0);
    pthread_join(thread, NULL);
  }
  return NULL;
}

static void *flush_at_random(void *argument) {
  uint64_t random = (uint64_t)(uintptr_t)argument;
  while (TACHY_LOAD_ACQUIRE(&busy)) {
    tachy_flush((uint32_t)(next_random(&random) % 20));
    sleep_ms((unsigned)(next_random(&random) % 10));
  }
  return NULL;
}

/* A sender that fails as often as not, but gives nothing up. */
static void *send_at_random(void *argument) {
  uint64_t random = (uint64_t)(uintptr_t)argument;
  for (int ended = 0; !ended;) {
    tachy_batch *const batch = tachy_batch_take(20, &ended);
    if (!batch) continue;
    const uint64_t r = next_random(&random);
    if (r % 4 == 0) sleep_ms((unsigned)(r / 4 % 8));
    const int failed = r % 3 == 0;
    if (r % 5 == 0) {
      uint64_t size;
      CHECK(tachy_batch_bytes(batch, &size) != NULL && size > 0);
    }
    if (!failed) write_batch(batch);
    tachy_batch_done(batch, failed ? TACHY_RETRY : TACHY_SENT);
  }
  return NULL;
}

static uint64_t number_of(const char *name) {
  const char *const text = getenv(name);
  CHECK(text != NULL);
  return strtoull(text, NULL, 10);
}

static void random_program(void) {
  uint64_t random = number_of("RANDOM_SEED");
  steps = (long)number_of("RANDOM_STEPS");
  const uint32_t pool = (uint32_t)number_of("RANDOM_POOL");
  journal = fopen(getenv("RANDOM_JOURNAL"), "wb");
  CHECK(journal != NULL);
  intern_sites();
  const tachy_config config = {.pool_bytes = pool,
                               .flush_ms = 1 + (uint32_t)(next_random(&random) % 30),
                               .block_bytes = 1600 + (uint32_t)(next_random(&random) % 320000)};
  CHECK(tachy_start(&config) == TACHY_OK);
  TACHY_STORE_RELEASE(&busy, 1);
  pthread_t sender;
  CHECK(pthread_create(&sender, NULL, send_at_random, (void *)(uintptr_t)next_random(&random)) == 0);
  team lanes = {.count = 0};
  team flushers = {.count = 0};
  const int width = 1 + (int)(next_random(&random) % 6);
  for (int i = 0; i < 2; i++) team_add(&flushers, flush_at_random, (void *)(uintptr_t)next_random(&random));
  for (int i = 0; i < width; i++) team_add(&lanes, lane, (void *)(uintptr_t)next_random(&random));
  team_join(&lanes);
  /* what this thread does is in other blocks, so that every class has at least two, however fast the lanes were */
  tachy_flush(20000);
  pthread_t last;
  CHECK(pthread_create(&last, NULL, work, (void *)(uintptr_t)next_random(&random)) == 0);
  pthread_join(last, NULL);
  TACHY_STORE_RELEASE(&busy, 0);
  team_join(&flushers);
  tachy_stop(20000);
  pthread_join(sender, NULL);
  fclose(journal);
  const tachy_stats stats = get_stats();
  for (int cls = 1; cls < 4; cls++) CHECK(stats.recorded[cls] == stats.dropped[cls] + stats.sent[cls]);
  CHECK(stats.outbox_bytes == 0);
  print_stats(&stats);
}

const scenario random_scenarios[] = {{"random_program", random_program}, {NULL, NULL}};
