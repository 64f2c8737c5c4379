/* What waits for the sender: a list of our batches and one of claimed batches, what they take in memory and on disk,
 * and what is dropped when that is too much. Guarded by the outbox's lock. */
#ifndef TACHY_SRC_RECORDER_SEND_QUEUE_H
#define TACHY_SRC_RECORDER_SEND_QUEUE_H

#include "batch.h"
#include "orphans.h"

typedef struct tachy_batch_list {
  tachy_batch *first;
  tachy_batch *last;
} tachy_batch_list;

typedef struct tachy_queue {
  tachy_batch_list lists[TACHY_LISTS]; /* in order: those that wait, and those that are taken */
  uint64_t memory;                     /* of what is not taken */
  uint64_t memory_limit;
  uint64_t disk;                         /* files, in units of storage */
  uint64_t disk_limit;                   /* of the whole folder */
  const char *folder;                    /* "": none */
  tachy_folder_use use;                  /* of the folder, as it was found last */
  tachy_orphans_dropped orphans_dropped; /* of orphans */
  uint64_t session;                      /* of ours that are counted */
  uint64_t dropped[TACHY_CLASSES];       /* events of the session, in blocks that nobody has sent and nobody will */
  uint64_t recovered_lost;               /* claimed batches that were dropped, whole or in part */
  tachy_claim *resolved;                 /* whose callbacks have not been called yet */
} tachy_queue;

/* The batch waits from now on: in memory while there is room, else in its file alone. Keeps within the limits. */
void tachy_queue_admit(tachy_queue *q, tachy_batch *batch);
/* Puts a new batch at the end of its list and admits it. */
void tachy_queue_append(tachy_queue *q, tachy_batch *batch);
/* Counts again what the batch takes: after it has changed, was taken or came back. */
void tachy_queue_account(tachy_queue *q, tachy_batch *batch);
/* The first batch of the list that is not taken, or NULL. */
tachy_batch *tachy_queue_first(const tachy_queue *q, int list);
/* Takes the batch out of its list and frees it. Its file stays as it is. */
void tachy_queue_remove(tachy_queue *q, tachy_batch *batch);
/* A claimed batch is sent or dropped: takes it off its claim. Does nothing for ours. */
void tachy_queue_resolve(tachy_queue *q, tachy_batch *batch);
/* Drops what has waited since before that moment. */
void tachy_queue_expire(tachy_queue *q, int64_t before);
/* Drops the batch: counts its events as dropped, removes its file, frees it. */
void tachy_queue_discard(tachy_queue *q, tachy_batch *batch);
/* A closed claim without batches is resolved: the outbox calls its callback when it has unlocked. */
void tachy_queue_check_claim(tachy_queue *q, tachy_claim *claim);

#endif
