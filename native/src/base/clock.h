/* The session's clock: ticks, UTC that never steps back, and what one tick is. */
#ifndef TACHY_SRC_BASE_CLOCK_H
#define TACHY_SRC_BASE_CLOCK_H

#include "bends.h"

/* Where the processor does not state its frequency, that is only roughly known then: see tachy_clock_count. */
void tachy_clock_start(void);
/* For the collector, in the session's first milliseconds: counts the ticks since the start. Returns 1 when that was
 * long enough, or tachy_clock_now has counted them. */
int tachy_clock_count(void);
/* Both at one moment, for the collector: neither ever runs backwards, nor jumps. */
tachy_clock_pair tachy_clock_now(void);
/* 1: the wall clock was set, the machine was suspended, or the counter began anew. The caller ends all blocks where
 * tachy_clock_now stands, then calls tachy_clock_jump. */
int tachy_clock_jumped(void);
/* 1: the counter began anew. So quick that it can be asked all the time. */
int tachy_clock_restarted(void);
/* Goes on with the wall clock's time. Returns the moment of tachy_clock_now's last answer in the new time: with other
 * ticks if the counter began anew. */
tachy_clock_pair tachy_clock_jump(void);
/* By which points tachy_clock_now answered. */
const tachy_bends *tachy_clock_bends(void);
/* When the session began. */
tachy_clock_pair tachy_clock_begin(void);
/* The ticks when the session began, or when the counter began anew since: later events have more. */
uint64_t tachy_clock_first_ticks(void);
uint64_t tachy_clock_frequency(void);
const char *tachy_clock_name(void);

#endif
