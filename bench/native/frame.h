/* A frame of a game in 41 spans: systems, their parts, and a few entities each, with work of uneven length in between.
 * Who includes this has defined BENCH_OPEN(scope, site) and BENCH_CLOSE(scope) for a bench_site. */
#ifndef TACHY_BENCH_NATIVE_FRAME_H
#define TACHY_BENCH_NATIVE_FRAME_H

#include <stdint.h>

enum bench_site {
  BENCH_FRAME,
  BENCH_PHYSICS,
  BENCH_AI,
  BENCH_RENDER,
  BENCH_AUDIO,
  BENCH_PART,
  BENCH_ENTITY,
  BENCH_QUERY
};

static uint64_t bench_noise = 88172645463325252u;

static void bench_spend(unsigned most) {
  bench_noise ^= bench_noise << 13;
  bench_noise ^= bench_noise >> 7;
  bench_noise ^= bench_noise << 17;
  for (unsigned n = (unsigned)(bench_noise % most); n; n--) __asm__ volatile("");
}

static void bench_frame(void) {
  BENCH_OPEN(whole, BENCH_FRAME);
  for (int i = 0; i < 4; i++) {
    BENCH_OPEN(system, BENCH_PHYSICS + i);
    for (int j = 0; j < 3; j++) {
      BENCH_OPEN(piece, j == 1 ? BENCH_QUERY : BENCH_PART);
      for (int k = 0; k < 2; k++) {
        BENCH_OPEN(one, BENCH_ENTITY);
        bench_spend(200);
        BENCH_CLOSE(one);
      }
      BENCH_CLOSE(piece);
      bench_spend(400);
    }
    BENCH_CLOSE(system);
  }
  BENCH_CLOSE(whole);
}

#endif
