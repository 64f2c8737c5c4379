/* The files of batches: one each, whose bytes are the batch as it travels. The batch belongs to the caller, or the
 * outbox's lock is held. */
#ifndef TACHY_SRC_RECORDER_SEND_SPOOL_H
#define TACHY_SRC_RECORDER_SEND_SPOOL_H

#include "batch.h"

/* FOLDER/<session file's uuid>.<ordinal as 16 hex digits>.batch, allocated; NULL: no memory. */
char *tachy_spool_path(const char *folder, const uint8_t id[16], uint64_t ordinal);
/* Writes the file of a batch that has a path, for the first time. A kill may leave a part of it, so it counts only once
 * it has been committed. 0: there is no file. */
int tachy_spool_write(tachy_batch *batch);
/* Replaces the file by the batch as it is now, or makes it, in one step: a kill leaves the old file or the new one. 0:
 * nothing has changed. */
int tachy_spool_rewrite(tachy_batch *batch);
/* After a try: frees the bytes that travelled, and rewrites the file if the batch has changed or has none. */
void tachy_spool_renew(tachy_batch *batch);
void tachy_spool_remove(tachy_batch *batch);

typedef enum tachy_spool_status { TACHY_SPOOL_OK, TACHY_SPOOL_DAMAGED, TACHY_SPOOL_NO_MEMORY } tachy_spool_status;
/* Reads the file back into blocks; checks every hash. */
tachy_spool_status tachy_spool_load(tachy_batch *batch);

#endif
