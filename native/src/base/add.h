/* Counters to which several add at once, threads or the handlers that interrupt them. */
#ifndef TACHY_SRC_BASE_ADD_H
#define TACHY_SRC_BASE_ADD_H

#include <tachy/compiler.h>

static inline void tachy_add(uint64_t *counter, uint64_t n) {
  for (;;) {
    const uint64_t was = TACHY_LOAD(counter);
    if (TACHY_COMPARE_EXCHANGE(counter, was, was + n)) return;
  }
}

#endif
