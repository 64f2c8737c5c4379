/* The session file: what must outlive the process, in memory that the operating system keeps when it is killed.
 *
 * It holds the threads' slots and rings, what the collector has taken out of them and not yet put into a batch (the
 * journal), the collector's own state at the last batch, and all names. One commit, a store of eight bytes, says at
 * once that a batch's file is valid, that the journal begins anew, and from where everybody goes on; so at whatever
 * moment the process dies, each event is in exactly one place. recover.c does the rest.
 *
 * One file per process, made by its first session. Without one everything works and nothing survives. */
#ifndef TACHY_SRC_RECORDER_POOL_SESSION_FILE_H
#define TACHY_SRC_RECORDER_POOL_SESSION_FILE_H

#include "../../base/buffer.h"
#include "../sites/registry.h"
#include "session_layout.h"

/* Before a session: makes the file in the folder (shorter than TACHY_FOLDER_MAX; "": nowhere), if the process has none
 * there for this destination yet. */
void tachy_session_file_open(const char *folder, const char *destination);
/* The process's file: 16 bytes that name it, or NULL. */
const uint8_t *tachy_session_file_id(void);

/* The file's folder, and its destination as it stands there; NULL: no file. */
const char *tachy_session_file_place(char *folder, size_t size);

/* A slot's memory, zeroed, in the file; NULL: not there. */
tachy_slot *tachy_session_file_slot(uint64_t size);
/* Storage for a part of a slot in the file. 0: there is none. */
int tachy_session_file_back(const tachy_slot *slot, const void *memory, uint64_t size);

/* The flight recorder's memory, nearly as much as is asked for at the first time, without storage yet; *size is what
 * there is, *used what has been given storage in earlier sessions. NULL: none. */
uint8_t *tachy_session_file_reels(uint64_t *size, uint64_t *used);
/* Storage for it, up to `size`. 0: there is none. */
int tachy_session_file_back_reels(uint64_t size);

/* The registry, under its lock: a new one has the next number of its kind. */
void tachy_session_file_string(const char *text, uint32_t size);
void tachy_session_file_site(const tachy_site_entry *site);
void tachy_session_file_set(const tachy_set_entry *set);

/* The collector. journal: appends the entry and `size` bytes in two pieces; 0: no room before the next commit. */
int tachy_session_file_journal(tachy_class cls, const tachy_journal_entry *entry, const void *bytes, uint64_t size,
                               const void *more, uint64_t more_size);
/* The ordinal that the next commit will have; 0 without a file. */
uint64_t tachy_session_file_next(void);
/* The class's state after a cut: becomes valid, and its journal empty, with the next commit. */
void tachy_session_file_save(tachy_class cls, const tachy_bytes *state);
/* description: JSON, as tachy_description_write makes it, without its end. NULL: nothing after it can be recovered. */
void tachy_session_file_commit(const uint8_t process_id[16], uint64_t frequency, const void *description,
                               uint64_t description_size);
/* The session has ended, and its last commit has everything. */
void tachy_session_file_done(void);
/* The program is being ended by a signal that asks for it: what is recovered then did not crash. Async-signal-safe. */
void tachy_session_file_ends(void);
/* A session has ended and the outbox is closed: where the program ends already, the file goes now. */
void tachy_session_file_leave(void);
/* 1: sessions of this process survive it. */
int tachy_session_file_protects(void);

void tachy_session_file_after_fork(void);

#endif
