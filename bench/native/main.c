/* The native benchmark. usage: bench_static|bench_shared time ROUNDS | count CALLS | memory THREADS | collector ROUNDS
 *
 * Prints one JSON object. `count` is to be run under callgrind, twice, with different CALLS: bench/native.py does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    int (*run)(unsigned);
  } modes[] = {{"time", bench_time}, {"count", bench_count}, {"memory", bench_memory}, {"collector", bench_collector}};
  const unsigned amount = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
  for (unsigned i = 0; amount && i < sizeof modes / sizeof *modes; i++) {
    if (strcmp(argv[1], modes[i].name) == 0) return modes[i].run(amount);
  }
  fprintf(stderr, "usage: %s time|count|memory|collector AMOUNT\n", argv[0]);
  return 2;
}
