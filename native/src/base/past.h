/* The points of the clock of a class's earlier blocks: by these a block dates what began before it as those blocks did.
 */
#ifndef TACHY_SRC_BASE_PAST_H
#define TACHY_SRC_BASE_PAST_H

#include "clock.h"

typedef struct tachy_past {
  tachy_clock_pair before; /* the newest of the block before; where there was none, where the block itself begins */
  tachy_clock_pair earlier[TACHY_CLOCK_EARLIER_MAX]; /* the newest first */
  uint64_t count;
  double least, most; /* rates of a line from the last but one point that passes every later point within 1 ns */
} tachy_past;

/* The first block begins at `start`. */
void tachy_past_start(tachy_past *past, tachy_clock_pair start);
/* The next point of a block that has ended: first where it began, then where its line was bent. */
void tachy_past_add(tachy_past *past, tachy_clock_pair point);
/* The wall clock was set forward by so many nanoseconds: moves all points. */
void tachy_past_shift(tachy_past *past, int64_t ns);
/* How many of the earlier points it takes to date `ticks`. */
uint64_t tachy_past_needed(const tachy_past *past, uint64_t ticks);

#endif
