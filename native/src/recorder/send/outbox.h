/* The outbox: what waits for the sender, and what became of every event. */
#ifndef TACHY_SRC_RECORDER_SEND_OUTBOX_H
#define TACHY_SRC_RECORDER_SEND_OUTBOX_H

#include "batch.h"

/* What the collector has counted since the session began. */
typedef struct tachy_progress {
  uint64_t recorded[TACHY_CLASSES];
  uint64_t dropped[TACHY_CLASSES];
  uint64_t collector_ns;
  uint64_t clock_backwards;
  uint64_t too_deep;
  uint64_t mismatched;
  uint64_t async_untracked;
  uint64_t values_dropped;
  uint64_t not_retained;
  uint64_t overwritten;
} tachy_progress;

void tachy_outbox_init(void);
typedef struct tachy_outbox_bounds {
  uint64_t memory; /* bytes */
  uint64_t disk;   /* of all batches in the folder, whoever made them */
  uint64_t writes; /* bytes in any five minutes; 0: whatever there is */
  int64_t age;     /* ns */
} tachy_outbox_bounds;
/* A new session: its stats start from zero. folder: of the batches' files; "": they get none. */
void tachy_outbox_start(const tachy_outbox_bounds *bounds, const char *folder, const uint8_t process_id[16]);
/* The collector's figures, which replace those that it reported before. */
void tachy_outbox_report(const tachy_progress *totals);
/* Events whose block could not be made. */
void tachy_outbox_drop(tachy_class cls, uint64_t events);
/* Every event that was dropped since the session began, wherever. */
void tachy_outbox_dropped(uint64_t dropped[TACHY_CLASSES]);
/* For the collector: a batch of the blocks, which it takes over with the description. Without blocks only as the last.
 * Returns when the batch's file is complete, or there is none. NULL: no memory, the blocks' events are counted as
 * dropped.
 */
tachy_batch *tachy_outbox_make(tachy_block *blocks, tachy_bytes description, int last);
/* The sender may take the batch from now on. last: none follows; then batch may be NULL. */
void tachy_outbox_put(tachy_batch *batch, int last);
uint64_t tachy_outbox_last_ordinal(void);
/* Events of the session that were dropped after they had been read, or that the server has refused. */
uint64_t tachy_outbox_lost(void);
/* 1: the sender is done with all batches up to `ordinal`, or the session has ended, all that is left lies in files, and
 * nothing has moved for 0.3 s; 0: the deadline has passed. */
int tachy_outbox_wait(uint64_t ordinal, uint64_t deadline);
/* The session's end: what has a file is kept there and leaves the outbox, the rest is dropped and counted. Claimed
 * batches are left to a later start. */
void tachy_outbox_close(void);

/* The file of a batch of a dead process, to be sent before what waits already, in turns with ours. Also when no session
 * runs. It counts in no process's events, only in recovered_batches. Without memory the file stays for a later start,
 * and the claim is never resolved. */
void tachy_outbox_add_claimed(tachy_claim *claim, const char *path, uint64_t size);
/* Nothing more will be added to it. It may be resolved before this returns. */
void tachy_outbox_close_claim(tachy_claim *claim);

/* Fills in the figures that the outbox knows, and those that the collector reported. */
void tachy_outbox_stats(tachy_stats *out);

/* Around fork(). */
void tachy_outbox_lock(void);
void tachy_outbox_unlock(void);
void tachy_outbox_after_fork(void);

#endif
