/* Calls every case's function `calls` times, for callgrind to count: two runs differ by nothing but calls. */
#include <stdio.h>

#include "bench.h"

int bench_count(unsigned calls) {
  bench_start(0, 0);
  bench_prepare_cases();
  for (const bench_case *c = bench_cases; c->name; c++) {
    if (!c->once) continue;
    for (unsigned i = 0; i < calls; i++) {
      c->once();
      if (c->undo) c->undo();
    }
  }
  bench_stop();
  printf("{\"calls\": %u}\n", calls);
  return 0;
}
