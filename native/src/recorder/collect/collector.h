/* The collector: the thread that reads what others have recorded and cuts blocks. */
#ifndef TACHY_SRC_RECORDER_COLLECT_COLLECTOR_H
#define TACHY_SRC_RECORDER_COLLECT_COLLECTOR_H

#include <stdint.h>

void tachy_collector_init(void);
/* 0: no thread or no memory. */
int tachy_collector_start(uint32_t flush_ms, uint64_t block_bytes, const uint8_t process_id[16]);
/* Cuts for the last time and ends the thread. */
void tachy_collector_stop(void);
/* Cuts blocks of everything recorded before the call. 1: they are in the outbox, up to the batch *ordinal. */
int tachy_collector_cut(uint64_t deadline, uint64_t *ordinal);

/* Somebody asks for stats: reads what there is, once a second at most. */
void tachy_collector_look(void);

/* Around fork(). */
void tachy_collector_lock(void);
void tachy_collector_unlock(void);
void tachy_collector_after_fork(void);

#endif
