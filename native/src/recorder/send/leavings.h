/* What processes that are gone have left in a folder: batches without a session file, which are nobody's.
 *
 * Whoever wants to change them has the folder's lock: to cut them down to the bound, to throw away what is too old, or
 * to claim them, by giving them a session file again. */
#ifndef TACHY_SRC_RECORDER_SEND_LEAVINGS_H
#define TACHY_SRC_RECORDER_SEND_LEAVINGS_H

#include "../pool/folder.h"
#include "batch.h"

/* held: whether the session of that id is this process's own, or one that it recovers. */
void tachy_leavings_init(int (*held)(const uint8_t id[16]));

/* Storage of the batches in a folder, and how many processes share it. */
typedef struct tachy_folder_use {
  uint64_t ours;     /* of this process: its own, and what it recovers */
  uint64_t others;   /* of processes that run, or that nobody has recovered yet */
  uint64_t left;     /* nobody's */
  uint64_t sessions; /* of others */
  int64_t oldest;    /* UTC of the oldest that is nobody's; INT64_MAX: there is none */
} tachy_folder_use;
void tachy_leavings_measure(const char *folder, tachy_folder_use *use);

/* What has been dropped: events by class, and batches that could not be read. */
typedef struct tachy_leavings_dropped {
  uint64_t events[TACHY_CLASSES];
  uint64_t unreadable;
} tachy_leavings_dropped;

/* The list of them, oldest first, while the folder is locked. 0: another process has it. */
typedef struct tachy_leavings {
  char folder[TACHY_FOLDER_MAX];
  tachy_bytes rows;
  uint64_t storage;
} tachy_leavings;
int tachy_leavings_open(tachy_leavings *l, const char *folder);
void tachy_leavings_close(tachy_leavings *l);
/* Drops the class out of the oldest, until `storage` is no more than `goal`. */
void tachy_leavings_shed(tachy_leavings *l, tachy_class cls, uint64_t goal, tachy_leavings_dropped *dropped);
/* Drops those that were written before. */
void tachy_leavings_expire(tachy_leavings *l, int64_t before, tachy_leavings_dropped *dropped);
/* Gives those that were made for this destination (NULL: all) a session file each, so that they can be recovered.
 * Whoever dies meanwhile leaves them as they were. */
void tachy_leavings_claim(tachy_leavings *l, const char *destination);

/* The lock belongs to the parent. */
void tachy_leavings_after_fork(void);

#endif
