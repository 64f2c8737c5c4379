/* What a thread costs in resident memory: without a session, in one without recording anything, and with spans. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tachy/tachy.h>
#include <unistd.h>

#include "bench.h"

enum { STACK = 16 << 10 };

static pthread_barrier_t there, leave;

static void touch_stack(void) {
  char stack[STACK];
  memset(stack, 1, sizeof stack);
  __asm__ volatile("" ::"r"(stack) : "memory");
}

static void record(void) {
  TACHY_DEFINE_SPAN(site, "bench", "idle");
  tachy_span_end(tachy_span_begin(&site));
}

static void *stay(void *records) {
  touch_stack(); /* or the recorder's first call would seem to cost the stack that it is the first to use */
  if (records) record();
  pthread_barrier_wait(&there);
  pthread_barrier_wait(&leave);
  return NULL;
}

static long resident(void) {
  long pages = 0;
  FILE *const file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%*d %ld", &pages) != 1) abort();
  fclose(file);
  return pages * sysconf(_SC_PAGESIZE);
}

typedef struct cost {
  double made;    /* bytes per thread of a crowd */
  double drained; /* the same once the collector has read what they recorded */
} cost;

static cost crowd(unsigned threads, int records, int session) {
  pthread_t *const ids = calloc(threads, sizeof *ids);
  if (!ids) abort();
  pthread_barrier_init(&there, NULL, threads + 1);
  pthread_barrier_init(&leave, NULL, threads + 1);
  const long before = resident();
  for (unsigned i = 0; i < threads; i++) {
    if (pthread_create(&ids[i], NULL, stay, records ? &there : NULL) != 0) abort();
  }
  pthread_barrier_wait(&there);
  const double made = (double)(resident() - before) / threads;
  if (session) bench_drain();
  const double drained = (double)(resident() - before) / threads;
  pthread_barrier_wait(&leave);
  for (unsigned i = 0; i < threads; i++) pthread_join(ids[i], NULL);
  free(ids);
  return (cost){made, drained};
}

int bench_memory(unsigned threads) {
  crowd(threads, 0, 0); /* the C library's own growth */
  const cost without = crowd(threads, 0, 0);
  bench_start(0, 0);
  record();
  bench_drain();
  crowd(threads, 0, 1);
  const cost never = crowd(threads, 0, 1);
  const cost recorded = crowd(threads, 1, 1);
  bench_stop();
  printf("{\"thread\": %.0f, \"never\": %.0f, \"recorded\": %.0f, \"collector\": %.0f}\n", without.made,
         never.drained - without.made, recorded.made - without.made, recorded.drained - recorded.made);
  return 0;
}
