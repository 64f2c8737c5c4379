/* What the peers' programs share: the time of the same windows as ours, and a clock to say it in nanoseconds. */
#ifndef TACHY_BENCH_NATIVE_PEER_H
#define TACHY_BENCH_NATIVE_PEER_H

#include <stdio.h>
#include <stdlib.h>
#include <tachy/tachy.h>
#include <time.h>

#include "bench.h"

/* Of tachy_ticks, which is all that a peer's program uses of tachy. */
static inline double peer_frequency(void) {
  struct timespec from, now;
  clock_gettime(CLOCK_MONOTONIC, &from);
  const uint64_t begin = tachy_ticks();
  double ns;
  do {
    clock_gettime(CLOCK_MONOTONIC, &now);
    ns = (double)(now.tv_sec - from.tv_sec) * 1e9 + (double)(now.tv_nsec - from.tv_nsec);
  } while (ns < 5e7);
  return (double)(tachy_ticks() - begin) * 1e9 / ns;
}

/* What `program time ROUNDS` prints. */
static inline int peer_time(int argc, char **argv, const bench_case *cases, void (*drain)(void)) {
  const unsigned rounds = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
  if (rounds == 0) {
    fprintf(stderr, "usage: %s time ROUNDS\n", argv[0]);
    return 2;
  }
  bench_measure(cases, rounds, drain);
  printf("{");
  bench_print(cases, peer_frequency());
  printf("}\n");
  return 0;
}

#endif
