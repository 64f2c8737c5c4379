/* The session's clock: ticks, UTC that never steps back, and what one tick is. */
#ifndef TACHY_SRC_BASE_CLOCK_H
#define TACHY_SRC_BASE_CLOCK_H

#include <tachy/format.h>

/* Takes a few milliseconds where the processor does not state its frequency. */
void tachy_clock_start(void);
/* Both at one moment: the tightest of several readings. */
tachy_clock_pair tachy_clock_now(void);
tachy_clock_pair tachy_clock_begin(void);
uint64_t tachy_clock_frequency(void);
/* Better after a second, and better still after ten: for the collector, at every cut. */
void tachy_clock_refine(tachy_clock_pair now);
/* The greatest common divisor of the steps in which the clock moves. */
uint64_t tachy_clock_step(void);
const char *tachy_clock_name(void);

uint64_t tachy_gcd(uint64_t a, uint64_t b);

#endif
