/* Times cases, ours or a peer's: every round times each of them once, in a window of some 50 us, and the best counts.
 *
 * What a collector does with the events is kept out: a window is far shorter than the pool, which is emptied
 * between rounds, and a round that the other core's work (or another guest) has disturbed is never the best. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <tachy/tachy.h>

#include "bench.h"

enum { EVENTS = 2048, CASES_MAX = 32, TRIES = 100 };

static uint64_t best_one[CASES_MAX];
static uint64_t best_two[CASES_MAX];
static pthread_t partner;
static sem_t wake;
static atomic_int arrived;     /* both at the start, then the partner at its end */
static const bench_case *work; /* NULL: the partner ends */
static uint64_t partner_begin, partner_end;

static void window(const bench_case *c, uint64_t *begin, uint64_t *end) {
  *begin = tachy_ticks();
  c->loop(EVENTS);
  *end = tachy_ticks();
}

static void wait_for(int count) {
  while (atomic_load(&arrived) < count) {
  }
}

static void meet(void) {
  atomic_fetch_add(&arrived, 1);
  wait_for(2);
}

static void *accompany(void *unused) {
  (void)unused;
  for (;;) {
    sem_wait(&wake);
    if (!work) return NULL;
    meet();
    window(work, &partner_begin, &partner_end);
    atomic_fetch_add(&arrived, 1);
  }
}

static void keep_least(uint64_t *best, uint64_t ticks) {
  if (*best == 0 || ticks < *best) *best = ticks;
}

/* 1: they were at it together. */
static int time_two(const bench_case *c, uint64_t *best) {
  uint64_t begin, end;
  work = c;
  atomic_store(&arrived, 0);
  sem_post(&wake);
  meet();
  window(c, &begin, &end);
  wait_for(3);
  const uint64_t mine = end - begin;
  const uint64_t theirs = partner_end - partner_begin;
  const uint64_t late = begin > partner_begin ? begin - partner_begin : partner_begin - begin;
  if (late * 10 > mine) return 0;
  keep_least(best, mine > theirs ? mine : theirs);
  return 1;
}

void bench_print(const bench_case *cases, double frequency) {
  const double ns = 1e9 / frequency / EVENTS;
  const char *comma = "";
  printf("\"cases\": {");
  for (unsigned i = 0; cases[i].name; i++) {
    if (!cases[i].loop) continue;
    printf("%s\n \"%s\": {\"ns\": %.3f, \"clocks\": %g", comma, cases[i].name, (double)best_one[i] * ns,
           cases[i].clocks);
    if (best_two[i]) printf(", \"ns_2_threads\": %.3f", (double)best_two[i] * ns);
    printf("}");
    comma = ",";
  }
  printf("}");
}

void bench_measure(const bench_case *cases, unsigned rounds, void (*drain)(void)) {
  sem_init(&wake, 0, 0);
  if (pthread_create(&partner, NULL, accompany, NULL) != 0) abort();
  for (unsigned round = 0; round < rounds; round++) {
    for (unsigned i = 0; cases[i].name; i++) {
      const bench_case *const c = &cases[i];
      if (!c->loop) continue;
      uint64_t begin, end;
      window(c, &begin, &end);
      keep_least(&best_one[i], end - begin);
      if (c->threads == 2) {
        for (int tries = 0; tries < TRIES && !time_two(c, &best_two[i]); tries++) drain();
      }
    }
    drain();
  }
  work = NULL;
  sem_post(&wake);
  pthread_join(partner, NULL);
}
