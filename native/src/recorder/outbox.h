/* What waits for the sender: batches in the order in which they were cut, within outbox_bytes. */
#ifndef TACHY_SRC_RECORDER_OUTBOX_H
#define TACHY_SRC_RECORDER_OUTBOX_H

#include "block.h"

struct tachy_batch {
  struct tachy_batch *next;
  uint64_t ordinal; /* in the session, from 1 */
  uint64_t session;
  uint8_t id[16];
  uint8_t process_id[16];
  tachy_bytes description;
  tachy_block *blocks; /* as they will lie */
  uint32_t block_count;
  int taken;
  int last;          /* of its session: goes even without blocks */
  tachy_bytes bytes; /* as it travels, once somebody asked */
};

/* What the collector found out since it last told. */
typedef struct tachy_progress {
  uint64_t recorded[TACHY_CLASSES];
  uint64_t lost[TACHY_CLASSES];
  uint64_t collector_ns;
  uint64_t clock_backwards;
  uint64_t too_deep;
  uint64_t mismatched;
  uint64_t async_untracked;
} tachy_progress;

void tachy_outbox_init(void);
/* A new session: what the last one left is forgotten, the stats start anew. */
void tachy_outbox_start(uint64_t limit, const uint8_t process_id[16]);
/* Replaces the figures: totals since the session began. */
void tachy_outbox_tell(const tachy_progress *totals);
/* Events whose block could not be made. */
void tachy_outbox_drop(tachy_class cls, uint64_t events);
/* A batch of the blocks, which it takes over with the description. Without blocks only as the last. NULL: no memory,
 * the blocks' events are counted as lost. */
tachy_batch *tachy_outbox_make(tachy_block *blocks, tachy_bytes description, int last);
/* From now on the sender may take it. NULL: there is none, but `last` counts. */
void tachy_outbox_put(tachy_batch *batch, int last);
/* Whether files are left that hold batches of this process. */
int tachy_outbox_has_files(void);
uint64_t tachy_outbox_last_ordinal(void);
/* 1: the sender is done with all batches up to `ordinal`; 0: the deadline has passed. */
int tachy_outbox_wait(uint64_t ordinal, uint64_t deadline);
/* The session's end: drops and counts what is still there. */
void tachy_outbox_close(void);

/* Around fork(). */
void tachy_outbox_lock(void);
void tachy_outbox_unlock(void);
void tachy_outbox_after_fork(void);

/* batch.c */
void tachy_batch_free(tachy_batch *batch);
/* Its blocks changed: another id, and no bytes yet. */
void tachy_batch_changed(tachy_batch *batch);

#endif
