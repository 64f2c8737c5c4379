/* What waits: a line of our batches and one of those that were claimed, the books of what they take in memory and on
 * disk, and what goes when it is too much. Guarded by the outbox's lock. */
#ifndef TACHY_SRC_RECORDER_SEND_QUEUE_H
#define TACHY_SRC_RECORDER_SEND_QUEUE_H

#include "batch.h"
#include "orphans.h"

typedef struct tachy_line {
  tachy_batch *first;
  tachy_batch *last;
} tachy_line;

typedef struct tachy_queue {
  tachy_line lines[TACHY_LINES]; /* in order: those that wait, and those that are taken */
  uint64_t memory;               /* of what is not taken */
  uint64_t memory_limit;
  uint64_t disk;                 /* files, in units of storage */
  uint64_t disk_limit;           /* of the whole folder */
  const char *folder;            /* "": none */
  tachy_folder_use use;          /* of the folder, as it was found last */
  tachy_orphans_dropped dropped; /* of orphans */
  uint64_t session;              /* of ours that are counted */
  uint64_t lost[TACHY_CLASSES];  /* events of the session, in blocks that nobody has sent and nobody will */
  uint64_t recovered_lost;       /* claimed batches that are lost, whole or in part */
  tachy_claim *settled;          /* to be told */
} tachy_queue;

/* Makes it wait: in memory while there is room, else in its file alone. Keeps within the limits. */
void tachy_queue_admit(tachy_queue *q, tachy_batch *batch);
/* A new one, at the end of its line; then admits it. */
void tachy_queue_append(tachy_queue *q, tachy_batch *batch);
/* Its owner has changed it, or the owner has changed. */
void tachy_queue_book(tachy_queue *q, tachy_batch *batch);
/* The first of the line that waits, or NULL. */
tachy_batch *tachy_queue_first(const tachy_queue *q, int line);
/* It leaves and is freed. Its file stays as it is. */
void tachy_queue_remove(tachy_queue *q, tachy_batch *batch);
/* Its claim has one less. */
void tachy_queue_settle(tachy_queue *q, tachy_batch *batch);
/* Drops what has waited since before that moment. */
void tachy_queue_expire(tachy_queue *q, int64_t before);
/* It is lost: counts that, removes the file and the batch. */
void tachy_queue_discard(tachy_queue *q, tachy_batch *batch);
/* A closed claim without batches will be told. */
void tachy_queue_check_claim(tachy_queue *q, tachy_claim *claim);

#endif
