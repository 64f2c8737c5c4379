/* The session file: what must outlive the process, in memory that the operating system keeps when it is killed.
 *
 * It holds the pool (the threads' slots and everybody's chunks), the collector's own state at the last batch, and all
 * names. One commit, a store of eight bytes, says at once that a batch's file is valid, and from where everybody goes
 * on; so at whatever moment the process dies, each event lies in a chunk or in a batch, never in both. recover.c does
 * the rest.
 *
 * One file per process, made by its first session. Without one everything works and nothing survives. */
#ifndef TACHY_SRC_RECORDER_POOL_SESSION_FILE_H
#define TACHY_SRC_RECORDER_POOL_SESSION_FILE_H

#include "../../base/buffer.h"
#include "pool.h"
#include "session_layout.h"

/* Before a session: makes the file in the folder (shorter than TACHY_FOLDER_MAX; "": nowhere), if the process has none
 * there for this destination and a pool of this size yet, and opens the pool, in the file or without one. *fresh: the
 * file is new, and lacks the names. 0: no memory. */
int tachy_session_file_open(const char *folder, const char *destination, uint64_t pool_bytes, int *fresh);
/* The process's file: 16 bytes that name it, or NULL. */
const uint8_t *tachy_session_file_id(void);

/* The file's destination, and its folder in `folder`; NULL: no file, or the folder's name is longer than `size`. */
const char *tachy_session_file_destination(char *folder, size_t size);

/* For the registry, under its lock: adds a string, a site or a property set, which gets the next number of its kind. */
void tachy_session_file_name(uint32_t kind, const void *bytes, uint32_t size);

/* The ordinal that the next commit will have; 0 without a file. */
uint64_t tachy_session_file_next(void);
/* The class's state after a cut: becomes valid with the next commit. */
void tachy_session_file_save(tachy_class cls, const tachy_bytes *state);
/* description: JSON, as tachy_description_write makes it, without its end. NULL: nothing after it can be recovered. */
void tachy_session_file_commit(const uint8_t process_id[16], uint64_t frequency, const void *description,
                               uint64_t description_size);
/* The session has ended and its last commit has everything: nothing is to be recovered. */
void tachy_session_file_done(void);
/* The program is being ended by a signal that asks for it: what is recovered then did not crash. Async-signal-safe. */
void tachy_session_file_ends(void);
/* What it is if the process is killed now: tachy_crash_kind. Async-signal-safe. */
void tachy_session_file_crash(uint32_t kind);
/* After the outbox has been closed: if the program is ending already, removes the file. */
void tachy_session_file_leave(void);
/* 1: what this process records survives it. */
int tachy_session_file_protects(void);

void tachy_session_file_after_fork(void);

#endif
