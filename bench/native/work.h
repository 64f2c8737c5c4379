/* What runs inside a measured span, ours or a peer's. */
#ifndef TACHY_BENCH_NATIVE_WORK_H
#define TACHY_BENCH_NATIVE_WORK_H

#include <stdint.h>

/* Work that fills the machine's issue slots, as a game's does: six chains that do not wait for each other. A function
 * of its own, or the compiler would find other registers for it in each of the loops below, which is nanoseconds. */
static uint64_t bench_chains[6] = {0, 1, 2, 3, 4, 5};
#define BENCH_STEP(x) x = (x ^ (x >> 7)) + 0x9E37u

__attribute__((noinline)) static void bench_work(void) {
  uint64_t a = bench_chains[0], b = bench_chains[1], c = bench_chains[2], d = bench_chains[3], e = bench_chains[4],
           f = bench_chains[5];
  for (int step = 0; step < 32; step++) {
    BENCH_STEP(a), BENCH_STEP(b), BENCH_STEP(c), BENCH_STEP(d), BENCH_STEP(e), BENCH_STEP(f);
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
  }
  bench_chains[0] = a, bench_chains[1] = b, bench_chains[2] = c, bench_chains[3] = d, bench_chains[4] = e,
  bench_chains[5] = f;
}

#endif
