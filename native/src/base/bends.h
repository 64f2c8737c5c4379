/* Where the session's line from ticks to UTC was bent: between two such points it is straight. */
#ifndef TACHY_SRC_BASE_BENDS_H
#define TACHY_SRC_BASE_BENDS_H

#include <tachy/format.h>

#define TACHY_BENDS_MAX \
  256 /* a minute in which the rate is corrected all the time; then of the older half every second */

typedef struct tachy_bends {
  tachy_clock_pair points[TACHY_BENDS_MAX]; /* the oldest first */
  uint64_t count;
} tachy_bends;

/* The newest one; it replaces one of the same moment. */
void tachy_bends_add(tachy_bends *bends, tachy_clock_pair point);
/* The wall clock was set forward by so many nanoseconds: moves all. */
void tachy_bends_shift(tachy_bends *bends, int64_t ns);
/* Those between two points of the line that it takes to date what lies there as the line does, to some 20 ns; the
 * newest first. Returns how many; `inner` has room for TACHY_BENDS_MAX. bends: NULL if none are known. */
uint64_t tachy_bends_between(const tachy_bends *bends, tachy_clock_pair from, tachy_clock_pair to,
                             tachy_clock_pair *inner);

#endif
