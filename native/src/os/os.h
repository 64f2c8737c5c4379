/* The seam to the operating system: the only functions through which the recorder reaches it. One folder per system
 * implements them: posix/, win32/, and host/ for anything else, where the host brings them (tachy/host.h). Nothing here
 * is called on the hot path; a slow path may map, prefault and name a thread. */
#ifndef TACHY_SRC_OS_OS_H
#define TACHY_SRC_OS_OS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* The build may say which one (-DTACHY_OS_HOST). */
#if !defined(TACHY_OS_POSIX) && !defined(TACHY_OS_WIN32) && !defined(TACHY_OS_HOST)
#if defined(__linux__) || defined(__APPLE__)
#define TACHY_OS_POSIX
#elif defined(_WIN32)
#define TACHY_OS_WIN32
#else
#define TACHY_OS_HOST
#endif
#endif
#if defined(TACHY_OS_POSIX)
#include "posix/types.h"
#elif defined(TACHY_OS_WIN32)
#include "win32/types.h"
#else
#include "host/types.h"
#endif

/* Memory: NULL when there is none. allocate and resize do not clear. */
static inline void *tachy_os_allocate(size_t size) { return malloc(size); }
static inline void *tachy_os_resize(void *memory, size_t size) { return realloc(memory, size); }
static inline void tachy_os_release(void *memory) { free(memory); }

/* Zeroed, page aligned, not yet backed by memory; a forked child has a copy of its own. */
void *tachy_os_map(size_t size);
/* Backs a part of a mapping now, so that nobody meets a page fault later. Best effort. */
void tachy_os_prefault(void *memory, size_t size);
size_t tachy_os_page_size(void);
/* Memory from allocate or resize that will be written from front to back: in large pages, where the system has them.
 * Best effort. */
void tachy_os_prefer_large_pages(void *memory, size_t size);

/* Files: of a session and its spool. Paths are UTF-8, names in a folder have no separator. int results: 0 is no. */

/* Makes the folder (its parent exists) for this user alone. 1 also when it is there already, is the user's, and nobody
 * else may write there. A link is no folder. */
int tachy_os_folder(const char *path);
/* One process at a time has the folder, until it gives it back or is gone. 0: another has it, or could not. A forked
 * child closes its copy (tachy_os_file_close), which leaves the parent's lock alone. */
int tachy_os_folder_lock(tachy_os_file *lock, const char *path);
void tachy_os_folder_unlock(tachy_os_file *lock);
/* Calls `function` for the name of every file in the folder, in no order. 0: could not be read. Files that come or go
 * meanwhile may be missed. */
int tachy_os_folder_list(const char *path, void (*function)(void *context, const char *name), void *context);
/* Where sessions lie when nobody says: memory-backed and the user's own where the system has such storage, else the
 * folder for temporary files. `choice` counts from 0, the best first, for names that somebody else may have taken. 0:
 * there are no more. "": this one has no name here. */
int tachy_os_session_folder(unsigned choice, char *path, size_t size);

/* For reading and writing, private to the user, not inherited by programs that this one starts. TACHY_OS_NEW: fails
 * where a file is there already. */
typedef enum tachy_os_open_mode { TACHY_OS_EXISTING, TACHY_OS_NEW } tachy_os_open_mode;
int tachy_os_file_open(tachy_os_file *file, const char *path, tachy_os_open_mode mode);
/* Ends the lock too. Mappings stay. */
void tachy_os_file_close(tachy_os_file *file);
/* Takes the file until it is closed (on some systems: and what is mapped of it unmapped) or the process is gone,
 * however it goes. A forked child has it too until it closes its copy. 0: somebody has it. A system may let a process
 * lock again what it has itself: who must not, keeps a list. */
int tachy_os_file_lock(tachy_os_file *file);
/* Whether the path still leads to this very file. */
int tachy_os_file_is_at(const tachy_os_file *file, const char *path);
/* UINT64_MAX: unknown. */
uint64_t tachy_os_file_size(const tachy_os_file *file);
/* What is new reads as zeros and takes no storage until it is backed or written. */
int tachy_os_file_resize(tachy_os_file *file, uint64_t size);
/* Storage for a part, now, so that no store into a mapping of it can fail. 0: there is none (nothing has changed). */
int tachy_os_file_back(tachy_os_file *file, uint64_t offset, uint64_t size);
/* Gives the storage of a part back: it reads as zeros from now on. 0: the system cannot, nothing has changed. */
int tachy_os_file_discard(tachy_os_file *file, uint64_t offset, uint64_t size);
/* All of it or 0. */
int tachy_os_file_read(const tachy_os_file *file, uint64_t offset, void *bytes, size_t size);
int tachy_os_file_write(tachy_os_file *file, uint64_t offset, const void *bytes, size_t size);
/* Storage that it takes, and when it was last written, UTC in ns. 0: it is not there. */
int tachy_os_file_look(const char *path, uint64_t *storage, int64_t *utc);
/* Gives the file the time at which another one was written. Best effort. */
void tachy_os_file_copy_time(const char *from, const char *to);
/* On Windows a file that is mapped goes when this process ends. */
int tachy_os_file_remove(const char *path);
/* Replaces what is there. */
int tachy_os_file_rename(const char *from, const char *to);
/* The storage of the file system that holds the folder and is free for this user; UINT64_MAX: unknown. */
uint64_t tachy_os_folder_free(const char *path);

/* A part of the file as memory that is written through, also when the process is killed; a forked child does not have
 * it. offset: a multiple of TACHY_OS_MAP_STEP. NULL: could not. */
#define TACHY_OS_MAP_STEP 65536u
void *tachy_os_file_map(tachy_os_file *file, uint64_t offset, size_t size);
void tachy_os_unmap(void *memory, size_t size);
/* Puts zeroed memory of the process's own in the place of whole pages of such a mapping. 0: could not. */
int tachy_os_map_over(void *memory, size_t size);

/* Once per process: what runs when the program ends by exit() or by returning from main. In a DLL of Windows the other
 * threads have been ended by then, wherever they were: it must wait for no lock. */
void tachy_os_on_exit(void (*function)(void));
/* What runs before the process dies of a signal that asks it to end (SIGTERM, SIGINT, SIGHUP), where the program has
 * left that to the system; in a signal handler. NULL: nothing, from now on. */
void tachy_os_on_termination(void (*function)(void));

/* Mutexes and conditions are static and need no destruction. init_* is for conditions, and for both after fork(). */
void tachy_os_mutex_init(tachy_os_mutex *mutex);
void tachy_os_lock(tachy_os_mutex *mutex);
void tachy_os_unlock(tachy_os_mutex *mutex);
void tachy_os_condition_init(tachy_os_condition *condition);
void tachy_os_wake_all(tachy_os_condition *condition);
/* Waits until woken (or for no reason), or until the monotonic clock shows `deadline`. 0: the deadline has passed. */
int tachy_os_wait(tachy_os_condition *condition, tachy_os_mutex *mutex, uint64_t deadline);
/* A bell: ringing takes no lock and is remembered until somebody waits. */
void tachy_os_bell_init(tachy_os_bell *bell);
void tachy_os_ring(tachy_os_bell *bell);
void tachy_os_wait_bell(tachy_os_bell *bell, uint64_t deadline);
void tachy_os_once(tachy_os_once_flag *flag, void (*function)(void));

/* 0: the system refused. The thread has all signals blocked and bears `name` (a constant of at most 15 bytes). One at a
 * time: it has been joined before the next is started. */
int tachy_os_thread_start(tachy_os_thread *thread, void (*function)(void *), void *argument, const char *name);
void tachy_os_thread_join(tachy_os_thread thread);
/* Once per process: what runs at the exit of every thread that armed itself with a value other than NULL. 0: refused.
 */
int tachy_os_on_thread_exit(void (*function)(void *));
int tachy_os_arm_thread_exit(void *value);
/* Once per process: what runs around fork(). */
void tachy_os_on_fork(void (*before)(void), void (*parent)(void), void (*child)(void));
uint64_t tachy_os_thread_id(void);
/* The calling thread's name, terminated; "" when it has none. */
void tachy_os_thread_name(char *text, size_t size);
/* That of another thread of the process, by its tachy_os_thread_id. 0: the system does not say, and text is as it was.
 */
int tachy_os_thread_name_of(uint64_t id, char *text, size_t size);

/* Clocks, nanoseconds. */
uint64_t tachy_os_monotonic(void);
int64_t tachy_os_utc(void);
uint64_t tachy_os_thread_cpu(void);
/* Ticks per second as the processor states it, or 0 when it does not (then they are counted against the clock). */
uint64_t tachy_os_tick_frequency(void);
void tachy_os_sleep(uint64_t ns);

/* 0: the system has none to give. */
int tachy_os_random(void *bytes, size_t size);

/* Descriptions of the machine and the process; terminated, "" when unknown. */
typedef enum tachy_os_fact {
  TACHY_OS_EXE,
  TACHY_OS_USERNAME,
  TACHY_OS_REALNAME,
  TACHY_OS_COMPUTER,
  TACHY_OS_DISTRO,
  TACHY_OS_CPU
} tachy_os_fact;
void tachy_os_describe(tachy_os_fact fact, char *text, size_t size);
/* One line for whoever runs the program: stderr. */
void tachy_os_complain(const char *line);
/* The same, and the end of the program: for TACHY_ASSERT. */
void tachy_os_fail(const char *line);
/* Copies an environment variable, cut at its end where it is too long. 0: there is none, and the text is "". */
int tachy_os_environment(const char *name, char *text, size_t size);

/* A mapped part of a loaded module. */
typedef struct tachy_os_range {
  uintptr_t begin;
  uintptr_t end;
  uint32_t writable;
} tachy_os_range;

/* Calls `part` with the parts of all loaded modules, in no order, and then `then`, under the mutex; no module can be
 * unloaded until that returns. Not at all: the system could not. Takes the mutex itself: whether the loader's lock or
 * ours comes first is the system's affair, since where a module's start and end run under the loader's lock they may
 * record, and so take ours. */
void tachy_os_with_modules(tachy_os_mutex *mutex, void (*part)(void *context, tachy_os_range range),
                           void (*then)(void *context), void *context);

/* Landmarks: an object of ours in each module, found without symbols. TACHY_OS_LANDMARK(name), at file scope, leaves
 * one that leads to the object `name`, which is declared with TACHY_OS_LANDMARK_STORAGE. */

/* Calls `function` for the objects to which landmarks lead, in the order in which their modules were loaded, the
 * program's first, until it returns other than 0. */
void tachy_os_landmarks(int (*function)(void *context, void *object), void *context);
/* The module that holds the address will never be unloaded, where the system can promise that. 0: there is no such
 * module, or no more. */
int tachy_os_keep_loaded(const void *address);
/* The file of the module that holds the address, terminated; cut at its end where it is too long. */
void tachy_os_module_name(const void *address, char *text, size_t size);

#endif
