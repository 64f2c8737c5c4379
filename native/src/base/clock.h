/* The session's clock: ticks, UTC that never steps back, and what one tick is. */
#ifndef TACHY_SRC_BASE_CLOCK_H
#define TACHY_SRC_BASE_CLOCK_H

#include <tachy/format.h>

/* Takes a few milliseconds where the processor does not state its frequency. */
void tachy_clock_start(void);
/* Both at one moment, for the collector: neither ever runs backwards, nor jumps. */
tachy_clock_pair tachy_clock_now(void);
/* 1: the wall clock was set, the machine was suspended, or the counter began anew; what ends now is to end, and then
 * tachy_clock_jump. */
int tachy_clock_jumped(void);
/* The same of the counter alone, and so quick that it can be asked all the time. */
int tachy_clock_restarted(void);
/* Goes on with the wall clock's time. Returns what tachy_clock_now's last answer is by that: with other ticks if the
 * counter began anew. */
tachy_clock_pair tachy_clock_jump(void);
tachy_clock_pair tachy_clock_begin(void);
/* No event since the counter began is older. */
uint64_t tachy_clock_first_ticks(void);
uint64_t tachy_clock_frequency(void);
const char *tachy_clock_name(void);

#endif
