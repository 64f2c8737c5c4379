/* What the peers' programs share: the time of the same windows as ours, and a clock to say it in nanoseconds. */
#ifndef TACHY_BENCH_NATIVE_PEER_H
#define TACHY_BENCH_NATIVE_PEER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tachy/tachy.h>
#include <time.h>
#include <unistd.h>

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

/* Of the threads but this one and those that only stand for a viewer. */
static inline uint64_t peer_cpu_behind(uint64_t (*viewer_ns)(void)) {
  struct timespec all, mine;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &all);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &mine);
  return (uint64_t)(all.tv_sec - mine.tv_sec) * 1000000000u + (uint64_t)(all.tv_nsec - mine.tv_nsec) - viewer_ns();
}

static inline double peer_resident_mb(void) {
  long pages = 0;
  FILE *const file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%*d %ld", &pages) != 1) abort();
  fclose(file);
  return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

/* What a peer needs for `behind`. */
typedef struct peer_frames {
  void (*frame)(void);
  void (*drain)(void);         /* until everything recorded has been read */
  uint64_t (*viewer_ns)(void); /* CPU time of the thread that plays a viewer */
  uint64_t (*bytes)(void);     /* all that has been sent or kept, once the rounds are over */
} peer_frames;

/* The least CPU time behind a span of all rounds but the first, which meets memory that nobody has touched. */
static inline int peer_behind(const peer_frames *peer, unsigned rounds) {
  const double mb = peer_resident_mb();
  const double spans = (double)BENCH_FRAMES * BENCH_FRAME_SPANS;
  double least = 0;
  for (unsigned round = 0; round <= rounds; round++) {
    const uint64_t before = peer_cpu_behind(peer->viewer_ns);
    for (unsigned i = 0; i < BENCH_FRAMES; i++) peer->frame();
    peer->drain();
    const double ns = (double)(peer_cpu_behind(peer->viewer_ns) - before) / spans;
    if (round && (least == 0 || ns < least)) least = ns;
  }
  printf("{\"started_mb\": %.3f, \"ns_behind\": %.3f, \"bytes_per_event\": %.3f}\n", mb, least,
         (double)peer->bytes() / ((rounds + 1.0) * spans));
  return 0;
}

/* What `program time ROUNDS` and, of those that have frames, `program behind ROUNDS` print. */
static inline int peer_run(int argc, char **argv, const bench_case *cases, void (*drain)(void),
                           const peer_frames *peer) {
  const unsigned rounds = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
  if (rounds && peer && strcmp(argv[1], "behind") == 0) return peer_behind(peer, rounds);
  if (rounds == 0 || strcmp(argv[1], "time") != 0) {
    fprintf(stderr, "usage: %s time%s ROUNDS\n", argv[0], peer ? "|behind" : "");
    return 2;
  }
  bench_measure(cases, rounds, drain);
  printf("{");
  bench_print(cases, peer_frequency());
  printf("}\n");
  return 0;
}

#endif
