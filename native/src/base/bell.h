/* What wakes the collector: rung by recording threads, from any slow path, without a lock. */
#ifndef TACHY_SRC_BASE_BELL_H
#define TACHY_SRC_BASE_BELL_H

#include <stdint.h>

/* Also after fork(). */
void tachy_bell_init(void);
/* The collector is to look at once. Ringing again before it has looked costs a test. */
void tachy_bell_ring(void);
/* The same, for a log that is to be sent at once; until the collector has asked, once more costs a test. */
void tachy_bell_urge(void);
/* The collector: sleeps until the bell rings or the monotonic clock shows `deadline`. 1: it has rung. */
int tachy_bell_wait(uint64_t deadline);
/* The collector, before it reads: whether there have been such logs since it asked last. */
int tachy_bell_urged(void);

#endif
