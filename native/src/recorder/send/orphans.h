/* Orphans: the batches in a folder that have no session file, since the process that made them has gone.
 *
 * Whoever wants to change them has the folder's lock: to drop what is beyond the bound or too old, or to give them a
 * session file again, so that they can be claimed. */
#ifndef TACHY_SRC_RECORDER_SEND_ORPHANS_H
#define TACHY_SRC_RECORDER_SEND_ORPHANS_H

#include "../pool/folder.h"
#include "batch.h"

/* held: answers whether the session of that id is this process's own, or one that it has claimed. */
void tachy_orphans_init(int (*held)(const uint8_t id[16]));

/* Storage of the batches in a folder, and how many processes share it. */
typedef struct tachy_folder_use {
  uint64_t ours;     /* of this process: its own, and what it has claimed */
  uint64_t others;   /* of processes that run, or that nobody has recovered yet */
  uint64_t orphans;  /* of nobody */
  uint64_t sessions; /* of others */
  int64_t oldest;    /* UTC of the oldest orphan; INT64_MAX: there is none */
} tachy_folder_use;
void tachy_orphans_measure(const char *folder, tachy_folder_use *use);

/* What has been dropped: events by class, and batches that could not be read. */
typedef struct tachy_orphans_dropped {
  uint64_t events[TACHY_CLASSES];
  uint64_t unreadable;
} tachy_orphans_dropped;

/* The list of them, oldest first, which is open while the folder is locked. */
typedef struct tachy_orphans {
  char folder[TACHY_FOLDER_MAX];
  tachy_bytes files; /* tachy_file */
  uint64_t storage;
} tachy_orphans;
/* 0: another process has the folder. */
int tachy_orphans_open(tachy_orphans *l, const char *folder);
void tachy_orphans_close(tachy_orphans *l);
/* Drops the class out of the oldest batches, until `storage` is no more than `goal`. */
void tachy_orphans_drop(tachy_orphans *l, tachy_class cls, uint64_t goal, tachy_orphans_dropped *dropped);
/* Drops those that were written before. */
void tachy_orphans_expire(tachy_orphans *l, int64_t before, tachy_orphans_dropped *dropped);
/* Gives those that were made for this destination (NULL: all) a session file each, so that they can be claimed.
 * Whoever dies meanwhile leaves them as they were. */
void tachy_orphans_give_sessions(tachy_orphans *l, const char *destination);

/* In the child: the folder's lock is the parent's. */
void tachy_orphans_after_fork(void);

#endif
