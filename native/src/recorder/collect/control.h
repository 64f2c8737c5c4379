/* What the server's answer to a batch says: docs/http.md, "Control". */
#ifndef TACHY_SRC_RECORDER_COLLECT_CONTROL_H
#define TACHY_SRC_RECORDER_COLLECT_CONTROL_H

#include <stdint.h>

/* A session begins: nothing has been said yet. */
void tachy_control_start(void);
void tachy_control_stop(void);
/* For the collector, every now and then: ends what the server has said for a time that is over. */
void tachy_control_poll(void);
/* When that will be, by the monotonic clock; 0: never. */
uint64_t tachy_control_ends(void);
/* Whether somebody looks at this process, by what the server said in the last half minute. */
int tachy_control_is_watched(void);
/* The newest version that was applied in this session, and how many texts could not be read. */
void tachy_control_stats(uint64_t *version, uint64_t *refused);

/* Around fork(). */
void tachy_control_lock(void);
void tachy_control_unlock(void);
void tachy_control_after_fork(void);

#endif
