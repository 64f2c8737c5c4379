/* tachy 0.1.0, the recorder in one file, made by tools/amalgamate.py: change the sources, not this. Compiles as C11
 * and as C++17 and C++20; on POSIX it needs -pthread. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#if !defined(TACHY_STATIC) && !defined(TACHY_BUILD) /* TACHY_BUILD: a shared library that others link to */
#define TACHY_STATIC
#endif
#include "tachy.h"

#if defined(__GNUC__) && !defined(_WIN32)
#define TACHY_HIDE _Pragma("GCC visibility push(hidden)")
#define TACHY_SHOW _Pragma("GCC visibility pop")
#else
#define TACHY_HIDE
#define TACHY_SHOW
#endif
#ifdef __cplusplus
#define _Alignas alignas
#define _Static_assert static_assert
#define TACHY_AS(pointer) (decltype(pointer))
#if defined(__GNUC__) /* right in C: {0} for all zero, a constant of an enum as a number */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wmissing-braces"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wattributes" /* what holds something hidden */
#endif
#else
#define TACHY_AS(pointer)
#endif

/* src/os/os.h */
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
/* The POSIX types behind os.h. */
#ifndef TACHY_SRC_OS_POSIX_TYPES_H
#define TACHY_SRC_OS_POSIX_TYPES_H

#include <pthread.h>
#include <stdint.h>
TACHY_HIDE

typedef pthread_mutex_t tachy_os_mutex;
typedef pthread_cond_t tachy_os_condition;
#if defined(__APPLE__)
typedef unsigned tachy_os_bell; /* semaphore_t of Mach */
#else
typedef uint32_t tachy_os_bell;
#endif
typedef pthread_once_t tachy_os_once_flag;
typedef pthread_t tachy_os_thread;
typedef int tachy_os_file; /* a descriptor */
#define TACHY_OS_NO_FILE (-1)

#define TACHY_OS_MUTEX_INIT PTHREAD_MUTEX_INITIALIZER
#define TACHY_OS_ONCE_INIT PTHREAD_ONCE_INIT

#define TACHY_OS_LANDMARK_STORAGE __attribute__((visibility("hidden"), used))
#if defined(__APPLE__)
#define TACHY_OS_LANDMARK(name) \
  __attribute__((used, section("__DATA,__tachy"))) static void *const tachy_os_landmark_ = (void *)(&name);
#else
/* A note in a part of the module that is loaded, which names the object by its distance: nothing to relocate, to export
 * or to strip, and what a linker collects as garbage are not notes. */
#define TACHY_OS_LANDMARK(name)                                          \
  __asm__(                                                               \
      ".pushsection .note.tachy,\"a\",%note\n.balign 4\n.long 6, 4, 1\n" \
      ".asciz \"tachy\"\n.balign 4\n.long " #name " - .\n.popsection\n");
#endif

/* Names the calling thread; the system cuts what is too long. */
void tachy_os_name_thread(const char *name);

TACHY_SHOW
#endif
#elif defined(TACHY_OS_WIN32)
/* The Windows types behind os.h, without windows.h: each has the size and the zero of the one it stands for. */
#ifndef TACHY_SRC_OS_WIN32_TYPES_H
#define TACHY_SRC_OS_WIN32_TYPES_H

#include <stdint.h>
TACHY_HIDE

typedef struct tachy_os_word {
  void *word;
} tachy_os_word;

typedef tachy_os_word tachy_os_mutex;     /* SRWLOCK */
typedef tachy_os_word tachy_os_condition; /* CONDITION_VARIABLE */
typedef tachy_os_word tachy_os_once_flag; /* INIT_ONCE */
typedef void *tachy_os_bell;              /* an event that resets itself */
typedef void *tachy_os_thread;
typedef void *tachy_os_file;
#define TACHY_OS_NO_FILE ((void *)(intptr_t)-1)

#define TACHY_OS_MUTEX_INIT \
  { 0 }
#define TACHY_OS_ONCE_INIT \
  { 0 }

#define TACHY_OS_LANDMARK_STORAGE
#if defined(_MSC_VER)
#pragma section(".tachy", read)
#pragma comment(linker, "/INCLUDE:tachy_os_landmark_")
#ifdef __cplusplus
#define TACHY_OS_LANDMARK(name) extern "C" __declspec(allocate(".tachy")) void *const tachy_os_landmark_ = (void *)(&name);
#else
#define TACHY_OS_LANDMARK(name) __declspec(allocate(".tachy")) void *const tachy_os_landmark_ = (void *)(&name);
#endif
#else
#define TACHY_OS_LANDMARK(name) __attribute__((section(".tachy"), used)) static void *const tachy_os_landmark_ = (void *)(&name);
#endif

/* What the calling thread armed itself with (tachy_os_arm_thread_exit), or NULL. Keeps GetLastError as it is. */
void *tachy_os_armed(void);
/* Where the same lies from the start of a thread's own block (TEB), for who reads it inline; 0: call tachy_os_armed. */
uint32_t tachy_os_armed_offset(void);

TACHY_SHOW
#endif
#else
/* The types behind os.h where a host brings the system (tachy/host.h). What it makes is made at the first use. */
#ifndef TACHY_SRC_OS_HOST_TYPES_H
#define TACHY_SRC_OS_HOST_TYPES_H
TACHY_HIDE

typedef struct tachy_os_mutex {
  void *lock;
} tachy_os_mutex;
typedef struct tachy_os_condition {
  struct tachy_os_waiter *first;
} tachy_os_condition;
typedef struct tachy_os_bell {
  void *event;
} tachy_os_bell;
typedef unsigned char tachy_os_once_flag;
typedef void *tachy_os_thread;
typedef unsigned char tachy_os_file; /* there are none */
#define TACHY_OS_NO_FILE 0

#define TACHY_OS_MUTEX_INIT \
  { NULL }
#define TACHY_OS_ONCE_INIT 0

#define TACHY_OS_LANDMARK_STORAGE
#define TACHY_OS_LANDMARK(name)

TACHY_SHOW
#endif
#endif
TACHY_HIDE

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

TACHY_SHOW
#endif

/* src/base/bell.h */
/* What wakes the collector: rung by recording threads, from any slow path, without a lock. */
#ifndef TACHY_SRC_BASE_BELL_H
#define TACHY_SRC_BASE_BELL_H

#include <stdint.h>
TACHY_HIDE

/* Also after fork(). */
void tachy_bell_init(void);
/* The collector is to look at once. Ringing again before it has looked costs a test. */
void tachy_bell_ring(void);
/* The same, for a log that is to be sent at once; until the collector has asked, once more costs a test. */
void tachy_bell_urge(void);
/* The collector: sleeps until the bell rings or the monotonic clock shows `deadline`. 1: it has rung. */
int tachy_bell_wait(uint64_t deadline);
/* The collector, before it reads: whether there have been such logs since it asked last. */
int tachy_bell_urged(void);

TACHY_SHOW
#endif

/* src/base/bell.c */
/* What wakes the collector. */



static tachy_os_bell bell_bell;
static uint32_t bell_rung;  /* atomic */
static uint32_t bell_urged; /* atomic */

void tachy_bell_init(void) {
  tachy_os_bell_init(&bell_bell);
  TACHY_STORE(&bell_rung, 0);
  TACHY_STORE(&bell_urged, 0);
}

/* Also while the collector is awake: it may have looked at this thread already. Sequentially consistent, so that either
 * the collector sees what was published before, or we see that it must be rung again. */
void tachy_bell_ring(void) {
  if (TACHY_EXCHANGE(&bell_rung, 1) == 0) tachy_os_ring(&bell_bell);
}

void tachy_bell_urge(void) {
  if (TACHY_LOAD(&bell_urged) || TACHY_EXCHANGE(&bell_urged, 1)) return;
  tachy_bell_ring();
}

int tachy_bell_wait(uint64_t deadline) {
  tachy_os_wait_bell(&bell_bell, deadline);
  return TACHY_EXCHANGE(&bell_rung, 0) != 0;
}

int tachy_bell_urged(void) { return TACHY_EXCHANGE(&bell_urged, 0) != 0; }

/* src/base/buffer.h */
/* Growing memory for the collector, and the UINT column encoding of docs/format.md. Never used by recording threads. */
#ifndef TACHY_SRC_BASE_BUFFER_H
#define TACHY_SRC_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
TACHY_HIDE


typedef struct tachy_bytes {
  uint8_t *bytes;
  uint64_t size;
  uint64_t capacity;
} tachy_bytes;

/* Makes room for `more` bytes behind size. 0: no memory, nothing changed. */
int tachy_bytes_grow(tachy_bytes *buffer, uint64_t more);
void tachy_bytes_free(tachy_bytes *buffer);

static inline int tachy_bytes_reserve(tachy_bytes *buffer, uint64_t more) {
  return buffer->capacity - buffer->size >= more || tachy_bytes_grow(buffer, more);
}

/* Room must have been reserved. */
static inline void tachy_bytes_put(tachy_bytes *buffer, const void *bytes, uint64_t size) {
  if (size) memcpy(buffer->bytes + buffer->size, bytes, size);
  buffer->size += size;
}

static inline int tachy_bytes_append(tachy_bytes *buffer, const void *bytes, uint64_t size) {
  if (!tachy_bytes_reserve(buffer, size)) return 0;
  tachy_bytes_put(buffer, bytes, size);
  return 1;
}

/* A column of encoding UINT: one byte per value, and what did not fit into it. */
typedef struct tachy_plane {
  tachy_bytes low;
  tachy_bytes high;
} tachy_plane;

#define TACHY_HIGH_MAX 10u /* bytes of the longest LEB128 */

/* Appends what a value is above 255 to `high`. Room must have been reserved. */
void tachy_plane_high(tachy_plane *plane, uint64_t rest);
int tachy_plane_grow(tachy_plane *plane, uint64_t values);
void tachy_plane_free(tachy_plane *plane);

static inline void tachy_plane_clear(tachy_plane *plane) {
  plane->low.size = 0;
  plane->high.size = 0;
}

/* Room for so many values, whatever they are. */
static inline int tachy_plane_reserve(tachy_plane *plane, uint64_t values) {
  return (plane->low.capacity - plane->low.size >= values &&
          plane->high.capacity - plane->high.size >= values * TACHY_HIGH_MAX) ||
         tachy_plane_grow(plane, values);
}

/* Room must have been reserved. */
static inline void tachy_plane_put(tachy_plane *plane, uint64_t v) {
  uint8_t *const at = (uint8_t *)(plane->low.bytes + plane->low.size++);
  if (v < 255) {
    *at = (uint8_t)v;
  } else {
    *at = 255;
    tachy_plane_high(plane, v - 255);
  }
}

static inline int tachy_plane_append(tachy_plane *plane, uint64_t v) {
  if (!tachy_plane_reserve(plane, 1)) return 0;
  tachy_plane_put(plane, v);
  return 1;
}

TACHY_SHOW
#endif

/* src/base/buffer.c */
/* Growing memory for the collector, and the slow halves of the UINT encoding. */

int tachy_bytes_grow(tachy_bytes *buffer, uint64_t more) {
  uint64_t capacity = buffer->capacity ? buffer->capacity * 2 : 64;
  while (capacity < buffer->size + more) capacity *= 2;
  uint8_t *const bytes = (uint8_t *)(tachy_os_resize(buffer->bytes, capacity));
  if (!bytes) return 0;
  buffer->bytes = bytes;
  buffer->capacity = capacity;
  return 1;
}

void tachy_bytes_free(tachy_bytes *buffer) {
  tachy_os_release(buffer->bytes);
  *buffer = (tachy_bytes){NULL, 0, 0};
}

void tachy_plane_high(tachy_plane *plane, uint64_t rest) {
  uint8_t *at = (uint8_t *)(plane->high.bytes + plane->high.size);
  while (rest >= 128) {
    *at++ = (uint8_t)(rest | 128);
    rest >>= 7;
  }
  *at++ = (uint8_t)rest;
  plane->high.size = (uint64_t)(at - plane->high.bytes);
}

int tachy_plane_grow(tachy_plane *plane, uint64_t values) {
  return tachy_bytes_reserve(&plane->low, values) && tachy_bytes_reserve(&plane->high, values * TACHY_HIGH_MAX);
}

void tachy_plane_free(tachy_plane *plane) {
  tachy_bytes_free(&plane->low);
  tachy_bytes_free(&plane->high);
}

/* src/base/clock.h */
/* The session's clock: ticks, UTC that never steps back, and what one tick is. */
#ifndef TACHY_SRC_BASE_CLOCK_H
#define TACHY_SRC_BASE_CLOCK_H

TACHY_HIDE

/* Where the processor does not state its frequency, that is only roughly known then: see tachy_clock_count. */
void tachy_clock_start(void);
/* For the collector, in the session's first milliseconds: counts the ticks since the start. Returns 1 when that was
 * long enough, or tachy_clock_now has counted them. */
int tachy_clock_count(void);
/* Both at one moment, for the collector: neither ever runs backwards, nor jumps. */
tachy_clock_pair tachy_clock_now(void);
/* 1: the wall clock was set, the machine was suspended, or the counter began anew. The caller ends all blocks where
 * tachy_clock_now stands, then calls tachy_clock_jump. */
int tachy_clock_jumped(void);
/* 1: the counter began anew. So quick that it can be asked all the time. */
int tachy_clock_restarted(void);
/* Goes on with the wall clock's time. Returns the moment of tachy_clock_now's last answer in the new time: with other
 * ticks if the counter began anew. */
tachy_clock_pair tachy_clock_jump(void);
/* When the session began. */
tachy_clock_pair tachy_clock_begin(void);
/* The ticks when the session began, or when the counter began anew since: later events have more. */
uint64_t tachy_clock_first_ticks(void);
uint64_t tachy_clock_frequency(void);
const char *tachy_clock_name(void);

TACHY_SHOW
#endif

/* src/base/entries.h */
/* The public functions that work on what a process has once: sessions, sites, threads, batches.
 *
 * A process may hold several copies of the recorder, one in each of its modules that links it statically. One of them
 * records; api.c makes of every line here a public function tachy_NAME that finds that copy and calls its
 * tachy_own_NAME, which the rooms below define. Nobody but api.c calls the public ones.
 *
 * Who includes this says what is made of a line: ANSWERS (type, name, parameters, arguments, what it answers where its
 * copy may not record), DOES for functions that answer nothing, RECORDS and RECORDS_AND_ANSWERS for those that may give
 * the calling thread its slot, SPECIAL for those that api.c writes out by hand. */
#ifndef TACHY_SRC_BASE_ENTRIES_H
#define TACHY_SRC_BASE_ENTRIES_H

TACHY_HIDE

#define TACHY_ENTRIES(ANSWERS, DOES, RECORDS_AND_ANSWERS, RECORDS, SPECIAL)                                           \
  ANSWERS(tachy_status, start, (const tachy_config *config), (config), TACHY_ERROR_STATE)                             \
  DOES(stop, (uint32_t timeout_ms), (timeout_ms))                                                                     \
  ANSWERS(int, flush, (uint32_t timeout_ms), (timeout_ms), 0)                                                         \
  ANSWERS(uint64_t, flush_begin, (uint32_t timeout_ms), (timeout_ms), 0)                                              \
  ANSWERS(int, flush_wait, (uint64_t flush, uint32_t timeout_ms), (flush, timeout_ms), 0)                             \
  DOES(stop_recording, (void), ())                                                                                    \
  SPECIAL(void, get_stats, (tachy_stats * stats))                                                                     \
  ANSWERS(int, forking, (void), (), 0)                                                                                \
  DOES(mark, (const char *reason), (reason))                                                                          \
  DOES(set_process_property, (const char *key, const char *value), (key, value))                                      \
  DOES(set_crash_kind, (tachy_crash_kind kind), (kind))                                                               \
  DOES(set_thread_name, (const char *name), (name))                                                                   \
  DOES(set_level, (tachy_level level), (level))                                                                       \
  DOES(set_category, (const char *category, tachy_level level), (category, level))                                    \
  DOES(unset_category, (const char *category), (category))                                                            \
  DOES(set_class, (tachy_class cls, int on), (cls, on))                                                               \
  DOES(set_mode, (tachy_mode mode), (mode))                                                                           \
  DOES(control, (const char *text), (text))                                                                           \
  ANSWERS(tachy_status, recover, (const char *folder, tachy_recovery *found), (folder, found), TACHY_ERROR_STATE)     \
  SPECIAL(int32_t, site_register_, (tachy_site * site))                                                               \
  ANSWERS(tachy_site *, site_intern,                                                                                  \
          (tachy_site_kind kind, tachy_level level, const char *target, const char *name, const char *file,           \
           uint32_t line, const char *unit),                                                                          \
          (kind, level, target, name, file, line, unit), NULL)                                                        \
  ANSWERS(uint32_t, property_set, (const tachy_property *pairs, size_t count), (pairs, count), 0)                     \
  ANSWERS(uint64_t, ticks_of, (int64_t utc_ns), (utc_ns), tachy_ticks())                                              \
  RECORDS_AND_ANSWERS(uint32_t, span_begin_slow_, (int32_t id), (id), 0)                                              \
  DOES(span_close_slow_, (tachy_thread * thread, uint32_t scope, uint64_t now), (thread, scope, now))                 \
  RECORDS(span_end_rare_, (int32_t scope), (scope))                                                                   \
  RECORDS(span_complete, (tachy_site * site, uint64_t begin_ticks, uint64_t end_ticks),                               \
          (site, begin_ticks, end_ticks))                                                                             \
  RECORDS(span_value_slow_, (tachy_scope scope, int32_t id, uint32_t type, uint64_t bits), (scope, id, type, bits))   \
  RECORDS(span_value_text, (tachy_scope scope, tachy_site * site, const char *text, size_t size),                     \
          (scope, site, text, size))                                                                                  \
  RECORDS(async_value_, (tachy_async * span, tachy_site * site, uint32_t type, uint64_t bits),                        \
          (span, site, type, bits))                                                                                   \
  RECORDS(async_value_text, (tachy_async * span, tachy_site * site, const char *text, size_t size),                   \
          (span, site, text, size))                                                                                   \
  SPECIAL(tachy_async, async_begin, (tachy_site * site, const tachy_async *parent))                                   \
  RECORDS(async_end, (const tachy_async *span), (span))                                                               \
  RECORDS(metric_slow_, (int32_t id, uint32_t set, uint64_t value), (id, set, value))                                 \
  RECORDS(metric_beyond_, (tachy_site * site, uint32_t set, double value), (site, set, value))                        \
  RECORDS(metric_at, (tachy_site * site, uint32_t set, uint64_t ticks, uint64_t value_bits),                          \
          (site, set, ticks, value_bits))                                                                             \
  RECORDS(frame_slow_, (int32_t id), (id))                                                                            \
  SPECIAL(tachy_thread *, log_begin_slow_, (int32_t id, uint32_t set, uint32_t types, uint64_t size))                 \
  DOES(log_urges_, (void), ())                                                                                        \
  SPECIAL(void, log_text, (tachy_site * site, uint32_t set, const char *text, size_t size))                           \
  RECORDS(log_args, (tachy_site * site, uint32_t set, uint32_t types, const uint64_t *values, const uint32_t *sizes), \
          (site, set, types, values, sizes))                                                                          \
  DOES(log_text_at,                                                                                                   \
       (tachy_site * site, uint32_t set, uint64_t ticks, const char *thread, const char *text, size_t size),          \
       (site, set, ticks, thread, text, size))                                                                        \
  DOES(image, (const char *name, const char *format, const void *bytes, size_t size), (name, format, bytes, size))    \
  ANSWERS(uint64_t, sender_begin, (uint32_t timeout_ms), (timeout_ms), 0)                                             \
  DOES(sender_end, (uint64_t turn), (turn))                                                                           \
  SPECIAL(tachy_batch *, batch_take, (uint32_t timeout_ms, int *ended))                                               \
  ANSWERS(tachy_batch *, batch_take_raw, (void), (), NULL)                                                            \
  DOES(batch_moves, (void), ())                                                                                       \
  ANSWERS(uint32_t, batch_block_count, (const tachy_batch *batch), (batch), 0)                                        \
  ANSWERS(const void *, batch_body, (const tachy_batch *batch, uint32_t block, uint64_t *size), (batch, block, size), \
          NULL)                                                                                                       \
  ANSWERS(tachy_codec, batch_codec, (const tachy_batch *batch, uint32_t block), (batch, block), TACHY_CODEC_NONE)     \
  ANSWERS(tachy_status, batch_replace,                                                                                \
          (tachy_batch * batch, uint32_t block, tachy_codec codec, const void *bytes, uint64_t size),                 \
          (batch, block, codec, bytes, size), TACHY_ERROR_STATE)                                                      \
  ANSWERS(const void *, batch_bytes, (tachy_batch * batch, uint64_t * size), (batch, size), NULL)                     \
  ANSWERS(const uint8_t *, batch_id, (const tachy_batch *batch), (batch), NULL)                                       \
  DOES(batch_done, (tachy_batch * batch, tachy_outcome outcome), (batch, outcome))

/* What the rooms define. */
#define TACHY_OWN_ANSWER_(type, name, parameters, arguments, otherwise) type tachy_own_##name parameters;
#define TACHY_OWN_DEED_(name, parameters, arguments) void tachy_own_##name parameters;
#define TACHY_OWN_SPECIAL_(type, name, parameters) type tachy_own_##name parameters;
TACHY_ENTRIES(TACHY_OWN_ANSWER_, TACHY_OWN_DEED_, TACHY_OWN_ANSWER_, TACHY_OWN_DEED_, TACHY_OWN_SPECIAL_)

TACHY_SHOW
#endif

/* src/base/clock.c */
/* The session's clock. Written by tachy_clock_start and by the collector only.
 *
 * UTC is a line over the ticks, which is steered towards the wall clock: its rate is corrected at most four times a
 * second, so that blocks of a millisecond lie on one line, and so gently that an error takes seconds to go. What cannot
 * be steered away without bending durations (somebody has set the wall clock, the machine was suspended, the counter
 * began anew) waits for tachy_clock_jump. */



enum {
  clock_READINGS = 32,
  clock_OFFSET_READINGS = 8,
  clock_ROUGHLY_NS = 30000,   /* the ticks are counted for so long before anything is known of them: some thousandths off */
  LEAST_NS = 300000,    /* and for so long before the first event is dated: 0.01 % off at most */
  COUNTED_NS = 3000000, /* the collector goes on counting until then, as long as nothing is dated by it */
  UNDISTURBED_NS = 1000000 /* a reading that took longer says nothing */
};
static const double clock_STEER_NS = 25e7; /* the rate is left alone for so long */
static const double clock_NEAR_NS = 100.0; /* and while the line is so close: a reading is good to some 20 ns */
static const double clock_JUMP_NS = 2e7;   /* what is farther off is no drift */
static const double clock_SLEW_NS = 4e9;   /* that an error takes to go */
static const double clock_SLEW_MAX = 1e-4; /* of the rate */

static tachy_clock_pair clock_begin;
static tachy_clock_line clock_line;   /* UTC over ticks */
static double clock_pace;             /* UTC ns per tick, as far as it is known; line.rate takes an error away besides */
static tachy_clock_pair clock_newest; /* what tachy_clock_now said last */
static uint64_t clock_newest_monotonic;
static uint64_t clock_shown;         /* by the counter at that moment */
static int64_t clock_offset;         /* of the wall clock to the monotonic one, smoothed */
static double clock_apart;           /* ns by which the wall clock is ahead of the line */
static int clock_restarted;          /* the counter has begun anew */
static uint64_t clock_counted_ticks; /* since when the frequency is counted */
static uint64_t clock_counted_monotonic;
static uint64_t clock_frequency;   /* atomic */
static uint64_t clock_first_ticks; /* atomic: where the counter began, as far as we know */
static int clock_stated;
static unsigned clock_refined;

/* Ticks and the monotonic clock at one moment. That clock may move in steps (Windows': 100 ns), so of the readings that
 * nothing disturbed the one counts that came soonest after a step: at which it is furthest ahead of the ticks. hz: of
 * the ticks, roughly; 0: not known, then the least disturbed one counts. */
static uint64_t clock_read_pair(uint64_t hz, uint64_t *monotonic) {
  uint64_t ticks[clock_READINGS];
  uint64_t clock[clock_READINGS];
  uint64_t widths[clock_READINGS];
  uint64_t narrow = UINT64_MAX;
  for (unsigned i = 0; i < clock_READINGS; i++) {
    const uint64_t before = tachy_ticks();
    clock[i] = tachy_os_monotonic();
    widths[i] = tachy_ticks() - before;
    ticks[i] = before + widths[i] / 2;
    if (widths[i] < narrow) narrow = widths[i];
  }
  unsigned best = clock_READINGS;
  double most = 0;
  for (unsigned i = 0; i < clock_READINGS; i++) {
    if (widths[i] > narrow + narrow / 8) continue;
    const double elapsed = hz ? (double)(ticks[i] - ticks[0]) * 1e9 / (double)hz : 0;
    const double ahead = hz ? (double)(clock[i] - clock[0]) - elapsed : -(double)widths[i];
    if (best < clock_READINGS && ahead <= most) continue;
    best = i;
    most = ahead;
  }
  *monotonic = clock[best];
  return ticks[best];
}

/* The least disturbed of some readings. 0: all of them were. */
static int clock_read_offset(int64_t *found) {
  uint64_t narrow = UNDISTURBED_NS;
  for (unsigned i = 0; i < clock_OFFSET_READINGS; i++) {
    const uint64_t before = tachy_os_monotonic();
    const int64_t utc = tachy_os_utc();
    const uint64_t width = tachy_os_monotonic() - before;
    if (width >= narrow) continue;
    narrow = width;
    *found = utc - (int64_t)(before + width / 2);
  }
  return narrow < UNDISTURBED_NS;
}

/* Where UTC stands to the monotonic clock moves slowly on systems that steer the one and not the other. */
static void clock_follow_offset(void) {
  int64_t found = 0;
  if (!clock_read_offset(&found)) return;
  const int64_t change = found - clock_offset;
  clock_offset = change > (int64_t)clock_JUMP_NS || change < -(int64_t)clock_JUMP_NS ? found : clock_offset + change / 16;
}

static uint64_t clock_rate(uint64_t ticks, uint64_t ns) { return (uint64_t)((double)ticks * 1e9 / (double)ns + 0.5); }

/* Ticks per second, counted against the clock for a moment: good to some thousandths. */
static uint64_t clock_count_roughly(void) {
  uint64_t from = 0, to = 0;
  const uint64_t first = clock_read_pair(0, &from);
  while (tachy_os_monotonic() - from < clock_ROUGHLY_NS) {
  }
  const uint64_t last = clock_read_pair(0, &to);
  return clock_rate(last - first, to - from);
}

/* What the counting has come to at that moment, in ticks per second. */
static uint64_t clock_count_ticks(uint64_t ticks, uint64_t monotonic) {
  return clock_rate(ticks - clock_counted_ticks, monotonic - clock_counted_monotonic);
}

/* The frequency is known better. */
static void clock_set_frequency(uint64_t hz) {
  TACHY_STORE(&clock_frequency, hz);
  clock_pace = 1e9 / (double)hz;
}

/* Until the line has dated anything, it is the one through the beginning and now. */
static int clock_is_open(void) { return !clock_stated && clock_newest.ticks == clock_begin.ticks; }

static void clock_lay(uint64_t ticks, uint64_t monotonic) {
  if (!clock_is_open() || ticks <= clock_counted_ticks || monotonic <= clock_counted_monotonic) return;
  clock_set_frequency(clock_count_ticks(ticks, monotonic));
  clock_line.rate = clock_pace;
}

void tachy_clock_start(void) {
  uint64_t hz = tachy_os_tick_frequency();
  clock_stated = hz != 0;
  clock_refined = 0;
  if (!clock_stated) hz = clock_count_roughly();
  clock_counted_ticks = clock_read_pair(hz, &clock_counted_monotonic);
  if (!clock_read_offset(&clock_offset)) clock_offset = tachy_os_utc() - (int64_t)tachy_os_monotonic();
  clock_begin = (tachy_clock_pair){clock_counted_ticks, (int64_t)clock_counted_monotonic + clock_offset};
  clock_set_frequency(hz);
  clock_line = (tachy_clock_line){clock_begin, clock_pace};
  clock_newest = clock_begin;
  clock_newest_monotonic = clock_counted_monotonic;
  clock_apart = 0;
  clock_restarted = 0;
  TACHY_STORE(&clock_first_ticks, clock_begin.ticks);
}

/* What the counter shows has nothing to do with what it showed: not one that another processor is a little behind. */
static int clock_is_restart(uint64_t ticks) {
  return ticks < clock_newest.ticks && clock_newest.ticks - ticks > TACHY_LOAD(&clock_frequency) / 1000;
}

/* The first pair that is given out decides how the line goes on: the ticks are to be counted for a little while. */
static void clock_wait_for_count(void) {
  const uint64_t passed = tachy_os_monotonic() - clock_counted_monotonic;
  if (clock_is_open() && passed < LEAST_NS) tachy_os_sleep(LEAST_NS - passed);
}

/* Reads all clocks; `newest` is what the line says. A counter that began anew is continued by the monotonic clock. */
static void clock_read_clocks(void) {
  uint64_t monotonic;
  clock_wait_for_count();
  clock_shown = clock_read_pair(TACHY_LOAD(&clock_frequency), &monotonic);
  clock_follow_offset();
  clock_restarted = clock_is_restart(clock_shown);
  clock_lay(clock_shown, monotonic);
  uint64_t now = clock_shown > clock_newest.ticks ? clock_shown : clock_newest.ticks;
  if (clock_restarted && monotonic > clock_newest_monotonic) {
    now += (uint64_t)((double)(monotonic - clock_newest_monotonic) * 1e-9 * (double)TACHY_LOAD(&clock_frequency));
  }
  clock_newest = (tachy_clock_pair){now, tachy_clock_on_line(&clock_line, now)};
  clock_newest_monotonic = monotonic;
  clock_apart = (double)((int64_t)monotonic + clock_offset - clock_newest.utc);
}

static double clock_within(double value, double bound) { return value > bound ? bound : value < -bound ? -bound : value; }

static void clock_bend(double slew) { clock_line = (tachy_clock_line){clock_newest, clock_pace * (1 + slew)}; }

/* Counted against the monotonic clock for longer, the frequency is known better. */
static void clock_refine(void) {
  static const uint64_t after[] = {COUNTED_NS, 1000000000, 10000000000};
  if (clock_stated || clock_refined == 3 || clock_newest_monotonic - clock_counted_monotonic < after[clock_refined]) return;
  const uint64_t known = TACHY_LOAD(&clock_frequency);
  const uint64_t better = clock_count_ticks(clock_shown, clock_newest_monotonic);
  if (better > known + known / 1000 || better < known - known / 1000) { /* one of them slept */
    clock_counted_ticks = clock_shown;
    clock_counted_monotonic = clock_newest_monotonic;
    return;
  }
  clock_refined++;
  clock_set_frequency(better);
  clock_bend(clock_within(clock_apart / clock_SLEW_NS, clock_SLEW_MAX));
}

/* A controller of two terms, damped so that it does not overshoot: the rate takes the error away within SLEW_NS, and
 * what keeps coming back changes the pace. */
static void clock_steer(void) {
  const double elapsed = (double)(clock_newest.ticks - clock_line.from.ticks) * clock_pace;
  if (elapsed < clock_STEER_NS || (clock_apart < clock_NEAR_NS && clock_apart > -clock_NEAR_NS)) return;
  const double time = elapsed > clock_SLEW_NS ? elapsed : clock_SLEW_NS;
  const double slew = clock_within(clock_apart / time, clock_SLEW_MAX);
  if (slew < clock_SLEW_MAX && slew > -clock_SLEW_MAX) clock_pace *= 1 + slew * elapsed / time / 4;
  clock_bend(slew);
}

int tachy_clock_count(void) {
  uint64_t monotonic = 0;
  const uint64_t ticks = clock_read_pair(TACHY_LOAD(&clock_frequency), &monotonic);
  clock_lay(ticks, monotonic);
  return !clock_is_open() || monotonic - clock_counted_monotonic >= COUNTED_NS;
}

static int clock_is_elsewhere(void) { return clock_restarted || clock_apart > clock_JUMP_NS || clock_apart < -clock_JUMP_NS; }

tachy_clock_pair tachy_clock_now(void) {
  clock_read_clocks();
  if (clock_is_elsewhere()) return clock_newest;
  clock_refine();
  clock_steer();
  return clock_newest;
}

int tachy_clock_jumped(void) {
  tachy_clock_now();
  return clock_is_elsewhere();
}

int tachy_clock_restarted(void) { return clock_is_restart(tachy_ticks()); }

tachy_clock_pair tachy_clock_jump(void) {
  clock_newest.utc += (int64_t)clock_apart;
  if (clock_restarted) {
    clock_newest.ticks = clock_counted_ticks = clock_shown;
    clock_counted_monotonic = clock_newest_monotonic;
    TACHY_STORE(&clock_first_ticks, clock_shown);
  }
  clock_restarted = 0;
  clock_apart = 0;
  clock_bend(0);
  return clock_newest;
}

tachy_clock_pair tachy_clock_begin(void) { return clock_begin; }

uint64_t tachy_clock_first_ticks(void) { return TACHY_LOAD(&clock_first_ticks); }

uint64_t tachy_clock_frequency(void) { return TACHY_LOAD(&clock_frequency); }

uint64_t tachy_own_ticks_of(int64_t utc_ns) {
  const uint64_t now = tachy_ticks();
  const uint64_t first = TACHY_LOAD(&clock_first_ticks);
  const int64_t utc = tachy_os_utc();
  if (utc_ns >= utc || now <= first) return now;
  const double ago = ((double)utc - (double)utc_ns) * 1e-9 * (double)TACHY_LOAD(&clock_frequency);
  return ago < (double)(now - first) ? now - (uint64_t)ago : first;
}

const char *tachy_clock_name(void) {
#if defined(TACHY_CLOCK_TSC)
  return "tsc";
#elif defined(TACHY_CLOCK_CNTVCT)
  return "cntvct";
#else
  return "os";
#endif
}

/* src/base/forking.h */
/* Whether this thread forks just now: it records and locks nothing of ours meanwhile. */
#ifndef TACHY_SRC_BASE_FORKING_H
#define TACHY_SRC_BASE_FORKING_H

TACHY_HIDE

extern TACHY_THREAD_LOCAL uint32_t tachy_forking_depth; /* atomic, for handlers on this thread */

static inline int tachy_is_forking(void) { return TACHY_LOAD(&tachy_forking_depth) != 0; }

/* Counted, since a signal handler may fork, too. 0: it forks already. */
int tachy_forking_begins(void);
/* In the parent and in the child. 0: it goes on, this was a handler's. */
int tachy_forking_is_over(void);
/* After everything has been put in order. */
void tachy_forking_ends(void);

TACHY_SHOW
#endif

/* src/base/forking.c */


TACHY_THREAD_LOCAL uint32_t tachy_forking_depth;

int tachy_own_forking(void) { return tachy_is_forking(); }

int tachy_forking_begins(void) {
  TACHY_STORE(&tachy_forking_depth, tachy_forking_depth + 1);
  return tachy_forking_depth == 1;
}

int tachy_forking_is_over(void) {
  if (tachy_forking_depth <= 1) return 1;
  TACHY_STORE(&tachy_forking_depth, tachy_forking_depth - 1);
  return 0;
}

void tachy_forking_ends(void) { TACHY_STORE(&tachy_forking_depth, 0); }

/* src/base/hash.h */
/* XXH64 with seed 0, the hash of blocks and batches: written from the public specification, so that nothing is linked.
 */
#ifndef TACHY_SRC_BASE_HASH_H
#define TACHY_SRC_BASE_HASH_H

#include <stdint.h>
TACHY_HIDE

uint64_t tachy_hash(const void *bytes, uint64_t size);

TACHY_SHOW
#endif

/* src/base/hash.c */
/* XXH64 with seed 0, from the public specification (github.com/Cyan4973/xxHash, doc/xxhash_spec.md). */

#include <string.h>

#define hash_PRIME1 UINT64_C(0x9E3779B185EBCA87)
#define hash_PRIME2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define hash_PRIME3 UINT64_C(0x165667B19E3779F9)
#define hash_PRIME4 UINT64_C(0x85EBCA77C2B2AE63)
#define hash_PRIME5 UINT64_C(0x27D4EB2F165667C5)

static inline uint64_t hash_rotate(uint64_t x, unsigned bits) { return x << bits | x >> (64u - bits); }

static inline uint64_t hash_read64(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline uint32_t hash_read32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline uint64_t hash_lane_round(uint64_t lane, uint64_t input) { return hash_rotate(lane + input * hash_PRIME2, 31) * hash_PRIME1; }

static inline uint64_t hash_merge(uint64_t hash, uint64_t lane) { return (hash ^ hash_lane_round(0, lane)) * hash_PRIME1 + hash_PRIME4; }

uint64_t tachy_hash(const void *bytes, uint64_t size) {
  const uint8_t *p = (const uint8_t *)(bytes);
  uint64_t rest = size;
  uint64_t hash = hash_PRIME5;
  if (rest >= 32) {
    uint64_t a = hash_PRIME1 + hash_PRIME2;
    uint64_t b = hash_PRIME2;
    uint64_t c = 0;
    uint64_t d = UINT64_C(0) - hash_PRIME1;
    for (; rest >= 32; rest -= 32, p += 32) {
      a = hash_lane_round(a, hash_read64(p));
      b = hash_lane_round(b, hash_read64(p + 8));
      c = hash_lane_round(c, hash_read64(p + 16));
      d = hash_lane_round(d, hash_read64(p + 24));
    }
    hash = hash_rotate(a, 1) + hash_rotate(b, 7) + hash_rotate(c, 12) + hash_rotate(d, 18);
    hash = hash_merge(hash_merge(hash_merge(hash_merge(hash, a), b), c), d);
  }
  hash += size;
  for (; rest >= 8; rest -= 8, p += 8) hash = hash_rotate(hash ^ hash_lane_round(0, hash_read64(p)), 27) * hash_PRIME1 + hash_PRIME4;
  if (rest >= 4) {
    hash = hash_rotate(hash ^ hash_read32(p) * hash_PRIME1, 23) * hash_PRIME2 + hash_PRIME3;
    rest -= 4;
    p += 4;
  }
  for (; rest > 0; rest--, p++) hash = hash_rotate(hash ^ *p * hash_PRIME5, 11) * hash_PRIME1;
  hash = (hash ^ hash >> 33) * hash_PRIME2;
  hash = (hash ^ hash >> 29) * hash_PRIME3;
  return hash ^ hash >> 32;
}

/* src/base/inside.h */
/* Whether this thread is inside one of the recorder's slow paths. A signal handler that finds it there neither waits
 * for a lock nor touches what is half done: its event is dropped and counted. */
#ifndef TACHY_SRC_BASE_INSIDE_H
#define TACHY_SRC_BASE_INSIDE_H

TACHY_HIDE


/* Inline, as the slow path that is run most often is to touch little code: once in a thousand events it lies in no
 * cache. */
#if defined(_WIN32)
/* nothing interrupts a thread, and thread-local variables are gone at its end */
static inline int tachy_inside(void) { return 0; }
static inline void tachy_inside_begins(void) {}
static inline void tachy_inside_ends(void) {}
#else
extern TACHY_THREAD_LOCAL uint32_t tachy_inside_depth; /* atomic, for handlers, which leave it as it was */

static inline int tachy_inside(void) { return TACHY_LOAD(&tachy_inside_depth) != 0; }

/* Nested ones count. */
static inline void tachy_inside_begins(void) {
  TACHY_STORE(&tachy_inside_depth, TACHY_LOAD(&tachy_inside_depth) + 1);
  TACHY_SIGNAL_FENCE();
}

static inline void tachy_inside_ends(void) {
  TACHY_SIGNAL_FENCE();
  TACHY_STORE(&tachy_inside_depth, TACHY_LOAD(&tachy_inside_depth) - 1);
}
#endif

/* The thread is inside from before the lock is taken until after it has been let go. For all locks that recording
 * takes. */
void tachy_inside_lock(tachy_os_mutex *mutex);
void tachy_inside_unlock(tachy_os_mutex *mutex);

/* In the child of a fork, whose locks are new: as deep as before() said before the first of them was taken. */
uint32_t tachy_inside_before_fork(void);
void tachy_inside_after_fork(uint32_t before);

/* Events of handlers that were dropped so, by class; of class 0: values on spans. */
void tachy_inside_drop(unsigned cls);
uint64_t tachy_inside_dropped(unsigned cls);

TACHY_SHOW
#endif

/* src/base/add.h */
/* Counters to which several add at once, threads or the handlers that interrupt them. */
#ifndef TACHY_SRC_BASE_ADD_H
#define TACHY_SRC_BASE_ADD_H

TACHY_HIDE

static inline void tachy_add(uint64_t *counter, uint64_t n) {
  for (;;) {
    const uint64_t was = TACHY_LOAD(counter);
    if (TACHY_COMPARE_EXCHANGE(counter, was, was + n)) return;
  }
}

TACHY_SHOW
#endif

/* src/base/inside.c */


#if !defined(_WIN32)
TACHY_THREAD_LOCAL uint32_t tachy_inside_depth;
#endif
static uint64_t inside_lost[TACHY_CLASSES]; /* atomic */

void tachy_inside_lock(tachy_os_mutex *mutex) {
  tachy_inside_begins();
  tachy_os_lock(mutex);
}

void tachy_inside_unlock(tachy_os_mutex *mutex) {
  tachy_os_unlock(mutex);
  tachy_inside_ends();
}

#if defined(_WIN32)
uint32_t tachy_inside_before_fork(void) { return 0; }
void tachy_inside_after_fork(uint32_t before) { (void)before; }
#else
uint32_t tachy_inside_before_fork(void) { return TACHY_LOAD(&tachy_inside_depth); }
void tachy_inside_after_fork(uint32_t before) { TACHY_STORE(&tachy_inside_depth, before); }
#endif

void tachy_inside_drop(unsigned cls) { tachy_add(&inside_lost[cls], 1); }

uint64_t tachy_inside_dropped(unsigned cls) { return TACHY_LOAD(&inside_lost[cls]); }

/* src/base/past.h */
/* Where a class's earlier blocks began: by these points a block dates what began before it as those blocks did. */
#ifndef TACHY_SRC_BASE_PAST_H
#define TACHY_SRC_BASE_PAST_H
TACHY_HIDE


typedef struct tachy_past {
  tachy_clock_pair before;                           /* the block before; the block itself where there was none */
  tachy_clock_pair earlier[TACHY_CLOCK_EARLIER_MAX]; /* the newest first */
  uint64_t count;
  double least, most; /* rates of a line from the last but one point that passes every later point within 1 ns */
} tachy_past;

/* The first block begins at `start`. */
void tachy_past_start(tachy_past *past, tachy_clock_pair start);
/* The block that began at `from` has ended. */
void tachy_past_add(tachy_past *past, tachy_clock_pair from);
/* The wall clock was set forward by so many nanoseconds: moves all points. */
void tachy_past_shift(tachy_past *past, int64_t ns);
/* How many of the earlier points it takes to date `ticks`. */
uint64_t tachy_past_needed(const tachy_past *past, uint64_t ticks);

TACHY_SHOW
#endif

/* src/base/past.c */

#include <string.h>

enum { past_HALF = TACHY_CLOCK_EARLIER_MAX / 2 };

void tachy_past_start(tachy_past *p, tachy_clock_pair start) {
  p->before = start;
  p->count = 0;
}

/* The rates at which a line from `a` passes `b` within 1 ns: narrows the bounds. */
static void past_narrow(tachy_past *p, tachy_clock_pair a, tachy_clock_pair b) {
  const double ticks = (double)(b.ticks - a.ticks);
  const double ns = (double)(b.utc - a.utc);
  if ((ns - 1) / ticks > p->least) p->least = (ns - 1) / ticks;
  if ((ns + 1) / ticks < p->most) p->most = (ns + 1) / ticks;
}

/* The clock's rate changes seldom, so most points lie on the line of their neighbours and need not be kept. */
static void past_keep(tachy_past *p, tachy_clock_pair point) {
  if (p->count > 1) {
    const tachy_clock_pair from = p->earlier[1];
    const double rate = (double)(point.utc - from.utc) / (double)(point.ticks - from.ticks);
    if (rate >= p->least && rate <= p->most) {
      p->earlier[0] = point;
      past_narrow(p, from, point);
      return;
    }
  }
  if (p->count == TACHY_CLOCK_EARLIER_MAX) { /* of the older half every second one is enough */
    for (uint64_t i = 0; i < past_HALF / 2; i++) p->earlier[past_HALF + i] = p->earlier[past_HALF + 2 * i + 1];
    p->count = past_HALF + past_HALF / 2;
  }
  memmove(p->earlier + 1, p->earlier, p->count * sizeof *p->earlier);
  p->earlier[0] = point;
  p->count++;
  if (p->count == 1) return;
  p->least = 0;
  p->most = 1e18;
  past_narrow(p, p->earlier[1], point);
}

void tachy_past_add(tachy_past *p, tachy_clock_pair from) {
  if (from.ticks == p->before.ticks) return;
  past_keep(p, p->before);
  p->before = from;
}

void tachy_past_shift(tachy_past *p, int64_t ns) {
  p->before.utc += ns;
  for (uint64_t i = 0; i < p->count; i++) p->earlier[i].utc += ns;
}

uint64_t tachy_past_needed(const tachy_past *p, uint64_t ticks) {
  if (ticks >= p->before.ticks) return 0;
  uint64_t needed = 0;
  while (needed < p->count && p->earlier[needed++].ticks > ticks) {
  }
  return needed;
}

/* src/base/tables.h */
/* The tables of one block: which sites, sets and strings it uses, numbered in the order of their first use. */
#ifndef TACHY_SRC_BASE_TABLES_H
#define TACHY_SRC_BASE_TABLES_H

TACHY_HIDE


/* One table: the registry's numbers -> their positions in the block's table. */
typedef struct tachy_index {
  tachy_bytes positions; /* u32 by number: its position in the table, from 1; 0: it is not there yet */
  tachy_bytes used;      /* u32 numbers, in the order of their positions */
} tachy_index;

typedef struct tachy_tables {
  tachy_index sites;
  tachy_index sets;
  tachy_index strings;
} tachy_tables;

/* The position that the number gets. 0: no memory. */
uint32_t tachy_index_add(tachy_index *index, uint32_t number);
void tachy_index_clear(tachy_index *index);

/* The position of the number, which it gets now if it has none. 0: no memory. */
static inline uint32_t tachy_index_position(tachy_index *index, uint32_t number) {
  if ((uint64_t)number * 4 < index->positions.size) {
    const uint32_t position = ((const uint32_t *)(const void *)index->positions.bytes)[number];
    if (position) return position;
  }
  return tachy_index_add(index, number);
}

/* Its place will be asked for. */
static inline void tachy_index_expect(const tachy_index *index, uint32_t number) {
  if ((uint64_t)number * 4 < index->positions.size) TACHY_PREFETCH(index->positions.bytes + (uint64_t)number * 4);
}

static inline uint32_t tachy_index_count(const tachy_index *index) { return (uint32_t)(index->used.size / 4); }

static inline const uint32_t *tachy_index_numbers(const tachy_index *index) {
  return (const uint32_t *)(const void *)index->used.bytes;
}

static inline uint32_t tachy_index_number(const tachy_index *index, uint32_t i) {
  return tachy_index_numbers(index)[i];
}

void tachy_tables_clear(tachy_tables *tables);
void tachy_tables_free(tachy_tables *tables);

TACHY_SHOW
#endif

/* src/base/tables.c */
/* The tables of one block. */

uint32_t tachy_index_add(tachy_index *index, uint32_t number) {
  const uint64_t size = ((uint64_t)number + 1) * 4;
  if (index->positions.size < size) {
    const uint64_t more = size - index->positions.size;
    if (!tachy_bytes_reserve(&index->positions, more)) return 0;
    memset(index->positions.bytes + index->positions.size, 0, more);
    index->positions.size = size;
  }
  if (!tachy_bytes_append(&index->used, &number, sizeof number)) return 0;
  const uint32_t position = tachy_index_count(index);
  ((uint32_t *)(void *)index->positions.bytes)[number] = position;
  return position;
}

void tachy_index_clear(tachy_index *index) {
  for (uint32_t i = 0; i < tachy_index_count(index); i++) {
    ((uint32_t *)(void *)index->positions.bytes)[tachy_index_number(index, i)] = 0;
  }
  index->used.size = 0;
}

void tachy_tables_clear(tachy_tables *tables) {
  tachy_index_clear(&tables->sites);
  tachy_index_clear(&tables->sets);
  tachy_index_clear(&tables->strings);
}

void tachy_tables_free(tachy_tables *tables) {
  tachy_index *const all[] = {&tables->sites, &tables->sets, &tables->strings};
  for (unsigned i = 0; i < 3; i++) {
    tachy_bytes_free(&all[i]->positions);
    tachy_bytes_free(&all[i]->used);
  }
}

/* src/base/text.h */
/* UTF-8: what leaves the recorder is valid, whatever came in. */
#ifndef TACHY_SRC_BASE_TEXT_H
#define TACHY_SRC_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
TACHY_HIDE

/* Replaces every byte that is not part of valid UTF-8 by '?'. */
void tachy_text_clean(uint8_t *text, uint64_t size);

#define TACHY_TEXT_HIGH UINT64_C(0x8080808080808080) /* none of these bits: eight characters of ASCII */

/* Copies a text and cleans the copy. Most are short, and ASCII: words that overlap, without a call. */
static inline void tachy_text_copy(uint8_t *to, const uint8_t *from, uint64_t size) {
  uint64_t words[4];
  if (size - 16 <= 16) {
    memcpy(&words[0], from, 16);
    memcpy(&words[2], from + size - 16, 16);
    memcpy(to, &words[0], 16);
    memcpy(to + size - 16, &words[2], 16);
    if (((words[0] | words[1] | words[2] | words[3]) & TACHY_TEXT_HIGH) == 0) return;
  } else if (size - 8 <= 8) {
    memcpy(&words[0], from, 8);
    memcpy(&words[1], from + size - 8, 8);
    memcpy(to, &words[0], 8);
    memcpy(to + size - 8, &words[1], 8);
    if (((words[0] | words[1]) & TACHY_TEXT_HIGH) == 0) return;
  } else if (size) {
    memcpy(to, from, size);
  }
  tachy_text_clean(to, size);
}

/* The greatest size up to `limit` that does not cut a character. */
uint64_t tachy_text_limit(const char *text, uint64_t size, uint64_t limit);
/* How a text lies in a field of `limit` bytes: `kept` bytes of it, and where that is not all the mark "… [of N bytes]"
 * behind them. A field that is too small for the mark has none. */
typedef struct tachy_fit {
  uint64_t kept;
  uint64_t mark_size;
  char mark[40];
} tachy_fit;
tachy_fit tachy_text_fit(const char *text, uint64_t size, uint64_t limit);
/* Writes it; returns kept + mark_size. */
uint64_t tachy_text_put(void *to, const char *text, const tachy_fit *fit);
/* 16 bytes <-> 36 characters and a terminator. parse: 0 when it is not a UUID. */
void tachy_uuid_print(const uint8_t *id, char *text);
int tachy_uuid_parse(const char *text, uint8_t *id);
/* A random one. 0: the system has no randomness. */
int tachy_uuid_random(uint8_t *id);

TACHY_SHOW
#endif

/* src/base/utf8.h */
/* RFC 3629: which bytes are a character. */
#ifndef TACHY_SRC_BASE_UTF8_H
#define TACHY_SRC_BASE_UTF8_H

#include <stdint.h>
TACHY_HIDE

/* One step of its table: *length bytes are a character (returns 1), or the longest part of one that cannot go on
 * (returns 0). There is a byte at least. */
static inline int tachy_utf8_step(const uint8_t *p, const uint8_t *end, uint64_t *length) {
  const uint8_t lead = p[0];
  *length = 1;
  if (lead < 0x80u) return 1;
  if (lead < 0xC2u || lead > 0xF4u) return 0;
  const uint64_t need = lead < 0xE0u ? 2 : lead < 0xF0u ? 3 : 4;
  uint8_t low = lead == 0xE0u ? 0xA0u : lead == 0xF0u ? 0x90u : 0x80u;
  uint8_t high = lead == 0xEDu ? 0x9Fu : lead == 0xF4u ? 0x8Fu : 0xBFu;
  for (uint64_t i = 1; i < need; i++) {
    if (p + i >= end || p[i] < low || p[i] > high) return 0;
    low = 0x80u;
    high = 0xBFu;
    *length = i + 1;
  }
  return 1;
}

TACHY_SHOW
#endif

/* src/base/text.c */
/* UTF-8 and UUID text. */

#include <string.h>


void tachy_text_clean(uint8_t *text, uint64_t size) {
  uint64_t i = 0;
  while (i < size) {
    uint64_t word;
    if (size >= sizeof word) { /* the last word overlaps what has been seen */
      const uint64_t at = size - i >= sizeof word ? i : size - sizeof word;
      memcpy(&word, text + at, sizeof word);
      if ((word & TACHY_TEXT_HIGH) == 0) {
        i = at + sizeof word;
        continue;
      }
    }
    uint64_t length;
    if (!tachy_utf8_step(text + i, text + size, &length)) {
      text[i] = '?';
      length = 1;
    }
    i += length;
  }
}

uint64_t tachy_text_limit(const char *text, uint64_t size, uint64_t limit) {
  if (size <= limit) return size;
  uint64_t kept = limit;
  while (kept > 0 && limit - kept < 4 && ((uint8_t)text[kept] & 0xC0) == 0x80) kept--;
  return kept;
}

tachy_fit tachy_text_fit(const char *text, uint64_t size, uint64_t limit) {
  static const char front[] = "\xE2\x80\xA6 [of ";
  static const char back[] = " bytes]";
  tachy_fit fit = {size, 0, {0}};
  if (size <= limit) return fit;
  char digits[20];
  unsigned count = 0;
  for (uint64_t rest = size; rest; rest /= 10) digits[sizeof digits - ++count] = (char)('0' + rest % 10);
  const uint64_t mark = sizeof front - 1 + count + sizeof back - 1;
  if (mark < limit) {
    memcpy(fit.mark, front, sizeof front - 1);
    memcpy(fit.mark + sizeof front - 1, digits + sizeof digits - count, count);
    memcpy(fit.mark + sizeof front - 1 + count, back, sizeof back - 1);
    fit.mark_size = mark;
  }
  fit.kept = tachy_text_limit(text, size, limit - fit.mark_size);
  return fit;
}

uint64_t tachy_text_put(void *to, const char *text, const tachy_fit *fit) {
  if (fit->kept) memcpy(to, text, fit->kept);
  if (fit->mark_size) memcpy((char *)to + fit->kept, fit->mark, fit->mark_size);
  return fit->kept + fit->mark_size;
}

void tachy_uuid_print(const uint8_t *id, char *text) {
  static const char digits[] = "0123456789abcdef";
  for (unsigned i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *text++ = '-';
    *text++ = digits[id[i] >> 4];
    *text++ = digits[id[i] & 15];
  }
  *text = 0;
}

static int text_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

int tachy_uuid_parse(const char *text, uint8_t *id) {
  for (unsigned i = 0; i < 16; i++) {
    if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-') return 0;
    const int high = text_digit(text[0]);
    if (high < 0) return 0;
    const int low = text_digit(text[1]);
    if (low < 0) return 0;
    id[i] = (uint8_t)(high << 4 | low);
    text += 2;
  }
  return *text == 0;
}

int tachy_uuid_random(uint8_t *id) {
  if (!tachy_os_random(id, 16)) return 0;
  id[6] = (uint8_t)((id[6] & 0x0F) | 0x40);
  id[8] = (uint8_t)((id[8] & 0x3F) | 0x80);
  return 1;
}

/* src/base/ticks.c */
/* What tachy_ticks reads where it does not read the processor's counter. */


uint64_t tachy_os_ticks_(void) { return tachy_os_monotonic(); }

/* src/base/names.h */
/* What the numbers of sites, property sets and strings stand for. A live session asks the registry; a dead one, the
 * session file that it left. */
#ifndef TACHY_SRC_BASE_NAMES_H
#define TACHY_SRC_BASE_NAMES_H

TACHY_HIDE

typedef struct tachy_string {
  const char *text; /* not terminated, valid UTF-8 */
  uint32_t size;
} tachy_string;

enum { TACHY_TEXT_NAME, TACHY_TEXT_TARGET, TACHY_TEXT_FILE, TACHY_TEXT_UNIT, TACHY_SITE_TEXTS };

typedef struct tachy_site_entry {
  uint32_t line;
  uint8_t kind;
  uint8_t level;
  uint16_t zero;
  uint32_t strings[TACHY_SITE_TEXTS]; /* string numbers */
  uint32_t next;                      /* in its hash chain */
  tachy_site *interned;               /* the site that tachy_site_intern has made of it, or NULL */
} tachy_site_entry;

typedef struct tachy_set_entry {
  uint32_t count;
  uint32_t next;
  uint32_t strings[]; /* key, value, key, value, … */
} tachy_set_entry;

/* What the functions return stays as it is while the channel that asks is there. A site is never NULL. */
typedef struct tachy_names {
  void (*sites)(const void *context, const uint32_t *numbers, uint32_t count, const tachy_site_entry **found);
  void (*strings)(const void *context, const uint32_t *numbers, uint32_t count, tachy_string *found);
  const tachy_set_entry *(*set)(const void *context, uint32_t number); /* NULL: there is none */
  const void *context;
} tachy_names;

static inline const tachy_site_entry *tachy_names_site(const tachy_names *names, uint32_t number) {
  const tachy_site_entry *found;
  names->sites(names->context, &number, 1, &found);
  return found;
}

static inline const tachy_set_entry *tachy_names_set(const tachy_names *names, uint32_t number) {
  return names->set(names->context, number);
}

static inline tachy_string tachy_names_string(const tachy_names *names, uint32_t number) {
  tachy_string found;
  names->strings(names->context, &number, 1, &found);
  return found;
}

TACHY_SHOW
#endif

/* src/encode/by_id.h */
/* A table of entries that begin with their id, a uint64_t: 0 is a free one. Open addressing, at most half full,
 * backward shifts instead of tombstones. Zero it before the first use. `size` is that of an entry. */
#ifndef TACHY_SRC_ENCODE_BY_ID_H
#define TACHY_SRC_ENCODE_BY_ID_H

#include <stddef.h>
#include <string.h>
TACHY_HIDE

typedef struct tachy_by_id {
  uint8_t *entries;
  uint64_t capacity; /* a power of two, or 0 */
  uint64_t count;
} tachy_by_id;

static inline void *tachy_by_id_at(const tachy_by_id *table, size_t size, uint64_t i) {
  return table->entries + i * size;
}

static inline uint64_t tachy_by_id_of(const void *entry) {
  uint64_t id;
  memcpy(&id, entry, sizeof id);
  return id;
}

/* The id's entry, or the free one where it belongs. The table has memory. */
static inline void *tachy_by_id_seek(const tachy_by_id *table, size_t size, uint64_t id) {
  uint64_t at = tachy_mix64(id);
  for (;; at++) {
    void *const entry = (void *)(tachy_by_id_at(table, size, at & (table->capacity - 1)));
    const uint64_t there = tachy_by_id_of(entry);
    if (there == id || there == 0) return entry;
  }
}

/* NULL: there is none. */
static inline void *tachy_by_id_find(const tachy_by_id *table, size_t size, uint64_t id) {
  void *const entry = (void *)(table->count ? tachy_by_id_seek(table, size, id) : NULL);
  return entry && tachy_by_id_of(entry) ? entry : NULL;
}

/* The id's entry, zeroed but for the id if it is new. NULL: no memory, or the id is 0. */
void *tachy_by_id_add(tachy_by_id *table, size_t size, uint64_t id, int *is_new);
/* Another entry may take its position. */
void tachy_by_id_remove(tachy_by_id *table, size_t size, void *entry);

TACHY_SHOW
#endif

/* src/encode/span_values.h */
/* Values on spans, from their records to the block: docs/format.md, "Values on spans".
 *
 * A value comes before the end of its span. It is held with the span, of a thread by depth, an async one by id, until
 * the row of the end takes it along. A block that is cut before that has it too, for the span that is open at its end.
 * Only the collector touches this. */
#ifndef TACHY_SRC_ENCODE_SPAN_VALUES_H
#define TACHY_SRC_ENCODE_SPAN_VALUES_H

TACHY_HIDE


struct tachy_channel;
struct tachy_stream;
struct tachy_columns;

typedef struct tachy_value {
  uint64_t bits;
  uint32_t next; /* the next one of the span; 0: there is none */
  uint32_t site; /* registry number */
  uint32_t type; /* tachy_value_type */
  uint32_t text; /* its slot among the texts, from 1 */
} tachy_value;

/* Of one span, in the order in which the keys came. 0 ends a list, so values count from 1. */
typedef struct tachy_value_list {
  uint32_t first;
  uint32_t count;
} tachy_value_list;

typedef struct tachy_async_values {
  uint64_t id;
  tachy_value_list list;
  uint64_t read_by; /* ticks at the end of the block in which the first of them was read; UINT64_MAX: the present one */
  uint32_t met;     /* values that have been read, replaced ones included */
  uint8_t ended;    /* 1: a row of the block being made has them */
  uint8_t known;    /* 1: the span is open in the block being made, or was */
} tachy_async_values;

/* All that a channel holds. */
typedef struct tachy_values {
  tachy_bytes nodes; /* tachy_value */
  tachy_bytes texts; /* 256 bytes each */
  uint32_t free_node;
  uint32_t free_text;
  uint64_t lost;      /* values whose span was lost, or that were too many, or found no memory */
  tachy_by_id asyncs; /* tachy_async_values */
} tachy_values;

static inline tachy_async_values *tachy_async_values_at(const tachy_values *values, uint64_t i) {
  return (tachy_async_values *)tachy_by_id_at(&values->asyncs, sizeof(tachy_async_values), i);
}

typedef struct tachy_row_values {
  uint64_t row; /* of its stream in the block */
  tachy_value_list list;
} tachy_row_values;

/* What a stream holds. */
typedef struct tachy_span_values {
  tachy_values *all;      /* the channel's */
  tachy_value_list *open; /* by depth, `room` of them */
  uint32_t room;
  uint32_t levels;  /* no span as deep as this has values */
  tachy_bytes rows; /* tachy_row_values, of the block being made */
} tachy_span_values;

/* Takes a record that was read. */
void tachy_values_read(struct tachy_channel *channel, struct tachy_stream *stream, const tachy_value_record *record);
/* The stream's newest row is the end of the span at `depth`. To be called where depth < levels. */
void tachy_values_end(struct tachy_stream *stream, uint32_t depth);
/* The spans at `depth` and deeper were lost: drops and counts their values. */
void tachy_values_drop_from(struct tachy_stream *stream, uint32_t depth);
/* The same without counting: the spans are not wanted. */
void tachy_values_forget(struct tachy_stream *stream, uint32_t depth);
/* The block has been cut. */
void tachy_values_next_block(struct tachy_stream *stream);
void tachy_values_free_stream(struct tachy_stream *stream);
void tachy_values_free(tachy_values *values);

void tachy_values_columns(struct tachy_columns *columns, struct tachy_channel *channel);

/* Async spans. 0: no memory, or the span has too many. */
int tachy_async_values_put(tachy_values *values, uint64_t id, const tachy_value *value, const uint8_t *text);
/* NULL: it has none. */
tachy_async_values *tachy_async_values_of(const tachy_values *values, uint64_t id);
/* Once the rows of the block, which ends at `until`, are known: which spans have ended, which are open. */
void tachy_async_values_follow(struct tachy_channel *channel, uint64_t until);
/* All that was recorded before the ticks `from` has been read. */
void tachy_async_values_next_block(tachy_values *values, uint64_t from);
/* The counter began anew, and shows `start`. */
void tachy_async_values_jump(tachy_values *values, uint64_t start);

/* The values that are held for a stream's spans, or without a stream for async ones, written for the session file and
 * read back. 0: no memory, or bytes that save has not written. */
int tachy_values_save(tachy_bytes *out, const tachy_values *values, const struct tachy_stream *stream);
int tachy_values_load(tachy_values *values, struct tachy_stream *stream, const uint8_t *bytes, uint64_t size);

/* Lists of values, for span_values.c and async_values.c. put: 0 without memory, and when the span has too many. */
int tachy_values_put(tachy_values *values, tachy_value_list *list, const tachy_value *value, const uint8_t *text);
void tachy_values_drop(tachy_values *values, tachy_value_list *list);

TACHY_SHOW
#endif

/* src/encode/stream.h */
/* A thread's events of one class on their way into a block: columns that grow while its records are read.
 *
 * The encoder knows nothing of threads: who feeds it says which stream records are of. Columns whose values depend on
 * other threads' rows (metric values, async ids) are kept raw until the cut. */
#ifndef TACHY_SRC_ENCODE_STREAM_H
#define TACHY_SRC_ENCODE_STREAM_H
TACHY_HIDE


#define TACHY_NO_TICKS UINT64_MAX
#define TACHY_NAME_MAX 48

enum {
  TACHY_PLANE_SITE,
  TACHY_PLANE_GAP,
  TACHY_PLANE_DEPTH,
  TACHY_PLANE_LEAD, /* of spans; the time of logs and metrics */
  TACHY_PLANE_TAIL,
  TACHY_PLANE_SET,
  TACHY_PLANE_TYPES,
  TACHY_PLANE_INT,
  TACHY_PLANE_TEXT_SIZE,
  TACHY_PLANES
};

typedef struct tachy_span_level {
  uint64_t child; /* begin of the first child recorded at this depth, or TACHY_NO_TICKS */
  uint64_t size;  /* spans ended at this depth and below since the parent began */
} tachy_span_level;

typedef struct tachy_open_row {
  uint64_t ticks;
  int64_t utc;
  uint64_t id;
  uint32_t site; /* registry number */
} tachy_open_row;

typedef struct tachy_open_async {
  uint64_t id;
  uint64_t parent;
  int64_t utc;   /* of its begin */
  uint32_t site; /* registry number */
  uint32_t depth;
  uint32_t thread; /* number */
  uint32_t state;
} tachy_open_async;

typedef struct tachy_open_asyncs {
  tachy_by_id table;  /* tachy_open_async */
  uint64_t untracked; /* spans that found no room */
  tachy_bytes before; /* tachy_open_async: at the block's start, by id */
  int failed;         /* memory ran out: `before` is not whole */
} tachy_open_asyncs;

typedef struct tachy_raw_metric {
  uint64_t value;
  uint32_t position; /* of the site in the block */
  uint32_t zero;
} tachy_raw_metric;

static inline tachy_open_async *tachy_open_async_at(const tachy_open_asyncs *asyncs, uint64_t i) {
  return (tachy_open_async *)tachy_by_id_at(&asyncs->table, sizeof(tachy_open_async), i);
}

struct tachy_source;

typedef struct tachy_stream {
  struct tachy_stream *next;   /* of the class, ascending numbers */
  struct tachy_source *source; /* of whoever feeds the stream, which the encoder never looks into */
  int gone;                    /* its thread has ended and everything was read: it leaves after the cut */
  uint64_t os_id;
  tachy_class cls;
  uint32_t number;
  uint32_t name_size;
  char name[TACHY_NAME_MAX];
  uint64_t total; /* events of the main rows, recorded or lost, since the session began */
  uint64_t last;  /* ticks of the last main row, or TACHY_NO_TICKS */
  int broken;     /* memory ran out: this block is lost */
  /* this block */
  uint64_t first;
  uint64_t base;
  uint64_t rows;
  uint64_t gap_rows;
  uint64_t async_rows;
  uint64_t dropped;
  uint64_t missed; /* of these, without a gap row: the slot has counted them */
  uint64_t begin_ticks;
  uint64_t end_ticks;
  int64_t begin_utc; /* earliest begin that another block's clock has dated */
  tachy_plane planes[TACHY_PLANES];
  tachy_bytes floats; /* log arguments */
  tachy_bytes text;
  tachy_bytes raw; /* tachy_raw_metric, or tachy_async_record */
  /* async spans */
  tachy_bytes held; /* tachy_async_record: ends that wait for their begins */
  uint64_t resumed; /* the first so many of the async rows have waited in `held` */
  uint64_t begun;   /* the thread's last async begin that was read, by its number within the thread */
  /* spans */
  uint64_t long_duration;
  uint32_t depth;    /* of the last row: so many spans are open there */
  uint32_t open;     /* spans that were open at the block's start and have not been seen to end */
  uint32_t deepest;  /* level in use */
  uint32_t at_start; /* spans in opens at the block's start */
  uint32_t at_end;
  uint32_t room;            /* depths that the next three have memory for */
  tachy_span_level *levels; /* room + 2 */
  tachy_open_row *opens;    /* room, at the block's start */
  tachy_open_row *ends;     /* the same at its end */
  tachy_span_values values;
} tachy_stream;

struct tachy_channel;

/* Who looks at the rows of logs or metrics as they are read. */
typedef struct tachy_watch {
  void (*metric)(struct tachy_channel *channel, uint32_t position, const tachy_metric_record *record);
  void (*log)(struct tachy_channel *channel, uint32_t position, const tachy_log_record *record);
  tachy_bytes kinds; /* the watcher's: u8 by position of the site in the block */
} tachy_watch;

/* One class of the running session. */
typedef struct tachy_channel {
  tachy_class cls;
  tachy_stream *streams;
  tachy_tables tables;
  tachy_open_asyncs asyncs;
  tachy_values values;
  uint64_t events;       /* in the block so far */
  uint64_t bytes;        /* of records in the block so far */
  uint64_t sequence;     /* of the block being made */
  tachy_clock_pair from; /* where the block begins */
  tachy_past past;
  uint64_t floor;     /* ticks below this were read since the counter began anew; 0: it has not */
  uint64_t ceiling;   /* the counter began anew, and ticks from here on were read before it did; 0: it has not */
  uint64_t frequency; /* ticks per second, as the block will have it */
  const tachy_names *names;
  tachy_watch *watch; /* NULL: nobody does */
  uint64_t recorded;  /* all events read, and lost, since the session began */
  uint64_t lost;
  uint64_t backwards;
} tachy_channel;

/* NULL: no memory, or there is one of this number. */
tachy_stream *tachy_stream_new(tachy_channel *channel, uint32_t number);
/* The stream of the thread, or NULL. */
tachy_stream *tachy_stream_find(const tachy_channel *channel, uint32_t number);
/* Takes the stream out of the channel and frees it. */
void tachy_stream_remove(tachy_channel *channel, tachy_stream *stream);
/* Room for spans of depths up to `depth`. 0: no memory. */
int tachy_stream_reach(tachy_stream *stream, uint32_t depth);
/* After a cut: forgets the rows of all streams. made: there was a block, and the next one has its number. */
void tachy_channel_next_block(tachy_channel *channel, tachy_clock_pair from, int made);
/* Between two blocks, or in one of which nothing was dated yet: the moment `end` is
 * `start` in the new time. start.ticks differ from end.ticks if the counter began anew; before that it had never shown
 * less than `first`. */
void tachy_channel_jump(tachy_channel *channel, tachy_clock_pair end, tachy_clock_pair start, uint64_t first);

/* The two decoders of records: `size` bytes, whole records. Return the bytes read: fewer where something else stands.
 */
uint64_t tachy_span_records(tachy_channel *channel, tachy_stream *stream, const uint8_t *records, uint64_t size);
uint64_t tachy_row_records(tachy_channel *channel, tachy_stream *stream, const uint8_t *records, uint64_t size);
static inline uint64_t tachy_stream_records(tachy_channel *channel, tachy_stream *stream, const uint8_t *records,
                                            uint64_t size) {
  channel->bytes += size;
  return channel->cls == TACHY_CLASS_SPAN ? tachy_span_records(channel, stream, records, size)
                                          : tachy_row_records(channel, stream, records, size);
}
void tachy_channel_free(tachy_channel *channel);

/* A gap row of `count` lost events. */
void tachy_stream_gap(tachy_channel *channel, tachy_stream *stream, uint64_t count, uint32_t depth);
/* Events that were lost and have no row. */
void tachy_stream_drop(tachy_channel *channel, tachy_stream *stream, uint64_t count);

/* Whether the ticks were read before the counter began anew. */
static inline int tachy_is_stale(const tachy_channel *channel, uint64_t ticks) {
  return ticks < channel->floor || (TACHY_UNLIKELY(channel->ceiling != 0) && ticks >= channel->ceiling);
}

/* The time that such an event gets: that of the stream's last row. */
static inline uint64_t tachy_stream_now(const tachy_channel *channel, const tachy_stream *s) {
  return s->last == TACHY_NO_TICKS ? channel->from.ticks : s->last;
}

/* For loops over rows, which keep in registers where the next one goes: the end of a plane's bytes, and that it has
 * been moved to `end`. */
static inline uint8_t *tachy_behind(const tachy_bytes *bytes) {
  return bytes->size ? bytes->bytes + bytes->size : bytes->bytes;
}
static inline void tachy_ends_at(tachy_bytes *bytes, const uint8_t *end) {
  if (end) bytes->size = (uint64_t)(end - bytes->bytes);
}

/* tachy_plane_put of a value that is seldom above 254. */
TACHY_INLINE void tachy_put_small(uint8_t **low, tachy_plane *plane, uint64_t v) {
  *(*low)++ = v < 255 ? (uint8_t)v : 255;
  if (TACHY_UNLIKELY(v >= 255)) tachy_plane_high(plane, v - 255);
}

/* tachy_plane_put of ticks, which are often above it. */
TACHY_INLINE void tachy_put_ticks(uint8_t **low, uint8_t **high, uint64_t v) {
  *(*low)++ = v < 255 ? (uint8_t)v : 255;
  if (v < 255) return;
  uint8_t *at = (uint8_t *)(*high);
  for (v -= 255; v >= 128; v >>= 7) *at++ = (uint8_t)(v | 128);
  *at++ = (uint8_t)v;
  *high = at;
}

static inline void tachy_stream_extend(tachy_stream *s, uint64_t begin, uint64_t end) {
  if (begin < s->begin_ticks) s->begin_ticks = begin;
  if (end > s->end_ticks) s->end_ticks = end;
}

TACHY_SHOW
#endif

/* src/encode/columns.h */
/* The body of a block: columns, in the order in which they are added. */
#ifndef TACHY_SRC_ENCODE_COLUMNS_H
#define TACHY_SRC_ENCODE_COLUMNS_H
TACHY_HIDE


/* More columns than there are. */
enum { TACHY_COLUMNS_MAX = 88 };

typedef struct tachy_columns {
  tachy_column heads[TACHY_COLUMNS_MAX];
  uint32_t count;
  tachy_bytes bytes; /* room for the heads, then what is in the columns: it becomes the body as it is */
  int failed;
} tachy_columns;

/* Begins a body of about so many bytes. */
void tachy_columns_begin(tachy_columns *columns, uint64_t size);

/* A value for each of so many planes. */
static inline void tachy_columns_row(tachy_columns *columns, tachy_plane *planes, unsigned count,
                                     const uint64_t *values) {
  for (unsigned k = 0; k < count; k++) {
    if (!tachy_plane_append(&planes[k], values[k])) columns->failed = 1;
  }
}
/* So many planes as the columns from `first` on, and a buffer as a column; frees them. */
void tachy_columns_add(tachy_columns *columns, int first, tachy_plane *planes, unsigned count);
void tachy_columns_buffer(tachy_columns *columns, tachy_column_id id, uint16_t encoding, tachy_bytes *buffer);
/* One column of all streams' planes or buffers, one after the other. */
void tachy_columns_planes(tachy_columns *columns, tachy_column_id id, const tachy_stream *streams, unsigned plane);
void tachy_columns_floats(tachy_columns *columns, tachy_column_id id, const tachy_stream *streams);
void tachy_columns_text(tachy_columns *columns, tachy_column_id id, const tachy_stream *streams);
/* Sites, sets and strings: adds the strings to the tables. */
void tachy_columns_tables(tachy_columns *columns, tachy_tables *tables, const tachy_names *names);
/* The memory of the body, which begins at `body` in it; NULL: there was none. Frees the columns. */
void *tachy_columns_finish(tachy_columns *columns, uint8_t **body, uint64_t *size);

TACHY_SHOW
#endif

/* src/encode/open_async.h */
/* The async spans that are open between two blocks: docs/format.md, "Open async spans". Only the collector, only at
 * cuts. */
#ifndef TACHY_SRC_ENCODE_OPEN_ASYNC_H
#define TACHY_SRC_ENCODE_OPEN_ASYNC_H
TACHY_HIDE


/* A parent as both columns of parents have it. */
static inline uint64_t tachy_parent_code(uint64_t id, uint64_t parent) {
  return parent ? 1 + tachy_zigzag((int64_t)(id - parent)) : 0;
}

/* Follows the async rows of the block that is being made, which is dated by `clock` and ends at `until` (ticks), and
 * takes out of the streams the ends that have to wait for their begins or values. Afterwards the channel knows what is
 * open at the block's end; what was open at its start is in asyncs.before. `last`: no block follows, nothing waits. */
void tachy_open_async_follow(tachy_channel *channel, const tachy_block_clock *clock, uint64_t until, int last);
/* Ends that wait come back into their streams, as the first async rows of the next block. */
void tachy_open_async_resume(tachy_channel *channel);
/* Before rows are forgotten: ends that have waited go on waiting, for a block. */
void tachy_open_async_put_back(tachy_channel *channel);
void tachy_open_async_columns(tachy_columns *columns, tachy_channel *channel);
/* Adds a span that is open already, as the session file has it. 0: no memory. */
int tachy_open_async_add(tachy_open_asyncs *asyncs, const tachy_open_async *open);
void tachy_open_async_free(tachy_open_asyncs *asyncs);

TACHY_SHOW
#endif

/* src/encode/async_values.c */
/* Values on async spans, by id. A value may come on another thread than the begin and the end of its span, and threads
 * are read one after the other: so a value may be read before its span's begin (it waits until all that was recorded
 * before it has been read), and an end before the values (it waits for them, see open_async.c). */

tachy_async_values *tachy_async_values_of(const tachy_values *v, uint64_t id) {
  return (tachy_async_values *)tachy_by_id_find(&v->asyncs, sizeof(tachy_async_values), id);
}

int tachy_async_values_put(tachy_values *v, uint64_t id, const tachy_value *value, const uint8_t *text) {
  int is_new;
  tachy_async_values *const of = (tachy_async_values *)((tachy_async_values *)tachy_by_id_add(&v->asyncs, sizeof *of, id, &is_new));
  if (!of) return 0;
  if (is_new) of->read_by = UINT64_MAX;
  of->met++;
  return tachy_values_put(v, &of->list, value, text);
}

void tachy_async_values_follow(tachy_channel *channel, uint64_t until) {
  tachy_values *const v = (tachy_values *)(&channel->values);
  if (v->asyncs.count == 0) return;
  for (const tachy_stream *s = (const tachy_stream *)(channel->streams); s; s = s->next) {
    const tachy_async_record *const rows = (const tachy_async_record *)((const tachy_async_record *)(const void *)s->raw.bytes);
    for (uint64_t i = 0; i < s->async_rows; i++) {
      tachy_async_values *const of = (tachy_async_values *)(tachy_async_values_of(v, rows[i].id));
      if (!of) continue;
      of->known = 1;
      if (rows[i].control == TACHY_CONTROL_ASYNC_END) of->ended = 1;
    }
  }
  const tachy_open_async *const open = (const tachy_open_async *)((const tachy_open_async *)(const void *)channel->asyncs.before.bytes);
  for (uint64_t i = 0; i < channel->asyncs.before.size / sizeof *open; i++) {
    tachy_async_values *const of = (tachy_async_values *)(tachy_async_values_of(v, open[i].id));
    if (of) of->known = 1;
  }
  for (uint64_t i = 0; i < v->asyncs.capacity; i++) {
    tachy_async_values *const of = (tachy_async_values *)(tachy_async_values_at(v, i));
    if (of->read_by == UINT64_MAX) of->read_by = until;
  }
}

void tachy_async_values_next_block(tachy_values *v, uint64_t from) {
  for (uint64_t i = 0; i < v->asyncs.capacity;) {
    tachy_async_values *const of = (tachy_async_values *)(tachy_async_values_at(v, i));
    if (!of->id || !(of->ended || (!of->known && of->read_by < from))) {
      i++;
      continue;
    }
    if (!of->ended) v->lost += of->list.count;
    tachy_values_drop(v, &of->list);
    tachy_by_id_remove(&v->asyncs, sizeof *of, of); /* another may have moved here: look again */
  }
  for (uint64_t i = 0; i < v->asyncs.capacity; i++) tachy_async_values_at(v, i)->known = 0;
}

void tachy_async_values_jump(tachy_values *v, uint64_t start) {
  for (uint64_t i = 0; i < v->asyncs.capacity; i++) {
    tachy_async_values *const of = (tachy_async_values *)(tachy_async_values_at(v, i));
    if (of->read_by != UINT64_MAX) of->read_by = start;
  }
}

/* src/encode/block.h */
/* From streams to a finished block. */
#ifndef TACHY_SRC_ENCODE_BLOCK_H
#define TACHY_SRC_ENCODE_BLOCK_H
TACHY_HIDE


/* A finished block. */
typedef struct tachy_block {
  struct tachy_block *next;
  tachy_block_header *head; /* header_size bytes: with the thread table and the names; hashed when it is written */
  uint8_t *body;            /* stored_size bytes */
  void *memory;             /* of the body */
} tachy_block;

/* Makes a block, which ends at `to`, of everything that the channel's drained streams hold. NULL: there is nothing to
 * send, or (*failed = 1) no memory. Gives ids to the spans of the streams' `ends`, which are open when the next block
 * begins. last: it is the session's last block. open_too: a block is worth sending even if it has nothing but open
 * spans. */
tachy_block *tachy_block_make(tachy_channel *channel, const uint8_t process_id[16], tachy_clock_pair to, int last,
                              int open_too, int *failed);
/* Makes no block, and leaves the channel as if it had: the open spans have ids and times. Async ends that wait for a
 * block go on waiting. */
void tachy_block_forget(tachy_channel *channel, tachy_clock_pair to);
/* The block and those that follow it. */
void tachy_blocks_free(tachy_block *block);

static inline uint64_t tachy_block_size(const tachy_block *block) {
  return block->head->header_size + block->head->stored_size;
}

TACHY_SHOW
#endif

/* src/encode/block.c */
/* From streams to a finished block: header, thread table, the columns that need all threads. */


static int block_listed(const tachy_channel *channel, const tachy_stream *s) {
  return s->rows || s->async_rows || (channel->cls == TACHY_CLASS_SPAN && s->depth > 0);
}

/* Spans that are open at the end: those that were open at the start and did not end keep what they had; the others are
 * numbered and dated here, once for all blocks to come. */
static void block_number_open(const tachy_channel *channel, tachy_stream *s, const tachy_block_clock *clock) {
  uint64_t ended = 0; /* inside the entry, since it began */
  for (uint32_t k = s->depth; k-- > s->open;) {
    tachy_open_row *const row = (tachy_open_row *)(&s->ends[k]);
    ended += s->levels[k + 1].size;
    row->id = s->total + k + 1 - ended;
  }
  for (uint32_t k = 0; k < s->depth; k++) {
    tachy_open_row *const row = (tachy_open_row *)(&s->ends[k]);
    if (k < s->open) {
      *row = s->opens[k];
      continue;
    }
    if (tachy_is_stale(channel, row->ticks)) row->ticks = tachy_stream_now(channel, s);
    /* the order that a clock running backwards would break: inside the parent, around the first child */
    if (row->ticks > s->levels[k + 1].child) row->ticks = s->levels[k + 1].child;
    if (k > 0 && row->ticks < s->ends[k - 1].ticks) row->ticks = s->ends[k - 1].ticks;
    row->utc = tachy_ticks_to_utc(clock, row->ticks);
  }
  s->at_end = s->depth;
}

static void block_number_all_open(const tachy_channel *channel, const tachy_block_clock *clock) {
  for (tachy_stream *s = (tachy_stream *)(channel->streams); s; s = s->next) block_number_open(channel, s, clock);
}

static void block_add_open(tachy_columns *c, tachy_channel *channel, int at_end) {
  tachy_plane planes[4] = {{{0}, {0}}};
  for (const tachy_stream *s = (const tachy_stream *)(channel->streams); s; s = s->next) {
    if (!block_listed(channel, s)) continue;
    const uint32_t count = at_end ? s->at_end : s->at_start;
    const tachy_open_row *const rows = (const tachy_open_row *)(at_end ? s->ends : s->opens);
    for (uint32_t k = 0; k < count; k++) {
      const uint32_t position = tachy_index_position(&channel->tables.sites, rows[k].site);
      const uint64_t values[4] = {position - 1, rows[k].ticks, (uint64_t)rows[k].utc, rows[k].id};
      if (!position) c->failed = 1;
      tachy_columns_row(c, planes, 4, values);
    }
  }
  tachy_columns_add(c, at_end ? TACHY_COLUMN_OPEN_END_SITE : TACHY_COLUMN_OPEN_START_SITE, planes, 4);
}

/* Async rows alone give the thread a base, too. */
static void block_base_async(tachy_channel *channel) {
  for (tachy_stream *s = (tachy_stream *)(channel->streams); s; s = s->next) {
    const tachy_async_record *const records = (const tachy_async_record *)((const tachy_async_record *)(const void *)s->raw.bytes);
    if (s->async_rows && s->base == TACHY_NO_TICKS) s->base = s->last = records[0].ticks;
  }
}

static void block_add_async(tachy_columns *c, tachy_channel *channel) {
  tachy_plane planes[6] = {{{0}, {0}}};
  uint64_t last_id = 0;
  for (const tachy_stream *s = (const tachy_stream *)(channel->streams); s; s = s->next) {
    const tachy_async_record *const records = (const tachy_async_record *)((const tachy_async_record *)(const void *)s->raw.bytes);
    uint64_t last = s->base;
    for (uint64_t i = 0; i < s->async_rows; i++) {
      const tachy_async_record *const r = (const tachy_async_record *)(&records[i]);
      const uint32_t position = tachy_index_position(&channel->tables.sites, r->site);
      const uint64_t values[6] = {
          r->control == TACHY_CONTROL_ASYNC_END,    tachy_zigzag((int64_t)(r->ticks - last)), position - 1,
          tachy_zigzag((int64_t)(r->id - last_id)), tachy_parent_code(r->id, r->parent),      r->depth};
      if (!position) c->failed = 1;
      tachy_columns_row(c, planes, 6, values);
      last = r->ticks;
      last_id = r->id;
    }
  }
  tachy_columns_add(c, TACHY_COLUMN_ASYNC_KIND, planes, 6);
}

typedef struct block_site_value {
  uint64_t last;
  uint64_t is_float;
} block_site_value;

static void block_add_values(tachy_columns *c, tachy_channel *channel) {
  tachy_plane integers = {0};
  tachy_bytes floats = {0};
  tachy_bytes by_site = {0};
  const uint32_t count = tachy_index_count(&channel->tables.sites);
  if (!tachy_bytes_reserve(&by_site, count * sizeof(block_site_value))) {
    c->failed = 1;
    return;
  }
  block_site_value *const sites = (block_site_value *)((block_site_value *)(void *)by_site.bytes);
  for (uint32_t i = 0; i < count; i++) {
    const tachy_site_entry *const entry =
        tachy_names_site(channel->names, tachy_index_number(&channel->tables.sites, i));
    sites[i] = (block_site_value){0, entry->kind == TACHY_SITE_METRIC_F64};
  }
  for (const tachy_stream *s = (const tachy_stream *)(channel->streams); s; s = s->next) {
    const tachy_raw_metric *const raw = (const tachy_raw_metric *)((const tachy_raw_metric *)(const void *)s->raw.bytes);
    for (uint64_t i = 0; i < s->raw.size / sizeof *raw; i++) {
      block_site_value *const site = (block_site_value *)(&sites[raw[i].position - 1]);
      const int ok = site->is_float ? tachy_bytes_append(&floats, &raw[i].value, sizeof raw[i].value)
                                    : tachy_plane_append(&integers, tachy_zigzag((int64_t)(raw[i].value - site->last)));
      site->last = raw[i].value;
      if (!ok) c->failed = 1;
    }
  }
  tachy_columns_add(c, TACHY_COLUMN_VALUE_INT, &integers, 1);
  tachy_columns_buffer(c, TACHY_COLUMN_VALUE_F64, TACHY_ENCODING_F64, &floats);
  tachy_bytes_free(&by_site);
}

static void block_add_rows(tachy_columns *c, tachy_channel *channel) {
  const tachy_stream *const streams = (const tachy_stream *)(channel->streams);
  tachy_columns_planes(c, TACHY_COLUMN_GAP_COUNT, streams, TACHY_PLANE_GAP);
  tachy_columns_planes(c, TACHY_COLUMN_ROW_SITE, streams, TACHY_PLANE_SITE);
  if (channel->cls == TACHY_CLASS_SPAN) {
    tachy_columns_planes(c, TACHY_COLUMN_SPAN_DEPTH, streams, TACHY_PLANE_DEPTH);
    tachy_columns_planes(c, TACHY_COLUMN_SPAN_LEAD, streams, TACHY_PLANE_LEAD);
    tachy_columns_planes(c, TACHY_COLUMN_SPAN_TAIL, streams, TACHY_PLANE_TAIL);
    block_add_open(c, channel, 0);
    block_add_open(c, channel, 1);
    block_add_async(c, channel);
    tachy_open_async_columns(c, channel);
    tachy_values_columns(c, channel);
    return;
  }
  tachy_columns_planes(c, TACHY_COLUMN_ROW_TIME, streams, TACHY_PLANE_LEAD);
  tachy_columns_planes(c, TACHY_COLUMN_ROW_SET, streams, TACHY_PLANE_SET);
  if (channel->cls == TACHY_CLASS_METRIC) {
    block_add_values(c, channel);
    return;
  }
  tachy_columns_planes(c, TACHY_COLUMN_LOG_TYPES, streams, TACHY_PLANE_TYPES);
  tachy_columns_planes(c, TACHY_COLUMN_LOG_INT, streams, TACHY_PLANE_INT);
  tachy_columns_floats(c, TACHY_COLUMN_LOG_F64, streams);
  tachy_columns_planes(c, TACHY_COLUMN_LOG_TEXT_SIZE, streams, TACHY_PLANE_TEXT_SIZE);
  tachy_columns_text(c, TACHY_COLUMN_LOG_TEXT_BYTES, streams);
}

static void block_put_clock(tachy_block_header *head, const tachy_channel *channel, tachy_clock_pair to) {
  head->before_ticks = channel->past.before.ticks;
  head->before_utc = channel->past.before.utc;
  head->ticks0 = channel->from.ticks;
  head->utc0 = channel->from.utc;
  head->ticks1 = to.ticks;
  head->utc1 = to.utc;
  head->frequency = channel->frequency;
}

/* What dates events from before the start of the block before. */
static void block_add_earlier(tachy_columns *c, const tachy_past *past, uint64_t begin_ticks) {
  tachy_plane planes[2] = {{{0}, {0}}};
  tachy_clock_pair next = past->before;
  for (uint64_t i = 0; i < tachy_past_needed(past, begin_ticks); i++) {
    const tachy_clock_pair point = past->earlier[i];
    const uint64_t values[2] = {next.ticks - point.ticks, (uint64_t)next.utc - (uint64_t)point.utc};
    tachy_columns_row(c, planes, 2, values);
    next = point;
  }
  tachy_columns_add(c, TACHY_COLUMN_CLOCK_TICKS, planes, 2);
}

/* Header, thread table, names. Fills in everything but what depends on the body. NULL: no memory. */
static tachy_block_header *block_make_head(const tachy_channel *channel, const uint8_t *process_id, tachy_clock_pair to,
                                     const tachy_block_clock *clock) {
  uint64_t names = 0;
  uint32_t count = 0;
  for (const tachy_stream *s = (const tachy_stream *)(channel->streams); s; s = s->next) {
    if (!block_listed(channel, s)) continue;
    count++;
    names += s->name_size;
  }
  const uint64_t fixed = sizeof(tachy_block_header) + count * sizeof(tachy_block_thread);
  const uint64_t size = tachy_pad8(fixed + names);
  tachy_block_header *const head = (tachy_block_header *)(tachy_os_allocate(size));
  if (!head) return NULL;
  memset(head, 0, size);
  head->magic = TACHY_BLOCK_MAGIC;
  head->version = TACHY_FORMAT_VERSION;
  head->cls = (uint8_t)channel->cls;
  head->header_size = (uint32_t)size;
  head->thread_count = count;
  memcpy(head->process_id, process_id, sizeof head->process_id);
  head->sequence = channel->sequence;
  block_put_clock(head, channel, to);
  head->begin_ticks = UINT64_MAX;
  tachy_block_thread *thread = (tachy_block_thread *)((tachy_block_thread *)(void *)(head + 1));
  uint64_t name_offset = fixed;
  int64_t begin_utc = INT64_MAX;
  for (tachy_stream *s = (tachy_stream *)(channel->streams); s; s = s->next) {
    if (!block_listed(channel, s)) continue;
    thread->number = s->number;
    thread->name_size = s->name_size;
    thread->name_offset = name_offset;
    memcpy((uint8_t *)head + name_offset, s->name, s->name_size);
    name_offset += s->name_size;
    thread->os_id = s->os_id;
    thread->rows = s->rows;
    thread->async_rows = s->async_rows;
    thread->events = s->rows - s->gap_rows + s->async_rows;
    thread->dropped = s->dropped;
    thread->first = s->first;
    thread->base_ticks = s->base == TACHY_NO_TICKS ? to.ticks : s->base;
    thread->open_at_start = s->at_start;
    thread->open_at_end = s->at_end;
    /* without an event there is no time but the interval's end */
    thread->begin_ticks = thread->events ? s->begin_ticks : to.ticks;
    thread->end_ticks = thread->events ? s->end_ticks : to.ticks;
    thread->begin_utc = tachy_ticks_to_utc(clock, thread->begin_ticks);
    if (s->begin_utc < thread->begin_utc) thread->begin_utc = s->begin_utc;
    thread->end_utc = tachy_ticks_to_utc(clock, thread->end_ticks);
    if (thread->events && thread->begin_utc < begin_utc) begin_utc = thread->begin_utc;
    head->events += thread->events;
    head->dropped += thread->dropped;
    if (thread->events && thread->begin_ticks < head->begin_ticks) head->begin_ticks = thread->begin_ticks;
    if (thread->events && thread->end_ticks > head->end_ticks) head->end_ticks = thread->end_ticks;
    thread++;
  }
  if (head->events == 0) head->begin_ticks = head->end_ticks = to.ticks;
  head->begin_utc = head->events ? begin_utc : tachy_ticks_to_utc(clock, head->begin_ticks);
  head->end_utc = tachy_ticks_to_utc(clock, head->end_ticks);
  return head;
}

static int block_has_rows(const tachy_channel *channel, int open_too) {
  int rows = open_too && channel->asyncs.table.count > 0;
  for (const tachy_stream *s = (const tachy_stream *)(channel->streams); s; s = s->next) {
    rows |= s->rows || s->async_rows || s->depth > s->open || (open_too && s->depth > 0);
  }
  return rows;
}

static tachy_block_clock block_clock_of(const tachy_channel *channel, tachy_clock_pair to) {
  tachy_block_header head;
  block_put_clock(&head, channel, to);
  return tachy_clock_of(&head, channel->past.earlier, channel->past.count);
}

/* Bytes of all columns, about. */
static uint64_t block_size_of(const tachy_channel *channel) {
  uint64_t size = 0;
  for (const tachy_stream *s = (const tachy_stream *)(channel->streams); s; s = s->next) {
    size += s->floats.size + s->text.size + s->raw.size;
    for (unsigned i = 0; i < TACHY_PLANES; i++) size += s->planes[i].low.size + s->planes[i].high.size;
  }
  return size;
}

void tachy_block_forget(tachy_channel *channel, tachy_clock_pair to) {
  const tachy_block_clock clock = block_clock_of(channel, to);
  tachy_open_async_put_back(channel);
  tachy_open_async_follow(channel, &clock, to.ticks, 0);
  block_number_all_open(channel, &clock);
}

tachy_block *tachy_block_make(tachy_channel *channel, const uint8_t process_id[16], tachy_clock_pair to, int last,
                              int open_too, int *failed) {
  int broken = 0;
  for (const tachy_stream *s = (const tachy_stream *)(channel->streams); s; s = s->next) broken |= s->broken;
  *failed = 0;
  if (!block_has_rows(channel, open_too)) return NULL;
  const tachy_block_clock clock = block_clock_of(channel, to);
  if (channel->cls == TACHY_CLASS_SPAN) {
    tachy_open_async_follow(channel, &clock, to.ticks, last);
    if (!block_has_rows(channel, open_too)) {
      tachy_open_async_resume(channel);
      return NULL;
    }
    block_base_async(channel);
    block_number_all_open(channel, &clock);
  }
  tachy_block *const block = (tachy_block *)(tachy_os_allocate(sizeof *block));
  tachy_block_header *const head = (tachy_block_header *)(block_make_head(channel, process_id, to, &clock));
  tachy_columns columns;
  tachy_columns_begin(&columns, block_size_of(channel));
  columns.failed |= broken || !block || !head;
  block_add_rows(&columns, channel);
  if (head) block_add_earlier(&columns, &channel->past, head->begin_ticks);
  tachy_columns_tables(&columns, &channel->tables, channel->names);
  uint64_t size;
  uint8_t *body;
  void *const memory = (void *)(tachy_columns_finish(&columns, &body, &size));
  if (!memory) {
    *failed = 1;
    tachy_os_release(head);
    tachy_os_release(block);
    return NULL;
  }
  head->raw_size = head->stored_size = size;
  *block = (tachy_block){NULL, head, body, memory};
  return block;
}

void tachy_blocks_free(tachy_block *block) {
  while (block) {
    tachy_block *const next = (tachy_block *)(block->next);
    tachy_os_release(block->head);
    tachy_os_release(block->memory);
    tachy_os_release(block);
    block = next;
  }
}

/* src/encode/by_id.c */
/* Tables of entries that begin with their id. */


/* Room for one more. 0: no memory, nothing changed. */
static int by_id_reserve(tachy_by_id *t, size_t size) {
  if (t->count + 1 <= t->capacity / 2) return 1;
  tachy_by_id grown = *t;
  grown.capacity = t->capacity ? t->capacity * 2 : 64;
  grown.entries = (uint8_t *)tachy_os_allocate(grown.capacity * size);
  if (!grown.entries) return 0;
  memset(grown.entries, 0, grown.capacity * size);
  for (uint64_t i = 0; i < t->capacity; i++) {
    const void *const entry = (const void *)(tachy_by_id_at(t, size, i));
    const uint64_t id = tachy_by_id_of(entry);
    if (id) memcpy(tachy_by_id_seek(&grown, size, id), entry, size);
  }
  tachy_os_release(t->entries);
  *t = grown;
  return 1;
}

void *tachy_by_id_add(tachy_by_id *table, size_t size, uint64_t id, int *is_new) {
  if (!id || !by_id_reserve(table, size)) return NULL;
  void *const entry = (void *)(tachy_by_id_seek(table, size, id));
  *is_new = tachy_by_id_of(entry) == 0;
  if (*is_new) {
    memset(entry, 0, size);
    memcpy(entry, &id, sizeof id);
    table->count++;
  }
  return entry;
}

void tachy_by_id_remove(tachy_by_id *table, size_t size, void *entry) {
  const uint64_t mask = table->capacity - 1;
  uint64_t hole = (uint64_t)((uint8_t *)entry - table->entries) / size;
  for (uint64_t i = (hole + 1) & mask;; i = (i + 1) & mask) {
    const void *const next = (const void *)(tachy_by_id_at(table, size, i));
    const uint64_t id = tachy_by_id_of(next);
    if (!id) break;
    if (((i - tachy_mix64(id)) & mask) < ((i - hole) & mask)) continue;
    memcpy(tachy_by_id_at(table, size, hole), next, size);
    hole = i;
  }
  memset(tachy_by_id_at(table, size, hole), 0, size);
  table->count--;
}

/* src/base/assert.h */
/* TACHY_ASSERT: what a function relies on. On in tests, fuzzers and debug builds (-DTACHY_ASSERTS), gone otherwise. */
#ifndef TACHY_SRC_BASE_ASSERT_H
#define TACHY_SRC_BASE_ASSERT_H
TACHY_HIDE

#if defined(TACHY_ASSERTS)
#define TACHY_ASSERT_TEXT_(x) #x
#define TACHY_ASSERT_LINE_(x) TACHY_ASSERT_TEXT_(x)
#define TACHY_ASSERT(condition) \
  ((condition) ? (void)0 : tachy_os_fail("tachy: " __FILE__ ":" TACHY_ASSERT_LINE_(__LINE__) ": not so: " #condition))
#else
#define TACHY_ASSERT(condition) ((void)sizeof(condition))
#endif

TACHY_SHOW
#endif

/* src/encode/columns.c */
/* The body of a block. */


enum { columns_LARGE = 4 << 20, columns_HEADS_ROOM = sizeof(tachy_body_header) + TACHY_COLUMNS_MAX * sizeof(tachy_column) };

void tachy_columns_begin(tachy_columns *c, uint64_t size) {
  c->count = 0;
  c->bytes = (tachy_bytes){NULL, 0, 0};
  c->failed = !tachy_bytes_reserve(&c->bytes, columns_HEADS_ROOM + size);
  if (c->failed) return;
  c->bytes.size = columns_HEADS_ROOM;
  /* fresh memory each time: a third of what a block of texts cost were page faults */
  if (size >= columns_LARGE) tachy_os_prefer_large_pages(c->bytes.bytes, size);
}

/* Opens a column of so many bytes: where they go, or NULL. */
static uint8_t *columns_add(tachy_columns *c, tachy_column_id id, uint16_t encoding, uint64_t count, uint64_t size) {
  if (count == 0 || c->failed) return NULL;
  const uint64_t padded = tachy_pad8(size);
  TACHY_ASSERT(c->count < TACHY_COLUMNS_MAX);
  if (!tachy_bytes_reserve(&c->bytes, padded)) {
    c->failed = 1;
    return NULL;
  }
  c->heads[c->count++] = (tachy_column){(uint16_t)id, encoding, 0, count, size};
  uint8_t *const at = (uint8_t *)(c->bytes.bytes + c->bytes.size);
  c->bytes.size += padded;
  memset(at + size, 0, padded - size);
  return at;
}

static uint8_t *columns_put(uint8_t *at, const tachy_bytes *buffer) {
  if (buffer->size) memcpy(at, buffer->bytes, buffer->size);
  return at + buffer->size;
}

void tachy_columns_add(tachy_columns *c, int first, tachy_plane *planes, unsigned count) {
  for (unsigned k = 0; k < count; k++) {
    tachy_plane *const plane = (tachy_plane *)(&planes[k]);
    uint8_t *const at = (uint8_t *)(columns_add(c, (tachy_column_id)(first + (int)k), TACHY_ENCODING_UINT, plane->low.size,
                            plane->low.size + plane->high.size));
    if (at) columns_put(columns_put(at, &plane->low), &plane->high);
    tachy_plane_free(plane);
  }
}

void tachy_columns_buffer(tachy_columns *c, tachy_column_id id, uint16_t encoding, tachy_bytes *buffer) {
  const uint64_t count = encoding == TACHY_ENCODING_F64 ? buffer->size / 8 : buffer->size;
  uint8_t *const at = (uint8_t *)(columns_add(c, id, encoding, count, buffer->size));
  if (at) columns_put(at, buffer);
  tachy_bytes_free(buffer);
}

void tachy_columns_planes(tachy_columns *c, tachy_column_id id, const tachy_stream *streams, unsigned plane) {
  uint64_t count = 0;
  uint64_t size = 0;
  for (const tachy_stream *s = (const tachy_stream *)(streams); s; s = s->next) {
    count += s->planes[plane].low.size;
    size += s->planes[plane].low.size + s->planes[plane].high.size;
  }
  uint8_t *at = (uint8_t *)(columns_add(c, id, TACHY_ENCODING_UINT, count, size));
  if (!at) return;
  for (const tachy_stream *s = (const tachy_stream *)(streams); s; s = s->next) at = columns_put(at, &s->planes[plane].low);
  for (const tachy_stream *s = (const tachy_stream *)(streams); s; s = s->next) at = columns_put(at, &s->planes[plane].high);
}

void tachy_columns_floats(tachy_columns *c, tachy_column_id id, const tachy_stream *streams) {
  uint64_t size = 0;
  for (const tachy_stream *s = (const tachy_stream *)(streams); s; s = s->next) size += s->floats.size;
  uint8_t *at = (uint8_t *)(columns_add(c, id, TACHY_ENCODING_F64, size / 8, size));
  for (const tachy_stream *s = (const tachy_stream *)(streams); at && s; s = s->next) at = columns_put(at, &s->floats);
}

void tachy_columns_text(tachy_columns *c, tachy_column_id id, const tachy_stream *streams) {
  uint64_t size = 0;
  for (const tachy_stream *s = (const tachy_stream *)(streams); s; s = s->next) size += s->text.size;
  uint8_t *at = (uint8_t *)(columns_add(c, id, TACHY_ENCODING_BYTES, size, size));
  for (const tachy_stream *s = (const tachy_stream *)(streams); at && s; s = s->next) at = columns_put(at, &s->text);
}

/* Index of a string in the block. */
static uint32_t columns_string_of(tachy_columns *c, tachy_tables *tables, uint32_t number) {
  const uint32_t position = tachy_index_position(&tables->strings, number);
  if (position == 0) c->failed = 1;
  return position - 1;
}

/* Of 100,000 sites each is a cache miss or four: they are fetched beforehand, so many at a time. */
enum { columns_AT_ONCE = 64, columns_SITE_COLUMNS = 8 };

static void columns_add_sites(tachy_columns *c, tachy_tables *tables, const tachy_names *names) {
  tachy_plane planes[columns_SITE_COLUMNS] = {{{0}, {0}}};
  const uint32_t *const numbers = (const uint32_t *)(tachy_index_numbers(&tables->sites));
  const uint32_t count = tachy_index_count(&tables->sites);
  for (uint32_t first = 0; first < count; first += columns_AT_ONCE) {
    const tachy_site_entry *sites[columns_AT_ONCE];
    const uint32_t some = count - first < columns_AT_ONCE ? count - first : columns_AT_ONCE;
    names->sites(names->context, numbers + first, some, sites);
    for (uint32_t i = 0; i < some; i++) TACHY_PREFETCH(sites[i]);
    for (uint32_t i = 0; i < some; i++) tachy_index_expect(&tables->strings, sites[i]->strings[TACHY_TEXT_NAME]);
    for (uint32_t i = 0; i < some; i++) {
      const tachy_site_entry *const site = (const tachy_site_entry *)(sites[i]);
      const uint64_t values[columns_SITE_COLUMNS] = {numbers[first + i],
                                             columns_string_of(c, tables, site->strings[TACHY_TEXT_NAME]),
                                             columns_string_of(c, tables, site->strings[TACHY_TEXT_TARGET]),
                                             columns_string_of(c, tables, site->strings[TACHY_TEXT_FILE]),
                                             columns_string_of(c, tables, site->strings[TACHY_TEXT_UNIT]),
                                             site->line,
                                             site->level,
                                             site->kind};
      tachy_columns_row(c, planes, columns_SITE_COLUMNS, values);
    }
  }
  tachy_columns_add(c, TACHY_COLUMN_SITE_ID, planes, columns_SITE_COLUMNS);
}

static void columns_add_sets(tachy_columns *c, tachy_tables *tables, const tachy_names *names) {
  tachy_plane planes[3] = {{{0}, {0}}}; /* sizes; keys, values */
  for (uint32_t i = 0; i < tachy_index_count(&tables->sets); i++) {
    const tachy_set_entry *const set = (const tachy_set_entry *)(tachy_names_set(names, tachy_index_number(&tables->sets, i)));
    const uint64_t size = set->count;
    tachy_columns_row(c, planes, 1, &size);
    for (uint32_t pair = 0; pair < set->count; pair++) {
      const uint64_t strings[2] = {columns_string_of(c, tables, set->strings[2 * pair]),
                                   columns_string_of(c, tables, set->strings[2 * pair + 1])};
      tachy_columns_row(c, planes + 1, 2, strings);
    }
  }
  tachy_columns_add(c, TACHY_COLUMN_SET_SIZE, planes, 3);
}

static void columns_add_strings(tachy_columns *c, tachy_tables *tables, const tachy_names *names) {
  tachy_plane sizes = {{0}, {0}};
  tachy_bytes bytes = {0};
  const uint32_t *const numbers = (const uint32_t *)(tachy_index_numbers(&tables->strings));
  const uint32_t count = tachy_index_count(&tables->strings);
  for (uint32_t first = 0; first < count; first += columns_AT_ONCE) {
    tachy_string strings[columns_AT_ONCE];
    const uint32_t some = count - first < columns_AT_ONCE ? count - first : columns_AT_ONCE;
    names->strings(names->context, numbers + first, some, strings);
    for (uint32_t i = 0; i < some; i++) TACHY_PREFETCH(strings[i].text);
    for (uint32_t i = 0; i < some; i++) {
      if (!tachy_plane_append(&sizes, strings[i].size) ||
          !tachy_bytes_append(&bytes, strings[i].text, strings[i].size)) {
        c->failed = 1;
      }
    }
  }
  tachy_columns_add(c, TACHY_COLUMN_STRING_SIZE, &sizes, 1);
  tachy_columns_buffer(c, TACHY_COLUMN_STRING_BYTES, TACHY_ENCODING_BYTES, &bytes);
}

void tachy_columns_tables(tachy_columns *c, tachy_tables *tables, const tachy_names *names) {
  columns_add_sites(c, tables, names);
  columns_add_sets(c, tables, names);
  columns_add_strings(c, tables, names);
}

void *tachy_columns_finish(tachy_columns *c, uint8_t **body, uint64_t *size) {
  if (c->failed) {
    tachy_bytes_free(&c->bytes);
    return NULL;
  }
  const tachy_body_header head = {c->count, 0};
  const uint64_t heads = c->count * sizeof *c->heads;
  void *const smaller = (void *)(tachy_os_resize(c->bytes.bytes, c->bytes.size));
  uint8_t *const memory = (uint8_t *)(smaller ? smaller : c->bytes.bytes);
  *body = memory + (columns_HEADS_ROOM - sizeof head - heads);
  *size = c->bytes.size - columns_HEADS_ROOM + sizeof head + heads;
  memcpy(*body, &head, sizeof head);
  memcpy(*body + sizeof head, c->heads, heads);
  return memory;
}

/* src/encode/jump.c */
/* The wall clock was set, or the counter began anew: what the next blocks are to make of what came before. */

/* Open spans keep their age by the new time; ticks of the old counter say nothing any more. */
static void jump_jump_stream(tachy_stream *s, int64_t ns, tachy_clock_pair start, int restarted) {
  if (s->begin_utc != INT64_MAX) s->begin_utc += ns;
  for (uint32_t k = 0; k < s->at_start; k++) {
    s->opens[k].utc += ns;
    if (restarted) s->opens[k].ticks = start.ticks;
  }
  if (!restarted) return;
  s->last = s->base = TACHY_NO_TICKS;
  tachy_async_record *const waiting = (tachy_async_record *)((tachy_async_record *)(void *)s->raw.bytes);
  for (uint64_t i = 0; i < s->async_rows; i++) waiting[i].ticks = start.ticks;
}

void tachy_channel_jump(tachy_channel *channel, tachy_clock_pair end, tachy_clock_pair start, uint64_t first) {
  const int64_t ns = start.utc - end.utc;
  const int restarted = start.ticks != end.ticks;
  tachy_past_shift(&channel->past, ns);
  channel->from.utc += ns;
  if (restarted) {
    channel->from = start;
    channel->floor = 0;
    channel->ceiling = first > start.ticks ? first : start.ticks + (end.ticks - start.ticks) / 2;
    tachy_past_start(&channel->past, start);
    tachy_async_values_jump(&channel->values, start.ticks);
  }
  for (tachy_stream *s = (tachy_stream *)(channel->streams); s; s = s->next) jump_jump_stream(s, ns, start, restarted);
  for (uint64_t i = 0; i < channel->asyncs.table.capacity; i++) tachy_open_async_at(&channel->asyncs, i)->utc += ns;
}

/* src/encode/log_rows.c */
/* Log and metric records -> columns: docs/format.md, "Main rows". */

/* Where the stream's next row goes, in registers: stores of bytes might change anything that is in memory. */
typedef struct log_rows_cursor {
  uint8_t *site, *set, *lead, *lead_high; /* behind the planes' bytes */
  uint8_t *types, *text_size, *text;      /* of logs */
  uint64_t last;                          /* as in the stream */
  uint32_t number, position;              /* of the row before: its site, and where that is in the block; 0: none */
} log_rows_cursor;

/* Room for whatever so many bytes of records hold. 0: no memory. */
static int log_rows_reserve(tachy_channel *channel, tachy_stream *s, uint64_t size) {
  const uint64_t rows = size / sizeof(tachy_log_record); /* a metric takes as much */
  const uint64_t arguments = size / sizeof(uint64_t);
  tachy_plane *const planes = (tachy_plane *)(s->planes);
  if (!tachy_plane_reserve(&planes[TACHY_PLANE_LEAD], rows) || !tachy_plane_reserve(&planes[TACHY_PLANE_SITE], rows) ||
      !tachy_plane_reserve(&planes[TACHY_PLANE_SET], rows)) {
    return 0;
  }
  if (channel->cls == TACHY_CLASS_METRIC) return tachy_bytes_reserve(&s->raw, rows * sizeof(tachy_raw_metric));
  return tachy_plane_reserve(&planes[TACHY_PLANE_TYPES], rows) &&
         tachy_plane_reserve(&planes[TACHY_PLANE_INT], arguments) &&
         tachy_plane_reserve(&planes[TACHY_PLANE_TEXT_SIZE], arguments) && tachy_bytes_reserve(&s->floats, size) &&
         tachy_bytes_reserve(&s->text, size);
}

static log_rows_cursor log_rows_cursor_of(const tachy_stream *s) {
  const tachy_plane *const planes = (const tachy_plane *)(s->planes);
  return (log_rows_cursor){tachy_behind(&planes[TACHY_PLANE_SITE].low),
                  tachy_behind(&planes[TACHY_PLANE_SET].low),
                  tachy_behind(&planes[TACHY_PLANE_LEAD].low),
                  tachy_behind(&planes[TACHY_PLANE_LEAD].high),
                  tachy_behind(&planes[TACHY_PLANE_TYPES].low),
                  tachy_behind(&planes[TACHY_PLANE_TEXT_SIZE].low),
                  tachy_behind(&s->text),
                  s->last,
                  0,
                  0};
}

static void log_rows_put_back(tachy_stream *s, const log_rows_cursor *c) {
  tachy_plane *const planes = (tachy_plane *)(s->planes);
  tachy_ends_at(&planes[TACHY_PLANE_SITE].low, c->site);
  tachy_ends_at(&planes[TACHY_PLANE_SET].low, c->set);
  tachy_ends_at(&planes[TACHY_PLANE_LEAD].low, c->lead);
  tachy_ends_at(&planes[TACHY_PLANE_LEAD].high, c->lead_high);
  tachy_ends_at(&planes[TACHY_PLANE_TYPES].low, c->types);
  tachy_ends_at(&planes[TACHY_PLANE_TEXT_SIZE].low, c->text_size);
  tachy_ends_at(&s->text, c->text);
  s->last = c->last;
}

/* 0: no memory. */
TACHY_INLINE int put_head(tachy_channel *channel, tachy_stream *s, log_rows_cursor *c, uint64_t ticks, uint32_t site,
                          uint32_t set) {
  if (TACHY_UNLIKELY(tachy_is_stale(channel, ticks))) {
    ticks = c->last == TACHY_NO_TICKS ? channel->from.ticks : c->last;
  }
  if (TACHY_UNLIKELY(c->last == TACHY_NO_TICKS)) s->base = c->last = ticks;
  if (TACHY_UNLIKELY(ticks < c->last)) {
    ticks = c->last;
    channel->backwards++;
  }
  tachy_put_ticks(&c->lead, &c->lead_high, ticks - c->last);
  c->last = ticks;
  if (site != c->number) {
    c->position = tachy_index_position(&channel->tables.sites, site);
    c->number = site;
  }
  tachy_put_small(&c->site, &s->planes[TACHY_PLANE_SITE], c->position);
  uint32_t set_position = 0;
  if (set && tachy_names_set(channel->names, set)) {
    set_position = tachy_index_position(&channel->tables.sets, set);
    if (!set_position) return 0;
  }
  tachy_put_small(&c->set, &s->planes[TACHY_PLANE_SET], set_position);
  return c->position != 0;
}

TACHY_INLINE int put_metric(tachy_channel *channel, tachy_stream *s, log_rows_cursor *c, const tachy_metric_record *record) {
  if (!put_head(channel, s, c, record->ticks, record->site, record->set)) return 0;
  if (TACHY_UNLIKELY(channel->watch != NULL)) channel->watch->metric(channel, c->position, record);
  const tachy_raw_metric raw = {record->value, c->position, 0};
  tachy_bytes_put(&s->raw, &raw, sizeof raw);
  return 1;
}

TACHY_INLINE int put_log(tachy_channel *channel, tachy_stream *s, log_rows_cursor *c, const tachy_log_record *record) {
  if (!put_head(channel, s, c, record->ticks, record->site, record->set)) return 0;
  if (TACHY_UNLIKELY(channel->watch != NULL)) channel->watch->log(channel, c->position, record);
  tachy_put_small(&c->types, &s->planes[TACHY_PLANE_TYPES], record->types);
  const uint8_t *at = (const uint8_t *)((const uint8_t *)(record + 1));
  for (uint32_t types = record->types; types & 15u; types >>= 4) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    switch (types & 15u) {
      case TACHY_ARG_TEXT: {
        const uint64_t size = (uint32_t)word;
        tachy_put_small(&c->text_size, &s->planes[TACHY_PLANE_TEXT_SIZE], size);
        tachy_text_copy(c->text, at + 4, size);
        c->text += size;
        at += tachy_pad8(4 + size) - 8;
        break;
      }
      case TACHY_ARG_F64:
        tachy_bytes_put(&s->floats, &word, sizeof word);
        break;
      case TACHY_ARG_I64:
        word = tachy_zigzag((int64_t)word);
        /* fall through */
      default:
        tachy_plane_put(&s->planes[TACHY_PLANE_INT], word);
        break;
    }
    at += 8;
  }
  return 1;
}

uint64_t tachy_row_records(tachy_channel *channel, tachy_stream *s, const uint8_t *records, uint64_t size) {
  const uint8_t *at = (const uint8_t *)(records);
  const int metrics = channel->cls == TACHY_CLASS_METRIC;
  uint64_t kept = 0;
  uint64_t first = TACHY_NO_TICKS; /* of the rows that are kept */
  if (!s->broken && !log_rows_reserve(channel, s, size)) s->broken = 1;
  int ok = !s->broken;
  log_rows_cursor c = log_rows_cursor_of(s);
  while (at < records + size && *(const uint64_t *)(const void *)at < TACHY_CONTROL_FIRST) {
    if (metrics) {
      const tachy_metric_record *const record = (const tachy_metric_record *)((const tachy_metric_record *)(const void *)at);
      ok = ok && put_metric(channel, s, &c, record);
      at += sizeof *record;
    } else {
      const tachy_log_record *const record = (const tachy_log_record *)((const tachy_log_record *)(const void *)at);
      ok = ok && put_log(channel, s, &c, record);
      at += record->size;
    }
    if (TACHY_UNLIKELY(first == TACHY_NO_TICKS)) first = c.last;
    kept++;
  }
  if (ok) {
    if (kept) tachy_stream_extend(s, first, c.last);
    log_rows_put_back(s, &c);
  } else {
    s->broken = 1;
  }
  s->rows += kept;
  s->total += kept;
  channel->events += kept;
  channel->recorded += kept;
  return (uint64_t)(at - records);
}

/* src/encode/open_async.c */
/* The table of open async spans.
 *
 * A cut reads the threads one after the other, so the end of a span may be met before its begin: in the same block
 * (ENDED entries stand for ends without begins while a block is followed), or while the begin is still in a chunk that
 * has not been read. Such an end is held back until its begin has been read. For values of its span it waits until all
 * that was recorded before the end has been read: what has not come by then was lost. */

#include <stdlib.h>

#define open_async_OPEN_MAX 65536u /* kept from block to block */

enum { open_async_SPAN_OPEN, open_async_SPAN_FRESH, open_async_SPAN_ENDED }; /* FRESH: began in this block */

static tachy_open_async *open_async_find(const tachy_open_asyncs *a, uint64_t id) {
  return (tachy_open_async *)tachy_by_id_find(&a->table, sizeof(tachy_open_async), id);
}

static void open_async_take_out(tachy_open_asyncs *a, tachy_open_async *span) {
  tachy_by_id_remove(&a->table, sizeof *span, span);
}

static void open_async_follow(tachy_open_asyncs *a, const tachy_stream *s, const tachy_async_record *r,
                   const tachy_block_clock *clock) {
  const int is_end = r->control == TACHY_CONTROL_ASYNC_END;
  int is_new;
  tachy_open_async *const span = (tachy_open_async *)((tachy_open_async *)tachy_by_id_add(&a->table, sizeof *span, r->id, &is_new));
  if (!span) {
    a->untracked += !is_end;
    return;
  }
  if (!is_new) {
    if (is_end == (span->state != open_async_SPAN_ENDED)) open_async_take_out(a, span);
    return;
  }
  *span = (tachy_open_async){.id = r->id,
                             .parent = r->parent,
                             .utc = tachy_ticks_to_utc(clock, r->ticks),
                             .site = r->site,
                             .depth = r->depth,
                             .thread = s->number,
                             .state = is_end ? open_async_SPAN_ENDED : open_async_SPAN_FRESH};
}

/* Whether the begin of a span, of which only the end has been met, is still to come. A thread that has recorded nothing
 * else has no stream yet, as one that is gone has none any more: an end waits once for it. */
static int open_async_begins_later(const tachy_channel *channel, uint64_t id, int has_waited) {
  const tachy_stream *const s = (const tachy_stream *)(tachy_stream_find(channel, (uint32_t)(id >> TACHY_ASYNC_SHIFT)));
  return s ? (id & TACHY_ASYNC_COUNT) > s->begun : !has_waited;
}

static int open_async_comes_early(const tachy_channel *channel, const tachy_async_record *end, int has_waited) {
  const tachy_open_async *const span = (const tachy_open_async *)(open_async_find(&channel->asyncs, end->id));
  return span && span->state == open_async_SPAN_ENDED && open_async_begins_later(channel, end->id, has_waited);
}

static int open_async_lacks_values(const tachy_channel *channel, const tachy_async_record *end, int has_waited) {
  const tachy_async_values *const met = (const tachy_async_values *)(end->values ? tachy_async_values_of(&channel->values, end->id) : NULL);
  (void)has_waited;
  return end->values > (met ? met->met : 0) && end->ticks >= channel->from.ticks;
}

/* The ends that are to wait leave the stream's rows. */
static void open_async_hold_ends(tachy_channel *channel, tachy_stream *s,
                      int (*waits)(const tachy_channel *channel, const tachy_async_record *end, int has_waited)) {
  tachy_async_record *const records = (tachy_async_record *)((tachy_async_record *)(void *)s->raw.bytes);
  uint64_t kept = 0;
  for (uint64_t i = 0; i < s->async_rows; i++) {
    const tachy_async_record record = records[i];
    if (record.control == TACHY_CONTROL_ASYNC_END && waits(channel, &record, i < s->resumed) &&
        tachy_bytes_append(&s->held, &record, sizeof record)) {
      continue;
    }
    records[kept++] = record;
  }
  channel->events -= s->async_rows - kept;
  s->async_rows = kept;
  s->raw.size = kept * sizeof *records;
}

/* Drops the spans that have ended, and new ones beyond OPEN_MAX: those that blocks have named already stay. */
static void open_async_drop_ended(tachy_open_asyncs *a) {
  for (unsigned round = 0; round < 2; round++) {
    for (uint64_t i = 0; i < a->table.capacity;) {
      tachy_open_async *const span = (tachy_open_async *)(tachy_open_async_at(a, i));
      const int surplus = round == 1 && span->state == open_async_SPAN_FRESH && a->table.count > open_async_OPEN_MAX;
      if (!span->id || (span->state != open_async_SPAN_ENDED && !surplus)) {
        i++;
        continue;
      }
      a->untracked += (uint64_t)surplus;
      open_async_take_out(a, span); /* another may have moved here: look again */
    }
  }
  for (uint64_t i = 0; i < a->table.capacity; i++) tachy_open_async_at(a, i)->state = open_async_SPAN_OPEN;
}

static int open_async_by_id(const void *a, const void *b) {
  const tachy_open_async *const x = (const tachy_open_async *)(a), *const y = (const tachy_open_async *)(b);
  return x->id < y->id ? -1 : x->id > y->id;
}

/* What is open before the block is followed. */
static void open_async_remember(tachy_open_asyncs *a) {
  a->before.size = 0;
  for (uint64_t i = 0; i < a->table.capacity; i++) {
    const tachy_open_async *const span = (const tachy_open_async *)(tachy_open_async_at(a, i));
    if (span->id && !tachy_bytes_append(&a->before, span, sizeof *span)) {
      a->failed = 1;
      return;
    }
  }
  const size_t count = a->before.size / sizeof(tachy_open_async);
  if (count) qsort(a->before.bytes, count, sizeof(tachy_open_async), open_async_by_id);
}

void tachy_open_async_follow(tachy_channel *channel, const tachy_block_clock *clock, uint64_t until, int last) {
  tachy_open_asyncs *const a = (tachy_open_asyncs *)(&channel->asyncs);
  a->failed = 0;
  open_async_remember(a);
  for (tachy_stream *s = (tachy_stream *)(channel->streams); s && !last; s = s->next) open_async_hold_ends(channel, s, open_async_lacks_values);
  for (const tachy_stream *s = (const tachy_stream *)(channel->streams); s; s = s->next) {
    const tachy_async_record *const records = (const tachy_async_record *)((const tachy_async_record *)(const void *)s->raw.bytes);
    for (uint64_t i = 0; i < s->async_rows; i++) open_async_follow(a, s, &records[i], clock);
  }
  for (tachy_stream *s = (tachy_stream *)(channel->streams); s; s = s->next) {
    if (s->async_rows && !last) open_async_hold_ends(channel, s, open_async_comes_early);
    const tachy_async_record *const records = (const tachy_async_record *)((const tachy_async_record *)(const void *)s->raw.bytes);
    for (uint64_t i = 0; i < s->async_rows; i++) tachy_stream_extend(s, records[i].ticks, records[i].ticks);
  }
  open_async_drop_ended(a);
  tachy_async_values_follow(channel, until);
}

void tachy_open_async_resume(tachy_channel *channel) {
  for (tachy_stream *s = (tachy_stream *)(channel->streams); s; s = s->next) {
    const uint64_t count = s->held.size / sizeof(tachy_async_record);
    s->resumed = count;
    if (!count) continue;
    if (tachy_bytes_append(&s->raw, s->held.bytes, s->held.size)) {
      s->async_rows += count;
      channel->events += count;
    } else {
      s->resumed = 0;
      s->dropped += count; /* they were counted as recorded when they were read */
      channel->lost += count;
    }
    s->held.size = 0;
  }
}

void tachy_open_async_put_back(tachy_channel *channel) {
  for (tachy_stream *s = (tachy_stream *)(channel->streams); s; s = s->next) {
    const uint64_t size = s->resumed * sizeof(tachy_async_record);
    if (!size || !tachy_bytes_append(&s->held, s->raw.bytes, size)) continue;
    memmove(s->raw.bytes, s->raw.bytes + size, s->raw.size - size);
    s->raw.size -= size;
    s->async_rows -= s->resumed;
    channel->events -= s->resumed;
    s->resumed = 0;
  }
}

void tachy_open_async_columns(tachy_columns *c, tachy_channel *channel) {
  const tachy_open_asyncs *const a = (const tachy_open_asyncs *)(&channel->asyncs);
  const tachy_open_async *const rows = (const tachy_open_async *)((const tachy_open_async *)(const void *)a->before.bytes);
  tachy_plane planes[6] = {{{0}, {0}}};
  uint64_t last_id = 0;
  int64_t last_utc = channel->from.utc;
  if (a->failed) c->failed = 1;
  for (uint64_t i = 0; i < a->before.size / sizeof *rows; i++) {
    const tachy_open_async *const r = (const tachy_open_async *)(&rows[i]);
    const uint32_t position = tachy_index_position(&channel->tables.sites, r->site);
    const uint64_t values[6] = {tachy_zigzag((int64_t)(r->id - last_id)),
                                tachy_parent_code(r->id, r->parent),
                                position - 1,
                                tachy_zigzag((int64_t)((uint64_t)r->utc - (uint64_t)last_utc)),
                                r->depth,
                                r->thread};
    if (!position) c->failed = 1;
    tachy_columns_row(c, planes, 6, values);
    last_id = r->id;
    last_utc = r->utc;
  }
  tachy_columns_add(c, TACHY_COLUMN_OPEN_ASYNC_ID, planes, 6);
}

int tachy_open_async_add(tachy_open_asyncs *a, const tachy_open_async *open) {
  int is_new;
  tachy_open_async *const span = (tachy_open_async *)((tachy_open_async *)tachy_by_id_add(&a->table, sizeof *span, open->id, &is_new));
  if (!span) return 0;
  *span = *open;
  span->state = open_async_SPAN_OPEN;
  return 1;
}

void tachy_open_async_free(tachy_open_asyncs *a) {
  tachy_os_release(a->table.entries);
  tachy_bytes_free(&a->before);
}

/* src/encode/span_rows.c */
/* Span records -> span columns: docs/format.md, "Span rows". The collector's hottest loop. */

enum { span_rows_ROWS_AT_ONCE = 1024 };

static int span_rows_reserve(tachy_stream *s, uint64_t rows) {
  return tachy_plane_reserve(&s->planes[TACHY_PLANE_SITE], rows) &&
         tachy_plane_reserve(&s->planes[TACHY_PLANE_DEPTH], rows) &&
         tachy_plane_reserve(&s->planes[TACHY_PLANE_LEAD], rows) &&
         tachy_plane_reserve(&s->planes[TACHY_PLANE_TAIL], rows);
}

static void span_rows_keep_async(tachy_channel *channel, tachy_stream *s, const tachy_async_record *record) {
  if (!tachy_bytes_append(&s->raw, record, sizeof *record)) {
    tachy_stream_drop(channel, s, 1);
    return;
  }
  if (tachy_is_stale(channel, record->ticks)) {
    tachy_async_record *const kept = (tachy_async_record *)((tachy_async_record *)(void *)(s->raw.bytes + s->raw.size - sizeof *kept));
    kept->ticks = tachy_stream_now(channel, s);
  }
  if (record->control == TACHY_CONTROL_ASYNC_BEGIN) s->begun = record->id & TACHY_ASYNC_COUNT;
  s->async_rows++;
  channel->events++;
  channel->recorded++;
}

/* Where the stream's next row goes, in registers: stores of bytes might change anything that is in memory. */
typedef struct span_rows_cursor {
  uint8_t *site, *depth, *lead, *tail; /* behind the planes' low bytes */
  uint8_t *lead_high, *tail_high;      /* and behind the high ones of those that need them often */
  uint64_t last;                       /* as in the stream, from here on */
  uint64_t begin_ticks, end_ticks;
  uint32_t at_depth;
} span_rows_cursor;

static span_rows_cursor span_rows_cursor_of(const tachy_stream *s) {
  const tachy_plane *const lead = (const tachy_plane *)(&s->planes[TACHY_PLANE_LEAD]), *const tail = (const tachy_plane *)(&s->planes[TACHY_PLANE_TAIL]);
  return (span_rows_cursor){tachy_behind(&s->planes[TACHY_PLANE_SITE].low),
                  tachy_behind(&s->planes[TACHY_PLANE_DEPTH].low),
                  tachy_behind(&lead->low),
                  tachy_behind(&tail->low),
                  tachy_behind(&lead->high),
                  tachy_behind(&tail->high),
                  s->last,
                  s->begin_ticks,
                  s->end_ticks,
                  s->depth};
}

static void span_rows_put_back(tachy_stream *s, const span_rows_cursor *c) {
  tachy_plane *const lead = (tachy_plane *)(&s->planes[TACHY_PLANE_LEAD]), *const tail = (tachy_plane *)(&s->planes[TACHY_PLANE_TAIL]);
  tachy_plane *const site = (tachy_plane *)(&s->planes[TACHY_PLANE_SITE]), *const depth = (tachy_plane *)(&s->planes[TACHY_PLANE_DEPTH]);
  site->low.size = (uint64_t)(c->site - site->low.bytes);
  depth->low.size = (uint64_t)(c->depth - depth->low.bytes);
  lead->low.size = (uint64_t)(c->lead - lead->low.bytes);
  tail->low.size = (uint64_t)(c->tail - tail->low.bytes);
  lead->high.size = (uint64_t)(c->lead_high - lead->high.bytes);
  tail->high.size = (uint64_t)(c->tail_high - tail->high.bytes);
  s->last = c->last;
  s->begin_ticks = c->begin_ticks;
  s->end_ticks = c->end_ticks;
  s->depth = c->at_depth;
}

/* 0: no memory. */
TACHY_INLINE int keep_span(tachy_channel *channel, tachy_stream *s, span_rows_cursor *c, uint64_t begin, uint64_t duration,
                           uint32_t word) {
  const uint32_t depth = word >> TACHY_DEPTH_SHIFT;
  uint64_t end = begin + duration;
  if (TACHY_UNLIKELY(depth >= s->room) && !tachy_stream_reach(s, depth)) return 0;
  tachy_span_level *const level = (tachy_span_level *)(&s->levels[depth]);
  uint64_t lead = 0;
  uint64_t tail;
  if (TACHY_UNLIKELY(depth > s->deepest)) s->deepest = depth;
  if (TACHY_UNLIKELY(c->last == TACHY_NO_TICKS)) {
    s->base = c->last = tachy_is_stale(channel, begin) ? channel->from.ticks : begin;
  }
  if (TACHY_UNLIKELY(depth < s->open)) {
    begin = s->opens[depth].ticks;
    if (s->opens[depth].utc < s->begin_utc) s->begin_utc = s->opens[depth].utc;
    s->open = depth;
  } else if (level[1].child != TACHY_NO_TICKS) {
    if (TACHY_UNLIKELY(begin > level[1].child)) {
      begin = level[1].child;
      channel->backwards++;
    }
    lead = level[1].child - begin;
  } else {
    if (TACHY_UNLIKELY(begin < c->last)) {
      begin = c->last;
      channel->backwards++;
    }
    lead = begin - c->last;
    if (TACHY_UNLIKELY(end < begin)) end = begin;
    tail = end - begin;
    goto put;
  }
  if (TACHY_UNLIKELY(end < c->last)) {
    end = c->last;
    channel->backwards++;
  }
  tail = end - c->last;
put:
  tachy_put_ticks(&c->lead, &c->lead_high, lead);
  tachy_put_ticks(&c->tail, &c->tail_high, tail);
  const uint32_t position = tachy_index_position(&channel->tables.sites, word & TACHY_SITE_MAX);
  tachy_put_small(&c->site, &s->planes[TACHY_PLANE_SITE], position);
  tachy_put_small(&c->depth, &s->planes[TACHY_PLANE_DEPTH], tachy_zigzag((int64_t)depth - (int64_t)c->at_depth));
  level->size += 1 + level[1].size;
  if (level->child == TACHY_NO_TICKS) level->child = begin;
  level[1] = (tachy_span_level){TACHY_NO_TICKS, 0};
  c->at_depth = depth;
  c->last = end;
  if (begin < c->begin_ticks) c->begin_ticks = begin;
  if (end > c->end_ticks) c->end_ticks = end;
  if (TACHY_UNLIKELY(depth < s->values.levels)) {
    span_rows_put_back(s, c);
    tachy_values_end(s, depth);
  }
  return position != 0;
}

/* One span. A long one's duration came before it; one that began in another life of the counter knows none. */
TACHY_INLINE void keep(tachy_channel *channel, tachy_stream *s, span_rows_cursor *c, const tachy_span_record *record, int stale) {
  uint64_t begin = record->begin;
  uint64_t duration = record->duration;
  if (TACHY_UNLIKELY(stale)) {
    begin = c->last == TACHY_NO_TICKS ? channel->from.ticks : c->last;
    duration = s->long_duration = 0;
  } else if (TACHY_UNLIKELY(duration == UINT32_MAX && s->long_duration)) {
    duration = s->long_duration;
    s->long_duration = 0;
  }
  if (TACHY_LIKELY(!s->broken) && TACHY_UNLIKELY(!keep_span(channel, s, c, begin, duration, record->word)))
    s->broken = 1;
}

uint64_t tachy_span_records(tachy_channel *channel, tachy_stream *s, const uint8_t *records, uint64_t size) {
  const uint64_t floor = channel->floor;
  const uint64_t range = (channel->ceiling ? channel->ceiling : TACHY_CONTROL_FIRST) - floor;
  const uint8_t *at = (const uint8_t *)(records);
  const uint8_t *const end = (const uint8_t *)(records + size);
  while (at < end) {
    uint64_t rows = (uint64_t)(end - at) / sizeof(tachy_span_record);
    if (rows > span_rows_ROWS_AT_ONCE) rows = span_rows_ROWS_AT_ONCE;
    const uint8_t *const until = (const uint8_t *)(at + rows * sizeof(tachy_span_record));
    if (!span_rows_reserve(s, rows)) s->broken = 1;
    uint64_t kept = 0;
    span_rows_cursor c = span_rows_cursor_of(s);
    while (at < until) {
      const tachy_span_record *const record = (const tachy_span_record *)((const tachy_span_record *)(const void *)at);
      if (TACHY_LIKELY(record->begin - floor < range)) {
        keep(channel, s, &c, record, 0);
        kept++;
        at += sizeof *record;
      } else if (record->begin < TACHY_CONTROL_FIRST) {
        keep(channel, s, &c, record, 1);
        kept++;
        at += sizeof *record;
      } else if (record->begin == TACHY_CONTROL_LONG) {
        s->long_duration = ((const tachy_long_record *)(const void *)at)->duration;
        at += sizeof(tachy_long_record);
      } else if (record->begin == TACHY_CONTROL_ASYNC_BEGIN || record->begin == TACHY_CONTROL_ASYNC_END) {
        span_rows_put_back(s, &c);
        span_rows_keep_async(channel, s, (const tachy_async_record *)(const void *)at);
        at += sizeof(tachy_async_record);
      } else if (tachy_is_value(record->begin)) {
        const tachy_value_record *const value = (const tachy_value_record *)((const tachy_value_record *)(const void *)at);
        tachy_values_read(channel, s, value);
        at += tachy_value_size(value);
      } else {
        break;
      }
    }
    span_rows_put_back(s, &c);
    s->rows += kept;
    s->total += kept;
    channel->events += kept;
    channel->recorded += kept;
    if (at < until) break;
  }
  return (uint64_t)(at - records);
}

/* src/encode/span_values.c */
/* Values on spans: the lists that they are held in, those of threads' spans, and the columns of all. */


enum { span_values_TEXT_SLOT = 256 };

_Static_assert(TACHY_VALUE_TEXT_MAX < span_values_TEXT_SLOT, "a text fits");

/* Lists ------------------------------------------------------------------------------------------------------------ */

static tachy_value *span_values_node_at(const tachy_values *v, uint32_t number) {
  return (tachy_value *)(void *)v->nodes.bytes + (number - 1);
}

static const uint8_t *span_values_text_of(const tachy_values *values, const tachy_value *value) {
  return values->texts.bytes + (uint64_t)(value->text - 1) * span_values_TEXT_SLOT;
}

/* Free texts are chained by their first bytes. */
static uint32_t span_values_take_text(tachy_values *v) {
  uint32_t number = v->free_text;
  if (number) {
    memcpy(&v->free_text, v->texts.bytes + (uint64_t)(number - 1) * span_values_TEXT_SLOT, sizeof v->free_text);
    return number;
  }
  if (!tachy_bytes_reserve(&v->texts, span_values_TEXT_SLOT)) return 0;
  v->texts.size += span_values_TEXT_SLOT;
  return (uint32_t)(v->texts.size / span_values_TEXT_SLOT);
}

static void span_values_free_text(tachy_values *v, uint32_t number) {
  if (!number) return;
  memcpy(v->texts.bytes + (uint64_t)(number - 1) * span_values_TEXT_SLOT, &v->free_text, sizeof v->free_text);
  v->free_text = number;
}

static uint32_t span_values_take_node(tachy_values *v) {
  const uint32_t number = v->free_node;
  if (number) {
    v->free_node = span_values_node_at(v, number)->next;
    return number;
  }
  if (!tachy_bytes_reserve(&v->nodes, sizeof(tachy_value))) return 0;
  v->nodes.size += sizeof(tachy_value);
  return (uint32_t)(v->nodes.size / sizeof(tachy_value));
}

/* Flows of one key do not replace each other. */
static int span_values_is_same(const tachy_value *value, const tachy_value *given) {
  if (value->site != given->site) return 0;
  return given->type != TACHY_VALUE_FLOW || value->type != TACHY_VALUE_FLOW || value->bits == given->bits;
}

/* A new value at the end of the list; 0: no memory. `last`: the one that is there now, or 0. */
static uint32_t span_values_append(tachy_values *v, tachy_value_list *list, uint32_t last, uint32_t site) {
  const uint32_t added = span_values_take_node(v);
  if (!added) return 0;
  *span_values_node_at(v, added) = (tachy_value){0, 0, site, 0, 0};
  if (last) {
    span_values_node_at(v, last)->next = added;
  } else {
    list->first = added;
  }
  list->count++;
  return added;
}

int tachy_values_put(tachy_values *v, tachy_value_list *list, const tachy_value *given, const uint8_t *text) {
  uint32_t last = 0;
  uint32_t at = list->first;
  while (at && !span_values_is_same(span_values_node_at(v, at), given)) {
    last = at;
    at = span_values_node_at(v, at)->next;
  }
  if (!at && list->count == TACHY_SPAN_VALUES_MAX) return 0;
  uint32_t slot = at ? span_values_node_at(v, at)->text : 0;
  if (given->type == TACHY_VALUE_TEXT && !slot) {
    slot = span_values_take_text(v);
    if (!slot) return 0;
  }
  if (!at) at = span_values_append(v, list, last, given->site);
  if (!at) {
    span_values_free_text(v, slot);
    return 0;
  }
  tachy_value *const value = (tachy_value *)(span_values_node_at(v, at));
  value->type = given->type;
  value->bits = given->bits;
  value->text = slot;
  if (given->type == TACHY_VALUE_TEXT) {
    uint8_t *const copy = (uint8_t *)(v->texts.bytes + (uint64_t)(slot - 1) * span_values_TEXT_SLOT);
    memcpy(copy, text, given->bits);
    tachy_text_clean(copy, given->bits);
  }
  return 1;
}

void tachy_values_drop(tachy_values *v, tachy_value_list *list) {
  for (uint32_t at = list->first; at;) {
    tachy_value *const value = (tachy_value *)(span_values_node_at(v, at));
    const uint32_t next = value->next;
    span_values_free_text(v, value->text);
    value->next = v->free_node;
    v->free_node = at;
    at = next;
  }
  *list = (tachy_value_list){0, 0};
}

/* Spans of threads ------------------------------------------------------------------------------------------------- */

/* NULL: no memory. */
static tachy_value_list *span_values_list_at(tachy_stream *s, uint32_t depth) {
  tachy_span_values *const own = (tachy_span_values *)(&s->values);
  if (depth >= own->room) {
    uint32_t room = own->room ? own->room : 8;
    while (room <= depth) room *= 2;
    tachy_value_list *const open = (tachy_value_list *)(tachy_os_resize(own->open, room * sizeof *open));
    if (!open) return NULL;
    memset(open + own->room, 0, (room - own->room) * sizeof *open);
    own->open = open;
    own->room = room;
  }
  if (depth >= own->levels) own->levels = depth + 1;
  return &own->open[depth];
}

/* owner: a depth, of a thread's span; without a stream the id of an async one. 0: no memory, or it has too many. */
static int span_values_put(tachy_values *v, tachy_stream *s, uint64_t owner, const tachy_value *value, const uint8_t *text) {
  if (!s) return tachy_async_values_put(v, owner, value, text);
  tachy_value_list *const list = (tachy_value_list *)(owner < TACHY_DEPTH_MAX ? span_values_list_at(s, (uint32_t)owner) : NULL);
  return list && tachy_values_put(v, list, value, text);
}

void tachy_values_read(tachy_channel *channel, tachy_stream *s, const tachy_value_record *record) {
  const uint32_t word = (uint32_t)record->control;
  const tachy_value value = {record->bits, 0, word & TACHY_SITE_MAX, tachy_value_type_of(record), 0};
  int ok;
  if (record->control < TACHY_CONTROL_VALUE) {
    const tachy_async_value_record *const async = (const tachy_async_value_record *)((const tachy_async_value_record *)(const void *)record);
    ok = span_values_put(&channel->values, NULL, async->id, &value, (const uint8_t *)(async + 1));
  } else {
    ok = span_values_put(&channel->values, s, word >> TACHY_DEPTH_SHIFT, &value, (const uint8_t *)(record + 1));
  }
  channel->values.lost += !ok;
}

void tachy_values_forget(tachy_stream *s, uint32_t depth) {
  tachy_span_values *const own = (tachy_span_values *)(&s->values);
  for (uint32_t d = depth; d < own->levels; d++) tachy_values_drop(own->all, &own->open[d]);
  if (depth < own->levels) own->levels = depth;
}

void tachy_values_drop_from(tachy_stream *s, uint32_t depth) {
  for (uint32_t d = depth; d < s->values.levels; d++) s->values.all->lost += s->values.open[d].count;
  tachy_values_forget(s, depth);
}

void tachy_values_end(tachy_stream *s, uint32_t depth) {
  tachy_span_values *const own = (tachy_span_values *)(&s->values);
  tachy_values_drop_from(s, depth + 1); /* none, unless records were lost without a gap */
  const tachy_row_values row = {s->planes[TACHY_PLANE_SITE].low.size - 1, own->open[depth]};
  if (row.list.count && tachy_bytes_append(&own->rows, &row, sizeof row)) {
    own->open[depth] = (tachy_value_list){0, 0};
  }
  tachy_values_drop_from(s, depth);
}

void tachy_values_next_block(tachy_stream *s) {
  tachy_row_values *const rows = (tachy_row_values *)((tachy_row_values *)(void *)s->values.rows.bytes);
  const uint64_t count = s->values.rows.size / sizeof *rows;
  for (uint64_t i = 0; i < count; i++) tachy_values_drop(s->values.all, &rows[i].list);
  s->values.rows.size = 0;
}

void tachy_values_free_stream(tachy_stream *s) {
  tachy_values_next_block(s);
  tachy_values_drop_from(s, 0);
  tachy_bytes_free(&s->values.rows);
  tachy_os_release(s->values.open);
}

void tachy_values_free(tachy_values *v) {
  tachy_bytes_free(&v->nodes);
  tachy_bytes_free(&v->texts);
  tachy_os_release(v->asyncs.entries);
}

/* Columns ---------------------------------------------------------------------------------------------------------- */

typedef struct span_values_writer {
  tachy_channel *channel;
  tachy_columns *columns;
  tachy_plane heads[3]; /* owners, sites, types */
  tachy_plane integers, sizes;
  tachy_bytes floats, text;
  uint64_t owner; /* of the value before */
} span_values_writer;

static int span_values_write_bits(span_values_writer *w, const tachy_value *value) {
  switch (value->type) {
    case TACHY_VALUE_F64:
      return tachy_bytes_append(&w->floats, &value->bits, sizeof value->bits);
    case TACHY_VALUE_TEXT:
      return tachy_plane_append(&w->sizes, value->bits) &&
             tachy_bytes_append(&w->text, span_values_text_of(&w->channel->values, value), value->bits);
    case TACHY_VALUE_I64:
      return tachy_plane_append(&w->integers, tachy_zigzag((int64_t)value->bits));
    default:
      return tachy_plane_append(&w->integers, value->bits);
  }
}

static void span_values_write_list(span_values_writer *w, uint64_t owner, const tachy_value_list *list) {
  for (uint32_t at = list->first; at;) {
    const tachy_value *const value = (const tachy_value *)(span_values_node_at(&w->channel->values, at));
    const uint32_t position = tachy_index_position(&w->channel->tables.sites, value->site);
    const uint64_t head[3] = {owner - w->owner, position - 1, value->type};
    tachy_columns_row(w->columns, w->heads, 3, head);
    if (!position || !span_values_write_bits(w, value)) w->columns->failed = 1;
    w->owner = owner;
    at = value->next;
  }
}

/* Rows, then spans that are open at the end: returns how many owners they are. */
static uint64_t span_values_write_threads(span_values_writer *w) {
  uint64_t base = 0;
  for (const tachy_stream *s = (const tachy_stream *)(w->channel->streams); s; s = s->next) {
    const tachy_row_values *const rows = (const tachy_row_values *)((const tachy_row_values *)(const void *)s->values.rows.bytes);
    for (uint64_t i = 0; i < s->values.rows.size / sizeof *rows; i++) {
      span_values_write_list(w, base + rows[i].row, &rows[i].list);
    }
    base += s->rows;
  }
  for (const tachy_stream *s = (const tachy_stream *)(w->channel->streams); s; s = s->next) {
    for (uint32_t k = 0; k < s->at_end && k < s->values.levels; k++) span_values_write_list(w, base + k, &s->values.open[k]);
    base += s->at_end;
  }
  return base;
}

/* Rows, then spans that are open at the block's start. */
static void span_values_write_asyncs(span_values_writer *w, uint64_t base) {
  const tachy_values *const v = (const tachy_values *)(&w->channel->values);
  if (v->asyncs.count == 0) return;
  for (const tachy_stream *s = (const tachy_stream *)(w->channel->streams); s; s = s->next) {
    const tachy_async_record *const rows = (const tachy_async_record *)((const tachy_async_record *)(const void *)s->raw.bytes);
    for (uint64_t i = 0; i < s->async_rows; i++) {
      const tachy_async_values *const of = (const tachy_async_values *)(tachy_async_values_of(v, rows[i].id));
      if (of && of->ended == (rows[i].control == TACHY_CONTROL_ASYNC_END)) span_values_write_list(w, base + i, &of->list);
    }
    base += s->async_rows;
  }
  const tachy_bytes *const before = (const tachy_bytes *)(&w->channel->asyncs.before);
  const tachy_open_async *const open = (const tachy_open_async *)((const tachy_open_async *)(const void *)before->bytes);
  for (uint64_t i = 0; i < before->size / sizeof *open; i++) {
    const tachy_async_values *const of = (const tachy_async_values *)(tachy_async_values_of(v, open[i].id));
    if (of && !of->ended) span_values_write_list(w, base + i, &of->list);
  }
}

void tachy_values_columns(tachy_columns *c, tachy_channel *channel) {
  span_values_writer w = {.channel = channel, .columns = c};
  span_values_write_asyncs(&w, span_values_write_threads(&w));
  tachy_columns_add(c, TACHY_COLUMN_SPAN_VALUE_OWNER, w.heads, 3);
  tachy_columns_add(c, TACHY_COLUMN_SPAN_VALUE_INT, &w.integers, 1);
  tachy_columns_buffer(c, TACHY_COLUMN_SPAN_VALUE_F64, TACHY_ENCODING_F64, &w.floats);
  tachy_columns_add(c, TACHY_COLUMN_SPAN_VALUE_TEXT_SIZE, &w.sizes, 1);
  tachy_columns_buffer(c, TACHY_COLUMN_SPAN_VALUE_TEXT_BYTES, TACHY_ENCODING_BYTES, &w.text);
}

/* The session file ------------------------------------------------------------------------------------------------- */

typedef struct span_values_saved_value {
  uint64_t owner; /* depth, or id */
  uint64_t bits;
  uint32_t site;
  uint32_t type;
} span_values_saved_value;

static int span_values_save(tachy_bytes *out, const tachy_values *v, const tachy_value_list *list, uint64_t owner) {
  static const uint8_t zeros[8] = {0};
  for (uint32_t at = list->first; at; at = span_values_node_at(v, at)->next) {
    const tachy_value *const value = (const tachy_value *)(span_values_node_at(v, at));
    const span_values_saved_value saved = {owner, value->bits, value->site, value->type};
    if (!tachy_bytes_append(out, &saved, sizeof saved)) return 0;
    if (value->type != TACHY_VALUE_TEXT) continue;
    if (!tachy_bytes_append(out, span_values_text_of(v, value), value->bits) ||
        !tachy_bytes_append(out, zeros, tachy_pad8(value->bits) - value->bits)) {
      return 0;
    }
  }
  return 1;
}

int tachy_values_save(tachy_bytes *out, const tachy_values *v, const tachy_stream *s) {
  for (uint32_t k = 0; s && k < s->values.levels; k++) {
    if (!span_values_save(out, v, &s->values.open[k], k)) return 0;
  }
  for (uint64_t i = 0; !s && i < v->asyncs.capacity; i++) {
    const tachy_async_values *const of = (const tachy_async_values *)(tachy_async_values_at(v, i));
    if (of->id && !span_values_save(out, v, &of->list, of->id)) return 0;
  }
  return 1;
}

int tachy_values_load(tachy_values *v, tachy_stream *s, const uint8_t *bytes, uint64_t size) {
  const uint8_t *at = (const uint8_t *)(bytes);
  for (uint64_t left = size; left > 0;) {
    span_values_saved_value saved;
    if (left < sizeof saved) return 0;
    memcpy(&saved, at, sizeof saved);
    at += sizeof saved;
    left -= sizeof saved;
    if (saved.type < TACHY_VALUE_I64 || saved.type > TACHY_VALUE_BOOL || !saved.site || saved.site > TACHY_SITE_MAX) {
      return 0;
    }
    const int is_text = saved.type == TACHY_VALUE_TEXT;
    if (is_text && saved.bits > TACHY_VALUE_TEXT_MAX) return 0;
    const uint64_t text = is_text ? tachy_pad8(saved.bits) : 0;
    const tachy_value value = {saved.bits, 0, saved.site, saved.type, 0};
    if (text > left || !span_values_put(v, s, saved.owner, &value, at)) return 0;
    at += text;
    left -= text;
  }
  return 1;
}

/* src/encode/stream.c */
/* Streams: their life, and gaps. */


enum { stream_ROOM_MIN = 16 };

tachy_stream *tachy_stream_find(const tachy_channel *channel, uint32_t number) {
  tachy_stream *s = (tachy_stream *)(channel->streams);
  while (s && s->number != number) s = s->next;
  return s;
}

int tachy_stream_reach(tachy_stream *s, uint32_t depth) {
  if (TACHY_LIKELY(depth < s->room)) return 1;
  uint32_t room = s->room ? s->room : stream_ROOM_MIN;
  while (room <= depth) room *= 2;
  const uint32_t old = s->room;
  tachy_span_level *const levels = (tachy_span_level *)(tachy_os_resize(s->levels, (room + 2) * sizeof *levels));
  if (levels) s->levels = levels;
  tachy_open_row *const opens = (tachy_open_row *)(levels ? tachy_os_resize(s->opens, room * sizeof *opens) : NULL);
  if (opens) s->opens = opens;
  tachy_open_row *const ends = (tachy_open_row *)(opens ? tachy_os_resize(s->ends, room * sizeof *ends) : NULL);
  if (!ends) return 0;
  s->ends = ends;
  for (uint32_t i = old ? old + 2 : 0; i < room + 2; i++) levels[i] = (tachy_span_level){TACHY_NO_TICKS, 0};
  memset(opens + old, 0, (room - old) * sizeof *opens);
  memset(ends + old, 0, (room - old) * sizeof *ends);
  s->room = room;
  return 1;
}

tachy_stream *tachy_stream_new(tachy_channel *channel, uint32_t number) {
  tachy_stream **link = (tachy_stream **)(&channel->streams);
  while (*link && (*link)->number < number) link = &(*link)->next;
  if (*link && (*link)->number == number) return NULL;
  tachy_stream *const s = (tachy_stream *)(tachy_os_allocate(sizeof *s));
  if (!s) return NULL;
  memset(s, 0, sizeof *s);
  s->cls = channel->cls;
  if (channel->cls == TACHY_CLASS_SPAN && !tachy_stream_reach(s, 0)) {
    tachy_os_release(s);
    return NULL;
  }
  s->values.all = &channel->values;
  s->number = number;
  s->last = TACHY_NO_TICKS;
  s->base = TACHY_NO_TICKS;
  s->begin_ticks = UINT64_MAX;
  s->begin_utc = INT64_MAX;
  s->next = *link;
  *link = s;
  return s;
}

static void stream_next_block(tachy_stream *s) {
  for (unsigned i = 0; i < TACHY_PLANES; i++) tachy_plane_clear(&s->planes[i]);
  s->floats.size = s->text.size = s->raw.size = 0;
  s->rows = s->gap_rows = s->async_rows = s->dropped = s->missed = 0;
  s->first = s->total;
  s->base = s->last;
  s->begin_ticks = UINT64_MAX;
  s->begin_utc = INT64_MAX;
  s->end_ticks = 0;
  tachy_values_next_block(s);
  if (s->broken) tachy_values_drop_from(s, 0); /* nobody has seen which spans have ended */
  s->broken = 0;
  if (!s->levels) return;
  for (uint32_t i = 0; i <= s->deepest + 1; i++) s->levels[i] = (tachy_span_level){TACHY_NO_TICKS, 0};
  s->deepest = 0;
  tachy_open_row *const ends = (tachy_open_row *)(s->ends);
  s->ends = s->opens;
  s->opens = ends;
  s->at_start = s->at_end;
  s->open = s->at_end;
}

void tachy_channel_next_block(tachy_channel *channel, tachy_clock_pair from, int made) {
  for (tachy_stream *s = (tachy_stream *)(channel->streams); s; s = s->next) stream_next_block(s);
  tachy_tables_clear(&channel->tables);
  if (channel->watch) channel->watch->kinds.size = 0;
  channel->events = channel->bytes = 0;
  tachy_async_values_next_block(&channel->values, from.ticks);
  tachy_open_async_resume(channel);
  channel->sequence += (uint64_t)made;
  if (from.ticks != channel->from.ticks) tachy_past_add(&channel->past, channel->from);
  channel->from = from;
  if (from.ticks >= channel->ceiling) channel->ceiling = 0;
}

static void stream_free_stream(tachy_stream *s) {
  for (unsigned i = 0; i < TACHY_PLANES; i++) tachy_plane_free(&s->planes[i]);
  tachy_bytes_free(&s->floats);
  tachy_bytes_free(&s->text);
  tachy_bytes_free(&s->raw);
  tachy_bytes_free(&s->held);
  tachy_values_free_stream(s);
  tachy_os_release(s->levels);
  tachy_os_release(s->opens);
  tachy_os_release(s->ends);
  tachy_os_release(s);
}

void tachy_stream_remove(tachy_channel *channel, tachy_stream *stream) {
  tachy_stream **link = (tachy_stream **)(&channel->streams);
  while (*link != stream) link = &(*link)->next;
  *link = stream->next;
  stream_free_stream(stream);
}

void tachy_channel_free(tachy_channel *channel) {
  while (channel->streams) tachy_stream_remove(channel, channel->streams);
  tachy_tables_free(&channel->tables);
  tachy_open_async_free(&channel->asyncs);
  tachy_values_free(&channel->values);
}

void tachy_stream_drop(tachy_channel *channel, tachy_stream *s, uint64_t count) {
  s->dropped += count;
  channel->lost += count;
  channel->recorded += count;
}

void tachy_stream_gap(tachy_channel *channel, tachy_stream *s, uint64_t count, uint32_t depth) {
  tachy_stream_drop(channel, s, count);
  s->total += count;
  s->rows++;
  s->gap_rows++;
  int ok = tachy_plane_append(&s->planes[TACHY_PLANE_SITE], 0) && tachy_plane_append(&s->planes[TACHY_PLANE_LEAD], 0) &&
           tachy_plane_append(&s->planes[TACHY_PLANE_GAP], count);
  if (channel->cls != TACHY_CLASS_SPAN) {
    ok = ok && tachy_plane_append(&s->planes[TACHY_PLANE_SET], 0);
    if (!ok) s->broken = 1;
    return;
  }
  ok = ok && tachy_plane_append(&s->planes[TACHY_PLANE_TAIL], 0) &&
       tachy_plane_append(&s->planes[TACHY_PLANE_DEPTH], tachy_zigzag((int64_t)depth - (int64_t)s->depth));
  if (!ok) s->broken = 1;
  if (!tachy_stream_reach(s, depth)) {
    s->broken = 1;
    return;
  }
  if (count && depth < s->values.levels) tachy_values_drop_from(s, depth);
  tachy_span_level *const level = (tachy_span_level *)(&s->levels[depth]);
  if (depth > s->deepest) s->deepest = depth;
  level->size += count;
  for (uint32_t d = depth + 1; d <= s->deepest; d++) {
    level->size += s->levels[d].size;
    if (level->child == TACHY_NO_TICKS) level->child = s->levels[d].child;
    s->levels[d] = (tachy_span_level){TACHY_NO_TICKS, 0};
  }
  if (depth < s->open) s->open = depth;
  s->depth = depth;
}

/* src/recorder/session.h */
/* What precedes everything else in the copy of the recorder that records. */
#ifndef TACHY_SRC_RECORDER_SESSION_H
#define TACHY_SRC_RECORDER_SESSION_H
TACHY_HIDE

/* Conditions, the thread exit hook, the fork handlers: once per process. */
void tachy_library_init(void);

TACHY_SHOW
#endif

/* src/recorder/pool/chunk.h */
/* Chunks: what recording threads write into. One lies ready in every thread's slot for each class, small; all others
 * are 64 KiB and come from the pool.
 *
 * A chunk is nobody's; or a thread fills it with records of one class; or it is full and waits for the collector; or it
 * has been read and waits until the cut that holds its events has been committed. Then it is nobody's again. It says
 * who filled it, from which position of the thread's stream on, what had been lost before, and which spans were open
 * when it began: so it can be read alone, by the collector or, in the file of a process that is gone, by a recovery. */
#ifndef TACHY_SRC_RECORDER_POOL_CHUNK_H
#define TACHY_SRC_RECORDER_POOL_CHUNK_H

TACHY_HIDE


#define TACHY_NO_DEPTH UINT32_MAX
#define TACHY_CHUNK_BYTES 65536u

typedef struct tachy_chunk {
  uint64_t owner;      /* atomic: thread number << 8 | class; 0: nobody's */
  uint64_t first;      /* position of its first record in the thread's stream of the class */
  uint64_t used;       /* atomic: bytes of records; 0 until the thread takes the next one */
  uint64_t lost;       /* all events of the class that the thread had lost when it took the chunk */
  uint64_t ticks;      /* when it took it */
  uint32_t lost_depth; /* the shallowest span of those lost since the chunk before; TACHY_NO_DEPTH: none */
  uint32_t depth;      /* spans that were open: tachy_open_span[depth] stand before the records */
  uint64_t size;       /* room for records, bytes */
  uint64_t next;    /* atomic, in this process only: the address of the chunk that the thread took next, or one of the
                       two below */
  uint64_t read;    /* atomic: bytes that the collector has read; says something of a chunk that is not full, whose
                       thread's slot lies elsewhere */
  uint64_t waiting; /* the collector's: address of the next one that it has read, too */
} tachy_chunk;

#define TACHY_CHUNK_LAST 0u     /* the thread fills it, or has found none after it */
#define TACHY_CHUNK_RETURNED 1u /* it is full and in a batch, and the thread may begin it anew */

_Static_assert(sizeof(tachy_chunk) == 80, "session file");

static inline tachy_chunk *tachy_chunk_at(uint64_t address) { return (tachy_chunk *)(uintptr_t)address; }

static inline uint64_t tachy_chunk_owner(uint64_t thread, tachy_class cls) { return thread << 8 | (uint64_t)cls; }

static inline const tachy_open_span *tachy_chunk_stack(const tachy_chunk *chunk) {
  return (const tachy_open_span *)(const void *)(chunk + 1);
}

static inline uint8_t *tachy_chunk_records(tachy_chunk *chunk) {
  return (uint8_t *)(chunk + 1) + (uint64_t)chunk->depth * sizeof(tachy_open_span);
}

/* The most that one record may take: what a chunk holds of a class without a stack. */
#define TACHY_RECORD_MAX (TACHY_CHUNK_BYTES - sizeof(tachy_chunk))

TACHY_SHOW
#endif

/* src/recorder/pool/slot.h */
/* A slot: what a recording thread and the collector share. It lies in the pool's memory, at the same address for the
 * life of the process, and so in the session file where there is one. */
#ifndef TACHY_SRC_RECORDER_POOL_SLOT_H
#define TACHY_SRC_RECORDER_POOL_SLOT_H

TACHY_HIDE


#define TACHY_THREAD_NAME_MAX 48

/* FREE; LIVE: a thread's; EXITED: the thread has ended; READ: and all that it left has been read, but is not yet in a
 * batch. */
enum { TACHY_SLOT_FREE = 0, TACHY_SLOT_LIVE = 1, TACHY_SLOT_EXITED = 2, TACHY_SLOT_READ = 3 };

/* What only slow paths need of a class. */
typedef struct tachy_writer_back {
  uint64_t chunk;      /* thread: address of the one that it fills, or 0 */
  uint64_t lost;       /* thread -> collector: all events that found no room */
  uint32_t lost_depth; /* thread -> collector: the shallowest of the lost spans that no chunk has counted yet */
  uint32_t zero;
} tachy_writer_back;

struct tachy_source;

/* Room for records in the slot's own chunks: most threads record little. */
enum { TACHY_OWN_LOG = 1024, TACHY_OWN_METRIC = 384, TACHY_OWN_SPAN = 1344 };

#define TACHY_SLOT_STEP 4096u                   /* the slot's memory is backed in such steps */
#define TACHY_SLOT_BACKED (2 * TACHY_SLOT_STEP) /* from the start */
#define TACHY_SLOT_BYTES UINT64_C(24576)        /* from one slot to the next */

typedef struct tachy_slot {
  uint64_t async_count; /* thread */
  uint64_t async_lost;  /* thread -> collector, like the next four */
  uint64_t too_deep;
  uint64_t mismatched;
  uint64_t backwards;
  uint64_t values_lost;
  uint64_t os_id;                   /* set before the slot is LIVE */
  uint64_t ended;                   /* ticks, set before it is EXITED */
  char name[TACHY_THREAD_NAME_MAX]; /* under tachy_threads_lock */
  struct tachy_slot *next;          /* of all slots */
  struct tachy_slot *next_free;     /* under the same lock */
  uint32_t state;                   /* atomic */
  uint32_t named;                   /* like the name: tachy_set_thread_name gave it, the system's will not replace it */
  uint64_t pool;                    /* in whose memory it lies */
  _Alignas(128) struct tachy_source *sources[TACHY_CLASSES]; /* collector: of the running session */
  /* atomic: address of the thread's first chunk that is not read yet, or 0; the thread writes only that of a chunk that
   * follows none, so it does not lie beside what the thread reads */
  uint64_t first[TACHY_CLASSES];
  uint64_t seen_async_lost; /* collector: what stats and blocks have of the counters above */
  uint64_t seen_too_deep;
  uint64_t seen_mismatched;
  uint64_t seen_backwards;
  uint64_t seen_values_lost;
  uint64_t begin[TACHY_CLASSES];       /* collector: the thread's part in this session begins here in its stream, */
  uint64_t lost_before[TACHY_CLASSES]; /* after so many lost events, */
  uint64_t missed_before;              /* and tachy_slot_missed of these */
  _Alignas(16) uint8_t own_log[sizeof(tachy_chunk) + TACHY_OWN_LOG];
  uint8_t own_metric[sizeof(tachy_chunk) + TACHY_OWN_METRIC];
  uint8_t own_span[sizeof(tachy_chunk) + TACHY_OWN_SPAN];
  _Alignas(4096) tachy_writer_back back[TACHY_CLASSES]; /* in the thread's page: its change of chunks meets no other */
  _Alignas(128) tachy_thread thread;                    /* its stack gets memory step by step */
} tachy_slot;

_Static_assert(offsetof(tachy_slot, back) == TACHY_SLOT_STEP && sizeof(tachy_slot) <= TACHY_SLOT_BYTES,
               "what a thread that does little touches is two pages");

static inline tachy_slot *tachy_slot_of(tachy_thread *thread) {
  return (tachy_slot *)(void *)((uint8_t *)thread - offsetof(tachy_slot, thread));
}

static inline tachy_writer *tachy_slot_writer(tachy_slot *slot, tachy_class cls) {
  return cls == TACHY_CLASS_SPAN ? &slot->thread.span
                                 : (cls == TACHY_CLASS_METRIC ? &slot->thread.metric : &slot->thread.log);
}

/* How many spans are open, also while the thread is inside a record. */
static inline uint32_t tachy_depth_of(const tachy_thread *thread) {
  const uint32_t top = TACHY_LOAD_ACQUIRE(&thread->top);
  return TACHY_DEPTH_AT_(top >= ~TACHY_TOP_MAX_ ? ~top : top & ~TACHY_INSIDE_);
}

/* The slot's own chunk of a class, and its room for records. */
static inline tachy_chunk *tachy_slot_own(tachy_slot *slot, tachy_class cls, uint64_t *size) {
  *size = cls == TACHY_CLASS_SPAN ? TACHY_OWN_SPAN : cls == TACHY_CLASS_METRIC ? TACHY_OWN_METRIC : TACHY_OWN_LOG;
  return (tachy_chunk *)(void *)(cls == TACHY_CLASS_SPAN     ? slot->own_span
                                 : cls == TACHY_CLASS_METRIC ? slot->own_metric
                                                             : slot->own_log);
}

/* Events without a row that the slot has counted. */
static inline uint64_t tachy_slot_missed(const tachy_slot *slot) {
  return TACHY_LOAD(&slot->too_deep) + TACHY_LOAD(&slot->async_lost);
}

/* Adds to a counter that the calling thread alone writes. */
static inline void tachy_count(uint64_t *counter, uint64_t n) { TACHY_STORE(counter, *counter + n); }

TACHY_SHOW
#endif

/* src/recorder/threads/threads.h */
/* Thread slots: given to a thread at its first event, and free again once all that it left is in a batch. */
#ifndef TACHY_SRC_RECORDER_THREADS_THREADS_H
#define TACHY_SRC_RECORDER_THREADS_THREADS_H
TACHY_HIDE


#if defined(_WIN32)
/* tachy_here_ for what the inline half cannot read. */
tachy_thread *tachy_thread_armed(void);
#endif

/* The calling thread's slot, or NULL when it has none. */
static inline tachy_slot *tachy_slot_here(void) {
  tachy_thread *const thread = (tachy_thread *)(tachy_here_());
  return thread == &tachy_no_thread_ ? NULL : tachy_slot_of(thread);
}

/* For a slow path: the calling thread's slot, made now if need be, and inside a record of every class until
 * tachy_slot_leave. NULL while nothing records, without memory, or when the thread is inside a record, which a signal
 * handler has interrupted: that event is counted as lost for the class (0: a value on a span; TACHY_CLASSES: none). */
tachy_slot *tachy_slot_enter(unsigned cls);
void tachy_slot_leave(tachy_slot *slot);
/* The same, but for a record of a metric or a log, which goes on inline. */
void tachy_slot_leave_to_row(tachy_slot *slot);

/* A slot of this name that belongs to no thread, for the life of the process: late.c writes to it. NULL without memory.
 */
tachy_slot *tachy_slot_stand_in(const char *name);

/* Gives the calling thread's stack more memory. 0: it has all that there can be. */
int tachy_slot_deepen(tachy_slot *slot);

/* For the collector. The list only grows. */
tachy_slot *tachy_slots_first(void);
void tachy_slot_free(tachy_slot *slot);
/* Keeps some free ones ready, with storage and touched. */
void tachy_slots_tend(void);
/* Slots of threads that have ended, read or not. */
uint64_t tachy_slots_ended(void);
/* After so many of these the collector is rung. */
#define TACHY_ENDS_RING 256u
/* Reads again what the system calls a thread that was not named through us: programs name threads once they run. */
void tachy_slot_read_name(tachy_slot *slot);
/* Copies the thread's name, at most TACHY_THREAD_NAME_MAX - 1 bytes, and returns its size. */
uint32_t tachy_slot_name(tachy_slot *slot, char *name);
uint64_t tachy_slots_attached(void);

/* Before a session: forgets free slots of an earlier pool. Threads that have a slot keep it. */
void tachy_slots_begin_session(void);
int tachy_threads_init(void);

/* Around fork(). */
void tachy_threads_fork_begins(void);
void tachy_threads_fork_ends(void);
void tachy_threads_lock(void);
void tachy_threads_unlock(void);
void tachy_threads_after_fork(void);

/* Whether a session records. Loaded relaxed, in slow paths only. */
extern uint32_t tachy_running;

TACHY_SHOW
#endif

/* src/recorder/threads/followers.h */
/* Thread pointers of other copies of the recorder in the process. Each copy has a thread-local pointer of its own that
 * its inline half reads; they follow the one of the copy that records. On Windows all copies read the same slot of
 * TlsAlloc, and nothing is to be done. */
#ifndef TACHY_SRC_RECORDER_THREADS_FOLLOWERS_H
#define TACHY_SRC_RECORDER_THREADS_FOLLOWERS_H
TACHY_HIDE


/* The calling thread's pointer of the copy, at `where`, points to the thread's slot from now on, if it has one, and to
 * `nobody` when that is over. Without memory it stays as it is: then every event takes a slow path. */
void tachy_followers_add(tachy_thread **where, tachy_thread *nobody, const void *copy);
/* The copy is being unloaded, and its pointers with it. */
void tachy_followers_forget(const void *copy);

/* For threads.c. The calling thread's own pointer has changed: its followers change too. The calling thread ends. */
void tachy_followers_stand(void);
void tachy_followers_end(void);

/* Around fork(). */
void tachy_followers_lock(void);
void tachy_followers_unlock(void);
void tachy_followers_after_fork(void);

TACHY_SHOW
#endif

/* src/recorder/api.c */
/* The public functions: each finds the one recorder of the process, and calls it there.
 *
 * A process may hold several copies of the recorder, in the program and in libraries that link it statically, of one
 * version or of several. At its first use a copy looks through the loaded modules for the others (TACHY_OS_LANDMARK).
 * If one of them records already, it joins that; else the first in the order of loading records from now on, which is
 * the program's own if it has one: plugins come and go. The copy that records is never unloaded. A copy that cannot
 * join, since it would speak to the other in another layout, says so once and records nothing. */
#include <string.h>


enum { api_LINE_SIZE = 1024 };

#define api_MAGIC UINT64_C(0x7970632d79686374) /* "tchy-cpy" */

typedef struct tachy_copy {
  /* the same in all versions, for ever */
  uint64_t magic;
  const char *version;   /* for people */
  const char *functions; /* what follows `here`, as text */
  uint64_t layout;       /* a hash of what copies share beside these */
  uint32_t records;      /* atomic: 1: this one, for the process */
  uint32_t size;
  /* the same in those that can join */
  void (*begin)(void);
  tachy_thread *(*here)(void);
  void (*follow)(tachy_thread **where, tachy_thread *nobody, const void *copy);
  void (*forget)(const void *copy);
  uint32_t (*thread_offset)(void);
#define api_MEMBER(type, name, parameters, arguments, otherwise) type(*name) parameters;
#define api_MEMBER_VOID(name, parameters, arguments) void(*name) parameters;
#define api_MEMBER_SPECIAL(type, name, parameters) type(*name) parameters;
  TACHY_ENTRIES(api_MEMBER, api_MEMBER_VOID, api_MEMBER, api_MEMBER_VOID, api_MEMBER_SPECIAL)
} tachy_copy;

/* Whatever the inline halves of several modules read and write together. GENERATION is to be raised when that means
 * something else in the same layout. */
#define api_GENERATION 2
#define api_MIX(hash, number) (((hash) ^ (uint64_t)(number)) * UINT64_C(0x100000001b3))
#if defined(TACHY_CLOCK_TSC)
#define api_CLOCK 1
#elif defined(TACHY_CLOCK_CNTVCT)
#define api_CLOCK 2
#else
#define api_CLOCK 3
#endif
#define api_LAYOUT_OF_THREADS                                                                                     \
  api_MIX(api_MIX(api_MIX(api_MIX(api_MIX(UINT64_C(0xcbf29ce484222325), api_GENERATION * 4 + api_CLOCK), offsetof(tachy_thread, metric)), \
              offsetof(tachy_thread, log)),                                                                   \
          offsetof(tachy_thread, busy)),                                                                      \
      offsetof(tachy_thread, stack))
#define api_LAYOUT_OF_RECORDS                                                                                          \
  api_MIX(api_MIX(api_MIX(api_MIX(api_LAYOUT_OF_THREADS, sizeof(tachy_writer)), sizeof(tachy_span_record)), sizeof(tachy_log_record)), \
      sizeof(tachy_metric_record))
#define api_LAYOUT                                                                                             \
  api_MIX(api_MIX(api_MIX(api_MIX(api_MIX(api_LAYOUT_OF_RECORDS, sizeof(tachy_site)), sizeof(tachy_config)), sizeof(tachy_stats)), \
          sizeof(tachy_async)),                                                                            \
      sizeof(tachy_recovery))

static tachy_thread *api_get_thread(void) { return tachy_here_(); }

static uint32_t api_get_thread_offset(void) {
#if defined(_WIN32)
  return TACHY_LOAD(&tachy_thread_offset_);
#else
  return 0;
#endif
}

#define api_TEXT(type, name, parameters, arguments, otherwise) #type " " #name #parameters ";"
#define api_TEXT_VOID(name, parameters, arguments) #name #parameters ";"
#define api_TEXT_SPECIAL(type, name, parameters) #type " " #name #parameters ";"
#define api_OWN(type, name, parameters, arguments, otherwise) tachy_own_##name,
#define api_OWN_VOID(name, parameters, arguments) tachy_own_##name,
#define api_OWN_SPECIAL(type, name, parameters) tachy_own_##name,

#ifdef __cplusplus
extern "C" {
#endif
TACHY_OS_LANDMARK_STORAGE tachy_copy tachy_copy_ = {api_MAGIC,
                                                    TACHY_VERSION,
                                                    TACHY_ENTRIES(api_TEXT, api_TEXT_VOID, api_TEXT, api_TEXT_VOID, api_TEXT_SPECIAL),
                                                    api_LAYOUT,
                                                    0,
                                                    (uint32_t)sizeof(tachy_copy),
                                                    tachy_library_init,
                                                    api_get_thread,
                                                    tachy_followers_add,
                                                    tachy_followers_forget,
                                                    api_get_thread_offset,
                                                    TACHY_ENTRIES(api_OWN, api_OWN_VOID, api_OWN, api_OWN_VOID, api_OWN_SPECIAL)};
#ifdef __cplusplus
}
#endif
TACHY_OS_LANDMARK(tachy_copy_)

static tachy_copy *api_joined; /* atomic: the copy that records; NULL: not looked for yet, or not ours to join */
static uint32_t api_silent;    /* atomic: 1: it was not ours to join */

static int api_can_join(const tachy_copy *copy) {
  return copy->size == tachy_copy_.size && copy->layout == tachy_copy_.layout &&
         strcmp(copy->functions, tachy_copy_.functions) == 0;
}

typedef struct api_search {
  tachy_copy *recorder;
  tachy_copy *first; /* that could become it */
} api_search;

/* 1: that is enough. */
static int api_look_at(void *context, void *landmark) {
  api_search *const s = (api_search *)((api_search *)context);
  tachy_copy *const copy = (tachy_copy *)((tachy_copy *)landmark);
  if (copy->magic != api_MAGIC) return 0;
  if (TACHY_LOAD_ACQUIRE(&copy->records)) s->recorder = copy;
  if (!s->first && api_can_join(copy)) s->first = copy;
  return s->recorder != NULL;
}

/* Copies that look at the same time find the same first one: nothing need be agreed between them. */
static tachy_copy *api_elect(void) {
  for (;;) {
    api_search s = {NULL, NULL};
    tachy_os_landmarks(api_look_at, &s);
    if (s.recorder) return s.recorder;
    tachy_copy *const first = (tachy_copy *)(s.first ? s.first : &tachy_copy_);
    if (!tachy_os_keep_loaded(first)) continue; /* it has just been unloaded */
    TACHY_STORE_RELEASE(&first->records, 1);
    return first;
  }
}

static size_t api_put(char line[api_LINE_SIZE], size_t used, const char *text) {
  while (*text && used < api_LINE_SIZE - 1) line[used++] = *text++;
  line[used] = 0;
  return used;
}

static void api_complain(const tachy_copy *other) {
  char line[api_LINE_SIZE];
  char module[400];
  size_t used = api_put(line, 0, "the recorder ");
  used = api_put(line, used, tachy_copy_.version);
  used = api_put(line, used, " in ");
  tachy_os_module_name(&tachy_copy_, module, sizeof module);
  used = api_put(line, used, module);
  used = api_put(line, used, " cannot join ");
  used = api_put(line, used, other->version);
  used = api_put(line, used, " in ");
  tachy_os_module_name(other, module, sizeof module);
  used = api_put(line, used, module);
  api_put(line, used,
      ", which records for this process: the former records nothing. Build both with one version of tachy.");
  tachy_os_complain(line);
}

static tachy_copy *api_look(void) {
  tachy_copy *const found = (tachy_copy *)(api_elect());
  if (!api_can_join(found)) {
    if (TACHY_EXCHANGE(&api_silent, 1) == 0) api_complain(found);
    return NULL;
  }
  found->begin();
#if defined(_WIN32)
  TACHY_STORE(&tachy_thread_offset_, found->thread_offset());
#endif
  TACHY_STORE_RELEASE(&api_joined, found);
  return found;
}

/* A handler that has interrupted its thread here records nothing, nor is that counted: nobody is found to count it. */
static tachy_copy *api_find(void) {
  if (TACHY_LOAD(&api_silent) || tachy_inside()) return NULL;
  tachy_inside_begins();
  tachy_copy *const found = (tachy_copy *)(api_look());
  tachy_inside_ends();
  return found;
}

/* NULL: this copy records nothing. */
static inline const tachy_copy *api_get_recorder(void) {
  const tachy_copy *const found = (const tachy_copy *)(TACHY_LOAD_ACQUIRE(&api_joined));
  return TACHY_LIKELY(found != NULL) ? found : api_find();
}

#if defined(_WIN32)
/* Before the first use of this copy nobody looks for the recorder: the caller takes a slow path anyway. */
tachy_thread *tachy_thread_far_(void) {
  const tachy_copy *const by = (const tachy_copy *)(TACHY_LOAD_ACQUIRE(&api_joined));
  return by && by != &tachy_copy_ ? by->here() : tachy_thread_armed();
}

static void api_follow_thread(const tachy_copy *by) { (void)by; }
#else
static uint32_t api_unloaded; /* atomic: 1: the module with this copy is going */

/* After an event of a thread that has none here yet. */
static void api_follow_thread(const tachy_copy *by) {
  tachy_thread *const nobody = (tachy_thread *)((tachy_thread *)(uintptr_t)&tachy_no_thread_);
  if (by == &tachy_copy_ || tachy_this_thread_ != nobody || TACHY_LOAD(&api_unloaded)) return;
  by->follow(&tachy_this_thread_, nobody, &tachy_copy_);
}

/* Of a library that is unloaded, or of the program when it ends. */
__attribute__((destructor)) static void leave(void) {
  const tachy_copy *const by = (const tachy_copy *)(TACHY_LOAD_ACQUIRE(&api_joined));
  TACHY_STORE(&api_unloaded, 1);
  if (by && by != &tachy_copy_) by->forget(&tachy_copy_);
}
#endif

#define api_ANSWER(type, name, parameters, arguments, otherwise) \
  type tachy_##name parameters {                             \
    const tachy_copy *const by = (const tachy_copy *)(api_get_recorder());             \
    return by ? by->name arguments : otherwise;              \
  }
#define api_DO(name, parameters, arguments)          \
  void tachy_##name parameters {                 \
    const tachy_copy *const by = (const tachy_copy *)(api_get_recorder()); \
    if (by) by->name arguments;                  \
  }
#define api_RECORD_AND_ANSWER(type, name, parameters, arguments, otherwise) \
  type tachy_##name parameters {                                        \
    const tachy_copy *const by = (const tachy_copy *)(api_get_recorder());                        \
    if (!by) return otherwise;                                          \
    const type answer = by->name arguments;                             \
    api_follow_thread(by);                                                  \
    return answer;                                                      \
  }
#define api_RECORD(name, parameters, arguments)      \
  void tachy_##name parameters {                 \
    const tachy_copy *const by = (const tachy_copy *)(api_get_recorder()); \
    if (!by) return;                             \
    by->name arguments;                          \
    api_follow_thread(by);                           \
  }
#define api_BY_HAND(type, name, parameters)
TACHY_ENTRIES(api_ANSWER, api_DO, api_RECORD_AND_ANSWER, api_RECORD, api_BY_HAND)

/* Where this copy may not record the site is off for good: its events cost a load and a test. */
int32_t tachy_site_register_(tachy_site *site) {
  const tachy_copy *const by = (const tachy_copy *)(api_get_recorder());
  if (by) return by->site_register_(site);
  TACHY_STORE(&site->id, -1);
  return -1;
}

uint32_t tachy_span_begin_rare_(tachy_site *site) {
  const int32_t id = tachy_site_on_(site);
  return id > 0 ? tachy_span_begin_slow_(id) : 0;
}

tachy_async tachy_async_begin(tachy_site *site, const tachy_async *parent) {
  const tachy_copy *const by = (const tachy_copy *)(api_get_recorder());
  const tachy_async none = {0, 0, site, 0, 0};
  if (!by) return none;
  const tachy_async span = by->async_begin(site, parent);
  api_follow_thread(by);
  return span;
}

/* Mostly this copy records, and finds that out without looking into the table. */
TACHY_BESIDE tachy_thread *tachy_log_begin_slow_(int32_t id, uint32_t set, uint32_t types, uint64_t size) {
  const tachy_copy *const by = (const tachy_copy *)(api_get_recorder());
  if (TACHY_LIKELY(by == &tachy_copy_)) return tachy_own_log_begin_slow_(id, set, types, size);
  if (!by) return NULL;
  tachy_thread *const thread = (tachy_thread *)(by->log_begin_slow_(id, set, types, size));
  api_follow_thread(by);
  return thread;
}

static void api_log_slowly(tachy_site *site, uint32_t set, const char *text, size_t size) {
  const tachy_copy *const by = (const tachy_copy *)(api_get_recorder());
  if (!by) return;
  by->log_text(site, set, text, size);
  api_follow_thread(by);
}

/* A text of usual length is written here, as the inline half writes what is in its reach. */
void tachy_log_text(tachy_site *site, uint32_t set, const char *text, size_t size) {
  const int32_t id = TACHY_LOAD(&site->id);
  const uint64_t record_size = sizeof(tachy_log_record) + tachy_log_text_room_(size);
  if (TACHY_UNLIKELY(id <= 0 || size > TACHY_LOG_INLINE_MAX_ || !text)) {
    api_log_slowly(site, set, text, size);
    return;
  }
  tachy_thread *thread;
  tachy_log_record *const record = (tachy_log_record *)(tachy_log_begin_(&thread, id, set, TACHY_ARG_TEXT, record_size));
  if (TACHY_UNLIKELY(!record)) return;
  tachy_log_put_text_((uint8_t *)(record + 1), text, (uint32_t)size);
  tachy_log_end_(thread, record_size);
  tachy_log_sends_(site->level);
}

void tachy_get_stats(tachy_stats *stats) {
  const tachy_copy *const by = (const tachy_copy *)(api_get_recorder());
  if (by) {
    by->get_stats(stats);
  } else if (stats) {
    memset(stats, 0, sizeof *stats);
  }
}

/* A sender of a copy that may not record has nothing to wait for. */
tachy_batch *tachy_batch_take(uint32_t timeout_ms, int *ended) {
  const tachy_copy *const by = (const tachy_copy *)(api_get_recorder());
  if (by) return by->batch_take(timeout_ms, ended);
  if (ended) *ended = 1;
  return NULL;
}

/* src/recorder/collect/collector.h */
/* The collector: the thread that reads what others have recorded and cuts blocks. */
#ifndef TACHY_SRC_RECORDER_COLLECT_COLLECTOR_H
#define TACHY_SRC_RECORDER_COLLECT_COLLECTOR_H

#include <stdint.h>
TACHY_HIDE

void tachy_collector_init(void);
/* 0: no thread or no memory. */
int tachy_collector_start(uint32_t flush_ms, uint64_t block_bytes, const uint8_t process_id[16]);
/* Cuts for the last time and ends the thread. */
void tachy_collector_stop(void);
/* Cuts blocks of everything recorded before the call. 1: they are in the outbox, up to the batch *ordinal. */
int tachy_collector_cut(uint64_t deadline, uint64_t *ordinal);

/* Somebody asks for stats: reads what there is, once a second at most. */
void tachy_collector_look(void);

/* Around fork(). */
void tachy_collector_lock(void);
void tachy_collector_unlock(void);
void tachy_collector_after_fork(void);

TACHY_SHOW
#endif

/* src/recorder/pool/pool.h */
/* The pool: the memory of all chunks and slots, in the session file where there is one, bounded by one figure.
 *
 * Chunks are taken and given back without a lock. The collector keeps some ready, with storage and touched, so that a
 * recording thread meets no page fault; what a busy minute needed and a quiet one does not goes back to the system. */
#ifndef TACHY_SRC_RECORDER_POOL_POOL_H
#define TACHY_SRC_RECORDER_POOL_POOL_H
TACHY_HIDE


#define TACHY_SLOTS_MAX 4096u

/* Bytes of slots and chunks together, for so many bytes of chunks. */
uint64_t tachy_pool_size(uint64_t bytes);
/* Whether the pool is in this file (NULL: in none) and as large. */
int tachy_pool_suits(const tachy_os_file *file, uint64_t bytes);
/* For a session, before it records: a new one, in the file (NULL: in memory of the process's own) of which `mapped` is
 * so much, from `offset` on, and has no storage yet. Threads that have recorded stay with their slots in the memory
 * before. 0: no memory. */
int tachy_pool_open(tachy_os_file *file, uint64_t offset, uint8_t *mapped, uint64_t bytes);

/* A chunk for the calling thread, its header not filled in; NULL: all are in use, or there is no storage. */
tachy_chunk *tachy_pool_take(void);
/* Nobody's again. A chunk of an earlier pool is forgotten. */
void tachy_pool_give(tachy_chunk *chunk);

/* A slot that nobody has had, zeroed; NULL: there are no more, or there is no storage. One thread at a time. */
tachy_slot *tachy_pool_slot(void);
/* Whether a slot lies in the pool, or in none; else it is of an earlier one, and not to be had again. */
int tachy_pool_has_slot(const tachy_slot *slot);
/* Storage for a part of a slot's memory, more than it has from the start. 0: there is none. */
int tachy_pool_back_slot(const tachy_slot *slot, void *memory, uint64_t size);

/* For the collector: keeps chunks ready, as many as were taken since the last call and a few more. quiet: so many
 * seconds have passed since storage was given back. Returns how many were taken. */
uint64_t tachy_pool_tend(uint64_t quiet);
/* It is to be rung when more than so many have been taken from now on, or half of what is free. */
void tachy_pool_ring_after(uint64_t chunks);
/* Whether it was. */
int tachy_pool_is_low(void);
/* Chunks that nobody has, ready or not; and how many there are. */
uint32_t tachy_pool_free(void);
uint32_t tachy_pool_limit(void);

void tachy_pool_after_fork(void);

TACHY_SHOW
#endif

/* src/recorder/send/batch.h */
/* A batch: blocks with the description of their process, in memory, in a file, or in both. */
#ifndef TACHY_SRC_RECORDER_SEND_BATCH_H
#define TACHY_SRC_RECORDER_SEND_BATCH_H
TACHY_HIDE


/* A claim: the batches of one dead process, which this one sends. */
typedef struct tachy_claim {
  uint64_t batches; /* files that are neither sent nor dropped; the outbox's lock guards this and what follows */
  int closed;       /* no more will be added */
  int awaited;      /* tachy_stop waits for its batches: the process that left them was a child */
  /* Called once, outside every lock, by whichever thread did away with the last batch of a closed claim. Not called
   * for a claim of which the outbox leaves a file to a later start. */
  void (*resolved)(struct tachy_claim *claim);
  struct tachy_claim *next_resolved; /* the outbox's */
} tachy_claim;

/* The lists of the queue. */
enum { TACHY_CLAIMED, TACHY_OURS, TACHY_LISTS };

/* Guarded by the outbox's lock. While a batch is taken, everything but the links, the ordinal, the session, the list
 * and the path belongs to whoever took it. */
struct tachy_batch {
  struct tachy_batch *next;
  struct tachy_batch *before;
  int64_t utc;      /* when it was made */
  uint64_t ordinal; /* in the session, from 1; claimed: 0 */
  uint64_t session; /* claimed: the period between two closes of the outbox */
  int list;
  char *path;         /* of its file, or of the one that it may get; NULL: none */
  tachy_claim *claim; /* NULL: ours */
  int taken;
  int last;    /* of its session: goes even without blocks */
  int loaded;  /* id, process id, description and blocks are in memory */
  int offered; /* somebody could compress the blocks */
  int sealed;  /* it may have travelled: its bytes must not change under this id */
  int changed; /* its file has not the present form of the blocks */
  int damaged; /* claimed: it is counted as such */
  uint8_t id[16];
  uint8_t process_id[16];
  tachy_bytes description;
  tachy_block *blocks; /* as they will lie */
  uint32_t block_count;
  unsigned classes; /* a bit for each that may be in it */
  uint64_t events[TACHY_CLASSES];
  tachy_bytes bytes;         /* as it travels, once somebody asked */
  uint64_t file_size;        /* 0: it has no file */
  uint64_t memory_accounted; /* what the queue has counted for it */
  uint64_t disk_accounted;
};

/* The blocks, the description and the bytes leave the memory. */
void tachy_batch_unload(tachy_batch *batch);
void tachy_batch_free(tachy_batch *batch);
/* Sets what follows from the blocks: count, classes, events. */
void tachy_batch_count(tachy_batch *batch);
/* Takes the blocks of these classes (a bit for each) out of a loaded batch, which gets another id and its bytes anew,
 * and adds up their events. 0: there are none. */
int tachy_batch_drop(tachy_batch *batch, unsigned classes, uint64_t events[TACHY_CLASSES]);
/* Gives `writer` the batch as it travels, piece by piece. 0: it refused one, or no memory. */
typedef int tachy_batch_writer(void *context, const void *bytes, uint64_t size);
int tachy_batch_write(tachy_batch *batch, tachy_batch_writer *writer, void *context);

TACHY_SHOW
#endif

/* src/recorder/send/outbox.h */
/* The outbox: what waits for the sender, and what became of every event. */
#ifndef TACHY_SRC_RECORDER_SEND_OUTBOX_H
#define TACHY_SRC_RECORDER_SEND_OUTBOX_H
TACHY_HIDE


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

TACHY_SHOW
#endif

/* src/recorder/sites/registry.h */
/* The registry of sites, property sets and their strings: numbers for descriptions, for the life of the process. */
#ifndef TACHY_SRC_RECORDER_SITES_REGISTRY_H
#define TACHY_SRC_RECORDER_SITES_REGISTRY_H
TACHY_HIDE


/* For the collector. The numbers must have come out of a record; what is found never changes. */
extern const tachy_names tachy_registry_names;
/* Of these, what sets.c answers. */
const tachy_set_entry *tachy_registry_set(const void *unused, uint32_t number);
uint32_t tachy_registry_site_count(void);
/* Sites and sets that got no number, since the process began. */
uint64_t tachy_registry_refused(void);

/* Switches every site as the filter says, or all of them off. */
void tachy_registry_switch(int on);
/* After a change of the filter, which was made under the lock: the same, if they are not all off. */
void tachy_registry_switch_again(void);

/* Counts a site or a set that got no number. */
void tachy_registry_refuse(void);

/* Under the lock: writes everything into a new session file. */
void tachy_registry_save(void);

/* Around fork(). */
void tachy_registry_lock(void);
void tachy_registry_unlock(void);
void tachy_registry_after_fork(void);

TACHY_SHOW
#endif

/* src/recorder/collect/control.h */
/* What the server's answer to a batch says: docs/http.md, "Control". */
#ifndef TACHY_SRC_RECORDER_COLLECT_CONTROL_H
#define TACHY_SRC_RECORDER_COLLECT_CONTROL_H

#include <stdint.h>
TACHY_HIDE

/* A session begins: nothing has been said yet. */
void tachy_control_start(void);
void tachy_control_stop(void);
/* For the collector, every now and then: ends what the server has said for a time that is over. */
void tachy_control_poll(void);
/* When that will be, by the monotonic clock; 0: never. */
uint64_t tachy_control_ends(void);
/* Whether somebody looks at this process, by what the server said in the last half minute. */
int tachy_control_is_watched(void);
/* The newest version that was applied in this session, and how many texts could not be read. */
void tachy_control_stats(uint64_t *version, uint64_t *refused);

/* Around fork(). */
void tachy_control_lock(void);
void tachy_control_unlock(void);
void tachy_control_after_fork(void);

TACHY_SHOW
#endif

/* src/recorder/collect/source.h */
/* Where the collector reads: the chunks of one thread and class, from its first to the one that it fills. */
#ifndef TACHY_SRC_RECORDER_COLLECT_SOURCE_H
#define TACHY_SRC_RECORDER_COLLECT_SOURCE_H
TACHY_HIDE


typedef struct tachy_source {
  tachy_stream *stream;
  tachy_slot *slot;
  tachy_chunk *chunk;  /* the one that is being read, or NULL: none yet */
  uint64_t position;   /* read up to here */
  uint64_t known_lost; /* lost events that the chunks read so far have counted */
  uint64_t emitted;    /* lost events that the gap rows so far have counted */
  uint64_t missed;     /* of a dead process: the part of tachy_slot_missed that blocks have counted */
} tachy_source;

/* One class: its channel, and the chunks that have been read and wait for the commit of what was in them. */
typedef struct tachy_intake {
  tachy_channel channel;
  tachy_chunk *waiting;
  uint64_t waiting_count;
} tachy_intake;

/* The slot's source. It is made when its thread has recorded something, lost it or, if asked for, has spans open. NULL:
 * not yet, or no memory. */
tachy_source *tachy_source_of(tachy_intake *intake, tachy_slot *slot, int open_too);
/* The same for a slot that has none yet, whatever its thread has done. */
tachy_source *tachy_source_make(tachy_intake *intake, tachy_slot *slot);
/* The chunk that is being read, or after its end the next one. NULL: there is none yet. */
tachy_chunk *tachy_source_chunk(tachy_intake *intake, tachy_source *source);
/* Reads what there is in the chunk. */
void tachy_source_read_chunk(tachy_intake *intake, tachy_source *source);
/* Reads what there is, as long as no more chunks wait for the class's next cut than so many. 0: there is more. */
int tachy_source_read(tachy_intake *intake, tachy_source *source, uint64_t most_waiting);
/* Skips what there is in the chunk and returns how many spans that were; the stream gets a gap row of no lost events.
 * Async spans are read all the same. */
uint64_t tachy_source_skip(tachy_intake *intake, tachy_source *source);
/* Reads everything up to the first chunk that was begun after the ticks `until`, and makes a gap row of the lost events
 * that no chunk has counted yet. For spans it also copies the thread's stack at the last row to the stream's
 * ends[0 .. depth). 0: it met a chunk that was begun later; then the stack is the one with which that chunk begins, and
 * if `until` is not 0 it includes what was opened since the last row. */
int tachy_source_drain(tachy_intake *intake, tachy_source *source, uint64_t until);
/* Copies the stack with which the next chunk begins to the stream; reads nothing. open_too: with what was opened since
 * the last row. */
void tachy_source_stack_here(tachy_source *source, int open_too);
/* After draining: what the thread has opened since the last row is open too, unless it changes its stack too fast to be
 * copied. */
void tachy_source_open_rest(tachy_source *source);
/* The thread has gone and everything was read: the stream leaves, and the slot knows nothing of it any more. */
void tachy_source_free(tachy_intake *intake, tachy_source *source);

/* After a commit: if the thread has filled its chunk and found no other, it gets this one back, to begin it anew. */
void tachy_source_return(tachy_source *source);
/* After a commit: frees the slot of a thread that has ended. */
void tachy_source_free_slot(tachy_slot *slot);
/* After a commit: the chunks that waited are nobody's. */
void tachy_intake_release(tachy_intake *intake);

/* Before a session: skips what slots hold of the time before. */
void tachy_sources_begin_session(void);

TACHY_SHOW
#endif

/* src/recorder/collect/flight.h */
/* The flight recorder: spans wait in their threads' chunks. Those that a trigger's window wants are read and shipped;
 * the others are skipped, and counted as not retained.
 *
 * A chunk is kept until it ends before every window that may still come, or until the pool runs short: then the oldest
 * goes. It is shipped whole, and so a window may be wider at each of its ends by what one chunk holds, and never
 * narrower. Skipping a chunk counts its spans and reads its async ones, so that ids and open spans stay right. */
#ifndef TACHY_SRC_RECORDER_COLLECT_FLIGHT_H
#define TACHY_SRC_RECORDER_COLLECT_FLIGHT_H
TACHY_HIDE


/* How far a step goes. */
typedef enum tachy_flight_pace {
  TACHY_FLIGHT_PACED, /* whatever there is for sure */
  TACHY_FLIGHT_DUE,   /* and cuts what has been read */
  TACHY_FLIGHT_FLUSH, /* and what was recorded before now */
  TACHY_FLIGHT_LAST   /* nothing will be recorded any more */
} tachy_flight_pace;

enum { TACHY_FLIGHT_SAMPLES = 256 };

typedef struct tachy_flight {
  tachy_intake *intake;
  const uint8_t *process_id;
  uint64_t block_bytes; /* of records: with so many a block is cut */
  int on;
  int pending;                                    /* rows that are to be shipped have been read */
  int skipped;                                    /* chunks have been skipped since rows were last forgotten */
  uint64_t not_retained;                          /* events that no window wanted, since the session began */
  uint64_t overwritten;                           /* of these: before their time, the pool was short */
  tachy_clock_pair samples[TACHY_FLIGHT_SAMPLES]; /* of the clock, the oldest first */
  uint32_t sample_count;
  uint64_t sample_step; /* ticks */
} tachy_flight;

/* Spans that are kept and have not been read: an async one counts as three as long. */
uint64_t tachy_flight_kept(const tachy_flight *flight);
/* After a cut: spans wait for triggers from now on. */
void tachy_flight_enter(tachy_flight *flight);
/* After a flush: from now on everything is sent; what has been kept is skipped. A cut must follow. */
void tachy_flight_leave(tachy_flight *flight);
/* After tachy_channel_jump: the wall clock was set forward by so many nanoseconds. */
void tachy_flight_jump(tachy_flight *flight, int64_t ns);
/* After each pass over the other classes. 1: there is more to do, after another such pass. *block: a block to be sent,
 * or NULL. */
int tachy_flight_step(tachy_flight *flight, tachy_flight_pace pace, tachy_block **block);

TACHY_SHOW
#endif

/* src/recorder/collect/report.h */
/* What was dropped, reported as data: the metric tachy.dropped_events. */
#ifndef TACHY_SRC_RECORDER_COLLECT_REPORT_H
#define TACHY_SRC_RECORDER_COLLECT_REPORT_H
TACHY_HIDE


typedef struct tachy_report {
  uint64_t reported[TACHY_CLASSES]; /* dropped events that rows have counted */
  uint64_t rows;                    /* that were recorded last */
} tachy_report;

/* For the collector, before a cut: records, as any thread does, a row for each class of which events were dropped
 * since the last time. Returns whether it recorded one. last: nothing comes after it. */
int tachy_report_losses(tachy_report *report, tachy_intake *metrics, int last);

TACHY_SHOW
#endif

/* src/recorder/collect/drain.h */
/* What the collector has read of a session and not cut yet, and the passes over all threads that read it. */
#ifndef TACHY_SRC_RECORDER_COLLECT_DRAIN_H
#define TACHY_SRC_RECORDER_COLLECT_DRAIN_H
TACHY_HIDE


enum { TACHY_ALL_CLASSES = (1 << TACHY_CLASSES) - 2 }; /* a bit each */

typedef struct tachy_collection {
  tachy_intake intakes[TACHY_CLASSES];
  tachy_report report;
  uint8_t process_id[16];
  uint64_t too_deep;
  uint64_t mismatched;
  uint64_t backwards;
  uint64_t values_lost;
  uint64_t seen_inside[TACHY_CLASSES]; /* tachy_inside_dropped, as far as it has been counted */
  tachy_flight flight;
  tachy_watch watches[TACHY_CLASSES];
} tachy_collection;

/* Whether a pass would find something, or something has been read that is in no block. A glance: counters of what was
 * dropped alone are no reason for a pass. */
int tachy_collection_has_news(const tachy_collection *c);
/* Whether a quarter of the pool waits for a class's cut. */
int tachy_collection_is_full(const tachy_collection *c);
/* One pass over all threads, until a class has a quarter of the pool waiting for its cut. (The flight recorder follows
 * those of spans.) 0: there is more. */
int tachy_collection_read(tachy_collection *c);
/* Everything that is there of these classes, for a cut. */
void tachy_collection_drain(tachy_collection *c, unsigned classes);
/* Nothing more of these: their threads' names alone. */
void tachy_collection_name(tachy_collection *c, unsigned classes);
/* Says how far it has come: tachy_get_stats. */
void tachy_collection_report(tachy_collection *c);

TACHY_SHOW
#endif

/* src/recorder/collect/cut.h */
/* Cuts: blocks of what has been read, as one batch in the outbox. The batch's file is written, then the commit makes it
 * valid and what was read old, then it may be sent. */
#ifndef TACHY_SRC_RECORDER_COLLECT_CUT_H
#define TACHY_SRC_RECORDER_COLLECT_CUT_H
TACHY_HIDE


/* What is cut of logs and metrics: what has been read, which is for when others wait for the chunks that this gives
 * back; all that was recorded before; the same, and nothing will come any more. Of spans it is always all. */
typedef enum tachy_cut_of { TACHY_CUT_READ, TACHY_CUT_ALL, TACHY_CUT_LAST } tachy_cut_of;

/* Cuts the classes (a bit each) at one moment, for one batch; all of them when the wall clock was set, so that no block
 * has both times in it. (A flight recorder's spans lie in no block yet.) */
void tachy_cut(tachy_collection *c, unsigned classes, tachy_cut_of what);
/* Goes on with the flight recorder. 1: there is more to do. */
int tachy_cut_flight(tachy_collection *c, tachy_flight_pace pace);
/* Its spans are the blocks' again. */
void tachy_cut_leave_flight(tachy_collection *c);
/* The counter has begun anew: until the next cut, which jumps, time stands still for what it says. */
int tachy_cut_restarted(tachy_collection *c);
/* Commits no events. The first one of a session: from now on what is recorded can be recovered. Later: who records, and
 * by which clock, said anew. */
void tachy_cut_first(const tachy_collection *c);
void tachy_cut_description(const tachy_collection *c);

TACHY_SHOW
#endif

/* src/recorder/collect/pace.h */
/* When the collector wakes and cuts. What has been recorded outlives the process, so a block waits until it is worth
 * sending: until its records are as many as the session wants, or it has waited for the flush interval. At once, but no
 * class more often than every 250 ms, go logs of level warning and above, and what a trigger says of itself. */
#ifndef TACHY_SRC_RECORDER_COLLECT_PACE_H
#define TACHY_SRC_RECORDER_COLLECT_PACE_H
TACHY_HIDE


typedef struct tachy_pace {
  uint64_t flush_ns;              /* the longest that an event waits; 0: by the session's age */
  uint64_t block_bytes;           /* of records: a block with so many is cut */
  uint64_t started;               /* monotonic, as what follows */
  uint64_t due_from;              /* what was recorded since then has been cut in no round of all classes */
  uint64_t looked;                /* the last such round, for which alone all clocks were read */
  uint64_t cut_at[TACHY_CLASSES]; /* the last cut of each class */
  uint64_t took_at;               /* the last pass */
  int busy;                       /* a block's worth came so fast that the next one need not be rung for */
  int urgent;                     /* logs that are to go at once have been read, or will be by a pass */
} tachy_pace;

void tachy_pace_start(tachy_pace *p, uint32_t flush_ms, uint64_t block_bytes);
/* When the next round of all classes is due. */
uint64_t tachy_pace_due(const tachy_pace *p, uint64_t now);
/* Until when the collector may sleep, unless it is rung. */
uint64_t tachy_pace_wake(const tachy_pace *p, const tachy_collection *c, uint64_t now);
/* Classes, a bit each, of which a block is to be cut now, before the round is due. */
unsigned tachy_pace_full(const tachy_pace *p, const tachy_collection *c, uint64_t now);
/* These are being cut; all: with everything that is there. */
void tachy_pace_cut(tachy_pace *p, unsigned classes, int all, uint64_t now);
/* Chunks after which the collector is to be rung: of what is in no block yet, one class may then have a block's worth.
 */
uint64_t tachy_pace_worth(const tachy_pace *p, const tachy_collection *c);
/* A pass has found so many chunks taken since the one before. */
void tachy_pace_took(tachy_pace *p, uint64_t chunks, uint64_t now);
/* A round is due, and nothing has been recorded: whether it may be left out. */
int tachy_pace_skip(tachy_pace *p, const tachy_collection *c, uint64_t now);

TACHY_SHOW
#endif

/* src/recorder/collect/state.h */
/* The state of a class between two blocks, as the session file keeps it: what a dead process's events need to become
 * the block that would have followed. */
#ifndef TACHY_SRC_RECORDER_COLLECT_STATE_H
#define TACHY_SRC_RECORDER_COLLECT_STATE_H
TACHY_HIDE


/* After a cut. 0: no memory. */
int tachy_state_write(tachy_bytes *out, const tachy_channel *channel);
/* Into an empty channel; its streams have no slots yet. 0: no memory, or bytes that write cannot have written. */
int tachy_state_read(tachy_channel *channel, const uint8_t *bytes, uint64_t size);

TACHY_SHOW
#endif

/* src/recorder/collect/triggers.h */
/* What makes the flight recorder ship, and whether there is one: modes, triggers, and the windows around them. Any
 * thread triggers; the collector asks. */
#ifndef TACHY_SRC_RECORDER_COLLECT_TRIGGERS_H
#define TACHY_SRC_RECORDER_COLLECT_TRIGGERS_H
TACHY_HIDE


/* Spans that overlap it are shipped. Ticks, both ends are in it. */
typedef struct tachy_window {
  uint64_t from;
  uint64_t until;
} tachy_window;

/* A new session, after its clock has started. */
void tachy_triggers_start(const tachy_config *config);
/* Ticks from a window's begin to its trigger. */
uint64_t tachy_triggers_before(void);
/* The mode that is wanted: the server's, else the configured one. */
tachy_mode tachy_triggers_mode(void);
/* What the server wants; TACHY_MODE_DEFAULT: nothing. */
void tachy_triggers_set_mode(tachy_mode mode);

/* Asks for the window around that moment, and records a log that says why: "reason", or "reason: what". Where that
 * window has been asked for already, the log is recorded only if `always`. */
void tachy_trigger(uint64_t ticks, const char *reason, const char *what, uint64_t size, int always);
/* The first window that ends after `fed`, up to where everything has been shipped. 0: there is none. Forgets those that
 * end earlier. */
int tachy_triggers_window(uint64_t fed, tachy_window *window);
void tachy_triggers_forget(void);

/* Makes a watch that looks for triggers among the rows of a channel. */
void tachy_triggers_watch(tachy_watch *watch);

/* Around fork(). */
void tachy_triggers_lock(void);
void tachy_triggers_unlock(void);
void tachy_triggers_after_fork(void);

TACHY_SHOW
#endif

/* src/recorder/collect/collector.c */
/* The collector: the thread that reads what others have recorded and cuts blocks. */


enum { collector_SPANS = 1 << TACHY_CLASS_SPAN, collector_COUNT_MS = 2 /* until the ticks have been counted for long enough */ };

#define collector_LOOK_NS UINT64_C(1000000000)

typedef struct collector_collector {
  tachy_collection read;
  tachy_pace pace;
} collector_collector;

static tachy_os_mutex collector_mutex = TACHY_OS_MUTEX_INIT;
static tachy_os_condition collector_reply; /* who asked it for a cut */
static uint64_t collector_cuts_wanted;
static uint64_t collector_cuts_made;
static uint64_t collector_cut_ordinal;
static int collector_stopping;
static uint32_t collector_looks; /* atomic: somebody waits for stats */
static uint64_t collector_looked_at;
static collector_collector *collector_running; /* NULL: none */
static tachy_os_thread collector_thread;

void tachy_collector_lock(void) { tachy_os_lock(&collector_mutex); }
void tachy_collector_unlock(void) { tachy_os_unlock(&collector_mutex); }

void tachy_collector_init(void) {
  tachy_bell_init();
  tachy_os_condition_init(&collector_reply);
}

/* Follows the mode that is wanted. */
static void collector_follow_mode(tachy_collection *c) {
  const int collector_wanted = tachy_triggers_mode() == TACHY_MODE_FLIGHT;
  if (collector_wanted == c->flight.on) return;
  if (collector_wanted) {
    if (c->intakes[TACHY_CLASS_SPAN].channel.streams) tachy_cut(c, collector_SPANS, TACHY_CUT_ALL); /* none: the session begins */
    tachy_flight_enter(&c->flight);
  } else {
    tachy_cut_leave_flight(c);
  }
  for (unsigned cls = TACHY_CLASS_LOG; cls <= TACHY_CLASS_METRIC; cls++) {
    tachy_triggers_watch(&c->watches[cls]);
    c->intakes[cls].channel.watch = c->flight.on ? &c->watches[cls] : NULL;
  }
}

static int collector_is_stopping(void) {
  tachy_os_lock(&collector_mutex);
  const int stop = collector_stopping;
  tachy_os_unlock(&collector_mutex);
  return stop;
}

static uint64_t collector_wanted(void) {
  tachy_os_lock(&collector_mutex);
  const uint64_t ticket = collector_cuts_wanted;
  tachy_os_unlock(&collector_mutex);
  return ticket;
}

static void collector_confirm(uint64_t ticket) {
  const uint64_t ordinal = tachy_outbox_last_ordinal();
  tachy_os_lock(&collector_mutex);
  collector_cuts_made = ticket;
  collector_cut_ordinal = ordinal;
  tachy_os_wake_all(&collector_reply);
  tachy_os_unlock(&collector_mutex);
}

static unsigned collector_classes_of(const collector_collector *c) {
  return c->read.flight.on ? (unsigned)(TACHY_ALL_CLASSES & ~collector_SPANS) : (unsigned)TACHY_ALL_CLASSES;
}

/* Keeps chunks and slots ready. seconds: since storage was given back. */
static void collector_tend(collector_collector *c, uint64_t seconds) {
  tachy_pace_took(&c->pace, tachy_pool_tend(seconds), tachy_os_monotonic());
  tachy_pool_ring_after(tachy_pace_worth(&c->pace, &c->read));
  tachy_slots_tend();
}

/* Reads what there is and cuts what is to be cut. round: all classes, whatever they hold; flush: somebody waits for
 * that. 1: there is more to do. */
static int collector_work(collector_collector *c, int round, int flush) {
  const int restarted = tachy_cut_restarted(&c->read);
  TACHY_STORE(&collector_looks, 0);
  c->pace.urgent |= tachy_bell_urged();
  const int all = tachy_collection_read(&c->read);
  if (!round) collector_tend(c, 0); /* else a cut gives chunks back first */
  collector_follow_mode(&c->read);
  if (restarted && c->read.flight.on) tachy_cut_leave_flight(&c->read); /* it begins again with the new ticks */
  const uint64_t now = tachy_os_monotonic();
  round |= restarted;
  const unsigned classes = collector_classes_of(c) & (round ? ~0u : tachy_pace_full(&c->pace, &c->read, now));
  if (classes) {
    tachy_pace_cut(&c->pace, classes, all || round, now);
    tachy_cut(&c->read, classes, all || round ? TACHY_CUT_ALL : TACHY_CUT_READ);
  } else {
    tachy_collection_report(&c->read);
  }
  if (round) {
    collector_tend(c, 1 + (now - c->pace.due_from) / 1000000000u);
    c->pace.due_from = now;
  }
  const tachy_flight_pace pace = flush ? TACHY_FLIGHT_FLUSH : round ? TACHY_FLIGHT_DUE : TACHY_FLIGHT_PACED;
  const int more = c->read.flight.on && tachy_cut_flight(&c->read, pace);
  return more || (!all && !tachy_collection_is_full(&c->read)); /* full: values alone, of a span that goes on */
}

/* It was rung for something that has to be read, not just for slots or chunks to lie ready again. */
static int collector_is_to_read(collector_collector *c) {
  c->pace.urgent |= tachy_bell_urged();
  return TACHY_LOAD(&collector_looks) || c->pace.urgent || tachy_pool_is_low() || tachy_slots_ended() >= TACHY_ENDS_RING ||
         c->read.flight.on || tachy_triggers_mode() == TACHY_MODE_FLIGHT;
}

static void collector_work_last(tachy_collection *c) {
  tachy_collection_read(c);
  if (c->flight.on) {
    tachy_cut_flight(c, TACHY_FLIGHT_LAST);
    tachy_collection_read(c); /* the last triggers' logs */
  }
  tachy_cut(c, c->flight.on ? TACHY_ALL_CLASSES & ~collector_SPANS : TACHY_ALL_CLASSES, TACHY_CUT_LAST);
}

static void collector_run(void *argument) {
  collector_collector *const c = (collector_collector *)(argument);
  uint64_t made = 0;
  int counted = 0;
  int more = 0;
  collector_follow_mode(&c->read);
  for (;;) {
    uint64_t now = tachy_os_monotonic();
    uint64_t wake = more ? now : tachy_pace_wake(&c->pace, &c->read, now);
    if (!counted && now + collector_COUNT_MS * 1000000u < wake) wake = now + collector_COUNT_MS * 1000000u;
    const int rung = tachy_bell_wait(wake);
    const int stop = collector_is_stopping();
    const uint64_t ticket = collector_wanted();
    if (!counted && (counted = tachy_clock_count())) tachy_cut_description(&c->read);
    tachy_control_poll();
    if (stop) break;
    now = tachy_os_monotonic();
    const int round = ticket != made || now >= tachy_pace_due(&c->pace, now);
    if (round && !rung && !more && tachy_pace_skip(&c->pace, &c->read, now)) continue;
    if (rung && !round && !more && !collector_is_to_read(c)) {
      tachy_pool_tend(0);
      tachy_slots_tend();
      continue;
    }
    more = collector_work(c, round, ticket != made);
    if (ticket == made) continue;
    made = ticket;
    collector_confirm(ticket);
  }
  collector_work_last(&c->read);
  collector_confirm(collector_wanted());
}

/* Nothing is so old: the counter began anew, and it was not noticed yet. */
static uint64_t collector_oldest_ticks(void) {
  const uint64_t hour = tachy_clock_frequency() * 3600;
  return tachy_clock_first_ticks() > hour ? tachy_clock_first_ticks() - hour : 0;
}

int tachy_collector_start(uint32_t flush_ms, uint64_t block_bytes, const uint8_t process_id[16]) {
  collector_collector *const all = (collector_collector *)(tachy_os_allocate(sizeof *all));
  if (!all) return 0;
  memset(all, 0, sizeof *all);
  tachy_pace_start(&all->pace, flush_ms, block_bytes);
  tachy_collection *const c = (tachy_collection *)(&all->read);
  memcpy(c->process_id, process_id, sizeof c->process_id);
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    tachy_channel *const channel = (tachy_channel *)(&c->intakes[cls].channel);
    channel->cls = (tachy_class)cls;
    channel->from = tachy_clock_begin();
    tachy_past_start(&channel->past, channel->from);
    channel->floor = collector_oldest_ticks();
    channel->names = &tachy_registry_names;
  }
  for (unsigned cls = 0; cls < TACHY_CLASSES; cls++) c->seen_inside[cls] = tachy_inside_dropped(cls);
  c->flight.intake = &c->intakes[TACHY_CLASS_SPAN];
  c->flight.process_id = c->process_id;
  c->flight.block_bytes = block_bytes;
  tachy_sources_begin_session();
  collector_tend(all, 0);
  tachy_cut_first(c);
  tachy_os_lock(&collector_mutex);
  collector_stopping = 0;
  collector_cuts_wanted = collector_cuts_made = 0;
  collector_looked_at = 0;
  TACHY_STORE(&collector_looks, 0);
  collector_running = all;
  const int started = tachy_os_thread_start(&collector_thread, collector_run, all, "tachy");
  if (!started) collector_running = NULL;
  tachy_os_unlock(&collector_mutex);
  if (!started) tachy_os_release(all);
  return started;
}

void tachy_collector_stop(void) {
  tachy_os_lock(&collector_mutex);
  collector_stopping = 1;
  tachy_bell_ring();
  tachy_os_unlock(&collector_mutex);
  tachy_os_thread_join(collector_thread);
  tachy_os_lock(&collector_mutex);
  collector_collector *const c = (collector_collector *)(collector_running);
  collector_running = NULL;
  tachy_os_wake_all(&collector_reply);
  tachy_os_unlock(&collector_mutex);
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    tachy_intake *const intake = (tachy_intake *)(&c->read.intakes[cls]);
    tachy_intake_release(intake);
    while (intake->channel.streams) tachy_source_free(intake, intake->channel.streams->source);
    tachy_channel_free(&intake->channel);
    tachy_bytes_free(&c->read.watches[cls].kinds);
  }
  tachy_os_release(c);
}

void tachy_collector_look(void) {
  const uint64_t now = tachy_os_monotonic();
  tachy_os_lock(&collector_mutex);
  const int due = collector_running && !TACHY_LOAD(&collector_looks) && now - collector_looked_at >= collector_LOOK_NS;
  if (due) {
    collector_looked_at = now;
    TACHY_STORE(&collector_looks, 1);
    tachy_bell_ring();
  }
  tachy_os_unlock(&collector_mutex);
}

void tachy_own_log_urges_(void) { tachy_bell_urge(); }

int tachy_collector_cut(uint64_t deadline, uint64_t *ordinal) {
  tachy_os_lock(&collector_mutex);
  int made = 0;
  if (collector_running && !collector_stopping) {
    const uint64_t ticket = ++collector_cuts_wanted;
    tachy_bell_ring();
    while (collector_cuts_made < ticket && collector_running && tachy_os_wait(&collector_reply, &collector_mutex, deadline)) {
    }
    made = collector_running && collector_cuts_made >= ticket;
    *ordinal = collector_cut_ordinal;
  }
  tachy_os_unlock(&collector_mutex);
  return made;
}

void tachy_collector_after_fork(void) {
  tachy_os_mutex_init(&collector_mutex);
  tachy_collector_init();
  collector_running = NULL; /* its memory stays with whatever the collector was doing */
}

/* src/recorder/sites/filter.h */
/* Which sites are on: a level, and categories with levels of their own; the server's word is laid over the program's.
 * What the program has switched off as a class stays off. All of it under the registry's lock. */
#ifndef TACHY_SRC_RECORDER_SITES_FILTER_H
#define TACHY_SRC_RECORDER_SITES_FILTER_H

TACHY_HIDE

#define TACHY_RULES_MAX 64u
#define TACHY_CATEGORY_MAX 128u

typedef struct tachy_rule {
  uint32_t size;
  tachy_level level;
  char category[TACHY_CATEGORY_MAX]; /* not terminated */
} tachy_rule;

typedef struct tachy_rules {
  tachy_level level; /* of what no rule covers; NONE: all of it is off */
  int has_level;     /* 0: as the layer below says */
  uint32_t count;
  tachy_rule rules[TACHY_RULES_MAX];
} tachy_rules;

/* Adds or replaces a category's rule. 0: empty, too long, or no room. */
int tachy_rules_put(tachy_rules *rules, const char *category, size_t size, tachy_level level);

/* The program's level. */
void tachy_filter_set_level(tachy_level level);
/* What the server says, copied; NULL: nothing. */
void tachy_filter_lay_over(const tachy_rules *rules);
/* Whether a site of this kind, level and target is on. */
int tachy_filter_passes(uint8_t kind, uint8_t level, const char *target, size_t size);

TACHY_SHOW
#endif

/* src/recorder/collect/control.c */
/* What the server's answer to a batch says: read whole, then applied whole; the collector ends it when its time is up.
 */

#include <string.h>


enum { control_SECONDS_MAX = 1000000000 };
#define control_WATCHED_NS UINT64_C(30000000000) /* that an answer asks for */

/* One text. */
typedef struct control_order {
  uint64_t version;
  uint64_t seconds; /* 0: until the session's end, or (has_seconds) over at once */
  int has_seconds;
  tachy_mode mode;
  int watched; /* "flush=1s": of any version, or of none */
  int marks;
  char mark[256];
  tachy_rules rules;
} control_order;

static tachy_os_mutex control_mutex = TACHY_OS_MUTEX_INIT;
static int control_running;
static uint64_t control_applied; /* version */
static uint64_t control_refused;
static uint64_t control_ends_at;       /* atomic: monotonic; 0: no end */
static uint64_t control_watched_until; /* atomic: monotonic */
static control_order control_draft;

void tachy_control_lock(void) { tachy_os_lock(&control_mutex); }
void tachy_control_unlock(void) { tachy_os_unlock(&control_mutex); }

void tachy_control_after_fork(void) {
  tachy_os_mutex_init(&control_mutex);
  control_running = 0;
}

static int control_is(const char *text, size_t size, const char *word) {
  return size == strlen(word) && memcmp(text, word, size) == 0;
}

static int control_read_number(const char *text, size_t size, uint64_t *number) {
  *number = 0;
  for (size_t i = 0; i < size; i++) {
    const uint64_t digit = (uint64_t)(uint8_t)text[i] - '0';
    if (digit > 9 || *number > (UINT64_MAX - digit) / 10) return 0;
    *number = *number * 10 + digit;
  }
  return size > 0;
}

static int control_read_level(const char *text, size_t size, tachy_level *level) {
  static const char *const names[] = {"none", "fatal", "error", "warn", "info", "debug", "trace"};
  for (unsigned i = 0; i <= TACHY_LEVEL_TRACE; i++) {
    if (!control_is(text, size, names[i])) continue;
    *level = (tachy_level)i;
    return 1;
  }
  return 0;
}

static int control_hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent-decoded, terminated. 0: not well-formed, a zero byte, or more than `room` - 1 bytes. */
static int control_decode(const char *text, size_t size, char *to, size_t room) {
  size_t used = 0;
  for (size_t i = 0; i < size; i++) {
    int byte = (uint8_t)text[i];
    if (text[i] == '%') {
      if (size - i < 3 || control_hex(text[i + 1]) < 0 || control_hex(text[i + 2]) < 0) return 0;
      byte = control_hex(text[i + 1]) * 16 + control_hex(text[i + 2]);
      i += 2;
    }
    if (byte == 0 || used + 1 == room) return 0;
    to[used++] = (char)byte;
  }
  to[used] = 0;
  return 1;
}

/* 0: not what it should be. An unknown key is a newer server's. */
static int control_read_pair(control_order *o, const char *key, size_t key_size, const char *value, size_t size) {
  static const char prefix[] = "level.";
  if (control_is(key, key_size, "version")) return control_read_number(value, size, &o->version) && o->version > 0;
  if (control_is(key, key_size, "seconds")) {
    o->has_seconds = 1;
    return control_read_number(value, size, &o->seconds);
  }
  if (control_is(key, key_size, "flush")) {
    o->watched = control_is(value, size, "1s");
    return 1;
  }
  if (control_is(key, key_size, "mode")) {
    o->mode = control_is(value, size, "flight") ? TACHY_MODE_FLIGHT : TACHY_MODE_ALL;
    return o->mode == TACHY_MODE_FLIGHT || control_is(value, size, "all");
  }
  if (control_is(key, key_size, "mark")) {
    o->marks = 1;
    return control_decode(value, size, o->mark, sizeof o->mark);
  }
  if (control_is(key, key_size, "level")) {
    o->rules.has_level = 1;
    return control_read_level(value, size, &o->rules.level);
  }
  if (key_size > strlen(prefix) && memcmp(key, prefix, strlen(prefix)) == 0) {
    char category[TACHY_CATEGORY_MAX + 1];
    tachy_level level;
    return control_decode(key + strlen(prefix), key_size - strlen(prefix), category, sizeof category) &&
           control_read_level(value, size, &level) && tachy_rules_put(&o->rules, category, strlen(category), level);
  }
  return key_size > 0;
}

static void control_trim(const char **text, size_t *size) {
  while (*size && (**text == ' ' || **text == '\t')) (*text)++, (*size)--;
  while (*size && ((*text)[*size - 1] == ' ' || (*text)[*size - 1] == '\t')) (*size)--;
}

static int control_read_order(control_order *o, const char *text) {
  o->version = o->seconds = 0;
  o->has_seconds = o->rules.has_level = o->marks = o->watched = 0;
  o->mode = TACHY_MODE_DEFAULT;
  o->rules.count = 0;
  while (*text) {
    const char *part = (const char *)(text);
    size_t size = 0;
    while (text[size] && text[size] != ';') size++;
    text += size + (text[size] == ';');
    control_trim(&part, &size);
    if (size == 0) continue;
    const char *const equals = (const char *)(memchr(part, '=', size));
    if (!equals) return 0;
    size_t key_size = (size_t)(equals - part);
    const char *value = (const char *)(equals + 1);
    size_t value_size = size - key_size - 1;
    control_trim(&part, &key_size);
    control_trim(&value, &value_size);
    if (!control_read_pair(o, part, key_size, value, value_size)) return 0;
  }
  return o->version > 0 || o->watched;
}

/* The sites follow when the lock is free again. NULL: the program's own settings. */
static void control_apply(const control_order *o) {
  tachy_triggers_set_mode(o ? o->mode : TACHY_MODE_DEFAULT);
  tachy_registry_lock();
  tachy_filter_lay_over(o ? &o->rules : NULL);
  tachy_registry_unlock();
}

void tachy_own_control(const char *text) {
  if (!text || tachy_own_forking() || tachy_inside()) return;
  tachy_os_lock(&control_mutex);
  const int readable = control_running && control_read_order(&control_draft, text);
  if (control_running && !readable) control_refused++;
  const int newer = readable && control_draft.version > control_applied;
  const int turns = readable && control_draft.watched && !tachy_control_is_watched();
  if (readable && control_draft.watched) TACHY_STORE(&control_watched_until, tachy_os_monotonic() + control_WATCHED_NS);
  if (newer) {
    control_applied = control_draft.version;
    const uint64_t seconds = control_draft.seconds < control_SECONDS_MAX ? control_draft.seconds : control_SECONDS_MAX;
    TACHY_STORE(&control_ends_at, control_draft.has_seconds ? tachy_os_monotonic() + seconds * 1000000000u : 0);
    control_apply(control_draft.has_seconds && seconds == 0 ? NULL : &control_draft);
    if (control_draft.marks) tachy_own_mark(control_draft.mark);
  }
  tachy_os_unlock(&control_mutex);
  if (newer) tachy_registry_switch_again();
  if (newer || turns) tachy_bell_ring();
}

uint64_t tachy_control_ends(void) { return TACHY_LOAD(&control_ends_at); }

int tachy_control_is_watched(void) { return tachy_os_monotonic() < TACHY_LOAD(&control_watched_until); }

void tachy_control_poll(void) {
  const uint64_t end = TACHY_LOAD(&control_ends_at);
  if (end == 0 || tachy_os_monotonic() < end) return;
  tachy_os_lock(&control_mutex);
  const int over = TACHY_LOAD(&control_ends_at) == end;
  if (over) {
    TACHY_STORE(&control_ends_at, 0);
    control_apply(NULL);
  }
  tachy_os_unlock(&control_mutex);
  if (over) tachy_registry_switch_again();
}

void tachy_control_start(void) {
  tachy_os_lock(&control_mutex);
  control_running = 1;
  control_applied = control_refused = 0;
  TACHY_STORE(&control_ends_at, 0);
  TACHY_STORE(&control_watched_until, 0);
  control_apply(NULL);
  tachy_os_unlock(&control_mutex);
}

void tachy_control_stop(void) {
  tachy_os_lock(&control_mutex);
  control_running = 0;
  tachy_os_unlock(&control_mutex);
}

void tachy_control_stats(uint64_t *version, uint64_t *count) {
  tachy_os_lock(&control_mutex);
  *version = control_applied;
  *count = control_refused;
  tachy_os_unlock(&control_mutex);
}

/* src/recorder/pool/session_layout.h */
/* The layout of a session file: docs/format.md, "Session file". Its writer is session_file.c, and dead.c reads what a
 * process left. What is marked atomic is stored in one piece, after everything that it stands for. */
#ifndef TACHY_SRC_RECORDER_POOL_SESSION_LAYOUT_H
#define TACHY_SRC_RECORDER_POOL_SESSION_LAYOUT_H
TACHY_HIDE


#define TACHY_SESSION_MAGIC 0x53534554u /* "TESS" */
#define TACHY_SESSION_VERSION 1u

/* Offsets of the regions, and their sizes. They are sparse: what is never used takes no storage. */
#define TACHY_SESSION_HEAD_SIZE UINT64_C(0x10000)
#define TACHY_SESSION_DESCRIPTIONS UINT64_C(0x100000)
#define TACHY_SESSION_DESCRIPTION_SIZE UINT64_C(0x100000) /* two of them */
#define TACHY_SESSION_NAMES UINT64_C(0x400000)
#define TACHY_SESSION_NAMES_SIZE UINT64_C(0x2000000)
#define TACHY_SESSION_STATES UINT64_C(0x4000000)
#define TACHY_SESSION_STATE_SIZE UINT64_C(0x800000) /* two for each class */
#define TACHY_SESSION_POOL UINT64_C(0x8000000)      /* the slots, TACHY_SLOT_BYTES each; then the chunks */

typedef enum tachy_session_life {
  TACHY_LIFE_MAKING = 0,   /* nothing has been committed */
  TACHY_LIFE_RUNNING = 1,  /* of a process that is gone: it was killed */
  TACHY_LIFE_ENDED = 2,    /* the program ended by exit() and did not stop the session */
  TACHY_LIFE_DONE = 3,     /* the batches have everything */
  TACHY_LIFE_RECOVERED = 4 /* the same, with one batch more than was committed, which the recovery made */
} tachy_session_life;

/* What one commit changes. Number n lies in records[n & 1]. */
typedef struct tachy_session_record {
  uint64_t ordinal;
  uint8_t process_id[16];
  uint64_t frequency;
  uint64_t description_size;     /* JSON without its end, in description n & 1 */
  uint32_t which[TACHY_CLASSES]; /* state of the class */
} tachy_session_record;

typedef struct tachy_session_head {
  uint32_t magic;
  uint16_t version;
  uint16_t slot_size;  /* sizeof(tachy_slot) / 16: slots of another layout cannot be read */
  uint32_t life;       /* atomic: tachy_session_life */
  uint32_t crash_kind; /* atomic: tachy_crash_kind */
  char destination[256];
  uint64_t commit;     /* atomic: the ordinal of the last one */
  uint64_t names_size; /* atomic */
  uint64_t slots;      /* room for so many */
  uint64_t chunks;     /* the same */
  tachy_session_record records[2];
} tachy_session_head;

/* Names: entries of multiples of 8 bytes, numbered by kind in the order of the entries. */
enum { TACHY_NAME_STRING = 1, TACHY_NAME_SITE = 2, TACHY_NAME_SET = 3 };

typedef struct tachy_name_entry {
  uint32_t kind;
  uint32_t size; /* string: bytes; site: sizeof(tachy_name_site); set: 8 for each pair */
} tachy_name_entry;

typedef struct tachy_name_site {
  uint32_t line;
  uint8_t kind;
  uint8_t level;
  uint16_t zero;
  uint32_t strings[4]; /* name, target, file, unit */
} tachy_name_site;

/* The state of a class at a commit, when its next block begins: the channel, where its earlier blocks began
 * (tachy_clock_pair), its streams, each with its open spans and its async ends that wait, then the open async spans. */
typedef struct tachy_saved_channel {
  uint64_t sequence;
  uint64_t unit;
  uint64_t from_ticks;
  int64_t from_utc;
  uint64_t stream_count;
  uint64_t async_count;
  uint64_t before_ticks; /* tachy_past */
  int64_t before_utc;
  uint64_t earlier_count;
  uint64_t values_size; /* of the values on async spans, which come last */
} tachy_saved_channel;

typedef struct tachy_saved_stream {
  uint64_t position;
  uint64_t os_id;
  uint64_t total;
  uint64_t last;
  uint64_t known_lost;
  uint64_t emitted;
  uint64_t missed;      /* the part of tachy_slot_missed that blocks have counted */
  uint64_t values_size; /* of the values on the open spans, which come last */
  uint32_t number;
  uint32_t open_count;
  uint32_t held_count;
  uint32_t name_size;
  char name[TACHY_THREAD_NAME_MAX];
} tachy_saved_stream;

typedef struct tachy_saved_open {
  uint64_t ticks;
  int64_t utc;
  uint64_t id;
  uint32_t site;
  uint32_t zero;
} tachy_saved_open;

typedef struct tachy_saved_async {
  uint64_t id;
  uint64_t parent;
  int64_t utc;
  uint32_t site;
  uint32_t depth;
  uint32_t thread;
  uint32_t zero;
} tachy_saved_async;

_Static_assert(sizeof(tachy_session_record) == 56, "session file");
_Static_assert(sizeof(tachy_session_head) == 416, "session file");
_Static_assert(sizeof(tachy_name_entry) == 8 && sizeof(tachy_name_site) == 24, "session file");
_Static_assert(sizeof(tachy_saved_channel) == 80 && sizeof(tachy_saved_stream) == 128, "session file");
_Static_assert(sizeof(tachy_saved_open) == 32 && sizeof(tachy_saved_async) == 40, "session file");
_Static_assert(sizeof(tachy_slot) / 16 < 65536 && sizeof(tachy_slot) % 16 == 0, "session file");

TACHY_SHOW
#endif

/* src/recorder/pool/session_file.h */
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
TACHY_HIDE


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

TACHY_SHOW
#endif

/* src/recorder/send/description.h */
/* The description of the process that every batch carries. */
#ifndef TACHY_SRC_RECORDER_SEND_DESCRIPTION_H
#define TACHY_SRC_RECORDER_SEND_DESCRIPTION_H

TACHY_HIDE


/* Takes over the configuration and makes a new process id. TACHY_OK, _ARGUMENT, _MEMORY or _SYSTEM. */
tachy_status tachy_description_start(const tachy_config *config);
void tachy_description_process_id(uint8_t id[16]);
/* JSON text without its end, which says how the process ended: a killed one cannot say that itself. 0: no memory. */
int tachy_description_write(tachy_bytes *json);
/* Adds the end. state: "running", "exited" or "crashed". 0: no memory. */
int tachy_description_end(tachy_bytes *json, const char *state);
/* Before the end: one property more. `json` ends with its properties. */
int tachy_description_add(tachy_bytes *json, const char *key, const char *value);
/* Whether the process that wrote such a text has this value of "destination" or "parent_process_id". */
int tachy_description_says(const tachy_bytes *json, const char *key, const char *value);
/* Whether such text is of a process whose batches are for this destination. */
int tachy_description_is_for(const tachy_bytes *json, const char *destination);

/* Around fork(). */
void tachy_description_lock(void);
void tachy_description_unlock(void);
void tachy_description_after_fork(void);

TACHY_SHOW
#endif

/* src/recorder/collect/cut.c */
/* Cuts: from what has been read to a batch in the outbox. */


enum { cut_SPANS = 1 << TACHY_CLASS_SPAN };

static void cut_save(const tachy_intake *intake) {
  if (!tachy_session_file_protects()) return;
  tachy_bytes state = {0};
  if (!tachy_state_write(&state, &intake->channel)) state.size = 0;
  tachy_session_file_save(intake->channel.cls, &state);
  tachy_bytes_free(&state);
}

/* What the last commit holds is over: its chunks, and the streams and slots of threads that have ended. */
static void cut_release(tachy_collection *c, unsigned classes) {
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    tachy_intake *const intake = (tachy_intake *)(&c->intakes[cls]);
    if (!(classes >> cls & 1u)) continue;
    tachy_intake_release(intake);
    tachy_stream *next;
    for (tachy_stream *s = (tachy_stream *)(intake->channel.streams); s; s = next) {
      tachy_source *const source = (tachy_source *)(s->source);
      next = s->next;
      if (s->gone && s->async_rows == 0 && TACHY_LOAD(&source->slot->state) == TACHY_SLOT_READ) {
        tachy_source_free(intake, source);
      } else {
        tachy_source_return(source);
      }
    }
  }
  for (tachy_slot *slot = (tachy_slot *)(tachy_slots_first()); slot; slot = slot->next) {
    if (TACHY_LOAD_ACQUIRE(&slot->state) != TACHY_SLOT_READ) continue;
    int some = 0;
    for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) some |= slot->sources[cls] != NULL;
    if (!some) tachy_source_free_slot(slot);
  }
}

/* Puts the blocks into the outbox as one batch. The batch's file is written, then the commit makes it valid and what
 * was read old, then it may be sent. */
static void cut_commit(tachy_collection *c, tachy_block *blocks, unsigned classes, int last) {
  tachy_bytes description = {0};
  const int described = tachy_description_write(&description);
  const uint64_t size = description.size;
  if (!described || !tachy_description_end(&description, last ? "exited" : "running")) tachy_bytes_free(&description);
  tachy_batch *const batch = (tachy_batch *)(tachy_outbox_make(blocks, description, last));
  tachy_session_file_commit(c->process_id, tachy_clock_frequency(), batch ? batch->description.bytes : NULL, size);
  if (last) tachy_session_file_done();
  cut_release(c, classes);
  tachy_outbox_put(batch, last);
}

/* Until the next cut, which jumps, time stands still for what the counter says that began anew. */
int tachy_cut_restarted(tachy_collection *c) {
  if (!tachy_clock_restarted()) return 0;
  for (unsigned i = 1; i < TACHY_CLASSES; i++) c->intakes[i].channel.floor = tachy_clock_first_ticks();
  return 1;
}

/* What is dated goes over to the wall clock's new time: where its next block begins. */
static void cut_jump(tachy_collection *c, tachy_clock_pair end) {
  const uint64_t first = tachy_clock_first_ticks();
  const tachy_clock_pair start = tachy_clock_jump();
  for (unsigned i = 1; i < TACHY_CLASSES; i++) tachy_channel_jump(&c->intakes[i].channel, end, start, first);
  if (c->flight.on) tachy_flight_jump(&c->flight, start.utc - end.utc);
}

/* Cuts the classes (a bit each) at one moment, for one batch; all of them when the wall clock was set, so that no block
 * has both times in it. (A flight recorder's spans lie in no block yet.) */
void tachy_cut(tachy_collection *c, unsigned classes, tachy_cut_of what) {
  const int last = what == TACHY_CUT_LAST;
  int jumped = tachy_clock_jumped();
  if (tachy_cut_restarted(c) && c->flight.on) jumped = 0; /* it is left first, see run */
  if (jumped) classes = c->flight.on ? TACHY_ALL_CLASSES & ~cut_SPANS : TACHY_ALL_CLASSES;
  const unsigned metrics = classes & 1u << TACHY_CLASS_METRIC;
  const int rest = what != TACHY_CUT_READ || jumped;
  tachy_collection_drain(c, rest ? classes : classes & cut_SPANS);
  if (!rest) tachy_collection_name(c, classes & ~(unsigned)cut_SPANS);
  tachy_collection_report(c);
  if (metrics && tachy_report_losses(&c->report, &c->intakes[TACHY_CLASS_METRIC], last))
    tachy_collection_drain(c, metrics);
  const tachy_clock_pair now = tachy_clock_now(); /* after everything was read: no event is later */
  tachy_block *blocks = (tachy_block *)(NULL);
  tachy_block **link = (tachy_block **)(&blocks);
  for (unsigned i = 1; i < TACHY_CLASSES; i++) {
    if (!(classes >> i & 1u)) continue;
    tachy_channel *const channel = (tachy_channel *)(&c->intakes[i].channel);
    channel->frequency = tachy_clock_frequency();
    int failed;
    tachy_block *const block = (tachy_block *)(tachy_block_make(channel, c->process_id, now, last, 0, &failed));
    if (!block && !failed) {
      if (!jumped) classes &= ~(1u << i);
      continue;
    }
    if (failed) {
      tachy_outbox_drop((tachy_class)i, channel->events);
    } else {
      *link = block;
      link = &block->next;
    }
    tachy_channel_next_block(channel, now, 1);
  }
  if (jumped) cut_jump(c, now);
  if (!classes && !last) return;
  for (unsigned i = 1; i < TACHY_CLASSES; i++) {
    if (classes >> i & 1u) cut_save(&c->intakes[i]);
  }
  tachy_collection_report(c);
  if (c->flight.on) cut_save(&c->intakes[TACHY_CLASS_SPAN]);
  cut_commit(c, blocks, classes, last);
}

/* Goes on with the flight recorder. 1: there is more to do. */
int tachy_cut_flight(tachy_collection *c, tachy_flight_pace pace) {
  tachy_block *block;
  int more;
  do {
    more = tachy_flight_step(&c->flight, pace, &block);
    if (block) {
      cut_save(&c->intakes[TACHY_CLASS_SPAN]);
      cut_commit(c, block, 1u << TACHY_CLASS_SPAN, 0);
    } else if (!c->flight.pending) {
      cut_release(c, 1u << TACHY_CLASS_SPAN);
    }
    if (more && pace >= TACHY_FLIGHT_FLUSH) tachy_collection_read(c);
  } while (more && pace >= TACHY_FLIGHT_FLUSH);
  tachy_collection_report(c);
  return more;
}

/* Its spans are the blocks' again. */
void tachy_cut_leave_flight(tachy_collection *c) {
  tachy_cut_flight(c, TACHY_FLIGHT_FLUSH);
  tachy_flight_leave(&c->flight);
  tachy_cut(c, cut_SPANS, TACHY_CUT_ALL);
}

/* Says anew who records, and by which clock. */
void tachy_cut_description(const tachy_collection *c) {
  tachy_bytes description = {0};
  const int described = tachy_description_write(&description);
  tachy_session_file_commit(c->process_id, tachy_clock_frequency(), described ? description.bytes : NULL,
                            description.size);
  tachy_bytes_free(&description);
}

/* From now on what is recorded can be recovered. */
void tachy_cut_first(const tachy_collection *c) {
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) cut_save(&c->intakes[cls]);
  tachy_cut_description(c);
}

/* src/recorder/collect/drain.c */
/* Passes over all threads. */


/* What the slot's own counters say since they were last read. */
static uint64_t drain_news(const uint64_t *counter, uint64_t *seen) {
  const uint64_t now = TACHY_LOAD(counter);
  const uint64_t more = now - *seen;
  *seen = now;
  return more;
}

static void drain_read_counters(tachy_collection *c, tachy_slot *slot) {
  tachy_channel *const channel = (tachy_channel *)(&c->intakes[TACHY_CLASS_SPAN].channel);
  const uint64_t too_deep = drain_news(&slot->too_deep, &slot->seen_too_deep);
  const uint64_t async_lost = drain_news(&slot->async_lost, &slot->seen_async_lost);
  c->too_deep += too_deep;
  c->mismatched += drain_news(&slot->mismatched, &slot->seen_mismatched);
  c->backwards += drain_news(&slot->backwards, &slot->seen_backwards);
  c->values_lost += drain_news(&slot->values_lost, &slot->seen_values_lost);
  if (too_deep + async_lost == 0) return;
  tachy_source *const source = (tachy_source *)(slot->sources[TACHY_CLASS_SPAN]);
  if (source) {
    tachy_stream_drop(channel, source->stream, too_deep + async_lost);
    source->stream->missed += too_deep + async_lost;
  } else {
    channel->lost += too_deep + async_lost;
    channel->recorded += too_deep + async_lost;
  }
}

/* For a cut: the name that its thread has now. */
static void drain_name_stream(tachy_slot *slot, tachy_stream *stream) {
  if (!stream->rows && !stream->async_rows) return;
  if (TACHY_LOAD(&slot->state) == TACHY_SLOT_LIVE) tachy_slot_read_name(slot);
  stream->name_size = tachy_slot_name(slot, stream->name);
}

/* Everything that is there, for a cut of the class. */
static void drain_drain_source(tachy_collection *c, tachy_slot *slot, tachy_class cls) {
  tachy_source *const source = (tachy_source *)(tachy_source_of(&c->intakes[cls], slot, 0));
  if (!source) return;
  tachy_source_drain(&c->intakes[cls], source, UINT64_MAX);
  drain_name_stream(slot, source->stream);
}

/* The thread has ended: reads the rest. The flight recorder does that for spans, some time later. */
static void drain_read_ended(tachy_collection *c, tachy_slot *slot) {
  const tachy_source *const spans = (const tachy_source *)(c->flight.on ? tachy_source_of(&c->intakes[TACHY_CLASS_SPAN], slot, 0) : NULL);
  const int kept = spans && !spans->stream->gone;
  drain_read_counters(c, slot);
  for (unsigned i = 1; i < TACHY_CLASSES; i++) {
    if (i != TACHY_CLASS_SPAN || !spans) drain_drain_source(c, slot, (tachy_class)i);
    if (slot->sources[i] && !kept) slot->sources[i]->stream->gone = 1;
  }
  if (!kept) TACHY_STORE(&slot->state, TACHY_SLOT_READ);
}

/* Whether the thread has written something of the class that has not been read, or lost it. */
static int drain_has_news(const tachy_slot *slot, tachy_class cls) {
  const tachy_source *const source = (const tachy_source *)(slot->sources[cls]);
  const uint64_t head = TACHY_LOAD(&tachy_slot_writer((tachy_slot *)(uintptr_t)slot, cls)->head);
  const uint64_t lost = TACHY_LOAD(&slot->back[cls].lost);
  if (source) return head != source->position || lost > source->emitted;
  return head != slot->begin[cls] || lost != slot->lost_before[cls];
}

int tachy_collection_has_news(const tachy_collection *c) {
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (c->intakes[cls].channel.events) return 1;
  }
  for (const tachy_slot *slot = (const tachy_slot *)(tachy_slots_first()); slot; slot = slot->next) {
    const uint32_t state = TACHY_LOAD_ACQUIRE(&slot->state);
    if (state == TACHY_SLOT_FREE || state == TACHY_SLOT_READ) continue;
    if (state == TACHY_SLOT_EXITED) return 1;
    for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
      if (drain_has_news(slot, (tachy_class)cls)) return 1;
    }
  }
  return 0;
}

int tachy_collection_is_full(const tachy_collection *c) {
  uint64_t most = 0;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (c->intakes[cls].waiting_count > most) most = c->intakes[cls].waiting_count;
  }
  return most > tachy_pool_limit() / 4;
}

int tachy_collection_read(tachy_collection *c) {
  const uint64_t most = tachy_pool_limit() / 4;
  int all = 1;
  for (tachy_slot *slot = (tachy_slot *)(tachy_slots_first()); slot; slot = slot->next) {
    const uint32_t state = TACHY_LOAD_ACQUIRE(&slot->state);
    if (state == TACHY_SLOT_FREE || state == TACHY_SLOT_READ) continue;
    for (unsigned i = 1; i < TACHY_CLASSES; i++) {
      if (i == TACHY_CLASS_SPAN && c->flight.on) continue;
      tachy_source *const source = (tachy_source *)(tachy_source_of(&c->intakes[i], slot, 0));
      if (source) all &= tachy_source_read(&c->intakes[i], source, most);
    }
    if (state == TACHY_SLOT_EXITED && all) drain_read_ended(c, slot);
  }
  return all;
}

void tachy_collection_name(tachy_collection *c, unsigned classes) {
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (!(classes >> cls & 1u)) continue;
    tachy_stream *s = (tachy_stream *)(c->intakes[cls].channel.streams);
    for (; s; s = s->next) drain_name_stream(s->source->slot, s);
  }
}

void tachy_collection_drain(tachy_collection *c, unsigned classes) {
  for (tachy_slot *slot = (tachy_slot *)(tachy_slots_first()); slot; slot = slot->next) {
    const uint32_t state = TACHY_LOAD_ACQUIRE(&slot->state);
    if (state == TACHY_SLOT_FREE || state == TACHY_SLOT_READ) continue;
    for (unsigned i = 1; i < TACHY_CLASSES; i++) {
      if (classes >> i & 1u) drain_drain_source(c, slot, (tachy_class)i);
    }
    drain_read_counters(c, slot);
  }
}

/* What handlers could not record is in nobody's stream. */
static void drain_read_inside(tachy_collection *c) {
  for (unsigned cls = 0; cls < TACHY_CLASSES; cls++) {
    const uint64_t now = tachy_inside_dropped(cls);
    const uint64_t more = now - c->seen_inside[cls];
    c->seen_inside[cls] = now;
    if (cls == 0) {
      c->values_lost += more;
    } else {
      c->intakes[cls].channel.lost += more;
      c->intakes[cls].channel.recorded += more;
    }
  }
}

void tachy_collection_report(tachy_collection *c) {
  drain_read_inside(c);
  tachy_progress progress = {0};
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    progress.recorded[cls] = c->intakes[cls].channel.recorded;
    progress.dropped[cls] = c->intakes[cls].channel.lost;
    progress.clock_backwards += c->intakes[cls].channel.backwards;
  }
  progress.clock_backwards += c->backwards;
  progress.too_deep = c->too_deep;
  progress.mismatched = c->mismatched;
  progress.values_dropped = c->values_lost + c->intakes[TACHY_CLASS_SPAN].channel.values.lost;
  progress.async_untracked = c->intakes[TACHY_CLASS_SPAN].channel.asyncs.untracked;
  if (c->flight.on) progress.recorded[TACHY_CLASS_SPAN] += tachy_flight_kept(&c->flight);
  progress.not_retained = c->flight.not_retained;
  progress.overwritten = c->flight.overwritten;
  progress.collector_ns = tachy_os_thread_cpu();
  tachy_outbox_report(&progress);
}

/* src/recorder/collect/flight.c */
/* The flight recorder: which chunks are shipped, kept and skipped. */


enum {
  flight_MARGIN_MS = 100,    /* a row that triggers is read at the latest so long after it was written */
  GRACE_MS = 10,      /* a record is published at the latest so long after its end */
  SLICE = 1 << 17,    /* events that a step reads before the other classes are looked at again */
  ENDED_SLOTS = 1024, /* threads that have ended and whose chunks are kept */
  SAMPLE_MS = 50,
};

static uint64_t flight_ticks_of(uint64_t ms) { return tachy_clock_frequency() / 1000 * ms; }

static uint64_t flight_less(uint64_t from, uint64_t ticks) { return from > ticks ? from - ticks : 0; }

/* What a step knows. */
typedef struct flight_step {
  tachy_flight_pace pace;
  uint64_t now;
  uint64_t keep_from; /* what ends before may be wanted by no window that is still to come */
  int wanted;         /* there is a window whose chunks may be shipped */
  int over;           /* it has ended, or nothing will come any more: what is in it is read to the end */
  tachy_window window;
  uint64_t slice; /* events that may still be read */
} flight_step;

typedef enum flight_fate { flight_KEEP, flight_SHIP, flight_SKIP } flight_fate;

/* When the chunk that the source reads was full; now: it is not. */
static uint64_t flight_end_of(const flight_step *st, const tachy_source *s) {
  const tachy_chunk *const next = (const tachy_chunk *)(tachy_chunk_at(TACHY_LOAD_ACQUIRE(&s->chunk->next)));
  if (next) return next->ticks;
  return TACHY_LOAD_ACQUIRE(&s->slot->state) == TACHY_SLOT_EXITED ? s->slot->ended : st->now;
}

/* Also: its thread has found no other. */
static int flight_is_full(const tachy_source *s) {
  const tachy_writer *const writer = (const tachy_writer *)(&s->slot->thread.span);
  return TACHY_LOAD_ACQUIRE(&s->chunk->next) != 0 || TACHY_LOAD_ACQUIRE(&s->slot->state) == TACHY_SLOT_EXITED ||
         TACHY_LOAD(&writer->limit) == TACHY_LOAD_ACQUIRE(&writer->head);
}

static flight_fate flight_fate_of(const flight_step *st, const tachy_source *s) {
  const uint64_t end = flight_end_of(st, s);
  const int full = flight_is_full(s);
  if (st->wanted && end >= st->window.from && s->chunk->ticks <= st->window.until) {
    return full || st->over ? flight_SHIP : flight_KEEP;
  }
  if (st->wanted && s->chunk->ticks > st->window.until) return flight_KEEP;
  if (st->pace == TACHY_FLIGHT_LAST) return flight_SKIP;
  return full && end < st->keep_from ? flight_SKIP : flight_KEEP;
}

static void flight_name(tachy_source *s) { s->stream->name_size = tachy_slot_name(s->slot, s->stream->name); }

static uint64_t flight_left_in(const tachy_source *s) { return TACHY_LOAD_ACQUIRE(&s->slot->thread.span.head) - s->position; }

/* If the thread has ended and everything of it has been read or skipped. */
static void flight_end_slot(tachy_flight *f, tachy_slot *slot, tachy_source *s) {
  if (TACHY_LOAD_ACQUIRE(&slot->state) != TACHY_SLOT_EXITED || flight_left_in(s) != 0) return;
  tachy_source_drain(f->intake, s, UINT64_MAX);
  s->stream->gone = 1; /* the next pass over the other classes lets the slot go */
}

static void flight_skip(tachy_flight *f, tachy_source *s) {
  f->not_retained += tachy_source_skip(f->intake, s);
  f->skipped = 1;
  flight_name(s);
}

/* Follows one thread's chunks as far as they have the same fate. 1: there are more of them. */
static int flight_follow(tachy_flight *f, flight_step *st, tachy_slot *slot, flight_fate what) {
  tachy_source *const s = (tachy_source *)(tachy_source_of(f->intake, slot, 0));
  if (!s) return 0;
  while (tachy_source_chunk(f->intake, s)) {
    if (flight_left_in(s) == 0 || flight_fate_of(st, s) != what) break;
    if (st->slice == 0) return 1;
    const uint64_t before = s->position;
    if (what == flight_SKIP) {
      flight_skip(f, s);
    } else {
      f->pending = 1;
      tachy_source_read_chunk(f->intake, s);
      flight_name(s);
    }
    st->slice = flight_less(st->slice, (s->position - before) / sizeof(tachy_span_record) + 1);
    if (what == flight_SHIP && f->intake->channel.bytes >= f->block_bytes) return 1;
  }
  flight_end_slot(f, slot, s);
  return 0;
}

static int flight_follow_all(tachy_flight *f, flight_step *st, flight_fate what) {
  int more = 0;
  for (tachy_slot *slot = (tachy_slot *)(tachy_slots_first()); slot && !more; slot = slot->next) {
    const uint32_t state = TACHY_LOAD_ACQUIRE(&slot->state);
    if (state == TACHY_SLOT_LIVE || state == TACHY_SLOT_EXITED) more = flight_follow(f, st, slot, what);
  }
  return more;
}

/* The pool runs short: the chunk goes that was full first, until there is room again. */
static void flight_make_room(tachy_flight *f, const flight_step *st) {
  const uint64_t limit = tachy_pool_limit();
  while (tachy_pool_free() + f->intake->waiting_count <= limit / 4 || tachy_slots_ended() > ENDED_SLOTS) {
    tachy_source *oldest = (tachy_source *)(NULL);
    for (tachy_stream *stream = (tachy_stream *)(f->intake->channel.streams); stream; stream = stream->next) {
      tachy_source *const s = (tachy_source *)(stream->source);
      if (stream->gone || !tachy_source_chunk(f->intake, s) || !flight_is_full(s) || flight_left_in(s) == 0) continue;
      if (!oldest || flight_end_of(st, s) < flight_end_of(st, oldest)) oldest = s;
    }
    if (!oldest) return;
    const uint64_t before = f->not_retained;
    flight_skip(f, oldest);
    f->overwritten += f->not_retained - before;
    flight_end_slot(f, oldest->slot, oldest);
  }
}

static void flight_sample_clock(tachy_flight *f) {
  const tachy_clock_pair now = tachy_clock_now();
  const uint32_t count = f->sample_count;
  if (count && now.ticks - f->samples[count - 1].ticks < f->sample_step) return;
  if (count == TACHY_FLIGHT_SAMPLES) { /* every second one is enough */
    for (uint32_t i = 0; i < count / 2; i++) f->samples[i] = f->samples[2 * i + 1];
    f->sample_count = count / 2;
    f->sample_step *= 2;
  }
  f->samples[f->sample_count++] = now;
}

void tachy_flight_jump(tachy_flight *f, int64_t ns) {
  for (uint32_t i = 0; i < f->sample_count; i++) f->samples[i].utc += ns;
}

/* Where the next block begins: before everything that is kept. */
static tachy_clock_pair flight_next_from(tachy_flight *f, tachy_clock_pair to) {
  uint64_t oldest = to.ticks;
  for (const tachy_stream *stream = (const tachy_stream *)(f->intake->channel.streams); stream; stream = stream->next) {
    tachy_source *const s = (tachy_source *)(stream->source);
    const tachy_chunk *const chunk = (const tachy_chunk *)(tachy_source_chunk(f->intake, s));
    if (chunk && flight_left_in(s) && chunk->ticks < oldest) oldest = chunk->ticks;
  }
  if (oldest == to.ticks) return to;
  tachy_clock_pair from = f->intake->channel.from;
  uint32_t gone = 0;
  for (; gone < f->sample_count && f->samples[gone].ticks <= oldest; gone++) {
    if (f->samples[gone].ticks > from.ticks) from = f->samples[gone];
  }
  f->sample_count -= gone;
  memmove(f->samples, f->samples + gone, f->sample_count * sizeof *f->samples);
  return from;
}

/* Forgets the rows of what was skipped. */
static void flight_forget(tachy_flight *f) {
  tachy_channel *const channel = (tachy_channel *)(&f->intake->channel);
  const tachy_clock_pair to = tachy_clock_now();
  for (const tachy_stream *s = (const tachy_stream *)(channel->streams); s; s = s->next) tachy_source_stack_here(s->source, 0);
  channel->frequency = tachy_clock_frequency();
  tachy_block_forget(channel, to);
  f->not_retained += channel->events; /* async ones, but for ends that wait for their begins */
  f->skipped = 0;
  tachy_channel_next_block(channel, flight_next_from(f, to), 0);
  tachy_intake_release(f->intake);
}

/* The stacks where the streams are cut. until: the window's end; 0: it goes on, and only chunks that are in the block
 * in part are read to their ends. */
static void flight_drain_slots(tachy_flight *f, uint64_t until) {
  for (tachy_slot *slot = (tachy_slot *)(tachy_slots_first()); slot; slot = slot->next) {
    const uint32_t state = TACHY_LOAD_ACQUIRE(&slot->state);
    if (state != TACHY_SLOT_LIVE && state != TACHY_SLOT_EXITED) continue;
    tachy_source *const s = (tachy_source *)(tachy_source_of(f->intake, slot, until != 0));
    if (!s) continue;
    if (!tachy_source_drain(f->intake, s, until)) continue;
    if (until) tachy_source_open_rest(s);
    tachy_slot_read_name(slot);
    flight_name(s);
  }
}

static tachy_block *flight_cut(tachy_flight *f, uint64_t until, int last) {
  tachy_channel *const channel = (tachy_channel *)(&f->intake->channel);
  flight_drain_slots(f, until);
  const tachy_clock_pair to = tachy_clock_now(); /* after everything was read: no event is later */
  channel->frequency = tachy_clock_frequency();
  int failed;
  tachy_block *const block = (tachy_block *)(tachy_block_make(channel, f->process_id, to, last, 1, &failed));
  if (failed) tachy_outbox_drop(TACHY_CLASS_SPAN, channel->events);
  tachy_channel_next_block(channel, flight_next_from(f, to), block || failed);
  f->pending = 0;
  return block;
}

/* What is kept goes by the counter as it was if that has begun anew. */
static uint64_t flight_ticks_now(void) { return tachy_clock_restarted() ? tachy_clock_now().ticks : tachy_ticks(); }

static flight_step flight_plan(tachy_flight_pace pace) {
  flight_step st = {.pace = pace, .now = flight_ticks_now(), .slice = SLICE};
  st.keep_from = flight_less(st.now, tachy_triggers_before());
  if (pace < TACHY_FLIGHT_FLUSH) st.keep_from = flight_less(st.keep_from, flight_ticks_of(flight_MARGIN_MS));
  /* A window waits until all that ended before it may be skipped: it would stand in the way of what is shipped. */
  st.wanted = tachy_triggers_window(0, &st.window) && st.window.from <= st.keep_from;
  if (st.wanted) st.over = pace >= TACHY_FLIGHT_FLUSH || st.now > st.window.until + flight_ticks_of(GRACE_MS);
  return st;
}

int tachy_flight_step(tachy_flight *f, tachy_flight_pace pace, tachy_block **block) {
  flight_step st = flight_plan(pace);
  *block = NULL;
  flight_sample_clock(f);
  if (!f->pending) {
    const int more = flight_follow_all(f, &st, flight_SKIP);
    const int last = pace == TACHY_FLIGHT_LAST && !st.wanted && !more;
    if (pace < TACHY_FLIGHT_FLUSH) flight_make_room(f, &st);
    if (f->skipped) flight_forget(f);
    if (last && f->intake->channel.events) *block = flight_cut(f, 0, 1); /* ends of async spans that were wanted */
    if (more) return 1;
  }
  if (!st.wanted) return 0;
  if (flight_follow_all(f, &st, flight_SHIP)) {
    if (f->intake->channel.bytes >= f->block_bytes) *block = flight_cut(f, 0, 0);
    return 1;
  }
  const int ended = st.over && (st.now > st.window.until || pace == TACHY_FLIGHT_LAST);
  const int now = pace >= TACHY_FLIGHT_DUE || tachy_pool_free() <= tachy_pool_limit() / 4;
  if (st.over) {
    *block = flight_cut(f, st.window.until, pace == TACHY_FLIGHT_LAST);
  } else if (f->pending && now) {
    *block = flight_cut(f, 0, 0);
  }
  if (ended) tachy_triggers_window(st.window.until, &st.window);
  return ended;
}

uint64_t tachy_flight_kept(const tachy_flight *f) {
  uint64_t bytes = 0;
  for (const tachy_stream *s = (const tachy_stream *)(f->intake->channel.streams); s; s = s->next) bytes += flight_left_in(s->source);
  return bytes / sizeof(tachy_span_record);
}

void tachy_flight_enter(tachy_flight *f) {
  f->on = 1;
  f->pending = f->skipped = 0;
  f->sample_count = 0;
  f->sample_step = flight_ticks_of(SAMPLE_MS);
}

void tachy_flight_leave(tachy_flight *f) {
  flight_step st = {.pace = TACHY_FLIGHT_LAST, .now = flight_ticks_now(), .slice = UINT64_MAX};
  flight_follow_all(f, &st, flight_SKIP);
  flight_forget(f);
  tachy_triggers_forget();
  f->on = f->pending = 0;
}

/* src/recorder/collect/pace.c */
/* When the collector wakes and cuts. */


#define pace_MS UINT64_C(1000000)
#define pace_YOUNG_NS (60000 * pace_MS) /* somebody may be looking at what a program does just after its start */
#define pace_SOON_NS (1000 * pace_MS)
#define pace_LATER_NS (10000 * pace_MS)
#define pace_APART_NS (250 * pace_MS) /* between two cuts of a class: who records a lot sends larger blocks, not more of them */
#define pace_FLIGHT_NS (50 * pace_MS) /* between two passes of a flight recorder, whose triggers are to be seen */

enum { pace_ENDED_SLOTS = 1024 };

void tachy_pace_start(tachy_pace *p, uint32_t flush_ms, uint64_t block_bytes) {
  *p = (tachy_pace){.flush_ns = flush_ms * pace_MS, .block_bytes = block_bytes, .started = tachy_os_monotonic()};
  p->due_from = p->looked = p->started;
}

/* What would die with the process does not wait longer than a second, nor what somebody looks at. */
static uint64_t pace_interval(const tachy_pace *p, uint64_t now) {
  const uint64_t configured = p->flush_ns                     ? p->flush_ns
                              : now - p->started < pace_YOUNG_NS   ? pace_SOON_NS
                              : tachy_session_file_protects() ? pace_LATER_NS
                                                              : pace_SOON_NS;
  return configured > pace_SOON_NS && tachy_control_is_watched() ? pace_SOON_NS : configured;
}

uint64_t tachy_pace_due(const tachy_pace *p, uint64_t now) { return p->due_from + pace_interval(p, now); }

/* Worth sending, sooner or later than now. */
static unsigned pace_wanted(const tachy_pace *p, const tachy_collection *c) {
  unsigned classes = p->urgent ? 1u << TACHY_CLASS_LOG : 0;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (cls == TACHY_CLASS_SPAN && c->flight.on) continue; /* it ships by itself */
    if (c->intakes[cls].channel.bytes >= p->block_bytes) classes |= 1u << cls;
  }
  return classes;
}

static unsigned pace_cut_lately(const tachy_pace *p, uint64_t now) {
  unsigned classes = 0;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (now - p->cut_at[cls] < pace_APART_NS) classes |= 1u << cls;
  }
  return classes;
}

uint64_t tachy_pace_wake(const tachy_pace *p, const tachy_collection *c, uint64_t now) {
  const unsigned waiting = pace_wanted(p, c);
  uint64_t until = tachy_pace_due(p, now);
  const uint64_t control = tachy_control_ends();
  if (control && control < until) until = control;
  if (c->flight.on && now + pace_FLIGHT_NS < until) until = now + pace_FLIGHT_NS;
  if (p->busy && p->took_at + pace_APART_NS < until) until = p->took_at + pace_APART_NS;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (waiting >> cls & 1u && p->cut_at[cls] + pace_APART_NS < until) until = p->cut_at[cls] + pace_APART_NS;
  }
  return until;
}

static uint64_t pace_block_chunks(const tachy_pace *p) {
  return (p->block_bytes + TACHY_CHUNK_BYTES - 1) / TACHY_CHUNK_BYTES;
}

uint64_t tachy_pace_worth(const tachy_pace *p, const tachy_collection *c) {
  const uint64_t block = pace_block_chunks(p);
  const uint64_t many = tachy_pool_limit() / 16;
  if (p->busy && many > block) return many; /* a pass costs some 50 us however little there is */
  uint64_t most = 0;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (c->intakes[cls].channel.bytes > most) most = c->intakes[cls].channel.bytes;
  }
  const uint64_t rest = most < p->block_bytes ? (p->block_bytes - most + TACHY_CHUNK_BYTES - 1) / TACHY_CHUNK_BYTES : 0;
  return rest > block / 4 ? rest : block / 4;
}

void tachy_pace_took(tachy_pace *p, uint64_t chunks, uint64_t now) {
  p->busy = chunks >= pace_block_chunks(p) && now - p->took_at < 2 * pace_APART_NS;
  p->took_at = now;
}

unsigned tachy_pace_full(const tachy_pace *p, const tachy_collection *c, uint64_t now) {
  const uint64_t limit = tachy_pool_limit();
  const int scarce = tachy_pool_free() < limit / 8;
  unsigned classes = pace_wanted(p, c) & ~pace_cut_lately(p, now);
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    const uint64_t waiting = c->intakes[cls].waiting_count;
    if (waiting > limit / 4 || (scarce && waiting)) classes |= 1u << cls; /* nobody is to find the pool empty */
  }
  return tachy_slots_ended() >= pace_ENDED_SLOTS ? (unsigned)TACHY_ALL_CLASSES : classes;
}

void tachy_pace_cut(tachy_pace *p, unsigned classes, int all, uint64_t now) {
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (classes >> cls & 1u) p->cut_at[cls] = now;
  }
  if (all && classes >> TACHY_CLASS_LOG & 1u) p->urgent = 0;
}

int tachy_pace_skip(tachy_pace *p, const tachy_collection *c, uint64_t now) {
  if (now - p->looked >= pace_LATER_NS || c->flight.on || tachy_collection_has_news(c)) {
    p->looked = now;
    return 0;
  }
  p->due_from = now;
  return 1;
}

/* src/recorder/collect/report.c */
/* What was dropped, reported as data: the metric tachy.dropped_events, with the class as its property. */


static const char *const report_names[TACHY_CLASSES] = {"", "log", "metric", "span"};

/* As if this thread had recorded it: its row must not be lost because the pool is empty. Whatever the level, and also
 * when all sites are off because the session ends. */
static void report_record(tachy_intake *metrics, tachy_source *source, const tachy_site *site, unsigned cls, uint64_t events) {
  const tachy_property property = {"class", report_names[cls]};
  const int32_t id = TACHY_LOAD(&site->id);
  const tachy_metric_record row = {tachy_ticks(), events, (uint32_t)(id < 0 ? -id : id),
                                   tachy_own_property_set(&property, 1)};
  tachy_row_records(&metrics->channel, source->stream, (const uint8_t *)&row, sizeof row);
}

static tachy_source *report_own_source(tachy_intake *metrics) {
  tachy_slot *const slot = (tachy_slot *)(tachy_slot_enter(TACHY_CLASSES));
  if (!slot) return NULL;
  tachy_slot_leave(slot);
  tachy_source *const known = (tachy_source *)(slot->sources[TACHY_CLASS_METRIC]);
  return known ? known : tachy_source_make(metrics, slot);
}

int tachy_report_losses(tachy_report *report, tachy_intake *metrics, int last) {
  uint64_t lost[TACHY_CLASSES];
  uint64_t news = 0;
  tachy_outbox_dropped(lost);
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) news += lost[cls] - report->reported[cls];
  if (news == 0) return 0;
  /* What was dropped may be no more than the rows of the last report: reporting it would go on for ever. So it is
   * reported with the next event that is dropped, or at the end. */
  if (!last && news == lost[TACHY_CLASS_METRIC] - report->reported[TACHY_CLASS_METRIC] && news <= report->rows)
    return 0;
  tachy_site *const site =
      tachy_own_site_intern(TACHY_SITE_METRIC_INT, TACHY_LEVEL_NONE, "tachy", "tachy.dropped_events", "", 0, "events");
  tachy_source *const source = (tachy_source *)(site ? report_own_source(metrics) : NULL);
  if (!source) return 0;
  report->rows = 0;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (lost[cls] == report->reported[cls]) continue;
    report_record(metrics, source, site, cls, lost[cls] - report->reported[cls]);
    report->reported[cls] = lost[cls];
    report->rows++;
  }
  return 1;
}

/* src/encode/records.h */
/* Records of chunks: how long they are. docs/format.md, "Records". */
#ifndef TACHY_SRC_ENCODE_RECORDS_H
#define TACHY_SRC_ENCODE_RECORDS_H

TACHY_HIDE

/* Bytes of a record of the span class. */
static inline uint64_t tachy_span_record_size(const uint8_t *record) {
  const uint64_t first = *(const uint64_t *)(const void *)record;
  if (tachy_is_value(first)) return tachy_value_size((const tachy_value_record *)(const void *)record);
  return first == TACHY_CONTROL_ASYNC_BEGIN || first == TACHY_CONTROL_ASYNC_END ? sizeof(tachy_async_record)
                                                                                : sizeof(tachy_span_record);
}

TACHY_SHOW
#endif

/* src/recorder/collect/source.c */
/* Reading chunks, and the one moment at which the shadow stack is known. */


static uint64_t source_head_of(const tachy_source *s) {
  return TACHY_LOAD_ACQUIRE(&tachy_slot_writer(s->slot, s->stream->cls)->head);
}

tachy_source *tachy_source_of(tachy_intake *intake, tachy_slot *slot, int open_too) {
  tachy_channel *const channel = (tachy_channel *)(&intake->channel);
  const tachy_class cls = channel->cls;
  if (slot->sources[cls]) return slot->sources[cls];
  const int some = TACHY_LOAD_ACQUIRE(&tachy_slot_writer(slot, cls)->head) != slot->begin[cls] ||
                   TACHY_LOAD_ACQUIRE(&slot->back[cls].lost) != slot->lost_before[cls] ||
                   (open_too && tachy_depth_of(&slot->thread) > 0);
  return some ? tachy_source_make(intake, slot) : NULL;
}

tachy_source *tachy_source_make(tachy_intake *intake, tachy_slot *slot) {
  tachy_channel *const channel = (tachy_channel *)(&intake->channel);
  const tachy_class cls = channel->cls;
  tachy_source *const s = (tachy_source *)(tachy_os_allocate(sizeof *s));
  if (!s) return NULL;
  tachy_stream *const stream = (tachy_stream *)(tachy_stream_new(channel, slot->thread.number));
  if (!stream) {
    tachy_os_release(s);
    return NULL;
  }
  stream->os_id = slot->os_id;
  stream->source = s;
  *s = (tachy_source){stream, slot, NULL, slot->begin[cls], slot->lost_before[cls], slot->lost_before[cls], 0};
  return slot->sources[cls] = s;
}

static tachy_chunk *source_next_of(const tachy_source *s) {
  return tachy_chunk_at(s->chunk ? TACHY_LOAD_ACQUIRE(&s->chunk->next)
                                 : TACHY_LOAD_ACQUIRE(&s->slot->first[s->stream->cls]));
}

static int source_is_own(const tachy_slot *slot, const tachy_chunk *chunk) {
  return (uintptr_t)chunk - (uintptr_t)slot < sizeof *slot;
}

static void source_enter(tachy_intake *intake, tachy_source *s, tachy_chunk *next) {
  TACHY_ASSERT(TACHY_LOAD(&next->owner) == tachy_chunk_owner(s->stream->number, s->stream->cls));
  TACHY_ASSERT(next->first <= s->position && next->lost >= s->known_lost);
  if (s->chunk && !source_is_own(s->slot, s->chunk)) {
    s->chunk->waiting = (uintptr_t)intake->waiting;
    intake->waiting = s->chunk;
    intake->waiting_count++;
  }
  s->chunk = next;
  TACHY_STORE(&s->slot->first[s->stream->cls], (uintptr_t)next);
  s->known_lost = next->lost;
  if (s->known_lost <= s->emitted) return;
  const uint64_t count = s->known_lost - s->emitted;
  s->emitted = s->known_lost;
  tachy_stream_gap(&intake->channel, s->stream, count, next->lost_depth < TACHY_DEPTH_MAX ? next->lost_depth : 0);
}

tachy_chunk *tachy_source_chunk(tachy_intake *intake, tachy_source *s) {
  for (;;) {
    tachy_chunk *const next = (tachy_chunk *)(source_next_of(s));
    if (!next || (s->chunk && s->position < s->chunk->first + s->chunk->used)) return s->chunk;
    source_enter(intake, s, next);
  }
}

void tachy_source_read_chunk(tachy_intake *intake, tachy_source *s) {
  tachy_chunk *const chunk = (tachy_chunk *)(s->chunk);
  const uint64_t head = source_head_of(s);
  const int full = TACHY_LOAD_ACQUIRE(&chunk->next) != 0; /* after the head: else it lies in this chunk */
  const uint64_t end = full ? chunk->first + TACHY_LOAD(&chunk->used) : head;
  TACHY_ASSERT(end >= s->position && end - chunk->first <= chunk->size);
  if (end == s->position) return;
  const uint8_t *const records = (const uint8_t *)(tachy_chunk_records(chunk) + (s->position - chunk->first));
  const uint64_t done = tachy_stream_records(&intake->channel, s->stream, records, end - s->position);
  TACHY_ASSERT(done == end - s->position);
  if (done != end - s->position) tachy_stream_drop(&intake->channel, s->stream, 1); /* somebody has written there */
  s->position = end;
  TACHY_STORE_RELEASE(&chunk->read, end - chunk->first);
}

/* Reads what there is, but no chunk that was begun after these ticks, and none while more wait. 0: it has come to one.
 */
static int source_read_until(tachy_intake *intake, tachy_source *s, uint64_t ticks, uint64_t most_waiting) {
  const uint64_t head = source_head_of(s);
  for (const tachy_chunk *chunk; (chunk = tachy_source_chunk(intake, s)) != NULL && s->position < head;) {
    if ((s->position == chunk->first && chunk->ticks > ticks) || intake->waiting_count > most_waiting) return 0;
    tachy_source_read_chunk(intake, s);
  }
  return 1;
}

int tachy_source_read(tachy_intake *intake, tachy_source *s, uint64_t most_waiting) {
  return source_read_until(intake, s, UINT64_MAX, most_waiting);
}

/* How many open spans of the stream the chunk's stack begins with. */
static uint32_t source_common(const tachy_stream *s, const tachy_chunk *chunk) {
  const tachy_open_span *const stack = (const tachy_open_span *)(tachy_chunk_stack(chunk));
  uint32_t depth = 0;
  while (depth < s->open && depth < chunk->depth && s->opens[depth].ticks == stack[depth].begin &&
         s->opens[depth].site == stack[depth].site) {
    depth++;
  }
  return depth;
}

uint64_t tachy_source_skip(tachy_intake *intake, tachy_source *s) {
  tachy_chunk *const chunk = (tachy_chunk *)(s->chunk);
  tachy_stream *const stream = (tachy_stream *)(s->stream);
  const uint64_t end = TACHY_LOAD_ACQUIRE(&chunk->next) ? chunk->first + chunk->used : source_head_of(s);
  const uint8_t *at = (const uint8_t *)(tachy_chunk_records(chunk) + (s->position - chunk->first));
  uint64_t spans = 0;
  for (const uint8_t *const until = (const uint8_t *)(at + (end - s->position)); at < until;) {
    const uint64_t size = tachy_span_record_size(at);
    const uint64_t first = *(const uint64_t *)(const void *)at;
    if (TACHY_LIKELY(first < TACHY_CONTROL_FIRST)) {
      const tachy_span_record *const span = (const tachy_span_record *)((const tachy_span_record *)(const void *)at);
      if (TACHY_UNLIKELY(stream->values.levels > 0)) tachy_values_forget(stream, span->word >> TACHY_DEPTH_SHIFT);
      spans++;
    } else if (first != TACHY_CONTROL_LONG) {
      tachy_span_records(&intake->channel, stream, at, size);
    }
    at += size;
  }
  s->position = end;
  stream->total += spans;
  intake->channel.recorded += spans;
  const tachy_chunk *const next = (const tachy_chunk *)(tachy_source_chunk(intake, s));
  tachy_stream_gap(&intake->channel, stream, 0, next == chunk ? 0 : source_common(stream, next));
  return spans;
}

/* Copies entries [from, to) of the stack. 0: no memory. */
static int source_copy_stack(tachy_source *s, uint32_t from, uint32_t to) {
  if (from >= to) return 1;
  if (!tachy_stream_reach(s->stream, to - 1)) return 0;
  for (uint32_t k = from; k < to; k++) {
    const tachy_open_span *const entry = (const tachy_open_span *)(&s->slot->thread.stack[k]);
    s->stream->ends[k].site = TACHY_LOAD_ACQUIRE(&entry->site);
    s->stream->ends[k].ticks = TACHY_LOAD_ACQUIRE(&entry->begin);
  }
  return 1;
}

/* Puts back what records published while the stack was copied have ended since: the first record of each depth is the
 * entry that was open. 0: events were lost among them, so that nobody knows. */
static int source_repair_stack(tachy_source *s, uint64_t head) {
  uint32_t left = s->stream->depth; /* entries at and above have been put back */
  const tachy_chunk *chunk = (const tachy_chunk *)(s->chunk);
  for (uint64_t at = s->position; at < head && left > 0;) {
    const uint64_t next = TACHY_LOAD_ACQUIRE(&chunk->next);
    if (next && at == chunk->first + chunk->used) {
      chunk = tachy_chunk_at(next);
      if (chunk->lost > s->known_lost) return 0;
      continue;
    }
    const uint8_t *const record = (const uint8_t *)(tachy_chunk_records((tachy_chunk *)(uintptr_t)chunk) + (at - chunk->first));
    const tachy_span_record *const span = (const tachy_span_record *)((const tachy_span_record *)(const void *)record);
    if (span->begin < TACHY_CONTROL_FIRST) {
      const uint32_t depth = span->word >> TACHY_DEPTH_SHIFT;
      if (depth < left) {
        s->stream->ends[depth].ticks = span->begin;
        s->stream->ends[depth].site = span->word & TACHY_SITE_MAX;
        left = depth;
      }
    }
    at += tachy_span_record_size(record);
  }
  return 1;
}

void tachy_source_stack_here(tachy_source *s, int open_too) {
  const tachy_chunk *const next = (const tachy_chunk *)(source_next_of(s)); /* first: without one `used` says nothing yet */
  tachy_stream *const stream = (tachy_stream *)(s->stream);
  const int behind = next && (!s->chunk || s->position == s->chunk->first + s->chunk->used);
  const tachy_chunk *const here = (const tachy_chunk *)(behind ? next : s->chunk);
  if (!here || here->first != s->position) return; /* nothing of it is in the block */
  if (open_too && here->depth > stream->depth && tachy_stream_reach(stream, here->depth)) stream->depth = here->depth;
  for (uint32_t k = stream->open; k < stream->depth && k < here->depth; k++) {
    stream->ends[k].ticks = tachy_chunk_stack(here)[k].begin;
    stream->ends[k].site = tachy_chunk_stack(here)[k].site;
  }
}

int tachy_source_drain(tachy_intake *intake, tachy_source *s, uint64_t until) {
  const tachy_writer_back *const back = (const tachy_writer_back *)(&s->slot->back[s->stream->cls]);
  const int spans = s->stream->cls == TACHY_CLASS_SPAN;
  for (;;) {
    if (!source_read_until(intake, s, until, UINT64_MAX)) {
      tachy_source_stack_here(s, until != 0);
      return 0;
    }
    const uint64_t head = s->position;
    if (spans && !source_copy_stack(s, 0, s->stream->depth)) s->stream->broken = 1;
    uint64_t lost = TACHY_LOAD_ACQUIRE(&back->lost);
    if (lost == s->known_lost) {
      const uint64_t now = source_head_of(s);
      if (now == head || !spans || (s->chunk && source_repair_stack(s, now))) return 1;
      continue;
    }
    /* Events were lost that no chunk has counted yet. What the thread opened since then has nothing that ended it among
     * the records, so the block gets a gap row now; the next chunk's share is taken off when it comes. */
    uint32_t depth = 0;
    if (spans) {
      depth = TACHY_LOAD_ACQUIRE(&back->lost_depth);
      if (depth >= TACHY_DEPTH_MAX) continue;
      if (depth > s->stream->depth && !source_copy_stack(s, s->stream->depth, depth)) s->stream->broken = 1;
      lost = TACHY_LOAD_ACQUIRE(&back->lost);
      const uint32_t again = TACHY_LOAD_ACQUIRE(&back->lost_depth);
      if (again < depth) depth = again;
    }
    if (source_head_of(s) != head || source_next_of(s)) continue;
    if (lost > s->emitted) tachy_stream_gap(&intake->channel, s->stream, lost - s->emitted, depth);
    s->emitted = lost > s->emitted ? lost : s->emitted;
    return 1;
  }
}

/* The entry of the stack is a span whose record has been read: the thread has not taken it off yet. */
static int source_has_ended(const tachy_source *s, uint32_t depth) {
  if (!s->chunk || s->position < s->chunk->first + sizeof(tachy_span_record)) return 0;
  const uint8_t *const end = (const uint8_t *)(tachy_chunk_records(s->chunk) + (s->position - s->chunk->first));
  const tachy_span_record *const last = (const tachy_span_record *)((const tachy_span_record *)(const void *)(end - sizeof *last));
  const tachy_open_row *const entry = (const tachy_open_row *)(&s->stream->ends[depth]);
  return last->begin == entry->ticks && last->word == (depth << TACHY_DEPTH_SHIFT | entry->site);
}

void tachy_source_open_rest(tachy_source *s) {
  const tachy_thread *const thread = (const tachy_thread *)(&s->slot->thread);
  for (unsigned tries = 0; tries < 4; tries++) {
    uint32_t depth = tachy_depth_of(thread);
    if (depth > TACHY_DEPTH_MAX) depth = TACHY_DEPTH_MAX;
    if (depth <= s->stream->depth || !source_copy_stack(s, s->stream->depth, depth)) return;
    if (source_head_of(s) != s->position || tachy_depth_of(thread) != depth) continue;
    s->stream->depth = source_has_ended(s, depth - 1) ? depth - 1 : depth;
    return;
  }
}

void tachy_source_free(tachy_intake *intake, tachy_source *s) {
  s->slot->sources[s->stream->cls] = NULL;
  tachy_stream_remove(&intake->channel, s->stream);
  tachy_os_release(s);
}

void tachy_source_return(tachy_source *s) {
  tachy_writer *const writer = (tachy_writer *)(tachy_slot_writer(s->slot, s->stream->cls));
  uint64_t *const first = (uint64_t *)(&s->slot->first[s->stream->cls]);
  if (!s->chunk || source_head_of(s) != s->position || TACHY_LOAD(&writer->limit) != s->position) return;
  TACHY_STORE(first, 0);
  if (TACHY_COMPARE_EXCHANGE(&s->chunk->next, TACHY_CHUNK_LAST, TACHY_CHUNK_RETURNED)) {
    s->chunk = NULL;
  } else {
    TACHY_STORE(first, (uintptr_t)s->chunk);
  }
}

void tachy_source_free_slot(tachy_slot *slot) {
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    tachy_chunk *const last = (tachy_chunk *)(tachy_chunk_at(slot->back[cls].chunk));
    if (last && !source_is_own(slot, last)) tachy_pool_give(last);
  }
  tachy_slot_free(slot);
}

void tachy_intake_release(tachy_intake *intake) {
  while (intake->waiting) {
    tachy_chunk *const chunk = (tachy_chunk *)(intake->waiting);
    intake->waiting = tachy_chunk_at(chunk->waiting);
    tachy_pool_give(chunk);
  }
  intake->waiting_count = 0;
}

/* What a thread has written of a class so far is nobody's, but for the chunk that it fills. */
static void source_skip_all(tachy_slot *slot, tachy_class cls) {
  tachy_writer *const writer = (tachy_writer *)(tachy_slot_writer(slot, cls));
  tachy_chunk *chunk = (tachy_chunk *)(tachy_chunk_at(TACHY_LOAD_ACQUIRE(&slot->first[cls])));
  while (chunk) {
    tachy_chunk *const next = (tachy_chunk *)(tachy_chunk_at(TACHY_LOAD_ACQUIRE(&chunk->next)));
    if (!next) break;
    if (!source_is_own(slot, chunk)) tachy_pool_give(chunk);
    chunk = next;
  }
  TACHY_STORE(&slot->first[cls], (uintptr_t)chunk);
  slot->begin[cls] = TACHY_LOAD_ACQUIRE(&writer->head);
  /* in an earlier pool: the next event takes a chunk of this one. Nothing is being recorded */
  if (!tachy_pool_has_slot(slot)) TACHY_STORE(&writer->limit, slot->begin[cls]);
  slot->lost_before[cls] = TACHY_LOAD_ACQUIRE(&slot->back[cls].lost);
}

void tachy_sources_begin_session(void) {
  for (tachy_slot *slot = (tachy_slot *)(tachy_slots_first()); slot; slot = slot->next) {
    const uint32_t state = TACHY_LOAD_ACQUIRE(&slot->state);
    if (state == TACHY_SLOT_FREE) continue;
    for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
      source_skip_all(slot, (tachy_class)cls);
      slot->sources[cls] = NULL;
    }
    TACHY_STORE(&slot->thread.frame_ticks, 0); /* the time without a session was no frame */
    slot->seen_async_lost = TACHY_LOAD(&slot->async_lost);
    slot->seen_too_deep = TACHY_LOAD(&slot->too_deep);
    slot->seen_mismatched = TACHY_LOAD(&slot->mismatched);
    slot->seen_backwards = TACHY_LOAD(&slot->backwards);
    slot->seen_values_lost = TACHY_LOAD(&slot->values_lost);
    slot->missed_before = slot->seen_async_lost + slot->seen_too_deep;
    if (state == TACHY_SLOT_LIVE) continue;
    TACHY_STORE(&slot->state, TACHY_SLOT_READ);
    tachy_source_free_slot(slot);
  }
}

/* src/recorder/collect/state.c */
/* Channels and streams to bytes and back: session_layout.h. */


static int state_write_stream(tachy_bytes *out, const tachy_stream *s) {
  const tachy_source *const source = (const tachy_source *)(s->source);
  tachy_saved_stream row = {.position = source->position,
                            .os_id = s->os_id,
                            .total = s->total,
                            .last = s->last,
                            .known_lost = source->known_lost,
                            .emitted = source->emitted,
                            .number = s->number,
                            .open_count = s->at_start,
                            .held_count = (uint32_t)s->resumed,
                            .name_size = s->name_size};
  if (s->cls == TACHY_CLASS_SPAN) row.missed = source->slot->seen_async_lost + source->slot->seen_too_deep;
  memcpy(row.name, s->name, s->name_size);
  const uint64_t at = out->size;
  if (!tachy_bytes_append(out, &row, sizeof row)) return 0;
  for (uint32_t k = 0; k < row.open_count; k++) {
    const tachy_open_row *const open = (const tachy_open_row *)(&s->opens[k]);
    const tachy_saved_open entry = {open->ticks, open->utc, open->id, open->site, 0};
    if (!tachy_bytes_append(out, &entry, sizeof entry)) return 0;
  }
  if (row.held_count && !tachy_bytes_append(out, s->raw.bytes, row.held_count * sizeof(tachy_async_record))) return 0;
  const uint64_t before = out->size;
  if (s->cls == TACHY_CLASS_SPAN && !tachy_values_save(out, s->values.all, s)) return 0;
  row.values_size = out->size - before;
  memcpy(out->bytes + at, &row, sizeof row);
  return 1;
}

int tachy_state_write(tachy_bytes *out, const tachy_channel *channel) {
  const tachy_past *const past = (const tachy_past *)(&channel->past);
  tachy_saved_channel head = {.sequence = channel->sequence,
                              .from_ticks = channel->from.ticks,
                              .from_utc = channel->from.utc,
                              .before_ticks = past->before.ticks,
                              .before_utc = past->before.utc,
                              .earlier_count = past->count};
  const tachy_open_asyncs *const a = (const tachy_open_asyncs *)(&channel->asyncs);
  for (const tachy_stream *s = (const tachy_stream *)(channel->streams); s; s = s->next) head.stream_count++;
  head.async_count = a->table.count;
  const uint64_t at = out->size;
  if (!tachy_bytes_append(out, &head, sizeof head)) return 0;
  if (!tachy_bytes_append(out, past->earlier, past->count * sizeof *past->earlier)) return 0;
  for (const tachy_stream *s = (const tachy_stream *)(channel->streams); s; s = s->next) {
    if (!state_write_stream(out, s)) return 0;
  }
  if (!tachy_bytes_reserve(out, a->table.count * sizeof(tachy_saved_async))) return 0;
  for (uint64_t i = 0; i < a->table.capacity; i++) {
    const tachy_open_async *const entry = (const tachy_open_async *)(tachy_open_async_at(a, i));
    if (!entry->id) continue;
    const tachy_saved_async row = {entry->id, entry->parent, entry->utc, entry->site, entry->depth, entry->thread, 0};
    tachy_bytes_put(out, &row, sizeof row);
  }
  const uint64_t before = out->size;
  if (!tachy_values_save(out, &channel->values, NULL)) return 0;
  head.values_size = out->size - before;
  memcpy(out->bytes + at, &head, sizeof head);
  return 1;
}

/* What is left to be read. */
typedef struct state_rest {
  const uint8_t *bytes;
  uint64_t size;
} state_rest;

static int state_take(state_rest *r, void *to, uint64_t size) {
  if (r->size < size) return 0;
  memcpy(to, r->bytes, size);
  r->bytes += size;
  r->size -= size;
  return 1;
}

static int state_read_stream(tachy_channel *channel, state_rest *r) {
  tachy_saved_stream row;
  if (!state_take(r, &row, sizeof row) || row.name_size >= TACHY_THREAD_NAME_MAX || row.open_count > TACHY_DEPTH_MAX)
    return 0;
  if (channel->cls != TACHY_CLASS_SPAN && (row.open_count || row.held_count)) return 0;
  tachy_stream *const s = (tachy_stream *)(tachy_stream_new(channel, row.number));
  tachy_source *const source = (tachy_source *)(s ? tachy_os_allocate(sizeof *source) : NULL);
  if (!source || (row.open_count && !tachy_stream_reach(s, row.open_count - 1))) {
    tachy_os_release(source);
    return 0;
  }
  *source = (tachy_source){s, NULL, NULL, row.position, row.known_lost, row.emitted, row.missed};
  s->source = source;
  s->os_id = row.os_id;
  s->total = s->first = row.total;
  s->last = s->base = row.last;
  s->name_size = row.name_size;
  memcpy(s->name, row.name, sizeof s->name);
  s->at_start = s->at_end = s->open = s->depth = row.open_count;
  for (uint32_t k = 0; k < row.open_count; k++) {
    tachy_saved_open open;
    if (!state_take(r, &open, sizeof open)) return 0;
    s->opens[k] = s->ends[k] = (tachy_open_row){open.ticks, open.utc, open.id, open.site & TACHY_SITE_MAX};
  }
  const uint64_t held = row.held_count * (uint64_t)sizeof(tachy_async_record);
  if (r->size < held || !tachy_bytes_append(&s->held, r->bytes, held)) return 0;
  r->bytes += held;
  r->size -= held;
  const tachy_async_record *const records = (const tachy_async_record *)((const tachy_async_record *)(const void *)s->held.bytes);
  for (uint32_t i = 0; i < row.held_count; i++) {
    if (records[i].site > TACHY_SITE_MAX || records[i].ticks >= TACHY_CONTROL_FIRST) return 0;
  }
  const uint64_t values = row.values_size;
  if (r->size < values || (values && channel->cls != TACHY_CLASS_SPAN)) return 0;
  if (!tachy_values_load(&channel->values, s, r->bytes, values)) return 0;
  r->bytes += values;
  r->size -= values;
  return 1;
}

int tachy_state_read(tachy_channel *channel, const uint8_t *bytes, uint64_t size) {
  state_rest r = {bytes, size};
  tachy_saved_channel head;
  if (!state_take(&r, &head, sizeof head)) return 0;
  channel->sequence = head.sequence;
  channel->from = (tachy_clock_pair){head.from_ticks, head.from_utc};
  channel->past.before = (tachy_clock_pair){head.before_ticks, head.before_utc};
  channel->past.count = head.earlier_count;
  if (head.earlier_count > TACHY_CLOCK_EARLIER_MAX) return 0;
  if (!state_take(&r, channel->past.earlier, head.earlier_count * sizeof *channel->past.earlier)) return 0;
  for (uint64_t i = 0; i < head.stream_count; i++) {
    if (!state_read_stream(channel, &r)) return 0;
  }
  tachy_open_async_resume(channel);
  for (uint64_t i = 0; i < head.async_count; i++) {
    tachy_saved_async row;
    if (!state_take(&r, &row, sizeof row)) return 0;
    const tachy_open_async entry = {row.id, row.parent, row.utc, row.site & TACHY_SITE_MAX, row.depth, row.thread, 0};
    if (!tachy_open_async_add(&channel->asyncs, &entry)) return 0;
  }
  return r.size == head.values_size && tachy_values_load(&channel->values, NULL, r.bytes, r.size);
}

/* src/recorder/threads/writer.h */
/* The slow half of writing: the next chunk, records of odd sizes, what finds no room. */
#ifndef TACHY_SRC_RECORDER_THREADS_WRITER_H
#define TACHY_SRC_RECORDER_THREADS_WRITER_H
TACHY_HIDE


/* Ticks that the program gives, at most now: a time to come would raise the thread's next events to it, and could look
 * like a control code. */
static inline uint64_t tachy_not_after(uint64_t ticks, uint64_t now) { return ticks < now ? ticks : now; }

/* Takes the first chunk of a class ahead of its first record. 0: there is none. */
int tachy_writer_begin(tachy_slot *slot, tachy_class cls);
/* Room for `size` bytes in one piece (at most TACHY_RECORD_MAX; spans less, by the stack): returns where to write the
 * record, and in *head what to publish then. NULL: there is no chunk. */
uint8_t *tachy_writer_reserve(tachy_slot *slot, tachy_class cls, uint64_t size, uint64_t *head);
/* Publishes what was reserved last. */
void tachy_writer_publish(tachy_slot *slot, tachy_class cls, uint64_t head);
/* Counts an event that found no room, for the head of the next chunk. depth: a span's. */
void tachy_writer_drop(tachy_slot *slot, tachy_class cls, uint32_t depth);

/* A log with a ready message into the slot of the calling thread, at a time of its own; `size` is at most 512. */
void tachy_log_write(tachy_slot *slot, uint32_t site, uint32_t set, uint64_t ticks, const char *text, uint64_t size);

/* After a log of this site: tachy_log_sends_ for callers within the recorder. */
static inline void tachy_log_sent(const tachy_site *site) {
  if (site->level >= TACHY_LEVEL_FATAL && site->level <= TACHY_LEVEL_WARN) tachy_bell_urge();
}

/* Ends the open spans at depths >= depth now and counts them as mismatched. */
void tachy_spans_unwind(tachy_slot *slot, uint32_t depth);

TACHY_SHOW
#endif

/* src/recorder/collect/triggers.c */
/* Triggers of the flight recorder: tachy_mark, slow frames, errors, the server. */


enum { triggers_WINDOWS_MAX = 64, triggers_TEXT_SIZE = 512 };

static tachy_os_mutex triggers_mutex = TACHY_OS_MUTEX_INIT;
static tachy_mode triggers_own;  /* of the configuration */
static tachy_mode triggers_over; /* the server's */
static uint64_t triggers_before; /* ticks */
static uint64_t triggers_after;
static uint64_t triggers_budget;                   /* of a frame, ticks; 0: none */
static int triggers_errors;                        /* trigger */
static tachy_window triggers_windows[triggers_WINDOWS_MAX]; /* ascending, apart from each other */
static uint32_t triggers_window_count;

void tachy_triggers_lock(void) { tachy_inside_lock(&triggers_mutex); }
void tachy_triggers_unlock(void) { tachy_inside_unlock(&triggers_mutex); }
void tachy_triggers_after_fork(void) { tachy_os_mutex_init(&triggers_mutex); }

static uint64_t triggers_ticks_of(uint64_t count, uint64_t per_second) {
  return (uint64_t)((double)count * (double)tachy_clock_frequency() / (double)per_second);
}

void tachy_triggers_start(const tachy_config *config) {
  tachy_inside_lock(&triggers_mutex);
  triggers_own = config->mode ? config->mode : TACHY_MODE_ALL;
  triggers_over = TACHY_MODE_DEFAULT;
  triggers_before = triggers_ticks_of(config->flight_before_ms ? config->flight_before_ms : 10000, 1000);
  triggers_after = triggers_ticks_of(config->flight_after_ms ? config->flight_after_ms : 2000, 1000);
  triggers_budget = triggers_ticks_of(config->frame_budget_us, 1000000);
  triggers_errors = !config->flight_ignore_errors;
  triggers_window_count = 0;
  tachy_inside_unlock(&triggers_mutex);
}

uint64_t tachy_triggers_before(void) {
  tachy_inside_lock(&triggers_mutex);
  const uint64_t ticks = triggers_before;
  tachy_inside_unlock(&triggers_mutex);
  return ticks;
}

tachy_mode tachy_triggers_mode(void) {
  tachy_inside_lock(&triggers_mutex);
  const tachy_mode mode = triggers_over ? triggers_over : triggers_own;
  tachy_inside_unlock(&triggers_mutex);
  return mode;
}

void tachy_triggers_set_mode(tachy_mode mode) {
  tachy_inside_lock(&triggers_mutex);
  triggers_over = mode;
  tachy_inside_unlock(&triggers_mutex);
}

void tachy_own_set_mode(tachy_mode mode) {
  if (mode < TACHY_MODE_ALL || mode > TACHY_MODE_FLIGHT || tachy_own_forking() || tachy_inside()) return;
  tachy_inside_lock(&triggers_mutex);
  triggers_own = mode;
  tachy_inside_unlock(&triggers_mutex);
  tachy_bell_ring();
}

/* Unites the window with those that it touches. Where there is no room it becomes one with its neighbour: more is
 * shipped then, never less. */
static void triggers_add_window(tachy_window window) {
  uint32_t at = 0;
  while (at < triggers_window_count && triggers_windows[at].until + 1 < window.from) at++;
  uint32_t end = at;
  while (end < triggers_window_count && triggers_windows[end].from <= window.until + 1) end++;
  if (at == end && triggers_window_count == triggers_WINDOWS_MAX) {
    if (at == triggers_window_count) at--;
    end = at + 1;
  }
  for (uint32_t i = at; i < end; i++) {
    if (triggers_windows[i].from < window.from) window.from = triggers_windows[i].from;
    if (triggers_windows[i].until > window.until) window.until = triggers_windows[i].until;
  }
  if (at == end) {
    memmove(&triggers_windows[at + 1], &triggers_windows[at], (triggers_window_count - at) * sizeof *triggers_windows);
    triggers_window_count++;
  } else {
    memmove(&triggers_windows[at + 1], &triggers_windows[end], (triggers_window_count - end) * sizeof *triggers_windows);
    triggers_window_count -= end - at - 1;
  }
  triggers_windows[at] = window;
}

/* 1: that moment was not in a window. */
static int triggers_want(uint64_t ticks) {
  int fresh = 1;
  tachy_inside_lock(&triggers_mutex);
  for (uint32_t i = 0; i < triggers_window_count; i++) fresh &= ticks < triggers_windows[i].from || ticks > triggers_windows[i].until;
  if ((triggers_over ? triggers_over : triggers_own) == TACHY_MODE_FLIGHT) {
    triggers_add_window((tachy_window){ticks > triggers_before ? ticks - triggers_before : 0, ticks + triggers_after});
  }
  tachy_inside_unlock(&triggers_mutex);
  return fresh;
}

static uint64_t triggers_put(char *text, uint64_t used, const char *more, uint64_t size) {
  const tachy_fit fit = tachy_text_fit(more, size, triggers_TEXT_SIZE - used);
  return used + tachy_text_put(text + used, more, &fit);
}

static void triggers_record(uint64_t ticks, const char *reason, const char *what, uint64_t size) {
  static const char head[] = "flight recorder: ";
  static tachy_site site = {0, 0, TACHY_SITE_LOG, TACHY_LEVEL_INFO, 0, "", "tachy", "", ""};
  /* whatever level the session has: who looks for what was shipped must find it */
  int32_t id = TACHY_LOAD(&site.id);
  if (id == 0) id = tachy_own_site_register_(&site);
  tachy_slot *const slot = (tachy_slot *)(id != 0 ? tachy_slot_enter(TACHY_CLASS_LOG) : NULL);
  if (!slot) return;
  char text[triggers_TEXT_SIZE];
  uint64_t used = triggers_put(text, 0, head, strlen(head));
  used = triggers_put(text, used, reason, strlen(reason));
  if (what) {
    used = triggers_put(text, used, ": ", 2);
    used = triggers_put(text, used, what, size);
  }
  tachy_log_write(slot, (uint32_t)(id < 0 ? -id : id), 0, ticks, text, used);
  tachy_slot_leave(slot);
  tachy_bell_urge();
}

void tachy_trigger(uint64_t ticks, const char *reason, const char *what, uint64_t size, int always) {
  if (triggers_want(ticks) || always) triggers_record(ticks, reason, what, size);
}

int tachy_triggers_window(uint64_t fed, tachy_window *window) {
  tachy_inside_lock(&triggers_mutex);
  uint32_t gone = 0;
  while (gone < triggers_window_count && triggers_windows[gone].until <= fed) gone++;
  triggers_window_count -= gone;
  memmove(triggers_windows, triggers_windows + gone, triggers_window_count * sizeof *triggers_windows);
  const int found = triggers_window_count > 0;
  if (found) *window = triggers_windows[0];
  tachy_inside_unlock(&triggers_mutex);
  return found;
}

void tachy_triggers_forget(void) {
  tachy_inside_lock(&triggers_mutex);
  triggers_window_count = 0;
  tachy_inside_unlock(&triggers_mutex);
}

void tachy_own_mark(const char *reason) {
  if (!TACHY_LOAD(&tachy_running) || tachy_own_forking() || tachy_inside()) return;
  tachy_trigger(tachy_ticks(), reason ? reason : "", NULL, 0, 1);
}

static int triggers_looked_at(const tachy_channel *channel, uint32_t position) {
  const tachy_site_entry *const site =
      tachy_names_site(channel->names, tachy_index_number(&channel->tables.sites, position - 1));
  if (site->kind == TACHY_SITE_FRAME) return triggers_budget > 0;
  return triggers_errors && site->kind == TACHY_SITE_LOG && site->level != TACHY_LEVEL_NONE && site->level <= TACHY_LEVEL_ERROR;
}

/* The site, if its rows are looked at. Each is asked for once in a block. */
static const tachy_site_entry *triggers_site_of(tachy_channel *channel, uint32_t position) {
  tachy_bytes *const kinds = (tachy_bytes *)(&channel->watch->kinds);
  while (kinds->size < position) {
    const uint8_t kind = (uint8_t)triggers_looked_at(channel, (uint32_t)kinds->size + 1);
    if (!tachy_bytes_append(kinds, &kind, 1)) return NULL;
  }
  if (TACHY_LIKELY(!kinds->bytes[position - 1])) return NULL;
  return tachy_names_site(channel->names, tachy_index_number(&channel->tables.sites, position - 1));
}

static void triggers_watch_metric(tachy_channel *channel, uint32_t position, const tachy_metric_record *record_) {
  const tachy_site_entry *const site = (const tachy_site_entry *)(triggers_site_of(channel, position));
  if (!site || record_->value <= triggers_budget) return;
  const tachy_string name = tachy_names_string(channel->names, site->strings[TACHY_TEXT_NAME]);
  tachy_trigger(record_->ticks, "slow frame", name.text, name.size, 0);
}

static void triggers_watch_log(tachy_channel *channel, uint32_t position, const tachy_log_record *record_) {
  const tachy_site_entry *const site = (const tachy_site_entry *)(triggers_site_of(channel, position));
  if (!site) return;
  const tachy_string target = tachy_names_string(channel->names, site->strings[TACHY_TEXT_TARGET]);
  tachy_trigger(record_->ticks, site->level == TACHY_LEVEL_FATAL ? "fatal" : "error", target.text, target.size, 0);
}

void tachy_triggers_watch(tachy_watch *watch) {
  watch->metric = triggers_watch_metric;
  watch->log = triggers_watch_log;
  watch->kinds.size = 0;
}

/* src/recorder/pool/folder.h */
/* Where the session file and the files of unsent batches lie, and what lies there. */
#ifndef TACHY_SRC_RECORDER_POOL_FOLDER_H
#define TACHY_SRC_RECORDER_POOL_FOLDER_H
TACHY_HIDE


#define TACHY_FOLDER_MAX 1024

/* The folder that the setting names, or the environment's TACHY_SESSION_FOLDER, or the system's standard ones, the
 * first that is this user's own; made if need be. "": nowhere, because "-" was asked for, or there is no such folder,
 * which one line on stderr says. */
void tachy_folder_resolve(const char *given, char *path, size_t size);

enum { TACHY_FILE_NAME_MAX = 104, TACHY_PATH_MAX = TACHY_FOLDER_MAX + TACHY_FILE_NAME_MAX };

/* In the order in which they are listed. */
typedef enum tachy_file_kind {
  TACHY_FILE_SESSION,  /* UUID.session */
  TACHY_FILE_BATCH,    /* UUID….batch */
  TACHY_FILE_NEW_BATCH /* UUID….batch.new: not renamed yet */
} tachy_file_kind;

typedef struct tachy_file {
  char name[TACHY_FILE_NAME_MAX];
  tachy_file_kind kind;
  uint8_t id[16]; /* of the session */
  uint64_t storage;
  int64_t utc; /* when it was last written */
} tachy_file;

/* Appends all such files, by session, kind and name. 0: the folder could not be read, or there is no memory. */
int tachy_folder_list(const char *folder, tachy_bytes *files);
static inline tachy_file *tachy_file_at(const tachy_bytes *files, size_t i) {
  return (tachy_file *)(void *)files->bytes + i;
}
static inline size_t tachy_file_count(const tachy_bytes *files) { return files->size / sizeof(tachy_file); }
int tachy_file_order(const void *a, const void *b); /* that order, for qsort */

/* FOLDER/NAME. */
void tachy_folder_path(const char *folder, const char *name, char path[TACHY_PATH_MAX]);

TACHY_SHOW
#endif

/* src/recorder/pool/folder.c */
/* Where the session file and the files of unsent batches lie, and what lies there. */


enum { folder_UUID_SIZE = 36 };

static void folder_complain(const char *what, const char *path) {
  static const char rest[] = ": what is not sent dies with the process";
  char line[TACHY_FOLDER_MAX + 256];
  const size_t front = strlen(what);
  const size_t size = strlen(path) < TACHY_FOLDER_MAX ? strlen(path) : TACHY_FOLDER_MAX - 1;
  memcpy(line, what, front);
  memcpy(line + front, path, size);
  memcpy(line + front + size, rest, sizeof rest);
  tachy_os_complain(line);
}

static void folder_find_own(char *path, size_t size) {
  for (unsigned choice = 0; tachy_os_session_folder(choice, path, size); choice++) {
    if (path[0] && tachy_os_folder(path)) return;
  }
  path[0] = 0;
  folder_complain("found no session folder of this user's own", "");
}

void tachy_folder_resolve(const char *given, char *path, size_t size) {
  char named[4 * TACHY_FOLDER_MAX];
  path[0] = 0;
  if (!given || !*given) {
    tachy_os_environment("TACHY_SESSION_FOLDER", named, sizeof named);
    given = named;
  }
  if (!*given) {
    folder_find_own(path, size);
  } else if (strcmp(given, "-") != 0) {
    if (strlen(given) < size) memcpy(path, given, strlen(given) + 1);
    if (path[0] && tachy_os_folder(path)) return;
    path[0] = 0;
    folder_complain("the session folder must be this user's own, and nobody else's to write: ", given);
  }
}

void tachy_folder_path(const char *folder, const char *name, char path[TACHY_PATH_MAX]) {
  const size_t size = strlen(folder);
  memcpy(path, folder, size);
  path[size] = '/';
  memcpy(path + size + 1, name, strlen(name) + 1);
}

typedef struct folder_listing {
  const char *folder;
  tachy_bytes *files;
  int failed;
} folder_listing;

static void folder_add(void *context, const char *name) {
  static const char *const ends[] = {".session", ".batch", ".batch.new"};
  folder_listing *const to = (folder_listing *)(context);
  const size_t size = strlen(name);
  char text[folder_UUID_SIZE + 1] = {0};
  char path[TACHY_PATH_MAX];
  tachy_file file;
  memset(&file, 0, sizeof file);
  if (size <= folder_UUID_SIZE || size >= sizeof file.name || name[folder_UUID_SIZE] != '.') return;
  memcpy(text, name, folder_UUID_SIZE);
  memcpy(file.name, name, size);
  unsigned kind = 0;
  while (kind < 3 && (size < strlen(ends[kind]) || strcmp(name + size - strlen(ends[kind]), ends[kind]) != 0)) kind++;
  file.kind = (tachy_file_kind)kind;
  if (kind == 3 || !tachy_uuid_parse(text, file.id)) return;
  tachy_folder_path(to->folder, name, path);
  if (!tachy_os_file_look(path, &file.storage, &file.utc)) return; /* it has gone */
  if (!tachy_bytes_append(to->files, &file, sizeof file)) to->failed = 1;
}

int tachy_file_order(const void *a, const void *b) {
  const tachy_file *const x = (const tachy_file *)(a), *const y = (const tachy_file *)(b);
  const int order = memcmp(x->id, y->id, sizeof x->id);
  if (order) return order;
  return x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : strcmp(x->name, y->name);
}

int tachy_folder_list(const char *folder, tachy_bytes *files) {
  folder_listing to = {folder, files, 0};
  const int ok = tachy_os_folder_list(folder, folder_add, &to) && !to.failed;
  if (files->size) qsort(files->bytes, tachy_file_count(files), sizeof(tachy_file), tachy_file_order);
  return ok;
}

/* src/recorder/pool/pool.c */
/* The pool of chunks, and the slots' memory. */

#include <string.h>


enum { pool_READY_MIN = 8, pool_GIVE_BACK = 8 /* chunks a second */, pool_QUIET_MAX = 16 };

/* A stack of chunk numbers without a lock. */
typedef struct pool_stack {
  uint64_t top;   /* atomic. Lower half: 0: empty, n + 1: number n. Upper half: a count of changes, so that a top that
                     has gone and come back differs from one that never went */
  uint64_t count; /* atomic; a little late */
} pool_stack;

typedef struct pool_pool {
  uint8_t *memory;  /* slots, then chunks */
  pool_stack ready;      /* with storage, touched */
  uint64_t low;     /* atomic: with less that is free the collector is rung, however much of it lies ready: half of what
                       was free at its last pass, or that less a block's worth */
  uint64_t taken;   /* atomic, ever */
  pool_stack bare;       /* without storage */
  uint32_t starved; /* atomic: somebody found nothing, and has rung */
  uint32_t limit;   /* chunks */
  uint32_t slots_made; /* under the caller's lock */
  tachy_os_file *file; /* NULL: none */
  uint64_t offset;     /* of the memory in the file */
  uint64_t seen;       /* the collector's: of them */
  uint64_t wanted;     /* the collector's: chunks to keep ready */
  uint32_t links[];    /* of each chunk: what lies below it in its stack */
} pool_pool;

/* Atomic. What it pointed to before is never freed: a thread may be about to take a chunk there. */
static pool_pool *pool_current;

static tachy_chunk *pool_chunk_at(const pool_pool *p, uint32_t number) {
  TACHY_ASSERT(number < p->limit);
  return (tachy_chunk *)(void *)(p->memory + TACHY_SLOTS_MAX * TACHY_SLOT_BYTES + (uint64_t)number * TACHY_CHUNK_BYTES);
}

static void pool_push(pool_pool *p, pool_stack *s, uint32_t number) {
  for (;;) {
    const uint64_t was = TACHY_LOAD_ACQUIRE(&s->top);
    TACHY_STORE(&p->links[number], (uint32_t)was);
    if (TACHY_COMPARE_EXCHANGE(&s->top, was, ((was >> 32) + 1) << 32 | (number + 1u))) break;
  }
  tachy_add(&s->count, 1);
}

/* 0: empty. */
static TACHY_BESIDE int pool_pop(pool_pool *p, pool_stack *s, uint32_t *number) {
  for (;;) {
    const uint64_t was = TACHY_LOAD_ACQUIRE(&s->top);
    const uint32_t top = (uint32_t)was;
    if (top == 0) return 0;
    const uint32_t below = TACHY_LOAD(&p->links[top - 1u]);
    if (!TACHY_COMPARE_EXCHANGE(&s->top, was, ((was >> 32) + 1) << 32 | below)) continue;
    tachy_add(&s->count, UINT64_MAX);
    *number = top - 1u;
    return 1;
  }
}

uint64_t tachy_pool_size(uint64_t bytes) {
  return TACHY_SLOTS_MAX * TACHY_SLOT_BYTES + bytes / TACHY_CHUNK_BYTES * TACHY_CHUNK_BYTES;
}

int tachy_pool_suits(const tachy_os_file *file, uint64_t bytes) {
  return pool_current && pool_current->file == file && pool_current->limit == bytes / TACHY_CHUNK_BYTES;
}

int tachy_pool_open(tachy_os_file *file, uint64_t offset, uint8_t *mapped, uint64_t bytes) {
  const uint32_t limit = (uint32_t)(bytes / TACHY_CHUNK_BYTES);
  const size_t size = sizeof(pool_pool) + limit * sizeof(uint32_t);
  pool_pool *const p = (pool_pool *)(tachy_os_allocate(size));
  if (!p) return 0;
  memset(p, 0, size);
  p->file = file;
  p->offset = offset;
  p->memory = file ? mapped : (uint8_t *)tachy_os_map(tachy_pool_size(bytes));
  p->limit = limit;
  p->wanted = pool_READY_MIN;
  if (!p->memory) {
    tachy_os_release(p);
    return 0;
  }
  for (uint32_t i = limit; i-- > 0;) pool_push(p, &p->bare, i);
  TACHY_STORE_RELEASE(&pool_current, p);
  return 1;
}

/* Storage, so that nobody meets a page fault there. 0: there is none. */
static int pool_back(const pool_pool *p, void *at, uint64_t size) {
  /* where the file system is full it goes on in memory of the process's own, and that part dies with it */
  if (p->file && !tachy_os_file_back(p->file, p->offset + (uint64_t)((uint8_t *)at - p->memory), size) &&
      !tachy_os_map_over(at, size)) {
    return 0;
  }
  tachy_os_prefault(at, size);
  return 1;
}

/* A chunk without storage gets some. 0: there is none of either. */
static int pool_take_bare(pool_pool *p, uint32_t *number) {
  if (!pool_pop(p, &p->bare, number)) return 0;
  if (pool_back(p, pool_chunk_at(p, *number), TACHY_CHUNK_BYTES)) return 1;
  pool_push(p, &p->bare, *number);
  return 0;
}

/* None is ready. 0: who loses events at full rate asks for every one, so where there is nothing at all this is two
 * loads. */
static int pool_take_unready(pool_pool *p, uint32_t *number) {
  if ((uint32_t)TACHY_LOAD(&p->bare.top)) {
    if (pool_take_bare(p, number)) return 1;
  } else if (TACHY_LOAD(&p->starved)) {
    return 0;
  }
  TACHY_STORE(&p->starved, 1);
  tachy_bell_ring();
  return 0;
}

TACHY_BESIDE tachy_chunk *tachy_pool_take(void) {
  pool_pool *const p = (pool_pool *)(TACHY_LOAD_ACQUIRE(&pool_current));
  uint32_t number;
  if (!p || (TACHY_UNLIKELY(!pool_pop(p, &p->ready, &number)) && !pool_take_unready(p, &number))) return NULL;
  tachy_add(&p->taken, 1);
  const uint64_t ready = TACHY_LOAD(&p->ready.count);
  const uint64_t left = ready + TACHY_LOAD(&p->bare.count);
  if (TACHY_UNLIKELY(ready < pool_READY_MIN / 2 || left < TACHY_LOAD(&p->low))) tachy_bell_ring();
  return pool_chunk_at(p, number);
}

void tachy_pool_give(tachy_chunk *chunk) {
  pool_pool *const p = (pool_pool *)(TACHY_LOAD(&pool_current));
  TACHY_STORE_RELEASE(&chunk->owner, 0);
  if (!p) return;
  const uintptr_t at = (uintptr_t)chunk - (uintptr_t)pool_chunk_at(p, 0);
  if (at < (uint64_t)p->limit * TACHY_CHUNK_BYTES) pool_push(p, &p->ready, (uint32_t)(at / TACHY_CHUNK_BYTES));
}

tachy_slot *tachy_pool_slot(void) {
  pool_pool *const p = (pool_pool *)(TACHY_LOAD(&pool_current));
  if (!p || p->slots_made == TACHY_SLOTS_MAX) return NULL;
  tachy_slot *const slot = (tachy_slot *)((tachy_slot *)(void *)(p->memory + p->slots_made * TACHY_SLOT_BYTES));
  if (!pool_back(p, slot, TACHY_SLOT_BACKED)) return NULL;
  p->slots_made++;
  slot->pool = (uintptr_t)p;
  return slot;
}

int tachy_pool_has_slot(const tachy_slot *slot) { return !slot->pool || slot->pool == (uintptr_t)pool_current; }

int tachy_pool_back_slot(const tachy_slot *slot, void *at, uint64_t size) {
  if (!slot->pool) return 1;
  /* of an earlier pool: its file is closed */
  return tachy_pool_has_slot(slot) ? pool_back(pool_current, at, size) : tachy_os_map_over(at, size);
}

/* Gives the storage of what has not been needed for a while back to the system: a second's share. */
static void pool_shrink(pool_pool *p) {
  uint32_t number;
  if (p->wanted > pool_READY_MIN) p->wanted -= (p->wanted - pool_READY_MIN + 7) / 8;
  for (unsigned i = 0; i < pool_GIVE_BACK && TACHY_LOAD(&p->ready.count) > 2 * p->wanted; i++) {
    if (!pool_pop(p, &p->ready, &number)) return;
    void *const at = (void *)(pool_chunk_at(p, number));
    const uint64_t where = p->offset + (uint64_t)((uint8_t *)at - p->memory);
    const int done =
        p->file ? tachy_os_file_discard(p->file, where, TACHY_CHUNK_BYTES) : tachy_os_map_over(at, TACHY_CHUNK_BYTES);
    pool_push(p, done ? &p->bare : &p->ready, number);
    if (!done) return;
  }
}

uint64_t tachy_pool_tend(uint64_t quiet) {
  pool_pool *const p = (pool_pool *)(TACHY_LOAD(&pool_current));
  const uint64_t taken = TACHY_LOAD(&p->taken) - p->seen;
  uint32_t number;
  p->seen += taken;
  TACHY_STORE(&p->starved, 0);
  if (taken + pool_READY_MIN > p->wanted) p->wanted = taken + pool_READY_MIN;
  if (p->wanted > p->limit / 4) p->wanted = p->limit / 4;
  while (TACHY_LOAD(&p->ready.count) < p->wanted && pool_take_bare(p, &number)) pool_push(p, &p->ready, number);
  for (uint64_t i = 0; i < quiet && i < pool_QUIET_MAX; i++) pool_shrink(p);
  return taken;
}

void tachy_pool_ring_after(uint64_t chunks) {
  pool_pool *const p = (pool_pool *)(TACHY_LOAD(&pool_current));
  const uint64_t free = tachy_pool_free();
  TACHY_STORE(&p->low, free / 2 + chunks < free ? free - chunks : free / 2);
}

int tachy_pool_is_low(void) {
  const pool_pool *const p = (const pool_pool *)(TACHY_LOAD(&pool_current));
  return tachy_pool_free() < TACHY_LOAD(&p->low);
}

uint32_t tachy_pool_free(void) {
  const pool_pool *const p = (const pool_pool *)(TACHY_LOAD(&pool_current));
  return (uint32_t)(TACHY_LOAD(&p->ready.count) + TACHY_LOAD(&p->bare.count));
}

uint32_t tachy_pool_limit(void) { return pool_current->limit; }

/* The memory is the parent's: in the file it is not mapped here, and other memory is of no more use. */
void tachy_pool_after_fork(void) { pool_current = NULL; }

/* src/recorder/pool/session_file.c */
/* The session file's writer. Names are added under the registry's lock, everything else is the collector's; each has a
 * part of the file of its own. The pool looks after itself. */


enum { session_file_BACK_MAX = 1 << 20, session_file_TRIES = 3, session_file_UUID_SIZE = 36 };

/* How far a region has storage. */
typedef struct session_file_region {
  uint64_t offset;
  uint64_t size;
  uint64_t backed;
} session_file_region;

static tachy_os_file session_file_file;
static tachy_session_head *session_file_head; /* NULL: no file; the mapping of everything before the slots */
static uint8_t session_file_id[16];
static char session_file_path[TACHY_FOLDER_MAX + sizeof "/00000000-0000-0000-0000-000000000000.session"];
static size_t session_file_folder_size; /* of the path */
static session_file_region session_file_names;
static session_file_region session_file_descriptions[2];
static session_file_region session_file_states[TACHY_CLASSES][2];
static uint32_t session_file_which[TACHY_CLASSES]; /* state in force */
static unsigned session_file_saved;                /* classes whose other state is to come into force */
static uint32_t session_file_given_up;             /* atomic */
static uint32_t session_file_recording;            /* atomic: a session has begun and has not made its last commit */
static int session_file_names_full;
static int session_file_exit_watched;
static uint32_t session_file_leaving; /* atomic: exit() has been called */

const uint8_t *tachy_session_file_id(void) { return session_file_head ? session_file_id : NULL; }

int tachy_session_file_protects(void) { return session_file_head && !TACHY_LOAD(&session_file_given_up); }

static uint8_t *session_file_at(const session_file_region *r) { return (uint8_t *)session_file_head + r->offset; }

/* 0: the region is full, or the file system. */
static int session_file_back(session_file_region *r, uint64_t size) {
  if (size <= r->backed) return 1;
  if (size > r->size) return 0;
  /* twice as much each time, in steps of BACK_MAX at most: a process that records little takes little */
  uint64_t wanted = r->backed + (r->backed < session_file_BACK_MAX ? r->backed : session_file_BACK_MAX);
  if (wanted < size) wanted = (size + TACHY_OS_MAP_STEP - 1) / TACHY_OS_MAP_STEP * TACHY_OS_MAP_STEP;
  if (wanted > r->size) wanted = r->size;
  if (!tachy_os_file_back(&session_file_file, r->offset + r->backed, wanted - r->backed)) {
    wanted = (size + TACHY_OS_MAP_STEP - 1) / TACHY_OS_MAP_STEP * TACHY_OS_MAP_STEP;
    if (!tachy_os_file_back(&session_file_file, r->offset + r->backed, wanted - r->backed)) return 0;
  }
  r->backed = wanted;
  return 1;
}

/* There is no storage for what has to be kept. Nobody could know any more which events of the chunks are in batches
 * already: only the batches will be left. */
static void session_file_give_up(void) {
  TACHY_STORE(&session_file_given_up, 1);
  TACHY_STORE_RELEASE(&session_file_head->life, TACHY_LIFE_DONE);
}

static void session_file_lay_out(void) {
  session_file_names = (session_file_region){TACHY_SESSION_NAMES, TACHY_SESSION_NAMES_SIZE, 0};
  for (unsigned i = 0; i < 2; i++) {
    session_file_descriptions[i] =
        (session_file_region){TACHY_SESSION_DESCRIPTIONS + i * TACHY_SESSION_DESCRIPTION_SIZE, TACHY_SESSION_DESCRIPTION_SIZE, 0};
  }
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    for (unsigned i = 0; i < 2; i++) {
      session_file_states[cls][i] =
          (session_file_region){TACHY_SESSION_STATES + (2 * (cls - 1) + i) * TACHY_SESSION_STATE_SIZE, TACHY_SESSION_STATE_SIZE, 0};
    }
    session_file_which[cls] = 0;
  }
  session_file_saved = 0;
  session_file_names_full = 0;
  TACHY_STORE(&session_file_given_up, 0);
}

/* The program ends. A session that has ended, or ends from now on, leaves its batches and no session file. */
static void session_file_leave(void) {
  TACHY_STORE(&session_file_leaving, 1);
  if (!session_file_head) return;
  if (TACHY_LOAD(&session_file_head->life) == TACHY_LIFE_RUNNING) {
    TACHY_STORE_RELEASE(&session_file_head->life, TACHY_LIFE_ENDED);
  } else if (!TACHY_LOAD(&session_file_recording)) { /* else more batches may come, that have to have an owner */
    tachy_os_file_remove(session_file_path);
  }
}

void tachy_session_file_leave(void) {
  if (session_file_head && TACHY_LOAD(&session_file_leaving) && TACHY_LOAD(&session_file_head->life) == TACHY_LIFE_DONE) tachy_os_file_remove(session_file_path);
}

void tachy_session_file_ends(void) {
  if (session_file_head && TACHY_LOAD(&session_file_head->life) == TACHY_LIFE_RUNNING) TACHY_STORE_RELEASE(&session_file_head->life, TACHY_LIFE_ENDED);
}

void tachy_session_file_crash(uint32_t kind) {
  if (session_file_head) TACHY_STORE(&session_file_head->crash_kind, kind);
}

/* A file of a new name, locked. 0: could not. */
static int session_file_make_file(const char *folder) {
  if (!tachy_uuid_random(session_file_id)) return 0;
  session_file_folder_size = strlen(folder);
  memcpy(session_file_path, folder, session_file_folder_size);
  session_file_path[session_file_folder_size] = '/';
  tachy_uuid_print(session_file_id, session_file_path + session_file_folder_size + 1);
  memcpy(session_file_path + session_file_folder_size + 1 + session_file_UUID_SIZE, ".session", sizeof ".session");
  if (!tachy_os_file_open(&session_file_file, session_file_path, TACHY_OS_NEW)) return 0;
  /* a recovery that looks into the folder just now may have been faster, and does away with an empty file */
  if (tachy_os_file_lock(&session_file_file) && tachy_os_file_is_at(&session_file_file, session_file_path)) return 1;
  tachy_os_file_close(&session_file_file);
  return 0;
}

static int session_file_make(const char *folder, const char *destination, uint64_t pool_bytes) {
  const uint64_t size = TACHY_SESSION_POOL + tachy_pool_size(pool_bytes);
  int made = 0;
  for (unsigned i = 0; i < session_file_TRIES && !made; i++) made = session_file_make_file(folder);
  if (!made) return 0;
  tachy_session_head *mapped = (tachy_session_head *)(NULL);
  if (tachy_os_file_resize(&session_file_file, size) && tachy_os_file_back(&session_file_file, 0, TACHY_SESSION_HEAD_SIZE)) {
    mapped = (tachy_session_head *)tachy_os_file_map(&session_file_file, 0, size);
  }
  if (!mapped || !tachy_pool_open(&session_file_file, TACHY_SESSION_POOL, (uint8_t *)mapped + TACHY_SESSION_POOL, pool_bytes)) {
    if (mapped) tachy_os_unmap(mapped, size);
    tachy_os_file_remove(session_file_path);
    tachy_os_file_close(&session_file_file);
    return 0;
  }
  session_file_lay_out();
  mapped->version = TACHY_SESSION_VERSION;
  mapped->slot_size = (uint16_t)(sizeof(tachy_slot) / 16);
  mapped->slots = TACHY_SLOTS_MAX;
  mapped->chunks = pool_bytes / TACHY_CHUNK_BYTES;
  memcpy(mapped->destination, destination,
         tachy_text_limit(destination, strlen(destination), sizeof mapped->destination - 1));
  TACHY_STORE_RELEASE(&mapped->magic, TACHY_SESSION_MAGIC);
  session_file_head = mapped;
  if (!session_file_exit_watched) tachy_os_on_exit(session_file_leave);
  session_file_exit_watched = 1;
  return 1;
}

/* Whether the file lies in this folder, is for this destination and holds such a pool. */
static int session_file_suits(const char *folder, const char *destination, uint64_t pool_bytes) {
  if (!tachy_pool_suits(&session_file_file, pool_bytes)) return 0;
  if (strlen(folder) != session_file_folder_size || memcmp(session_file_path, folder, session_file_folder_size) != 0) return 0;
  const uint64_t size = tachy_text_limit(destination, strlen(destination), sizeof session_file_head->destination - 1);
  return strlen(session_file_head->destination) == size && memcmp(session_file_head->destination, destination, size) == 0;
}

/* A session that wants another file: what the ones before have left in this one is for others. Its mappings stay,
 * threads point into them, and where mappings keep a lock they do so until the process is gone. */
static void session_file_part(void) {
  tachy_os_file_remove(session_file_path);
  tachy_os_file_close(&session_file_file);
  session_file_head = NULL;
}

int tachy_session_file_open(const char *folder, const char *destination, uint64_t pool_bytes, int *fresh) {
  TACHY_STORE(&session_file_recording, 1);
  *fresh = 0;
  if (session_file_head && !session_file_suits(folder, destination, pool_bytes)) session_file_part();
  if (!session_file_head && folder[0]) *fresh = session_file_make(folder, destination, pool_bytes);
  return session_file_head || tachy_pool_suits(NULL, pool_bytes) || tachy_pool_open(NULL, 0, NULL, pool_bytes);
}

const char *tachy_session_file_destination(char *folder, size_t size) {
  if (!session_file_head || session_file_folder_size >= size) return NULL;
  memcpy(folder, session_file_path, session_file_folder_size);
  folder[session_file_folder_size] = 0;
  return session_file_head->destination;
}

/* Names are lost from the first that finds no room on: a reader shows what it does not know as such. */
void tachy_session_file_name(uint32_t kind, const void *bytes, uint32_t size) {
  if (!session_file_head || session_file_names_full) return;
  const tachy_name_entry entry = {kind, size};
  const uint64_t used = session_file_head->names_size;
  const uint64_t more = sizeof entry + tachy_pad8(size);
  if (!session_file_back(&session_file_names, used + more)) {
    session_file_names_full = 1;
    return;
  }
  uint8_t *const to = (uint8_t *)(session_file_at(&session_file_names) + used);
  memcpy(to, &entry, sizeof entry);
  if (size) memcpy(to + sizeof entry, bytes, size);
  TACHY_STORE_RELEASE(&session_file_head->names_size, used + more);
}

uint64_t tachy_session_file_next(void) { return session_file_head ? session_file_head->commit + 1 : 0; }

void tachy_session_file_save(tachy_class cls, const tachy_bytes *state) {
  if (!tachy_session_file_protects()) return;
  session_file_region *const r = (session_file_region *)(&session_file_states[cls][session_file_which[cls] ^ 1u]);
  const uint64_t size = state->size;
  if (!size || !session_file_back(r, size + sizeof size)) {
    session_file_give_up();
    return;
  }
  memcpy(session_file_at(r), &size, sizeof size);
  memcpy(session_file_at(r) + sizeof size, state->bytes, size);
  session_file_saved |= 1u << cls;
}

void tachy_session_file_commit(const uint8_t process_id[16], uint64_t frequency, const void *description,
                               uint64_t description_size) {
  if (!session_file_head) return;
  const uint64_t ordinal = session_file_head->commit + 1;
  tachy_session_record *const record = (tachy_session_record *)(&session_file_head->records[ordinal & 1]);
  session_file_region *const r = (session_file_region *)(&session_file_descriptions[ordinal & 1]);
  if (!description || !session_file_back(r, description_size)) session_file_give_up();
  record->ordinal = ordinal;
  memcpy(record->process_id, process_id, sizeof record->process_id);
  record->frequency = frequency;
  if (TACHY_LOAD(&session_file_given_up)) {
    TACHY_STORE_RELEASE(&session_file_head->commit, ordinal);
    return;
  }
  memcpy(session_file_at(r), description, description_size);
  record->description_size = description_size;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (session_file_saved >> cls & 1u) session_file_which[cls] ^= 1u;
    record->which[cls] = session_file_which[cls];
  }
  session_file_saved = 0;
  TACHY_STORE_RELEASE(&session_file_head->commit, ordinal);
  /* a session's first one. The program may be at its end already, which stays so */
  const uint32_t life = TACHY_LOAD(&session_file_head->life);
  if (life == TACHY_LIFE_MAKING || life == TACHY_LIFE_DONE) TACHY_STORE_RELEASE(&session_file_head->life, TACHY_LIFE_RUNNING);
}

void tachy_session_file_done(void) {
  if (session_file_head) TACHY_STORE_RELEASE(&session_file_head->life, TACHY_LIFE_DONE);
  TACHY_STORE(&session_file_recording, 0);
}

/* The file is the parent's, and its mappings are not here. */
void tachy_session_file_after_fork(void) {
  tachy_pool_after_fork();
  if (session_file_head) tachy_os_file_close(&session_file_file);
  session_file_head = NULL;
}

/* src/recorder/recover/dead.h */
/* What a process that is gone left in its session file: from chunks and state to the blocks that its collector
 * would have cut next. Reads the file and changes nothing. Anything may stand in it: a program that crashed may have
 * written anywhere. */
#ifndef TACHY_SRC_RECORDER_RECOVER_DEAD_H
#define TACHY_SRC_RECORDER_RECOVER_DEAD_H
TACHY_HIDE


#define TACHY_DEAD_CHUNKS_MAX (1u << 20) /* nobody has more */

typedef struct tachy_dead {
  uint8_t process_id[16];
  tachy_bytes description; /* JSON without its end */
  tachy_block *blocks;
  uint64_t events[TACHY_CLASSES];
} tachy_dead;

/* TACHY_ERROR_FORMAT: it cannot be read. What was filled in must be freed in any case. */
tachy_status tachy_dead_read(const tachy_os_file *file, const tachy_session_head *head, tachy_dead *dead);
void tachy_dead_free(tachy_dead *dead);
/* The description alone. */
tachy_status tachy_dead_description(const tachy_os_file *file, const tachy_session_head *head, tachy_bytes *json);

/* Gives back the storage of chunks that are nobody's, for a full file system that has no room for the batch. 1: there
 * was some. */
int tachy_dead_thin(tachy_os_file *file, const tachy_session_head *head);

/* dead_names.c: the names in the file. */
typedef struct tachy_dead_names {
  tachy_names names;
  uint8_t *bytes;
  tachy_bytes strings; /* tachy_string */
  tachy_bytes sites;   /* tachy_site_entry */
  tachy_bytes sets;    /* const tachy_set_entry * */
  tachy_bytes pairs;   /* the sets */
  tachy_site_entry nobody;
} tachy_dead_names;

/* 0: no memory, or it could not be read. */
int tachy_dead_names_read(tachy_dead_names *names, const tachy_os_file *file, uint64_t size);
void tachy_dead_names_free(tachy_dead_names *names);

/* dead_records.c: how many of the bytes are whole records that make sense. */
uint64_t tachy_dead_records(tachy_class cls, const uint8_t *bytes, uint64_t size);

/* dead_chunks.c: puts what is in slots and chunks into the channels, one for each class, whose streams each have a
 * source without a slot. 0: no memory, or it could not be read. */
int tachy_dead_chunks(tachy_channel *channels, const tachy_os_file *file, const tachy_session_head *head);

TACHY_SHOW
#endif

/* src/recorder/recover/dead.c */
/* From a dead process's session file to its last blocks. */


enum { dead_AFTER_MS = 1 }; /* the last interval ends so long after the last event */

static tachy_status dead_read_part(const tachy_os_file *file, uint64_t offset, uint64_t size, uint8_t **bytes) {
  uint8_t *const memory = (uint8_t *)(tachy_os_allocate(size ? size : 1));
  if (!memory) return TACHY_ERROR_MEMORY;
  if (!tachy_os_file_read(file, offset, memory, size)) {
    tachy_os_release(memory);
    return TACHY_ERROR_SYSTEM;
  }
  *bytes = memory;
  return TACHY_OK;
}

static tachy_status dead_read_state(const tachy_os_file *file, const tachy_session_record *record, tachy_channel *channel) {
  const uint64_t region = 2 * ((uint64_t)channel->cls - 1) + (record->which[channel->cls] & 1u);
  const uint64_t offset = TACHY_SESSION_STATES + region * TACHY_SESSION_STATE_SIZE;
  uint64_t size;
  uint8_t *bytes;
  if (!tachy_os_file_read(file, offset, &size, sizeof size)) return TACHY_ERROR_SYSTEM;
  if (size > TACHY_SESSION_STATE_SIZE - sizeof size) return TACHY_ERROR_FORMAT;
  const tachy_status status = dead_read_part(file, offset + sizeof size, size, &bytes);
  if (status != TACHY_OK) return status;
  const int ok = tachy_state_read(channel, bytes, size);
  tachy_os_release(bytes);
  return ok ? TACHY_OK : TACHY_ERROR_FORMAT;
}

int tachy_dead_thin(tachy_os_file *file, const tachy_session_head *head) {
  const uint64_t chunks = TACHY_SESSION_POOL + head->slots * TACHY_SLOT_BYTES;
  int some = 0;
  for (uint64_t i = 0; i < head->chunks; i++) {
    const uint64_t at = chunks + i * TACHY_CHUNK_BYTES;
    uint64_t owner;
    if (!tachy_os_file_read(file, at, &owner, sizeof owner)) break;
    if (owner == 0) some |= tachy_os_file_discard(file, at, TACHY_CHUNK_BYTES);
  }
  return some;
}

/* A moment after everything that was recorded. */
static tachy_clock_pair dead_end_of(const tachy_channel *channels, uint64_t frequency) {
  tachy_clock_pair from = channels[1].from;
  for (unsigned cls = 2; cls < TACHY_CLASSES; cls++) {
    if (channels[cls].from.ticks > from.ticks) from = channels[cls].from;
  }
  uint64_t last = from.ticks;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    for (const tachy_stream *s = (const tachy_stream *)(channels[cls].streams); s; s = s->next) {
      if (s->end_ticks > last) last = s->end_ticks;
      for (uint32_t k = s->open; k < s->depth; k++) {
        if (s->ends[k].ticks > last) last = s->ends[k].ticks;
      }
      const tachy_async_record *const records = (const tachy_async_record *)((const tachy_async_record *)(const void *)s->raw.bytes);
      for (uint64_t i = 0; i < s->async_rows; i++) {
        if (records[i].ticks > last) last = records[i].ticks;
      }
    }
  }
  last += frequency / 1000 * dead_AFTER_MS;
  const tachy_clock_line line = {from, 1e9 / (double)frequency};
  return (tachy_clock_pair){last, tachy_clock_on_line(&line, last)};
}

static tachy_status dead_make_blocks(tachy_channel *channels, uint64_t frequency, tachy_dead *dead) {
  const tachy_clock_pair to = dead_end_of(channels, frequency);
  tachy_block **link = (tachy_block **)(&dead->blocks);
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    int failed;
    *link = tachy_block_make(&channels[cls], dead->process_id, to, 1, 0, &failed);
    if (failed) return TACHY_ERROR_MEMORY;
    if (!*link) continue;
    dead->events[cls] = (*link)->head->events;
    link = &(*link)->next;
  }
  return TACHY_OK;
}

static tachy_status dead_read_all(const tachy_os_file *file, const tachy_session_head *head, tachy_channel *channels,
                             tachy_dead *dead) {
  const tachy_session_record *const record = (const tachy_session_record *)(&head->records[head->commit & 1]);
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    const tachy_status status = dead_read_state(file, record, &channels[cls]);
    if (status != TACHY_OK) return status;
  }
  if (!tachy_dead_chunks(channels, file, head)) return TACHY_ERROR_MEMORY;
  return dead_make_blocks(channels, record->frequency, dead);
}

tachy_status tachy_dead_description(const tachy_os_file *file, const tachy_session_head *head, tachy_bytes *json) {
  const uint64_t size = head->records[head->commit & 1].description_size;
  const uint64_t offset = TACHY_SESSION_DESCRIPTIONS + (head->commit & 1) * TACHY_SESSION_DESCRIPTION_SIZE;
  if (size > TACHY_SESSION_DESCRIPTION_SIZE) return TACHY_ERROR_FORMAT;
  if (!tachy_bytes_reserve(json, size)) return TACHY_ERROR_MEMORY;
  json->size = size;
  return tachy_os_file_read(file, offset, json->bytes, size) ? TACHY_OK : TACHY_ERROR_SYSTEM;
}

tachy_status tachy_dead_read(const tachy_os_file *file, const tachy_session_head *head, tachy_dead *dead) {
  const tachy_session_record *const record = (const tachy_session_record *)(&head->records[head->commit & 1]);
  memset(dead, 0, sizeof *dead);
  if (record->ordinal != head->commit || record->frequency == 0) return TACHY_ERROR_FORMAT;
  if (head->slots > TACHY_SLOTS_MAX || head->chunks > TACHY_DEAD_CHUNKS_MAX) return TACHY_ERROR_FORMAT;
  memcpy(dead->process_id, record->process_id, sizeof dead->process_id);
  tachy_status status = tachy_dead_description(file, head, &dead->description);
  if (status != TACHY_OK) return status;
  tachy_dead_names names;
  tachy_channel channels[TACHY_CLASSES];
  memset(channels, 0, sizeof channels);
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    channels[cls].cls = (tachy_class)cls;
    channels[cls].frequency = record->frequency;
    channels[cls].names = &names.names;
  }
  status = tachy_dead_names_read(&names, file, head->names_size) ? TACHY_OK : TACHY_ERROR_MEMORY;
  if (status == TACHY_OK) status = dead_read_all(file, head, channels, dead);
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    for (const tachy_stream *s = (const tachy_stream *)(channels[cls].streams); s; s = s->next) tachy_os_release(s->source);
    tachy_channel_free(&channels[cls]);
  }
  tachy_dead_names_free(&names);
  return status;
}

void tachy_dead_free(tachy_dead *dead) {
  tachy_blocks_free(dead->blocks);
  dead->blocks = NULL;
  tachy_bytes_free(&dead->description);
}

/* src/recorder/recover/dead_chunks.c */
/* From a dead process's slots and chunks to streams. */
#include <stdlib.h>


#define dead_chunks_COUNT_MAX (UINT64_C(1) << 48) /* nobody loses so many events */

typedef struct dead_chunks_dead_chunk {
  tachy_chunk head;
  uint64_t offset; /* in the file */
} dead_chunks_dead_chunk;

typedef struct dead_chunks_dead_pool {
  const tachy_os_file *file;
  tachy_channel *channels;
  tachy_bytes chunks; /* dead_chunk, by class, thread and position */
} dead_chunks_dead_pool;

static uint64_t dead_chunks_count_or_none(uint64_t count) { return count < dead_chunks_COUNT_MAX ? count : 0; }

static tachy_class dead_chunks_class_of(const tachy_chunk *chunk) { return (tachy_class)(chunk->owner & 255u); }

static int dead_chunks_is_whole(const tachy_chunk *chunk) {
  const tachy_class cls = dead_chunks_class_of(chunk);
  const uint64_t step = cls == TACHY_CLASS_SPAN ? 16 : 8;
  return cls >= TACHY_CLASS_LOG && cls <= TACHY_CLASS_SPAN && chunk->owner >> 8 <= UINT32_MAX &&
         chunk->first % step == 0 && chunk->first < dead_chunks_COUNT_MAX && chunk->depth <= TACHY_DEPTH_MAX &&
         chunk->size <= TACHY_RECORD_MAX - chunk->depth * sizeof(tachy_open_span) && chunk->used <= chunk->size &&
         chunk->read <= chunk->size && (chunk->used | chunk->read) % step == 0;
}

/* 0: no memory, or it could not be read. */
static int dead_chunks_add_chunk(dead_chunks_dead_pool *pool, uint64_t offset) {
  dead_chunks_dead_chunk chunk = {.offset = offset};
  if (!tachy_os_file_read(pool->file, offset, &chunk.head, sizeof chunk.head)) return 0;
  return !dead_chunks_is_whole(&chunk.head) || tachy_bytes_append(&pool->chunks, &chunk, sizeof chunk);
}

static int dead_chunks_in_order(const void *a, const void *b) {
  const tachy_chunk *const x = (const tachy_chunk *)(&((const dead_chunks_dead_chunk *)a)->head), *const y = (const tachy_chunk *)(&((const dead_chunks_dead_chunk *)b)->head);
  const uint64_t p[] = {x->owner & 255u, x->owner >> 8, x->first, x->used};
  const uint64_t q[] = {y->owner & 255u, y->owner >> 8, y->first, y->used};
  for (unsigned i = 0; i < 4; i++) {
    if (p[i] != q[i]) return p[i] < q[i] ? -1 : 1;
  }
  return 0;
}

/* The stream of the thread; the slot's, or NULL: nobody knows the thread. */
static tachy_stream *dead_chunks_stream_of(tachy_channel *channel, uint32_t number, const tachy_slot *slot) {
  tachy_stream *const known = (tachy_stream *)(tachy_stream_find(channel, number));
  if (known) return known;
  tachy_source *const source = (tachy_source *)(tachy_os_allocate(sizeof *source));
  tachy_stream *const s = (tachy_stream *)(source ? tachy_stream_new(channel, number) : NULL);
  if (!s) {
    tachy_os_release(source);
    return NULL;
  }
  *source = (tachy_source){.stream = s};
  s->source = source;
  if (slot) {
    source->position = slot->begin[channel->cls];
    source->known_lost = source->emitted = slot->lost_before[channel->cls];
    source->missed = slot->missed_before;
    s->os_id = slot->os_id;
  }
  return s;
}

/* How many of the stream's open spans the chunk's stack begins with. */
static uint32_t dead_chunks_common(const dead_chunks_dead_pool *pool, const tachy_stream *s, const dead_chunks_dead_chunk *chunk) {
  tachy_open_span entry;
  uint32_t depth = 0;
  for (; depth < s->open && depth < chunk->head.depth; depth++) {
    const uint64_t at = chunk->offset + sizeof(tachy_chunk) + depth * sizeof entry;
    if (!tachy_os_file_read(pool->file, at, &entry, sizeof entry)) break;
    if (entry.begin != s->opens[depth].ticks || entry.site != s->opens[depth].site) break;
  }
  return depth;
}

/* Puts the chunk's records from the stream's position on into the stream. `used`: bytes of records. 0: as add_chunk. */
static int dead_chunks_feed(dead_chunks_dead_pool *pool, tachy_channel *channel, tachy_stream *s, const dead_chunks_dead_chunk *chunk, uint64_t used) {
  const tachy_chunk *const head = (const tachy_chunk *)(&chunk->head);
  tachy_source *const source = (tachy_source *)(s->source);
  if (head->first + used <= source->position && head->lost <= source->known_lost) return 1;
  if (head->first > source->position && channel->cls == TACHY_CLASS_SPAN) {
    /* the flight recorder skipped what stood between: at most so many spans */
    s->total += (head->first - source->position) / sizeof(tachy_span_record);
    const uint32_t depth = dead_chunks_common(pool, s, chunk);
    tachy_stream_gap(channel, s, 0, depth);
    tachy_values_forget(s, depth);
  }
  if (head->lost > source->known_lost && head->lost - source->known_lost < dead_chunks_COUNT_MAX) {
    source->known_lost = head->lost;
    if (source->known_lost > source->emitted) {
      const uint32_t depth = head->lost_depth < TACHY_DEPTH_MAX ? head->lost_depth : 0;
      tachy_stream_gap(channel, s, source->known_lost - source->emitted, depth);
      source->emitted = source->known_lost;
    }
  }
  const uint64_t from = source->position > head->first ? source->position - head->first : 0;
  if (from >= used || from % 8) return 1;
  uint8_t *const bytes = (uint8_t *)(tachy_os_allocate(used - from));
  const uint64_t at = chunk->offset + sizeof *head + head->depth * sizeof(tachy_open_span) + from;
  if (!bytes || !tachy_os_file_read(pool->file, at, bytes, used - from)) {
    tachy_os_release(bytes);
    return 0;
  }
  const uint64_t good = tachy_dead_records(channel->cls, bytes, used - from);
  if (good) tachy_stream_records(channel, s, bytes, good);
  if (good != used - from) tachy_stream_drop(channel, s, 1);
  tachy_os_release(bytes);
  source->position = head->first + used;
  return 1;
}

/* The thread's chunks of a class; slot: NULL: it is in another file. *last: the last of them, or NULL. */
static int dead_chunks_read_class(dead_chunks_dead_pool *pool, tachy_channel *channel, uint32_t number, const tachy_slot *slot,
                      const dead_chunks_dead_chunk **last) {
  const dead_chunks_dead_chunk *const chunks = (const dead_chunks_dead_chunk *)((const dead_chunks_dead_chunk *)(const void *)pool->chunks.bytes);
  const uint64_t count = pool->chunks.size / sizeof *chunks;
  const uint64_t owner = tachy_chunk_owner(number, channel->cls);
  *last = NULL;
  uint64_t low = 0; /* the first that is the thread's */
  for (uint64_t high = count; low < high;) {
    const uint64_t middle = low + (high - low) / 2;
    const dead_chunks_dead_chunk wanted = {.head = {.owner = owner}};
    if (dead_chunks_in_order(&chunks[middle], &wanted) < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  for (uint64_t i = low; i < count && chunks[i].head.owner == owner; i++) {
    const tachy_chunk *const head = (const tachy_chunk *)(&chunks[i].head);
    uint64_t used = head->used > head->read ? head->used : head->read;
    if (slot && (i + 1 == count || chunks[i + 1].head.owner != owner)) {
      const uint64_t end = tachy_slot_writer((tachy_slot *)(uintptr_t)slot, channel->cls)->head;
      if (end >= head->first && end - head->first <= head->size) used = end - head->first;
      *last = &chunks[i];
    }
    const int known = tachy_stream_find(channel, number) != NULL;
    tachy_stream *const s = (tachy_stream *)(dead_chunks_stream_of(channel, number, slot));
    if (s && !known && !slot) { /* where it stood when the file was made */
      s->source->position = head->first;
      s->source->known_lost = s->source->emitted = head->lost;
    }
    if (!s || !dead_chunks_feed(pool, channel, s, &chunks[i], used)) return 0;
  }
  return 1;
}

/* The entry of the stack is a span whose record is out: the thread died between the two. */
static int dead_chunks_has_ended(const dead_chunks_dead_pool *pool, const tachy_slot *slot, const dead_chunks_dead_chunk *last, uint32_t depth) {
  tachy_span_record record;
  const uint64_t head = slot->thread.span.head;
  if (!last || head < last->head.first + sizeof record || head - last->head.first > last->head.size) return 0;
  const uint64_t at = last->offset + sizeof last->head + last->head.depth * sizeof(tachy_open_span) +
                      (head - last->head.first) - sizeof record;
  if (!tachy_os_file_read(pool->file, at, &record, sizeof record)) return 0;
  return record.begin == slot->thread.stack[depth].begin &&
         record.word == (depth << TACHY_DEPTH_SHIFT | slot->thread.stack[depth].site);
}

/* The spans that the thread has open. 0: no memory. */
static int dead_chunks_open_rest(const dead_chunks_dead_pool *pool, tachy_stream *s, const tachy_slot *slot, const dead_chunks_dead_chunk *last) {
  uint32_t depth = tachy_depth_of(&slot->thread);
  if (depth > TACHY_DEPTH_MAX) depth = TACHY_DEPTH_MAX;
  if (depth > s->depth && dead_chunks_has_ended(pool, slot, last, depth - 1)) depth--;
  if (depth && !tachy_stream_reach(s, depth - 1)) return 0;
  for (uint32_t k = 0; k < depth; k++) {
    const tachy_open_span *const entry = (const tachy_open_span *)(&slot->thread.stack[k]);
    if (entry->site == 0 || entry->site > TACHY_SITE_MAX) return 1;
    s->ends[k].ticks = entry->begin;
    s->ends[k].site = entry->site;
    if (k >= s->depth) s->depth = k + 1;
  }
  return 1;
}

static int dead_chunks_read_slot_class(dead_chunks_dead_pool *pool, tachy_channel *channel, const tachy_slot *slot) {
  const tachy_class cls = channel->cls;
  const uint64_t lost = slot->back[cls].lost;
  const int spans = cls == TACHY_CLASS_SPAN;
  const dead_chunks_dead_chunk *last;
  if (!dead_chunks_read_class(pool, channel, slot->thread.number, slot, &last)) return 0;
  tachy_stream *s = (tachy_stream *)(tachy_stream_find(channel, slot->thread.number));
  if (!s && lost == slot->lost_before[cls] && !(spans && tachy_depth_of(&slot->thread) > 0)) return 1;
  if (!s) s = dead_chunks_stream_of(channel, slot->thread.number, slot);
  if (!s) return 0;
  tachy_source *const source = (tachy_source *)(s->source);
  if (lost > source->emitted && lost - source->emitted < dead_chunks_COUNT_MAX) {
    const uint32_t depth = slot->back[cls].lost_depth;
    tachy_stream_gap(channel, s, lost - source->emitted, depth < TACHY_DEPTH_MAX ? depth : 0);
    source->emitted = lost;
  }
  if (spans) {
    tachy_stream_drop(channel, s, dead_chunks_count_or_none(tachy_slot_missed(slot) - source->missed));
    if (!dead_chunks_open_rest(pool, s, slot, last)) return 0;
  }
  s->name_size = (uint32_t)strlen(slot->name);
  memcpy(s->name, slot->name, sizeof s->name);
  tachy_text_clean((uint8_t *)s->name, s->name_size);
  return 1;
}

static int dead_chunks_is_taken(uint32_t state) {
  return state == TACHY_SLOT_LIVE || state == TACHY_SLOT_EXITED || state == TACHY_SLOT_READ;
}

/* All chunks that are somebody's, in order. `room`: of one slot. */
static int dead_chunks_find_chunks(dead_chunks_dead_pool *pool, const tachy_session_head *head, tachy_slot *room, uint64_t *slots) {
  const uint64_t chunks = TACHY_SESSION_POOL + head->slots * TACHY_SLOT_BYTES;
  for (*slots = 0; *slots < head->slots; ++*slots) {
    const uint64_t at = TACHY_SESSION_POOL + *slots * TACHY_SLOT_BYTES;
    if (!tachy_os_file_read(pool->file, at, room, offsetof(tachy_slot, thread.stack))) return 0;
    if (room->thread.room == 0) break; /* they are made one after the other */
    if (!dead_chunks_is_taken(room->state)) continue;
    const size_t own[] = {offsetof(tachy_slot, own_log), offsetof(tachy_slot, own_metric),
                          offsetof(tachy_slot, own_span)};
    for (unsigned i = 0; i < 3; i++) {
      if (!dead_chunks_add_chunk(pool, at + own[i])) return 0;
    }
  }
  for (uint64_t i = 0; i < head->chunks; i++) {
    if (!dead_chunks_add_chunk(pool, chunks + i * TACHY_CHUNK_BYTES)) return 0;
  }
  const size_t count = pool->chunks.size / sizeof(dead_chunks_dead_chunk);
  if (count) qsort(pool->chunks.bytes, count, sizeof(dead_chunks_dead_chunk), dead_chunks_in_order);
  return 1;
}

static int dead_chunks_read_slots(dead_chunks_dead_pool *pool, tachy_slot *room, uint64_t slots) {
  for (uint64_t i = 0; i < slots; i++) {
    if (!tachy_os_file_read(pool->file, TACHY_SESSION_POOL + i * TACHY_SLOT_BYTES, room, sizeof *room)) return 0;
    if (!dead_chunks_is_taken(room->state)) continue;
    room->name[TACHY_THREAD_NAME_MAX - 1] = 0;
    for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
      if (!dead_chunks_read_slot_class(pool, &pool->channels[cls], room)) return 0;
    }
  }
  return 1;
}

/* Chunks of threads whose slots lie in an earlier file: as far as the collector had read them. */
static int dead_chunks_read_others(dead_chunks_dead_pool *pool) {
  const dead_chunks_dead_chunk *const chunks = (const dead_chunks_dead_chunk *)((const dead_chunks_dead_chunk *)(const void *)pool->chunks.bytes);
  const dead_chunks_dead_chunk *last;
  for (uint64_t i = 0; i < pool->chunks.size / sizeof *chunks; i++) {
    const uint64_t owner = chunks[i].head.owner;
    if (i > 0 && chunks[i - 1].head.owner == owner) continue;
    tachy_channel *const channel = (tachy_channel *)(&pool->channels[dead_chunks_class_of(&chunks[i].head)]);
    if (!dead_chunks_read_class(pool, channel, (uint32_t)(owner >> 8), NULL, &last)) return 0;
  }
  return 1;
}

int tachy_dead_chunks(tachy_channel *channels, const tachy_os_file *file, const tachy_session_head *head) {
  dead_chunks_dead_pool pool = {file, channels, {0}};
  tachy_slot *const room = (tachy_slot *)((tachy_slot *)tachy_os_map(sizeof *room)); /* aligned as a slot is */
  uint64_t slots;
  const int ok = room && dead_chunks_find_chunks(&pool, head, room, &slots) && dead_chunks_read_slots(&pool, room, slots) && dead_chunks_read_others(&pool);
  if (room) tachy_os_unmap(room, sizeof *room);
  tachy_bytes_free(&pool.chunks);
  return ok;
}

/* src/recorder/recover/dead_names.c */
/* Names out of a session file. What is not there, because the file had no room or was damaged, has a name that says so.
 */

static uint32_t dead_names_string_count(const tachy_dead_names *n) { return (uint32_t)(n->strings.size / sizeof(tachy_string)); }

static void dead_names_find_strings(const void *context, const uint32_t *numbers, uint32_t count, tachy_string *found) {
  const tachy_dead_names *const n = (const tachy_dead_names *)(context);
  for (uint32_t i = 0; i < count; i++) found[i] = ((const tachy_string *)(const void *)n->strings.bytes)[numbers[i]];
}

static void dead_names_find_sites(const void *context, const uint32_t *numbers, uint32_t count, const tachy_site_entry **found) {
  const tachy_dead_names *const n = (const tachy_dead_names *)(context);
  const tachy_site_entry *const sites = (const tachy_site_entry *)((const tachy_site_entry *)(const void *)n->sites.bytes);
  const uint64_t known = n->sites.size / sizeof *sites;
  for (uint32_t i = 0; i < count; i++) found[i] = numbers[i] - 1 < known ? &sites[numbers[i] - 1] : &n->nobody;
}

static const tachy_set_entry *dead_names_set_of(const void *context, uint32_t number) {
  const tachy_dead_names *const n = (const tachy_dead_names *)(context);
  if (number - 1 >= n->sets.size / sizeof(uint64_t)) return NULL;
  const uint64_t offset = ((const uint64_t *)(const void *)n->sets.bytes)[number - 1];
  return (const tachy_set_entry *)(const void *)(n->pairs.bytes + offset);
}

static int dead_names_add_string(tachy_dead_names *n, const uint8_t *bytes, uint32_t size) {
  const tachy_string string = {(const char *)bytes, size};
  return tachy_bytes_append(&n->strings, &string, sizeof string);
}

/* They are registered before what is made of them. */
static int dead_names_are_strings(const tachy_dead_names *n, const uint32_t *numbers, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    if (numbers[i] >= dead_names_string_count(n)) return 0;
  }
  return 1;
}

static int dead_names_add_site(tachy_dead_names *n, const uint8_t *bytes, uint32_t size) {
  tachy_name_site name;
  if (size != sizeof name) return 0;
  memcpy(&name, bytes, sizeof name);
  if (name.kind > TACHY_SITE_VALUE || name.level > TACHY_LEVEL_TRACE) return 0;
  if (!dead_names_are_strings(n, name.strings, TACHY_SITE_TEXTS)) return 0;
  tachy_site_entry entry;
  memset(&entry, 0, sizeof entry);
  entry.line = name.line;
  entry.kind = name.kind;
  entry.level = name.level;
  memcpy(entry.strings, name.strings, sizeof entry.strings);
  return tachy_bytes_append(&n->sites, &entry, sizeof entry);
}

static int dead_names_add_set(tachy_dead_names *n, const uint8_t *bytes, uint32_t size) {
  const tachy_set_entry head = {size / 8, 0};
  const uint64_t offset = n->pairs.size;
  if (size % 8 || size > UINT16_MAX || !dead_names_are_strings(n, (const uint32_t *)(const void *)bytes, size / 4)) return 0;
  return tachy_bytes_append(&n->sets, &offset, sizeof offset) && tachy_bytes_append(&n->pairs, &head, sizeof head) &&
         tachy_bytes_append(&n->pairs, bytes, size);
}

int tachy_dead_names_read(tachy_dead_names *n, const tachy_os_file *file, uint64_t size) {
  memset(n, 0, sizeof *n);
  n->names = (tachy_names){dead_names_find_sites, dead_names_find_strings, dead_names_set_of, n};
  if (size > TACHY_SESSION_NAMES_SIZE) size = TACHY_SESSION_NAMES_SIZE;
  n->bytes = TACHY_AS(n->bytes) tachy_os_allocate(size ? size : 1);
  if (!n->bytes || !tachy_os_file_read(file, TACHY_SESSION_NAMES, n->bytes, size)) return 0;
  for (uint64_t at = 0; size - at >= sizeof(tachy_name_entry);) {
    tachy_name_entry entry;
    memcpy(&entry, n->bytes + at, sizeof entry);
    at += sizeof entry;
    const uint64_t padded = tachy_pad8(entry.size);
    if (padded > size - at) break;
    const uint8_t *const bytes = (const uint8_t *)(n->bytes + at);
    const int ok = entry.kind == TACHY_NAME_STRING ? dead_names_add_string(n, bytes, entry.size)
                   : entry.kind == TACHY_NAME_SITE ? dead_names_add_site(n, bytes, entry.size)
                                                   : entry.kind == TACHY_NAME_SET && dead_names_add_set(n, bytes, entry.size);
    if (!ok) break; /* the numbers of what follows would be wrong */
    at += padded;
  }
  const uint32_t unknown = dead_names_string_count(n);
  n->nobody.strings[TACHY_TEXT_NAME] = unknown;
  for (unsigned i = TACHY_TEXT_NAME + 1; i < TACHY_SITE_TEXTS; i++) n->nobody.strings[i] = unknown + 1;
  return dead_names_add_string(n, (const uint8_t *)"(unknown)", 9) && dead_names_add_string(n, (const uint8_t *)"", 0);
}

void tachy_dead_names_free(tachy_dead_names *n) {
  tachy_os_release(n->bytes);
  tachy_bytes_free(&n->strings);
  tachy_bytes_free(&n->sites);
  tachy_bytes_free(&n->sets);
  tachy_bytes_free(&n->pairs);
}

/* src/recorder/recover/dead_records.c */
/* Which bytes of a dead process's chunk are records that make sense. */

static int dead_records_is_site(uint32_t site) { return site > 0 && site <= TACHY_SITE_MAX; }

static uint64_t dead_records_value_record(const uint8_t *bytes, uint64_t left) {
  const tachy_value_record *const value = (const tachy_value_record *)((const tachy_value_record *)(const void *)bytes);
  const uint32_t type = tachy_value_type_of(value);
  if (type < TACHY_VALUE_I64 || type > TACHY_VALUE_BOOL || !dead_records_is_site((uint32_t)value->control & TACHY_SITE_MAX) ||
      (type == TACHY_VALUE_TEXT && value->bits > TACHY_VALUE_TEXT_MAX)) {
    return 0;
  }
  const uint64_t size = tachy_value_size(value);
  return size <= left ? size : 0;
}

static uint64_t dead_records_span_record(const uint8_t *bytes, uint64_t left) {
  const tachy_span_record *const span = (const tachy_span_record *)((const tachy_span_record *)(const void *)bytes);
  const tachy_async_record *const async = (const tachy_async_record *)((const tachy_async_record *)(const void *)bytes);
  if (left < sizeof *span) return 0;
  if (tachy_is_value(span->begin)) return dead_records_value_record(bytes, left);
  switch (span->begin) {
    case TACHY_CONTROL_LONG:
      return left >= sizeof(tachy_long_record) + sizeof *span ? sizeof(tachy_long_record) : 0;
    case TACHY_CONTROL_ASYNC_BEGIN:
    case TACHY_CONTROL_ASYNC_END:
      return left >= sizeof *async && dead_records_is_site(async->site) && async->ticks < TACHY_CONTROL_FIRST ? sizeof *async : 0;
    default:
      return span->begin < TACHY_CONTROL_FIRST && dead_records_is_site(span->word & TACHY_SITE_MAX) ? sizeof *span : 0;
  }
}

static uint64_t dead_records_log_record(const uint8_t *bytes, uint64_t left) {
  const tachy_log_record *const log = (const tachy_log_record *)((const tachy_log_record *)(const void *)bytes);
  if (left < sizeof *log || !dead_records_is_site(log->site) || log->size < sizeof *log || log->size > left || log->size % 8)
    return 0;
  uint64_t at = sizeof *log;
  for (uint32_t types = log->types; types & 15u; types >>= 4) {
    uint32_t text;
    if ((types & 15u) > TACHY_ARG_POINTER || log->size - at < 8) return 0;
    memcpy(&text, bytes + at, sizeof text);
    const uint64_t size = (types & 15u) == TACHY_ARG_TEXT ? tachy_pad8(sizeof text + (uint64_t)text) : 8;
    if (size > log->size - at) return 0;
    at += size;
  }
  return log->size;
}

static uint64_t dead_records_metric_record(const uint8_t *bytes, uint64_t left) {
  const tachy_metric_record *const metric = (const tachy_metric_record *)((const tachy_metric_record *)(const void *)bytes);
  return left >= sizeof *metric && dead_records_is_site(metric->site) ? sizeof *metric : 0;
}

uint64_t tachy_dead_records(tachy_class cls, const uint8_t *bytes, uint64_t size) {
  uint64_t at = 0;
  while (size - at >= sizeof(uint64_t)) {
    const uint8_t *const record = (const uint8_t *)(bytes + at);
    const uint64_t left = size - at;
    const uint64_t first = *(const uint64_t *)(const void *)record;
    uint64_t step;
    if (cls == TACHY_CLASS_SPAN) {
      step = dead_records_span_record(record, left);
    } else if (first >= TACHY_CONTROL_FIRST) {
      step = 0;
    } else {
      step = cls == TACHY_CLASS_LOG ? dead_records_log_record(record, left) : dead_records_metric_record(record, left);
    }
    if (step == 0) break;
    at += step;
  }
  return at;
}

/* src/recorder/recover/recover.h */
/* What tachy_recover has claimed, at the end of a session and after fork(). */
#ifndef TACHY_SRC_RECORDER_RECOVER_RECOVER_H
#define TACHY_SRC_RECORDER_RECOVER_RECOVER_H

TACHY_HIDE

/* Claims what the process's own children left that have died, to be sent before the session has stopped. */
void tachy_recover_children(const uint8_t parent[16]);

/* The outbox is closed: whoever comes next may claim what it has not sent. */
void tachy_recover_let_go(void);

/* Whether the session file is this process's own, or one that it has claimed. */
int tachy_recover_has(const uint8_t id[16]);

/* Whether a claim is left. */
int tachy_recover_holds(void);

/* Around fork(). */
void tachy_recover_lock(void);
void tachy_recover_unlock(void);
void tachy_recover_after_fork(void);

TACHY_SHOW
#endif

/* src/recorder/send/orphans.h */
/* Orphans: the batches in a folder that have no session file, since the process that made them has gone.
 *
 * Whoever wants to change them has the folder's lock: to drop what is beyond the bound or too old, or to give them a
 * session file again, so that they can be claimed. */
#ifndef TACHY_SRC_RECORDER_SEND_ORPHANS_H
#define TACHY_SRC_RECORDER_SEND_ORPHANS_H
TACHY_HIDE


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

TACHY_SHOW
#endif

/* src/recorder/send/spool.h */
/* The files of batches: one each, whose bytes are the batch as it travels. The batch belongs to the caller, or the
 * outbox's lock is held. */
#ifndef TACHY_SRC_RECORDER_SEND_SPOOL_H
#define TACHY_SRC_RECORDER_SEND_SPOOL_H
TACHY_HIDE


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

TACHY_SHOW
#endif

/* src/recorder/recover/recover.c */
/* Claims what dead processes left: their session files become batches, their batches are sent with ours.
 *
 * A session file belongs to who has its lock: the process that records, or the one that recovers it. It is the last
 * file to go, so its batches never lie there without an owner, and every step may be interrupted and done again. */


enum { recover_UUID_SIZE = 36 };
#define recover_PATIENCE UINT64_C(5000000000) /* ns */

/* A dead process's session file, locked by us until all of its batches are gone. */
typedef struct recover_claimed_session {
  tachy_claim claim; /* first: the outbox hands back its address */
  struct recover_claimed_session *next;
  int handed_over; /* the outbox has its batches: they are whole, and need no session file to be known as such */
  tachy_os_file file;
  uint8_t id[16];
  char path[TACHY_PATH_MAX];
} recover_claimed_session;

static tachy_os_mutex recover_mutex = TACHY_OS_MUTEX_INIT;      /* one recovery at a time */
static tachy_os_mutex recover_list_mutex = TACHY_OS_MUTEX_INIT; /* of `held`; taken last */
static recover_claimed_session *recover_held;
static recover_claimed_session *recover_let_go; /* the outbox has left their batches to a later start */

static void recover_release(recover_claimed_session *s) {
  tachy_os_lock(&recover_list_mutex);
  recover_claimed_session **lists[] = {&recover_held, &recover_let_go};
  for (unsigned i = 0; i < 2; i++) {
    recover_claimed_session **link = (recover_claimed_session **)(lists[i]);
    while (*link && *link != s) link = &(*link)->next;
    if (*link) *link = s->next;
  }
  tachy_os_file_close(&s->file);
  tachy_os_unlock(&recover_list_mutex);
  tachy_os_release(s);
}

/* Nothing is left to be sent. */
static void recover_resolved(tachy_claim *claim) {
  recover_claimed_session *const s = (recover_claimed_session *)((recover_claimed_session *)(void *)claim);
  tachy_os_file_remove(s->path);
  recover_release(s);
}

/* A lock that this process has it could take again: so it looks first. */
int tachy_recover_has(const uint8_t id[16]) {
  const uint8_t *const own = (const uint8_t *)(tachy_session_file_id());
  if (own && memcmp(own, id, 16) == 0) return 1;
  tachy_os_lock(&recover_list_mutex);
  const recover_claimed_session *s = (const recover_claimed_session *)(recover_held);
  while (s && memcmp(s->id, id, 16) != 0) s = s->next;
  tachy_os_unlock(&recover_list_mutex);
  return s != NULL;
}

/* Locks the session file. NULL: somebody has it, it is gone, or no memory. */
static recover_claimed_session *recover_take(const char *folder, const tachy_file *file, tachy_recovery *found) {
  if (tachy_recover_has(file->id)) return NULL;
  recover_claimed_session *const s = (recover_claimed_session *)(tachy_os_allocate(sizeof *s));
  if (!s) return NULL;
  memset(s, 0, sizeof *s);
  memcpy(s->id, file->id, sizeof s->id);
  tachy_folder_path(folder, file->name, s->path);
  s->claim.resolved = recover_resolved;
  tachy_os_lock(&recover_list_mutex); /* what is open is in the list: a forked child must close it */
  const int opened = tachy_os_file_open(&s->file, s->path, TACHY_OS_EXISTING);
  if (opened) {
    s->next = recover_held;
    recover_held = s;
  }
  tachy_os_unlock(&recover_list_mutex);
  if (!opened) {
    tachy_os_release(s);
    return NULL;
  }
  const int locked = tachy_os_file_lock(&s->file);
  if (!locked) found->busy++;
  if (locked && tachy_os_file_is_at(&s->file, s->path)) return s;
  recover_release(s);
  return NULL;
}

static int recover_set_life(recover_claimed_session *s, tachy_session_life life) {
  const uint32_t value = (uint32_t)life;
  return tachy_os_file_write(&s->file, offsetof(tachy_session_head, life), &value, sizeof value);
}

/* Writes what was in the chunks as the batch behind the last committed one. 0: could not. */
static int recover_write_batch(const char *folder, const recover_claimed_session *s, const tachy_session_head *head, tachy_dead *dead) {
  tachy_batch batch;
  memset(&batch, 0, sizeof batch);
  if (!tachy_uuid_random(batch.id)) return 0;
  memcpy(batch.process_id, dead->process_id, sizeof batch.process_id);
  batch.description = dead->description;
  batch.blocks = dead->blocks;
  tachy_batch_count(&batch);
  batch.path = tachy_spool_path(folder, s->id, head->commit + 1);
  if (!batch.path) return 0;
  tachy_os_file_remove(batch.path); /* a part, of a batch that was not committed or of a recovery that was killed */
  const int ok = tachy_spool_write(&batch);
  tachy_os_release(batch.path);
  return ok;
}

/* The end of a dead process's description: how it ended, and of what. 0: no memory. */
static int recover_end_description(tachy_bytes *json, const tachy_session_head *head) {
  static const char *const kinds[] = {NULL, "fault", "assert", "memory", "gpu", "hang"};
  if (head->life == TACHY_LIFE_ENDED) return tachy_description_end(json, "exited");
  const int known = head->crash_kind > 0 && head->crash_kind < sizeof kinds / sizeof *kinds;
  return (!known || tachy_description_add(json, "crash-kind", kinds[head->crash_kind])) &&
         tachy_description_end(json, "crashed");
}

/* From chunks to a batch. The last step, one store, makes the batch valid and the chunks void. */
static tachy_status recover_revive(const char *folder, recover_claimed_session *s, tachy_session_head *head, tachy_recovery *found) {
  tachy_dead dead;
  tachy_status status = tachy_dead_read(&s->file, head, &dead);
  if (status == TACHY_OK && !recover_end_description(&dead.description, head)) status = TACHY_ERROR_MEMORY;
  if (status == TACHY_OK && !recover_write_batch(folder, s, head, &dead)) {
    const int room = tachy_dead_thin(&s->file, head);
    if (!room || !recover_write_batch(folder, s, head, &dead)) status = TACHY_ERROR_SYSTEM;
  }
  if (status == TACHY_OK && !recover_set_life(s, TACHY_LIFE_RECOVERED)) status = TACHY_ERROR_SYSTEM;
  if (status == TACHY_OK) {
    found->crashed += head->life == TACHY_LIFE_RUNNING;
    head->life = TACHY_LIFE_RECOVERED;
    for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) found->events[cls] += dead.events[cls];
  }
  tachy_dead_free(&dead);
  return status;
}

/* The number in FOLDER/<id>.<16 digits>.batch; UINT64_MAX: there is none. */
static uint64_t recover_ordinal_of(const char *name) {
  uint64_t ordinal = 0;
  for (unsigned i = 0; i < 16; i++) {
    const char c = name[recover_UUID_SIZE + 1 + i];
    const unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10;
    if (digit > 15) return UINT64_MAX;
    ordinal = ordinal << 4 | digit;
  }
  return ordinal;
}

/* Hands the batches to the outbox, the oldest first (found: NULL: leaves them where they are). Removes what was never
 * committed: its events are in the chunks. */
static void recover_add_batches(const char *folder, recover_claimed_session *s, uint64_t last, tachy_recovery *found) {
  tachy_bytes files = {0};
  tachy_folder_list(folder, &files);
  for (size_t i = 0; i < tachy_file_count(&files); i++) {
    const tachy_file *const at = (const tachy_file *)(tachy_file_at(&files, i));
    char path[TACHY_PATH_MAX];
    tachy_os_file file;
    if (at->kind == TACHY_FILE_SESSION || memcmp(at->id, s->id, sizeof s->id) != 0) continue;
    tachy_folder_path(folder, at->name, path);
    if (strlen(at->name) != recover_UUID_SIZE + 1 + 16 + strlen(".batch") || recover_ordinal_of(at->name) > last) {
      tachy_os_file_remove(path);
    } else if (found && tachy_os_file_open(&file, path, TACHY_OS_EXISTING)) {
      const uint64_t size = tachy_os_file_size(&file);
      tachy_os_file_close(&file);
      tachy_outbox_add_claimed(&s->claim, path, size);
      found->batches++;
    }
  }
  tachy_bytes_free(&files);
}

/* Whether the process that left the file was started by this one, of the environment or in a fork. */
static int recover_is_child_of(const uint8_t parent[16], const recover_claimed_session *s, const tachy_session_head *head) {
  tachy_bytes json = {0};
  char wanted[recover_UUID_SIZE + 1];
  tachy_uuid_print(parent, wanted);
  const int found = tachy_dead_description(&s->file, head, &json) == TACHY_OK &&
                    tachy_description_says(&json, "parent_process_id", wanted);
  tachy_bytes_free(&json);
  return found;
}

/* parent: only what its children left, and tachy_stop waits for it; NULL: everybody's. */
static void recover_recover_one(const char *folder, const tachy_file *file, const char *destination, const uint8_t *parent,
                        tachy_recovery *found) {
  recover_claimed_session *const s = (recover_claimed_session *)(recover_take(folder, file, found));
  if (!s) return;
  tachy_session_head head;
  const int whole = tachy_os_file_read(&s->file, 0, &head, sizeof head);
  head.destination[whole ? sizeof head.destination - 1 : 0] = 0;
  if (!whole || head.magic == 0 || head.life == TACHY_LIFE_MAKING) {
    /* it died while it made the file */
    recover_resolved(&s->claim);
    return;
  }
  if (head.magic != TACHY_SESSION_MAGIC || head.version != TACHY_SESSION_VERSION ||
      head.slot_size != sizeof(tachy_slot) / 16) {
    found->unreadable++;
    recover_release(s);
    return;
  }
  if (parent && !recover_is_child_of(parent, s, &head)) {
    recover_release(s);
    return;
  }
  s->claim.awaited = parent != NULL;
  const int for_others = destination && strcmp(head.destination, destination) != 0;
  tachy_recovery unsaid = {0};
  tachy_recovery *const counted = (tachy_recovery *)(found);
  if (for_others) found = &unsaid;
  tachy_status status = TACHY_OK;
  if (head.life == TACHY_LIFE_RUNNING || head.life == TACHY_LIFE_ENDED) status = recover_revive(folder, s, &head, found);
  if (status != TACHY_OK) {
    counted->unreadable += !for_others;
    recover_release(s);
    return;
  }
  if (for_others) { /* its batches are for others to send; its chunks are not worth their storage any more */
    recover_add_batches(folder, s, head.commit + (head.life == TACHY_LIFE_RECOVERED), NULL);
    recover_resolved(&s->claim);
    return;
  }
  found->sessions++;
  /* Slots and chunks are of no more use. Without a recovery the process may live on, in another file, with this one
   * mapped, and its threads would touch what is not there. */
  if (head.life == TACHY_LIFE_RECOVERED) tachy_os_file_resize(&s->file, TACHY_SESSION_HEAD_SIZE);
  recover_add_batches(folder, s, head.commit + (head.life == TACHY_LIFE_RECOVERED), found);
  s->handed_over = 1;
  tachy_outbox_close_claim(&s->claim);
}

/* Orphans get a session file, by which they are found. Waits for others who have the folder, but not for ever: they may
 * have been stopped. */
static void recover_give_orphans_sessions(const char *folder, const char *destination) {
  const uint64_t deadline = tachy_os_monotonic() + recover_PATIENCE;
  tachy_orphans orphans;
  while (!tachy_orphans_open(&orphans, folder)) {
    if (tachy_os_monotonic() > deadline) return;
    tachy_os_sleep(2000000);
  }
  tachy_orphans_give_sessions(&orphans, destination);
  tachy_orphans_close(&orphans);
}

/* Under the mutex. 0: the folder could not be read. */
static int recover_recover_all(const char *folder, const char *destination, const uint8_t *parent, tachy_recovery *found) {
  tachy_bytes files = {0};
  const int ok = tachy_folder_list(folder, &files);
  for (size_t i = 0; ok && i < tachy_file_count(&files); i++) {
    const tachy_file *const file = (const tachy_file *)(tachy_file_at(&files, i));
    if (file->kind == TACHY_FILE_SESSION) recover_recover_one(folder, file, destination, parent, found);
  }
  tachy_bytes_free(&files);
  return ok;
}

tachy_status tachy_own_recover(const char *folder, tachy_recovery *out) {
  tachy_recovery found;
  char own_folder[TACHY_FOLDER_MAX];
  const char *destination = (const char *)(NULL);
  memset(&found, 0, sizeof found);
  if (out) *out = found;
  if (tachy_own_forking()) return TACHY_ERROR_STATE;
  if (!folder) {
    destination = tachy_session_file_destination(own_folder, sizeof own_folder);
    if (!destination) return TACHY_ERROR_STATE;
    folder = own_folder;
  }
  tachy_os_lock(&recover_mutex);
  recover_give_orphans_sessions(folder, destination);
  const int ok = recover_recover_all(folder, destination, NULL, &found);
  tachy_os_unlock(&recover_mutex);
  if (out) *out = found;
  return ok ? TACHY_OK : TACHY_ERROR_SYSTEM;
}

void tachy_recover_children(const uint8_t parent[16]) {
  tachy_recovery found = {0};
  char folder[TACHY_FOLDER_MAX];
  const char *const destination = (const char *)(tachy_session_file_destination(folder, sizeof folder));
  if (!destination) return;
  tachy_os_lock(&recover_mutex);
  recover_recover_all(folder, destination, parent, &found);
  tachy_os_unlock(&recover_mutex);
}

int tachy_recover_holds(void) {
  tachy_os_lock(&recover_list_mutex);
  const int some = recover_held != NULL;
  tachy_os_unlock(&recover_list_mutex);
  return some;
}

/* Lets go of what the outbox has left to a later start: its batches are orphans. The memory stays: a batch that
 * is taken still may know it. */
void tachy_recover_let_go(void) {
  tachy_os_lock(&recover_list_mutex);
  for (recover_claimed_session *s = (recover_claimed_session *)(recover_held); s; s = s->next) {
    if (s->handed_over) tachy_os_file_remove(s->path);
    tachy_os_file_close(&s->file);
  }
  while (recover_held) {
    recover_claimed_session *const s = (recover_claimed_session *)(recover_held);
    recover_held = s->next;
    s->next = recover_let_go;
    recover_let_go = s;
  }
  tachy_os_unlock(&recover_list_mutex);
}

void tachy_recover_lock(void) { tachy_os_lock(&recover_list_mutex); }
void tachy_recover_unlock(void) { tachy_os_unlock(&recover_list_mutex); }

/* What is being recovered is the parent's, and locked as long as it is open here. fork() does not wait for the end of a
 * recovery: the child looks at nothing else. */
void tachy_recover_after_fork(void) {
  for (recover_claimed_session *s = (recover_claimed_session *)(recover_held); s; s = s->next) tachy_os_file_close(&s->file);
  tachy_os_mutex_init(&recover_mutex);
  tachy_os_mutex_init(&recover_list_mutex);
  recover_held = recover_let_go = NULL;
}

/* src/recorder/send/batch.c */
/* A batch in the sender's hands: bodies, their compressed forms, the bytes that travel. */


static tachy_block *batch_block_at(const tachy_batch *batch, uint32_t i) {
  tachy_block *block = (tachy_block *)(batch->blocks);
  while (block && i-- > 0) block = block->next;
  return block;
}

void tachy_batch_unload(tachy_batch *batch) {
  tachy_blocks_free(batch->blocks);
  batch->blocks = NULL;
  tachy_bytes_free(&batch->description);
  tachy_bytes_free(&batch->bytes);
  batch->loaded = 0;
}

void tachy_batch_free(tachy_batch *batch) {
  tachy_batch_unload(batch);
  tachy_os_release(batch->path);
  tachy_os_release(batch);
}

void tachy_batch_count(tachy_batch *batch) {
  batch->block_count = 0;
  batch->classes = 0;
  memset(batch->events, 0, sizeof batch->events);
  for (const tachy_block *block = (const tachy_block *)(batch->blocks); block; block = block->next) {
    batch->block_count++;
    batch->classes |= 1u << block->head->cls;
    batch->events[block->head->cls] += block->head->events;
  }
}

int tachy_batch_drop(tachy_batch *batch, unsigned classes, uint64_t events[TACHY_CLASSES]) {
  tachy_block *dropped = (tachy_block *)(NULL);
  for (tachy_block **link = (tachy_block **)(&batch->blocks); *link;) {
    tachy_block *const block = (tachy_block *)(*link);
    if (!(classes >> block->head->cls & 1u)) {
      link = &block->next;
      continue;
    }
    events[block->head->cls] += block->head->events;
    *link = block->next;
    block->next = dropped;
    dropped = block;
  }
  if (!dropped) return 0;
  tachy_blocks_free(dropped);
  tachy_bytes_free(&batch->bytes);
  tachy_uuid_random(batch->id);
  tachy_batch_count(batch);
  batch->sealed = 0;
  batch->changed = 1;
  return 1;
}

uint32_t tachy_own_batch_block_count(const tachy_batch *batch) { return batch ? batch->block_count : 0; }

const uint8_t *tachy_own_batch_id(const tachy_batch *batch) { return batch ? batch->id : NULL; }

const void *tachy_own_batch_body(const tachy_batch *batch, uint32_t i, uint64_t *size) {
  const tachy_block *const block = (const tachy_block *)(batch ? batch_block_at(batch, i) : NULL);
  if (size) *size = block ? block->head->stored_size : 0;
  return block ? block->body : NULL;
}

tachy_codec tachy_own_batch_codec(const tachy_batch *batch, uint32_t i) {
  const tachy_block *const block = (const tachy_block *)(batch ? batch_block_at(batch, i) : NULL);
  return block ? (tachy_codec)block->head->codec : TACHY_CODEC_NONE;
}

tachy_status tachy_own_batch_replace(tachy_batch *batch, uint32_t i, tachy_codec codec, const void *bytes,
                                     uint64_t size) {
  tachy_block *const block = (tachy_block *)(batch ? batch_block_at(batch, i) : NULL);
  if (!block || !bytes || codec <= TACHY_CODEC_NONE || codec > TACHY_CODEC_GZIP) return TACHY_ERROR_ARGUMENT;
  if (batch->sealed || block->head->codec != TACHY_CODEC_NONE || size >= block->head->stored_size) return TACHY_OK;
  uint8_t *const copy = (uint8_t *)(tachy_os_allocate(size ? size : 1));
  if (!copy) return TACHY_ERROR_MEMORY;
  memcpy(copy, bytes, size);
  tachy_os_release(block->memory);
  block->memory = block->body = copy;
  block->head->stored_size = size;
  block->head->codec = (uint8_t)codec;
  batch->changed = 1;
  return TACHY_OK;
}

static void batch_seal_block(tachy_block *block) {
  tachy_block_header *const head = (tachy_block_header *)(block->head);
  head->body_hash = tachy_hash(block->body, head->stored_size);
  head->header_hash = 0;
  head->header_hash = tachy_hash(head, head->header_size);
}

static uint64_t batch_size_of(const tachy_batch *batch) {
  uint64_t size = sizeof(tachy_batch_header) + tachy_pad8(batch->description.size);
  for (const tachy_block *block = (const tachy_block *)(batch->blocks); block; block = block->next) {
    size += block->head->header_size + tachy_pad8(block->head->stored_size);
  }
  return size;
}

/* The header and the description. 0: no memory. */
static int batch_make_front(const tachy_batch *batch, tachy_bytes *front) {
  static const uint8_t zeros[8] = {0};
  const uint64_t described = sizeof(tachy_batch_header) + batch->description.size;
  if (!tachy_bytes_reserve(front, tachy_pad8(described))) return 0;
  tachy_batch_header head = {0};
  head.magic = TACHY_BATCH_MAGIC;
  head.version = TACHY_FORMAT_VERSION;
  memcpy(head.batch_id, batch->id, sizeof head.batch_id);
  memcpy(head.process_id, batch->process_id, sizeof head.process_id);
  head.description_size = (uint32_t)batch->description.size;
  head.block_count = batch->block_count;
  head.total_size = batch_size_of(batch);
  tachy_bytes_put(front, &head, sizeof head);
  tachy_bytes_put(front, batch->description.bytes, batch->description.size);
  head.header_hash = tachy_hash(front->bytes, front->size);
  memcpy(front->bytes, &head, sizeof head);
  tachy_bytes_put(front, zeros, tachy_pad8(described) - described);
  return 1;
}

int tachy_batch_write(tachy_batch *batch, tachy_batch_writer *writer, void *context) {
  static const uint8_t zeros[8] = {0};
  tachy_bytes front = {0};
  int ok = batch_make_front(batch, &front) && writer(context, front.bytes, front.size);
  tachy_bytes_free(&front);
  for (tachy_block *block = (tachy_block *)(batch->blocks); block && ok; block = block->next) {
    batch_seal_block(block);
    const uint64_t stored = block->head->stored_size;
    ok = writer(context, block->head, block->head->header_size) && writer(context, block->body, stored) &&
         writer(context, zeros, tachy_pad8(stored) - stored);
  }
  return ok;
}

static int batch_append(void *context, const void *bytes, uint64_t size) {
  tachy_bytes *const to = (tachy_bytes *)(context);
  return tachy_bytes_append(to, bytes, size);
}

const void *tachy_own_batch_bytes(tachy_batch *batch, uint64_t *size) {
  if (size) *size = 0;
  if (!batch) return NULL;
  if (batch->bytes.size == 0 &&
      !(tachy_bytes_reserve(&batch->bytes, batch_size_of(batch)) && tachy_batch_write(batch, batch_append, &batch->bytes))) {
    tachy_bytes_free(&batch->bytes);
    return NULL;
  }
  batch->sealed = 1;
  if (size) *size = batch->bytes.size;
  return batch->bytes.bytes;
}

/* src/recorder/send/description.c */
/* The description of the process: facts, properties, JSON. */


enum { description_FACTS = 6, description_FACT_SIZE = 1024, description_PROPERTIES_MAX = 256, description_KEY_SIZE = 256, description_VALUE_SIZE = 1024 };

typedef struct description_pair {
  char *key;
  char *value;
} description_pair;

static const char *const description_fact_keys[description_FACTS] = {"exe", "username", "realname", "computer", "distro", "cpu_brand"};

static tachy_os_mutex description_mutex = TACHY_OS_MUTEX_INIT;
static uint8_t description_process_id[16];
static char description_facts[description_FACTS][description_FACT_SIZE];
static char description_sdk[128];
static char description_parent[37]; /* "": none */
static char description_destination[256];
static description_pair description_pairs[description_PROPERTIES_MAX];
static size_t description_pair_count;

void tachy_description_lock(void) { tachy_os_lock(&description_mutex); }
void tachy_description_unlock(void) { tachy_os_unlock(&description_mutex); }
void tachy_description_after_fork(void) { tachy_os_mutex_init(&description_mutex); }

void tachy_description_process_id(uint8_t id[16]) {
  tachy_os_lock(&description_mutex);
  memcpy(id, description_process_id, sizeof description_process_id);
  tachy_os_unlock(&description_mutex);
}

static void description_copy(char *to, size_t size, const char *from) {
  const tachy_fit fit = tachy_text_fit(from, strlen(from), size - 1);
  to[tachy_text_put(to, from, &fit)] = 0;
}

/* A copy of at most `size` bytes, the terminator included. */
static char *description_duplicate(const char *text, size_t size) {
  const size_t length = strlen(text);
  if (length < size) size = length + 1;
  char *const bytes = (char *)(tachy_os_allocate(size));
  if (bytes) description_copy(bytes, size, text);
  return bytes;
}

/* 0: no memory, or too many. With 256 properties of this size a description is within what the server takes. */
static int description_set_pair(const char *given_key, const char *value) {
  char key[description_KEY_SIZE];
  description_copy(key, sizeof key, given_key);
  char *const value_copy = (char *)(description_duplicate(value, description_VALUE_SIZE));
  if (!value_copy) return 0;
  for (size_t i = 0; i < description_pair_count; i++) {
    if (strcmp(description_pairs[i].key, key) != 0) continue;
    tachy_os_release(description_pairs[i].value);
    description_pairs[i].value = value_copy;
    return 1;
  }
  char *const key_copy = (char *)(description_pair_count < description_PROPERTIES_MAX ? description_duplicate(key, description_KEY_SIZE) : NULL);
  if (!key_copy) {
    tachy_os_release(value_copy);
    return 0;
  }
  description_pairs[description_pair_count++] = (description_pair){key_copy, value_copy};
  return 1;
}

void tachy_own_set_process_property(const char *key, const char *value) {
  if (!key || tachy_own_forking()) return;
  tachy_os_lock(&description_mutex);
  description_set_pair(key, value ? value : "");
  tachy_os_unlock(&description_mutex);
}

static tachy_status description_set_parent(const char *given) {
  uint8_t id[16];
  char inherited[64];
  description_parent[0] = 0;
  tachy_os_environment("TACHY_PARENT_PROCESS_ID", inherited, sizeof inherited);
  if (given && !tachy_uuid_parse(given, id)) return TACHY_ERROR_ARGUMENT;
  if (given || tachy_uuid_parse(inherited, id)) tachy_uuid_print(id, description_parent);
  return TACHY_OK;
}

/* Without what a URL says of the user, which is nobody's affair but the server's. */
static void description_set_destination(const char *given, char to[sizeof description_destination]) {
  const char *begin = (const char *)(given);
  while (*begin && *begin != ':') begin++;
  const int is_url = begin[0] && begin[1] == '/' && begin[2] == '/';
  begin = is_url ? begin + 3 : given;
  const char *rest = (const char *)(begin);
  for (const char *at = (const char *)(begin); is_url && *at && *at != '/' && *at != '?' && *at != '#'; at++) {
    if (*at == '@') rest = at + 1;
  }
  const uint64_t front = tachy_text_limit(given, (uint64_t)(begin - given), sizeof description_destination - 1);
  memcpy(to, given, front);
  const uint64_t size = tachy_text_limit(rest, strlen(rest), sizeof description_destination - 1 - front);
  memcpy(to + front, rest, size);
  to[front + size] = 0;
}

static tachy_status description_start(const tachy_config *config) {
  while (description_pair_count > 0) {
    description_pair_count--;
    tachy_os_release(description_pairs[description_pair_count].key);
    tachy_os_release(description_pairs[description_pair_count].value);
  }
  for (size_t i = 0; i < config->property_count; i++) {
    if (!config->properties || !config->properties[i].key) return TACHY_ERROR_ARGUMENT;
    if (!description_set_pair(config->properties[i].key, config->properties[i].value ? config->properties[i].value : "")) {
      return description_pair_count == description_PROPERTIES_MAX ? TACHY_ERROR_ARGUMENT : TACHY_ERROR_MEMORY;
    }
  }
  for (unsigned i = 0; i < description_FACTS; i++) tachy_os_describe((tachy_os_fact)i, description_facts[i], description_FACT_SIZE);
  if (config->exe) description_copy(description_facts[TACHY_OS_EXE], description_FACT_SIZE, config->exe);
  description_copy(description_sdk, sizeof description_sdk, config->sdk ? config->sdk : "c " TACHY_VERSION);
  description_set_destination(config->destination ? config->destination : "", description_destination);
  const tachy_status status = description_set_parent(config->parent_process_id);
  if (status != TACHY_OK) return status;
  return tachy_uuid_random(description_process_id) ? TACHY_OK : TACHY_ERROR_SYSTEM;
}

tachy_status tachy_description_start(const tachy_config *config) {
  tachy_os_lock(&description_mutex);
  const tachy_status status = description_start(config);
  tachy_os_unlock(&description_mutex);
  return status;
}

static int description_put(tachy_bytes *json, const char *text) { return tachy_bytes_append(json, text, strlen(text)); }

/* A JSON string; what is not UTF-8 becomes '?'. */
static int description_put_string(tachy_bytes *json, const char *text) {
  static const char digits[] = "0123456789abcdef";
  const uint64_t size = strlen(text);
  if (!tachy_bytes_reserve(json, 6 * size + 2)) return 0;
  tachy_bytes clean = {0};
  if (!tachy_bytes_append(&clean, text, size + 1)) return 0;
  tachy_text_clean(clean.bytes, size);
  tachy_bytes_put(json, "\"", 1);
  for (uint64_t i = 0; i < size; i++) {
    const uint8_t c = clean.bytes[i];
    if (c == '"' || c == '\\') {
      const char escaped[2] = {'\\', (char)c};
      tachy_bytes_put(json, escaped, 2);
    } else if (c < 0x20) {
      const char escaped[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
      tachy_bytes_put(json, escaped, 6);
    } else {
      tachy_bytes_put(json, &c, 1);
    }
  }
  tachy_bytes_put(json, "\"", 1);
  tachy_bytes_free(&clean);
  return 1;
}

static int description_put_member(tachy_bytes *json, const char *key, const char *value) {
  return description_put_string(json, key) && description_put(json, ":") && description_put_string(json, value) && description_put(json, ",");
}

static int description_put_number(tachy_bytes *json, const char *key, uint64_t value) {
  char text[21];
  char *at = (char *)(text + sizeof text - 1);
  *at = 0;
  do *--at = (char)('0' + value % 10);
  while (value /= 10);
  return description_put_string(json, key) && description_put(json, ":") && description_put(json, at) && description_put(json, ",");
}

static int description_write_json(tachy_bytes *json) {
  char id[37];
  tachy_uuid_print(description_process_id, id);
  int ok = description_put(json, "{") && description_put_member(json, "process_id", id);
  ok = ok && (description_parent[0] ? description_put_member(json, "parent_process_id", description_parent) : description_put(json, "\"parent_process_id\":null,"));
  ok = ok && description_put_member(json, "destination", description_destination);
  for (unsigned i = 0; i < description_FACTS; i++) ok = ok && description_put_member(json, description_fact_keys[i], description_facts[i]);
  const tachy_clock_pair begin = tachy_clock_begin();
  ok = ok && description_put_number(json, "tsc_frequency", tachy_clock_frequency()) &&
       description_put_number(json, "start_time", (uint64_t)begin.utc) && description_put_number(json, "start_ticks", begin.ticks) &&
       description_put_member(json, "clock", tachy_clock_name()) && description_put_member(json, "sdk", description_sdk) && description_put(json, "\"properties\":{");
  for (size_t i = 0; i < description_pair_count; i++) {
    ok = ok && (i == 0 || description_put(json, ",")) && description_put_string(json, description_pairs[i].key) && description_put(json, ":") &&
         description_put_string(json, description_pairs[i].value);
  }
  return ok && description_put(json, "}");
}

/* The first that has the key's name is the key: in a value its quotes would be escaped, and properties come later. */
int tachy_description_says(const tachy_bytes *json, const char *key, const char *value) {
  tachy_bytes text = {0};
  int same = 0;
  const int named = description_put_string(&text, key) && description_put(&text, ":");
  const uint64_t front = text.size;
  if (named && description_put_string(&text, value)) {
    uint64_t at = 0;
    while (at + text.size <= json->size && memcmp(json->bytes + at, text.bytes, front) != 0) at++;
    same = at + text.size <= json->size && memcmp(json->bytes + at, text.bytes, text.size) == 0;
  }
  tachy_bytes_free(&text);
  return same;
}

int tachy_description_is_for(const tachy_bytes *json, const char *given) {
  char wanted[sizeof description_destination];
  description_set_destination(given, wanted);
  return tachy_description_says(json, "destination", wanted);
}

int tachy_description_end(tachy_bytes *json, const char *state) {
  return description_put(json, ",\"state\":") && description_put_string(json, state) && description_put(json, "}");
}

int tachy_description_add(tachy_bytes *json, const char *key, const char *value) {
  if (json->size < 2 || json->bytes[json->size - 1] != '}') return 0;
  json->size--;
  const int first = json->bytes[json->size - 1] == '{';
  return (first || description_put(json, ",")) && description_put_string(json, key) && description_put(json, ":") && description_put_string(json, value) &&
         description_put(json, "}");
}

int tachy_description_write(tachy_bytes *json) {
  tachy_os_lock(&description_mutex);
  const int ok = description_write_json(json);
  tachy_os_unlock(&description_mutex);
  return ok;
}

/* src/recorder/send/orphans.c */
/* Orphaned batches: found, measured, dropped, given a session file. */

#include <stdlib.h>


static tachy_os_file orphans_lock = TACHY_OS_NO_FILE; /* held by one thread of the process at a time */
static tachy_os_mutex orphans_mutex = TACHY_OS_MUTEX_INIT;

static int orphans_by_age(const void *a, const void *b) {
  const tachy_file *const x = (const tachy_file *)(a), *const y = (const tachy_file *)(b);
  return x->utc != y->utc ? (x->utc < y->utc ? -1 : 1) : strcmp(x->name, y->name);
}

static int (*is_held)(const uint8_t id[16]);

void tachy_orphans_init(int (*held)(const uint8_t id[16])) { is_held = held; }

/* Everything that lies there; `use` sums it up. Files of orphans come first; returns their number. */
static size_t orphans_look(const char *folder, tachy_bytes *files, tachy_folder_use *use) {
  size_t kept = 0;
  uint8_t owner[16] = {0}; /* of the last session file */
  int ours = 0;
  memset(use, 0, sizeof *use);
  use->oldest = INT64_MAX;
  if (!tachy_folder_list(folder, files)) return 0;
  for (size_t i = 0; i < tachy_file_count(files); i++) {
    const tachy_file at = *tachy_file_at(files, i);
    if (at.kind == TACHY_FILE_SESSION) {
      memcpy(owner, at.id, sizeof owner);
      ours = is_held(at.id);
      use->sessions += !ours;
    } else if (memcmp(owner, at.id, sizeof owner) == 0) {
      *(ours ? &use->ours : &use->others) += at.storage;
    } else {
      use->orphans += at.storage;
      if (at.utc < use->oldest) use->oldest = at.utc;
      *tachy_file_at(files, kept++) = at;
    }
  }
  return kept;
}

void tachy_orphans_measure(const char *folder, tachy_folder_use *use) {
  tachy_bytes files = {0};
  orphans_look(folder, &files, use);
  tachy_bytes_free(&files);
}

int tachy_orphans_open(tachy_orphans *l, const char *folder) {
  memset(l, 0, sizeof *l);
  memcpy(l->folder, folder, strlen(folder) + 1);
  tachy_os_lock(&orphans_mutex);
  if (!tachy_os_folder_lock(&orphans_lock, folder)) {
    tachy_os_unlock(&orphans_mutex);
    return 0;
  }
  tachy_folder_use use;
  const size_t count = orphans_look(folder, &l->files, &use);
  l->files.size = count * sizeof(tachy_file);
  l->storage = use.orphans;
  if (count) qsort(l->files.bytes, count, sizeof(tachy_file), orphans_by_age);
  return 1;
}

void tachy_orphans_close(tachy_orphans *l) {
  tachy_bytes_free(&l->files);
  tachy_os_folder_unlock(&orphans_lock);
  tachy_os_unlock(&orphans_mutex);
}

void tachy_orphans_after_fork(void) {
  tachy_os_mutex_init(&orphans_mutex);
  tachy_os_file_close(&orphans_lock);
}

/* Reads an orphan. 0: there is no memory, or it was unreadable and is gone. */
static int orphans_load(tachy_orphans *l, tachy_file *at, tachy_batch *batch, char *path, tachy_orphans_dropped *dropped) {
  memset(batch, 0, sizeof *batch);
  tachy_folder_path(l->folder, at->name, path);
  batch->path = path;
  const int is_new = at->kind == TACHY_FILE_NEW_BATCH; /* nobody had renamed it yet: the old file is there too */
  const tachy_spool_status status = is_new ? TACHY_SPOOL_DAMAGED : tachy_spool_load(batch);
  if (status == TACHY_SPOOL_OK) return 1;
  if (status == TACHY_SPOOL_DAMAGED) {
    dropped->unreadable += !is_new;
    tachy_os_file_remove(path);
    l->storage -= at->storage;
    at->storage = 0;
  }
  return 0;
}

static void orphans_drop_classes(tachy_orphans *l, tachy_file *at, unsigned classes, tachy_orphans_dropped *dropped) {
  char path[TACHY_PATH_MAX];
  tachy_batch batch;
  int64_t utc;
  if (!orphans_load(l, at, &batch, path, dropped)) return;
  uint64_t events[TACHY_CLASSES] = {0};
  const int found = tachy_batch_drop(&batch, classes, events);
  int gone = 0;
  if (!batch.blocks) {
    gone = tachy_os_file_remove(path);
  } else if (found) {
    batch.file_size = 1;
    gone = tachy_spool_rewrite(&batch);
    /* where there is no room for a second file while the first is there */
    if (!gone) gone = tachy_os_file_remove(path);
  }
  if (gone) {
    uint64_t storage = 0;
    tachy_os_file_look(path, &storage, &utc);
    l->storage = l->storage - at->storage + storage;
    at->storage = storage;
    for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) dropped->events[cls] += events[cls];
  }
  tachy_batch_unload(&batch);
}

void tachy_orphans_drop(tachy_orphans *l, tachy_class cls, uint64_t goal, tachy_orphans_dropped *dropped) {
  for (size_t i = 0; i < tachy_file_count(&l->files) && l->storage > goal; i++) {
    if (tachy_file_at(&l->files, i)->storage) orphans_drop_classes(l, tachy_file_at(&l->files, i), 1u << cls, dropped);
  }
}

void tachy_orphans_expire(tachy_orphans *l, int64_t before, tachy_orphans_dropped *dropped) {
  for (size_t i = 0; i < tachy_file_count(&l->files) && tachy_file_at(&l->files, i)->utc < before; i++) {
    orphans_drop_classes(l, tachy_file_at(&l->files, i), (1u << TACHY_CLASSES) - 1u, dropped);
  }
}

static void orphans_give_session(const tachy_orphans *l, const uint8_t id[16], const char *destination) {
  char name[] = "00000000-0000-0000-0000-000000000000.session";
  char path[TACHY_PATH_MAX];
  tachy_uuid_print(id, name);
  name[36] = '.';
  tachy_folder_path(l->folder, name, path);
  tachy_os_file file;
  if (!tachy_os_file_open(&file, path, TACHY_OS_NEW)) return;
  tachy_session_head head;
  memset(&head, 0, sizeof head);
  head.magic = TACHY_SESSION_MAGIC;
  head.version = TACHY_SESSION_VERSION;
  head.slot_size = (uint16_t)(sizeof(tachy_slot) / 16);
  head.life = TACHY_LIFE_DONE;
  head.commit = UINT64_MAX - 1; /* all that lie there are whole, or were never renamed */
  if (destination) {
    const uint64_t size = tachy_text_limit(destination, strlen(destination), sizeof head.destination - 1);
    memcpy(head.destination, destination, size);
  }
  const int ok = tachy_os_file_write(&file, 0, &head, sizeof head);
  tachy_os_file_close(&file);
  if (!ok) tachy_os_file_remove(path);
}

/* Whether the session's batches are for this destination: the first that can be read speaks for all of them. */
static int orphans_is_for(const tachy_orphans *l, size_t first, const char *destination) {
  for (size_t i = first; i < tachy_file_count(&l->files); i++) {
    const tachy_file *const at = (const tachy_file *)(tachy_file_at(&l->files, i));
    char path[TACHY_PATH_MAX];
    tachy_batch batch;
    if (memcmp(at->id, tachy_file_at(&l->files, first)->id, sizeof at->id) != 0) break;
    memset(&batch, 0, sizeof batch);
    tachy_folder_path(l->folder, at->name, path);
    batch.path = path;
    if (tachy_spool_load(&batch) != TACHY_SPOOL_OK) continue;
    const int wanted = tachy_description_is_for(&batch.description, destination);
    tachy_batch_unload(&batch);
    return wanted;
  }
  return 0;
}

void tachy_orphans_give_sessions(tachy_orphans *l, const char *destination) {
  const size_t count = tachy_file_count(&l->files);
  if (count) qsort(l->files.bytes, count, sizeof(tachy_file), tachy_file_order);
  for (size_t i = 0; i < count; i++) {
    const uint8_t *const id = (const uint8_t *)(tachy_file_at(&l->files, i)->id);
    if (i && memcmp(id, tachy_file_at(&l->files, i - 1)->id, 16) == 0) continue;
    if (!destination || orphans_is_for(l, i, destination)) orphans_give_session(l, id, destination);
  }
}

/* src/recorder/send/queue.h */
/* What waits for the sender: a list of our batches and one of claimed batches, what they take in memory and on disk,
 * and what is dropped when that is too much. Guarded by the outbox's lock. */
#ifndef TACHY_SRC_RECORDER_SEND_QUEUE_H
#define TACHY_SRC_RECORDER_SEND_QUEUE_H
TACHY_HIDE


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

TACHY_SHOW
#endif

/* src/recorder/send/outbox.c */
/* The outbox: what waits for the sender, and what became of every event. */


enum { outbox_LOOKED_AT = 64 /* the part of the disk's limit that may come before the next look at the folder */ };
#define outbox_LOOK_EVERY UINT64_C(5000000000) /* ns */
enum { outbox_ROOM_MIN = 1 << 20 };            /* with less storage than that, batches wait in memory */

#define outbox_QUIET_NS UINT64_C(300000000)
#define outbox_STEP_NS UINT64_C(20000000)

static tachy_os_mutex outbox_mutex = TACHY_OS_MUTEX_INIT;
static tachy_os_condition outbox_changed;
static tachy_queue outbox_queue;
static char outbox_folder[TACHY_FOLDER_MAX]; /* "": none */
static uint64_t outbox_ordinal;
static int64_t outbox_age;        /* ns: what has waited longer is dropped */
static uint64_t outbox_look_at;   /* when the folder is looked at again */
static uint64_t outbox_look_disk; /* what was ours then */
static uint64_t outbox_period;    /* of claims: a close of the outbox ends one; their batches are not taken back in the next */
static int outbox_claiming;       /* without a session: there has been a claim */
static int outbox_next_list;      /* whose batch is taken next */
static int outbox_closed;         /* nothing is put any more; 2: nothing is taken back either */
static uint64_t outbox_waited;    /* ns that ends of programs have waited, in steps that count as STEP_NS at most: a machine
                            * that is too busy to wake us in time is too busy to send as well */
static uint64_t outbox_waited_to; /* monotonic: what is in `waited` */
static uint64_t outbox_resolved_at; /* by `waited`: when the last batch was put, or sent or dropped by the sender */
static uint64_t outbox_moved_at;    /* by `waited`: when a try began or its bytes last moved, unless it has failed */
static int outbox_tried;            /* in this session */
static uint64_t outbox_sender;      /* whose turn it is; 0: nobody's, or there is one that does not ask */
static uint64_t outbox_last_sender;
static uint64_t outbox_interruptions; /* of senders that wait */
static uint8_t outbox_process_id[16];
static tachy_stats outbox_stats;
static tachy_progress outbox_progress;

void tachy_outbox_lock(void) { tachy_os_lock(&outbox_mutex); }
void tachy_outbox_unlock(void) { tachy_os_unlock(&outbox_mutex); }
void tachy_outbox_init(void) { tachy_os_condition_init(&outbox_changed); }

/* Unlocks, then calls back the claims that have been resolved. */
static void outbox_unlock(void) {
  tachy_claim *claim = (tachy_claim *)(outbox_queue.resolved);
  outbox_queue.resolved = NULL;
  tachy_os_unlock(&outbox_mutex);
  while (claim) {
    tachy_claim *const next = (tachy_claim *)(claim->next_resolved);
    claim->resolved(claim);
    claim = next;
  }
}

/* Looks at the folder, since others write there too: not at every batch, for it costs 2 µs per file. */
static void outbox_look(void) {
  tachy_folder_use use;
  tachy_os_lock(&outbox_mutex);
  const uint64_t now = tachy_os_monotonic();
  const int due = outbox_folder[0] && (now >= outbox_look_at || outbox_queue.disk > outbox_look_disk + outbox_queue.disk_limit / outbox_LOOKED_AT);
  char where[TACHY_FOLDER_MAX];
  memcpy(where, outbox_folder, strlen(outbox_folder) + 1);
  tachy_os_unlock(&outbox_mutex);
  if (!due) return;
  tachy_orphans_measure(where, &use);
  tachy_os_lock(&outbox_mutex);
  outbox_queue.use = use;
  outbox_look_at = now + outbox_LOOK_EVERY;
  outbox_look_disk = outbox_queue.disk;
  tachy_queue_expire(&outbox_queue, tachy_os_utc() - outbox_age);
  outbox_unlock();
}

void tachy_outbox_start(const tachy_outbox_bounds *bounds, const char *where, const uint8_t id[16]) {
  /* the rest of the system lives there too */
  const uint64_t room = where[0] ? tachy_os_folder_free(where) / 2 : 0;
  if (room < outbox_ROOM_MIN) where = "";
  tachy_os_lock(&outbox_mutex);
  outbox_queue.session++;
  outbox_ordinal = 0;
  outbox_queue.memory_limit = bounds->memory;
  outbox_queue.disk_limit = bounds->disk < room ? bounds->disk : room;
  outbox_age = bounds->age;
  outbox_closed = 0;
  outbox_tried = 0;
  memcpy(outbox_process_id, id, sizeof outbox_process_id);
  memcpy(outbox_folder, where, strlen(where) + 1);
  memset(&outbox_stats, 0, sizeof outbox_stats);
  memset(&outbox_progress, 0, sizeof outbox_progress);
  memset(outbox_queue.dropped, 0, sizeof outbox_queue.dropped);
  outbox_queue.recovered_lost = 0;
  outbox_queue.folder = outbox_folder;
  memset(&outbox_queue.use, 0, sizeof outbox_queue.use);
  memset(&outbox_queue.orphans_dropped, 0, sizeof outbox_queue.orphans_dropped);
  outbox_queue.use.oldest = INT64_MAX;
  outbox_look_at = 0;
  tachy_os_unlock(&outbox_mutex);
}

void tachy_outbox_report(const tachy_progress *totals) {
  tachy_os_lock(&outbox_mutex);
  outbox_progress = *totals;
  tachy_os_unlock(&outbox_mutex);
}

void tachy_outbox_drop(tachy_class cls, uint64_t events) {
  tachy_os_lock(&outbox_mutex);
  outbox_queue.dropped[cls] += events;
  tachy_os_unlock(&outbox_mutex);
}

void tachy_outbox_dropped(uint64_t dropped[TACHY_CLASSES]) {
  tachy_os_lock(&outbox_mutex);
  for (unsigned cls = 0; cls < TACHY_CLASSES; cls++) dropped[cls] = outbox_progress.dropped[cls] + outbox_queue.dropped[cls];
  tachy_os_unlock(&outbox_mutex);
}

static tachy_batch *outbox_make_batch(tachy_block *blocks, const tachy_bytes *description, int last) {
  tachy_batch *const batch = (tachy_batch *)(tachy_os_allocate(sizeof *batch));
  if (!batch) return NULL;
  memset(batch, 0, sizeof *batch);
  if (!tachy_uuid_random(batch->id)) {
    tachy_os_release(batch);
    return NULL;
  }
  batch->list = TACHY_OURS;
  batch->utc = tachy_os_utc();
  batch->blocks = blocks;
  batch->description = *description;
  batch->last = last;
  batch->loaded = 1;
  tachy_batch_count(batch);
  tachy_os_lock(&outbox_mutex);
  batch->ordinal = ++outbox_ordinal;
  batch->session = outbox_queue.session;
  memcpy(batch->process_id, outbox_process_id, sizeof outbox_process_id);
  if (outbox_folder[0]) batch->path = tachy_spool_path(outbox_folder, tachy_session_file_id(), tachy_session_file_next());
  tachy_os_unlock(&outbox_mutex);
  return batch;
}

tachy_batch *tachy_outbox_make(tachy_block *blocks, tachy_bytes description, int last) {
  tachy_batch *const batch = (tachy_batch *)(description.size ? outbox_make_batch(blocks, &description, last) : NULL);
  if (batch) {
    if (batch->path) tachy_spool_write(batch); /* outside the lock: nobody knows the batch yet */
    return batch;
  }
  tachy_os_lock(&outbox_mutex);
  for (const tachy_block *at = (const tachy_block *)(blocks); at; at = at->next) outbox_queue.dropped[at->head->cls] += at->head->events;
  tachy_os_unlock(&outbox_mutex);
  tachy_blocks_free(blocks);
  tachy_bytes_free(&description);
  return NULL;
}

void tachy_outbox_put(tachy_batch *batch, int last) {
  if (batch) outbox_look();
  tachy_os_lock(&outbox_mutex);
  if (batch) {
    outbox_stats.batches++;
    outbox_stats.blocks += batch->block_count;
    outbox_stats.unprotected += batch->file_size == 0;
    for (const tachy_block *block = (const tachy_block *)(batch->blocks); block; block = block->next) outbox_stats.raw_bytes += block->head->raw_size;
    tachy_queue_append(&outbox_queue, batch);
  }
  if (last) outbox_closed = 1;
  outbox_resolved_at = outbox_moved_at = outbox_waited;
  tachy_os_wake_all(&outbox_changed);
  outbox_unlock();
}

uint64_t tachy_outbox_last_ordinal(void) {
  tachy_os_lock(&outbox_mutex);
  const uint64_t last = outbox_ordinal;
  tachy_os_unlock(&outbox_mutex);
  return last;
}

static int outbox_pending_up_to(uint64_t last) {
  for (const tachy_batch *batch = (const tachy_batch *)(outbox_queue.lists[TACHY_OURS].first); batch; batch = batch->next) {
    if (batch->session == outbox_queue.session) return batch->ordinal <= last;
  }
  if (!outbox_closed) return 0;
  for (const tachy_batch *batch = (const tachy_batch *)(outbox_queue.lists[TACHY_CLAIMED].first); batch; batch = batch->next) {
    if (batch->session == outbox_period && batch->claim && batch->claim->awaited) return 1;
  }
  return 0;
}

/* 0: a program that ends is to wait no longer for a server that takes nothing, because its batches lie in files. 1: it
 * does not end, one of them would be dropped, or on a busy machine the sender has not come to its first try. */
static int outbox_has_patience(void) {
  if (!outbox_closed || !outbox_tried) return 1;
  for (const tachy_batch *batch = (const tachy_batch *)(outbox_queue.lists[TACHY_OURS].first); batch; batch = batch->next) {
    if (batch->session == outbox_queue.session && !batch->disk_accounted) return 1;
  }
  return outbox_waited < outbox_moved_at + outbox_QUIET_NS;
}

int tachy_outbox_wait(uint64_t last, uint64_t deadline) {
  tachy_os_lock(&outbox_mutex);
  const uint64_t waited_for = outbox_queue.session;
  int done;
  for (;;) {
    const uint64_t now = tachy_os_monotonic();
    outbox_waited += now - outbox_waited_to < outbox_STEP_NS ? now - outbox_waited_to : outbox_STEP_NS;
    outbox_waited_to = now;
    done = outbox_queue.session != waited_for || !outbox_pending_up_to(last) || !outbox_has_patience();
    if (done || now >= deadline) break;
    tachy_os_wait(&outbox_changed, &outbox_mutex, outbox_closed && now + outbox_STEP_NS < deadline ? now + outbox_STEP_NS : deadline);
  }
  tachy_os_unlock(&outbox_mutex);
  return done;
}

void tachy_own_batch_moves(void) {
  if (tachy_own_forking()) return;
  tachy_os_lock(&outbox_mutex);
  outbox_moved_at = outbox_waited;
  tachy_os_unlock(&outbox_mutex);
}

/* A batch of the session that will not be taken back: kept in its file, or dropped. */
static void outbox_keep(tachy_batch *batch) {
  if (!batch->file_size) {
    tachy_queue_discard(&outbox_queue, batch);
    return;
  }
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (batch->session == outbox_queue.session) outbox_stats.kept[cls] += batch->events[cls];
  }
  tachy_queue_remove(&outbox_queue, batch);
}

void tachy_outbox_close(void) {
  tachy_os_lock(&outbox_mutex);
  outbox_closed = 2;
  outbox_period++;
  outbox_claiming = 0;
  for (tachy_batch *batch = (tachy_batch *)(outbox_queue.lists[TACHY_OURS].first); batch;) {
    tachy_batch *const next = (tachy_batch *)(batch->next);
    if (!batch->taken && !batch->file_size) tachy_spool_renew(batch); /* the last chance */
    if (!batch->taken) outbox_keep(batch);
    batch = next;
  }
  for (tachy_batch *batch = (tachy_batch *)(outbox_queue.lists[TACHY_CLAIMED].first); batch;) {
    tachy_batch *const next = (tachy_batch *)(batch->next);
    if (!batch->taken) tachy_queue_remove(&outbox_queue, batch);
    batch = next;
  }
  tachy_os_wake_all(&outbox_changed);
  outbox_unlock();
}

void tachy_outbox_add_claimed(tachy_claim *claim, const char *path, uint64_t size) {
  tachy_batch *const batch = (tachy_batch *)(tachy_os_allocate(sizeof *batch));
  char *const copy = (char *)(tachy_os_allocate(strlen(path) + 1));
  int64_t utc = INT64_MAX;
  uint64_t storage;
  tachy_os_file_look(path, &storage, &utc);
  tachy_os_lock(&outbox_mutex);
  claim->batches++;
  if (batch && copy) {
    memset(batch, 0, sizeof *batch);
    memcpy(copy, path, strlen(path) + 1);
    batch->list = TACHY_CLAIMED;
    batch->utc = utc;
    batch->session = outbox_period;
    batch->claim = claim;
    batch->path = copy;
    batch->file_size = size ? size : 1; /* an empty one is damaged, and goes like any other */
    batch->offered = 1;
    batch->classes = (1u << TACHY_CLASSES) - 2u; /* who knows */
    outbox_claiming = 1;
    if (outbox_queue.session == 0 || outbox_closed == 2) outbox_queue.memory_limit = outbox_queue.disk_limit = UINT64_MAX;
    tachy_queue_append(&outbox_queue, batch);
    tachy_os_wake_all(&outbox_changed);
  } else {
    tachy_os_release(batch);
    tachy_os_release(copy);
  }
  outbox_unlock();
}

void tachy_outbox_close_claim(tachy_claim *claim) {
  tachy_os_lock(&outbox_mutex);
  claim->closed = 1;
  tachy_queue_check_claim(&outbox_queue, claim);
  outbox_unlock();
}

/* Whether the batch may wait again. */
static int outbox_is_wanted(const tachy_batch *batch) {
  if (batch->list == TACHY_CLAIMED) return batch->session == outbox_period;
  return batch->session == outbox_queue.session && outbox_closed != 2;
}

/* Whether nothing will come any more, now that nothing waits. */
static int outbox_is_over(void) {
  for (int list = 0; list < TACHY_LISTS; list++) {
    for (const tachy_batch *batch = (const tachy_batch *)(outbox_queue.lists[list].first); batch; batch = batch->next) {
      if (outbox_is_wanted(batch)) return 0; /* it is taken, and may come back */
    }
  }
  return outbox_closed || (outbox_queue.session == 0 && outbox_claiming);
}

/* The next that waits: the lists in turns. */
static tachy_batch *outbox_next_waiting(void) {
  tachy_batch *batch = (tachy_batch *)(tachy_queue_first(&outbox_queue, outbox_next_list));
  if (!batch) outbox_next_list = !outbox_next_list;
  if (!batch) batch = tachy_queue_first(&outbox_queue, outbox_next_list);
  if (batch) outbox_next_list = !outbox_next_list;
  return batch;
}

/* Takes a batch and sees to it that its blocks are in memory, for which it unlocks. NULL: it was unreadable and is
 * dropped, or there is no memory for it (*status): then it waits on. */
static tachy_batch *outbox_take_loaded(tachy_batch *batch, tachy_spool_status *status) {
  *status = TACHY_SPOOL_OK;
  batch->taken = 1;
  tachy_queue_account(&outbox_queue, batch);
  if (!batch->loaded) {
    tachy_os_unlock(&outbox_mutex);
    *status = tachy_spool_load(batch);
    tachy_os_lock(&outbox_mutex);
    if (*status == TACHY_SPOOL_NO_MEMORY) tachy_queue_admit(&outbox_queue, batch);
    if (*status == TACHY_SPOOL_DAMAGED) tachy_queue_discard(&outbox_queue, batch);
    if (*status != TACHY_SPOOL_OK) tachy_os_wake_all(&outbox_changed);
  }
  if (*status != TACHY_SPOOL_OK) return NULL;
  batch->offered = 1;
  return batch;
}

uint64_t tachy_own_sender_begin(uint32_t timeout_ms) {
  if (tachy_own_forking()) return 0;
  const uint64_t deadline = tachy_os_monotonic() + (uint64_t)timeout_ms * 1000000u;
  tachy_os_lock(&outbox_mutex);
  const uint64_t seen = outbox_interruptions;
  int in_time = 1;
  while (outbox_sender && outbox_interruptions == seen && in_time) in_time = tachy_os_wait(&outbox_changed, &outbox_mutex, deadline);
  const uint64_t turn = outbox_sender ? 0 : ++outbox_last_sender;
  if (turn) outbox_sender = turn;
  tachy_os_unlock(&outbox_mutex);
  return turn;
}

void tachy_own_sender_end(uint64_t turn) {
  if (tachy_own_forking()) return;
  tachy_os_lock(&outbox_mutex);
  if (turn == outbox_sender) outbox_sender = 0;
  outbox_interruptions++;
  tachy_os_wake_all(&outbox_changed);
  tachy_os_unlock(&outbox_mutex);
}

tachy_batch *tachy_own_batch_take(uint32_t timeout_ms, int *ended) {
  if (ended) *ended = 0;
  if (tachy_own_forking()) return NULL;
  const uint64_t deadline = tachy_os_monotonic() + (uint64_t)timeout_ms * 1000000u;
  tachy_spool_status status = TACHY_SPOOL_OK;
  tachy_os_lock(&outbox_mutex);
  const uint64_t seen = outbox_interruptions;
  tachy_batch *batch;
  int over;
  int in_time = 1;
  for (;;) {
    batch = outbox_next_waiting();
    if (batch) batch = outbox_take_loaded(batch, &status);
    over = !batch && status == TACHY_SPOOL_OK && outbox_is_over();
    if (batch || over || !in_time || outbox_interruptions != seen) break;
    if (status != TACHY_SPOOL_DAMAGED) in_time = tachy_os_wait(&outbox_changed, &outbox_mutex, deadline);
    status = TACHY_SPOOL_OK;
  }
  if (batch) {
    outbox_tried = 1;
    outbox_moved_at = outbox_waited;
  }
  outbox_unlock();
  if (ended) *ended = over;
  return batch;
}

tachy_batch *tachy_own_batch_take_raw(void) {
  tachy_spool_status status;
  if (tachy_own_forking()) return NULL;
  tachy_os_lock(&outbox_mutex);
  tachy_batch *batch = (tachy_batch *)(outbox_queue.lists[TACHY_OURS].first);
  while (batch && (batch->taken || batch->offered)) batch = batch->next;
  if (batch) batch = outbox_take_loaded(batch, &status);
  outbox_unlock();
  return batch;
}

/* The sender has given it back: it waits again, or what it was is over. */
static void outbox_put_back(tachy_batch *batch) {
  if (outbox_is_wanted(batch)) {
    tachy_queue_admit(&outbox_queue, batch);
  } else if (batch->list == TACHY_OURS) {
    outbox_keep(batch);
  } else {
    tachy_queue_remove(&outbox_queue, batch);
  }
}

static void outbox_count_sent(tachy_batch *batch) {
  if (batch->list == TACHY_CLAIMED) {
    outbox_stats.recovered_batches++;
  } else if (batch->session == outbox_queue.session) {
    for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) outbox_stats.sent[cls] += batch->events[cls];
    outbox_stats.wire_bytes += batch->bytes.size;
  }
  tachy_queue_resolve(&outbox_queue, batch);
  tachy_queue_remove(&outbox_queue, batch);
}

void tachy_own_batch_done(tachy_batch *batch, tachy_outcome outcome) {
  if (!batch || tachy_own_forking()) return;
  tachy_os_lock(&outbox_mutex);
  const int again = outcome == TACHY_RETRY && outbox_is_wanted(batch);
  tachy_os_unlock(&outbox_mutex);
  /* outside the lock: the batch is the caller's still */
  if (again) tachy_spool_renew(batch);
  if (outcome != TACHY_RETRY) tachy_spool_remove(batch);
  tachy_os_lock(&outbox_mutex);
  /* a try that failed was no progress, however far it came: a proxy may take all and have no server */
  if (outcome != TACHY_RETRY) outbox_resolved_at = outbox_waited;
  outbox_moved_at = outbox_resolved_at;
  if (outcome == TACHY_RETRY) {
    outbox_put_back(batch);
  } else if (outcome == TACHY_SENT) {
    outbox_count_sent(batch);
  } else {
    tachy_queue_discard(&outbox_queue, batch);
  }
  tachy_os_wake_all(&outbox_changed);
  outbox_unlock();
}

void tachy_outbox_stats(tachy_stats *out) {
  tachy_os_lock(&outbox_mutex);
  *out = outbox_stats;
  memcpy(out->process_id, outbox_process_id, sizeof outbox_process_id);
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    out->recorded[cls] = outbox_progress.recorded[cls];
    out->dropped[cls] = outbox_progress.dropped[cls] + outbox_queue.dropped[cls];
  }
  out->collector_ns = outbox_progress.collector_ns;
  out->clock_backwards = outbox_progress.clock_backwards;
  out->too_deep = outbox_progress.too_deep;
  out->mismatched = outbox_progress.mismatched;
  out->async_untracked = outbox_progress.async_untracked;
  out->values_dropped = outbox_progress.values_dropped;
  out->outbox_bytes = outbox_queue.memory;
  out->spool_bytes = outbox_queue.disk;
  out->recovered_lost = outbox_queue.recovered_lost + outbox_queue.orphans_dropped.unreadable;
  memcpy(out->left_dropped, outbox_queue.orphans_dropped.events, sizeof out->left_dropped);
  out->not_retained = outbox_progress.not_retained;
  out->flight_overwritten = outbox_progress.overwritten;
  tachy_os_unlock(&outbox_mutex);
}

/* The child has copies of the parent's batches: files and claims are not its own. */
void tachy_outbox_after_fork(void) {
  tachy_os_mutex_init(&outbox_mutex);
  tachy_os_condition_init(&outbox_changed);
  for (int list = 0; list < TACHY_LISTS; list++) {
    for (tachy_batch *batch = (tachy_batch *)(outbox_queue.lists[list].first); batch;) {
      tachy_batch *const next = (tachy_batch *)(batch->next);
      batch->file_size = 0;
      batch->claim = NULL;
      tachy_os_release(batch->path);
      batch->path = NULL;
      if (batch->taken) {
        tachy_queue_account(&outbox_queue, batch);
      } else {
        tachy_queue_discard(&outbox_queue, batch);
      }
      batch = next;
    }
  }
  outbox_queue.resolved = NULL;
  outbox_period++;
  outbox_claiming = 0;
  outbox_closed = 2;
  outbox_sender = 0;
}

/* src/recorder/send/queue.c */
/* What waits: lists, what they take, bounds. */


enum {
  queue_STORAGE_UNIT = 4096, /* what a file system hands out */
  CLEARED = 16 /* the part of the disk's limit that is cleared at once, so that not every batch goes through all */
};

/* What goes first when there is too much. */
static const tachy_class queue_by_worth[] = {TACHY_CLASS_SPAN, TACHY_CLASS_METRIC, TACHY_CLASS_LOG};
enum { queue_CLASSES = 3 };

/* The memory that a batch holds, nearly. */
static uint64_t queue_memory_of(const tachy_batch *batch) {
  uint64_t size = sizeof *batch + batch->description.size + batch->bytes.size;
  if (batch->path) size += strlen(batch->path) + 1;
  for (const tachy_block *block = (const tachy_block *)(batch->blocks); block; block = block->next) size += tachy_block_size(block);
  return size;
}

void tachy_queue_account(tachy_queue *q, tachy_batch *batch) {
  q->memory -= batch->memory_accounted;
  q->disk -= batch->disk_accounted;
  batch->memory_accounted = batch->taken ? 0 : queue_memory_of(batch);
  batch->disk_accounted = (batch->file_size + queue_STORAGE_UNIT - 1) / queue_STORAGE_UNIT * queue_STORAGE_UNIT;
  q->memory += batch->memory_accounted;
  q->disk += batch->disk_accounted;
}

static void queue_unload(tachy_queue *q, tachy_batch *batch) {
  tachy_batch_unload(batch);
  tachy_queue_account(q, batch);
}

void tachy_queue_remove(tachy_queue *q, tachy_batch *batch) {
  tachy_batch_list *const list = (tachy_batch_list *)(&q->lists[batch->list]);
  q->memory -= batch->memory_accounted;
  q->disk -= batch->disk_accounted;
  if (batch->before) {
    batch->before->next = batch->next;
  } else {
    list->first = batch->next;
  }
  if (batch->next) {
    batch->next->before = batch->before;
  } else {
    list->last = batch->before;
  }
  tachy_batch_free(batch);
}

void tachy_queue_check_claim(tachy_queue *q, tachy_claim *claim) {
  if (!claim->closed || claim->batches > 0) return;
  claim->next_resolved = q->resolved;
  q->resolved = claim;
}

void tachy_queue_resolve(tachy_queue *q, tachy_batch *batch) {
  tachy_claim *const claim = (tachy_claim *)(batch->claim);
  if (!claim) return;
  batch->claim = NULL;
  claim->batches--;
  tachy_queue_check_claim(q, claim);
}

/* Counts events of a class as dropped. */
static void queue_count_dropped(tachy_queue *q, tachy_batch *batch, unsigned cls, uint64_t events) {
  if (batch->list == TACHY_OURS && batch->session == q->session) q->dropped[cls] += events;
  if (batch->list == TACHY_CLAIMED && !batch->damaged) {
    batch->damaged = 1;
    q->recovered_lost++;
  }
}

void tachy_queue_discard(tachy_queue *q, tachy_batch *batch) {
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) queue_count_dropped(q, batch, cls, batch->events[cls]);
  tachy_spool_remove(batch);
  tachy_queue_resolve(q, batch);
  tachy_queue_remove(q, batch);
}

tachy_batch *tachy_queue_first(const tachy_queue *q, int list) {
  tachy_batch *batch = (tachy_batch *)(q->lists[list].first);
  while (batch && batch->taken) batch = batch->next;
  return batch;
}

/* Drops the class out of a loaded batch that waits. 0: it has none of it. */
static int queue_drop_blocks(tachy_queue *q, tachy_batch *batch, tachy_class cls) {
  uint64_t events[TACHY_CLASSES] = {0};
  if (!tachy_batch_drop(batch, 1u << cls, events)) return 0;
  queue_count_dropped(q, batch, cls, events[cls]);
  if (batch->list == TACHY_CLAIMED) q->orphans_dropped.events[cls] += events[cls];
  tachy_queue_account(q, batch);
  return 1;
}

static int queue_is_void(const tachy_batch *batch) { return batch->loaded && !batch->blocks && !batch->last; }

/* Drops the blocks of a class out of a batch's file. Where the storage has no room for a second file, the first goes
 * before, and the batch may be left in memory alone. */
static void queue_drop_class(tachy_queue *q, tachy_batch *batch, tachy_class cls) {
  const int loaded = batch->loaded;
  if (!loaded) {
    const tachy_spool_status status = tachy_spool_load(batch);
    if (status == TACHY_SPOOL_NO_MEMORY) return;
    if (status == TACHY_SPOOL_DAMAGED) {
      tachy_queue_discard(q, batch);
      return;
    }
  }
  if (queue_drop_blocks(q, batch, cls) && queue_is_void(batch)) {
    tachy_queue_discard(q, batch);
    return;
  }
  if (batch->changed && !tachy_spool_rewrite(batch)) {
    tachy_spool_remove(batch);
    tachy_spool_rewrite(batch);
  }
  if (!loaded && batch->file_size) tachy_batch_unload(batch);
  tachy_queue_account(q, batch);
}

/* What the processes that run have to leave us: what they do not take, and our share at least, for they clear theirs in
 * turn. Orphans have to fit in, too. */
static uint64_t queue_room_for_us(const tachy_queue *q, uint64_t limit) {
  const uint64_t kept = q->use.ours > q->disk ? q->use.ours - q->disk : 0; /* of earlier sessions of this process */
  const uint64_t others = q->use.others + kept;
  const uint64_t rest = others < limit ? limit - others : 0;
  const uint64_t share = limit / (q->use.sessions + 1);
  return rest > share ? rest : share;
}

static int queue_is_full(const tachy_queue *q) { return q->disk + q->use.orphans > queue_room_for_us(q, q->disk_limit); }

/* Class by class: first orphans, the oldest first, then what is in the queue. */
static void queue_bound_disk(tachy_queue *q) {
  tachy_orphans orphans;
  const int open = q->folder && q->folder[0] && tachy_orphans_open(&orphans, q->folder);
  q->use.orphans = open ? orphans.storage : 0; /* else another process is about it */
  const uint64_t goal = queue_room_for_us(q, q->disk_limit - q->disk_limit / CLEARED);
  for (unsigned i = 0; i < queue_CLASSES && q->disk + q->use.orphans > goal; i++) {
    if (open) {
      tachy_orphans_drop(&orphans, queue_by_worth[i], goal > q->disk ? goal - q->disk : 0, &q->orphans_dropped);
      q->use.orphans = orphans.storage;
    }
    for (int list = 0; list < TACHY_LISTS; list++) {
      for (tachy_batch *batch = (tachy_batch *)(q->lists[list].first); batch && q->disk + q->use.orphans > goal;) {
        tachy_batch *const next = (tachy_batch *)(batch->next);
        if (!batch->taken && batch->file_size && batch->classes >> queue_by_worth[i] & 1u) queue_drop_class(q, batch, queue_by_worth[i]);
        batch = next;
      }
    }
  }
  if (open) tachy_orphans_close(&orphans);
}

void tachy_queue_expire(tachy_queue *q, int64_t before) {
  tachy_orphans orphans;
  if (q->use.oldest < before && tachy_orphans_open(&orphans, q->folder)) {
    tachy_orphans_expire(&orphans, before, &q->orphans_dropped);
    q->use.orphans = orphans.storage;
    q->use.oldest = INT64_MAX;
    tachy_orphans_close(&orphans);
  }
  for (int list = 0; list < TACHY_LISTS; list++) {
    for (tachy_batch *batch = (tachy_batch *)(q->lists[list].first); batch;) {
      tachy_batch *const next = (tachy_batch *)(batch->next);
      if (!batch->taken && batch->utc < before) {
        if (list == TACHY_CLAIMED && (batch->loaded || tachy_spool_load(batch) == TACHY_SPOOL_OK)) {
          for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) q->orphans_dropped.events[cls] += batch->events[cls];
        }
        tachy_queue_discard(q, batch);
      }
      batch = next;
    }
  }
}

/* What has a file leaves the memory, the newest first; of what has none the oldest spans go first and logs last. The
 * batches themselves take memory too: claimed ones are left to a later start, then the oldest of ours are dropped. */
static void queue_bound_memory(tachy_queue *q) {
  tachy_batch_list *const ours = (tachy_batch_list *)(&q->lists[TACHY_OURS]);
  for (tachy_batch *batch = (tachy_batch *)(ours->last); batch && q->memory > q->memory_limit; batch = batch->before) {
    if (!batch->taken && batch->loaded && batch->file_size) queue_unload(q, batch);
  }
  for (unsigned i = 0; i < queue_CLASSES; i++) {
    for (tachy_batch *batch = (tachy_batch *)(ours->first); batch && q->memory > q->memory_limit;) {
      tachy_batch *const next = (tachy_batch *)(batch->next);
      if (!batch->taken && !batch->file_size) queue_drop_blocks(q, batch, queue_by_worth[i]);
      if (!batch->taken && queue_is_void(batch)) tachy_queue_discard(q, batch);
      batch = next;
    }
  }
  for (tachy_batch *batch = (tachy_batch *)(q->lists[TACHY_CLAIMED].last); batch && q->memory > q->memory_limit;) {
    tachy_batch *const before = (tachy_batch *)(batch->before);
    if (!batch->taken) tachy_queue_remove(q, batch);
    batch = before;
  }
  for (tachy_batch *batch = (tachy_batch *)(ours->first); batch && q->memory > q->memory_limit;) {
    tachy_batch *const next = (tachy_batch *)(batch->next);
    if (!batch->taken && !batch->last) tachy_queue_discard(q, batch);
    batch = next;
  }
}

void tachy_queue_admit(tachy_queue *q, tachy_batch *batch) {
  batch->taken = 0;
  tachy_queue_account(q, batch);
  /* claimed ones are read when they are taken, and what comes beyond the limit waits in its file */
  if (batch->file_size && (q->memory > q->memory_limit || batch->list == TACHY_CLAIMED)) queue_unload(q, batch);
  if (q->memory > q->memory_limit) queue_bound_memory(q);
  if (queue_is_full(q)) queue_bound_disk(q);
}

void tachy_queue_append(tachy_queue *q, tachy_batch *batch) {
  tachy_batch_list *const list = (tachy_batch_list *)(&q->lists[batch->list]);
  batch->before = list->last;
  if (list->last) {
    list->last->next = batch;
  } else {
    list->first = batch;
  }
  list->last = batch;
  tachy_queue_admit(q, batch);
}

/* src/recorder/send/retry.c */
/* What an answer means for a batch, and when to try again: the same for every sender. */


enum { retry_FIRST_MS = 250, retry_LONGEST_MS = 30000 };
static const double retry_RETRY_AFTER_MAX_S = 300.0;

/* With these the server says that it has read the batch and that the batch itself is bad. */
static const uint16_t retry_refusals[] = {400, 409, 411, 413, 415, 422};

static tachy_outcome retry_outcome_of(uint32_t status) {
  if (status >= 200 && status < 300) return TACHY_SENT;
  for (size_t i = 0; i < sizeof retry_refusals / sizeof *retry_refusals; i++) {
    if (status == retry_refusals[i]) return TACHY_REFUSED;
  }
  return TACHY_RETRY;
}

/* Half of it is random, so that many programs do not come back together. */
static uint32_t retry_with_jitter(tachy_retry *retry, uint32_t pause_ms) {
  if (retry->random == 0) {
    if (!tachy_os_random(&retry->random, sizeof retry->random)) retry->random = tachy_os_monotonic();
    retry->random |= 1;
  }
  retry->random = retry->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return pause_ms / 2 + (uint32_t)((retry->random >> 33) % (pause_ms - pause_ms / 2 + 1));
}

tachy_outcome tachy_retry_answer(tachy_retry *retry, uint32_t status, double retry_after_s, uint32_t *pause_ms) {
  const tachy_outcome outcome = retry_outcome_of(status);
  *pause_ms = 0;
  if (outcome != TACHY_RETRY) {
    retry->pause_ms = 0;
    return outcome;
  }
  const uint32_t longest = retry->longest_ms ? retry->longest_ms : retry_LONGEST_MS;
  uint64_t next = retry->pause_ms * UINT64_C(2);
  if (next == 0) next = retry->first_ms ? retry->first_ms : retry_FIRST_MS;
  retry->pause_ms = next < longest ? (uint32_t)next : longest;
  *pause_ms = retry_with_jitter(retry, retry->pause_ms);
  if (!(retry_after_s > 0.0)) return outcome; /* a NaN too */
  const double asked = retry_after_s < retry_RETRY_AFTER_MAX_S ? retry_after_s : retry_RETRY_AFTER_MAX_S;
  const uint32_t asked_ms = (uint32_t)(asked * 1000.0);
  if (asked_ms > *pause_ms) *pause_ms = asked_ms;
  return outcome;
}

/* src/recorder/send/spool.c */
/* The files of batches: written, replaced, read back, removed. */


enum { spool_UUID_SIZE = 36, spool_ORDINAL_SIZE = 16 };

typedef struct spool_output {
  tachy_os_file file;
  uint64_t at;
} spool_output;

static char *spool_join(const char *front, const char *back) {
  const size_t size = strlen(front);
  char *const text = (char *)(tachy_os_allocate(size + strlen(back) + 1));
  if (!text) return NULL;
  memcpy(text, front, size);
  memcpy(text + size, back, strlen(back) + 1);
  return text;
}

char *tachy_spool_path(const char *folder, const uint8_t id[16], uint64_t ordinal) {
  static const char digits[] = "0123456789abcdef";
  char name[1 + spool_UUID_SIZE + 1 + spool_ORDINAL_SIZE + sizeof ".batch"];
  name[0] = '/';
  tachy_uuid_print(id, name + 1);
  char *at = (char *)(name + 1 + spool_UUID_SIZE);
  *at++ = '.';
  for (unsigned i = 0; i < spool_ORDINAL_SIZE; i++) *at++ = digits[ordinal >> (60 - 4 * i) & 15];
  memcpy(at, ".batch", sizeof ".batch");
  return spool_join(folder, name);
}

static int spool_put(void *context, const void *bytes, uint64_t size) {
  spool_output *const to = (spool_output *)(context);
  if (size && !tachy_os_file_write(&to->file, to->at, bytes, size)) return 0;
  to->at += size;
  return 1;
}

/* A new file. Returns its size, or 0: there is none. */
static uint64_t spool_write_file(tachy_batch *batch, const char *path) {
  spool_output to;
  to.at = 0;
  if (!tachy_os_file_open(&to.file, path, TACHY_OS_NEW)) return 0;
  const int ok = tachy_batch_write(batch, spool_put, &to);
  tachy_os_file_close(&to.file);
  if (ok) return to.at;
  tachy_os_file_remove(path);
  return 0;
}

int tachy_spool_write(tachy_batch *batch) {
  batch->file_size = spool_write_file(batch, batch->path);
  return batch->file_size != 0;
}

int tachy_spool_rewrite(tachy_batch *batch) {
  char *const path = (char *)(spool_join(batch->path, ".new"));
  if (!path) return 0;
  tachy_os_file_remove(path); /* what a kill may have left */
  const uint64_t size = spool_write_file(batch, path);
  if (size) tachy_os_file_copy_time(batch->path, path); /* what is old stays so */
  const int ok = size && tachy_os_file_rename(path, batch->path);
  if (ok) {
    batch->file_size = size;
    batch->changed = 0;
  } else if (size) {
    tachy_os_file_remove(path);
  }
  tachy_os_release(path);
  return ok;
}

void tachy_spool_renew(tachy_batch *batch) {
  tachy_bytes_free(&batch->bytes);
  if (batch->path && (batch->changed || !batch->file_size)) tachy_spool_rewrite(batch);
}

void tachy_spool_remove(tachy_batch *batch) {
  if (batch->file_size) tachy_os_file_remove(batch->path);
  batch->file_size = 0;
}

/* Reading back: `at` moves over what has been read, `left` is the rest of the file. */
typedef struct spool_input {
  tachy_os_file file;
  uint64_t at;
  uint64_t left;
  int no_memory;
} spool_input;

static int spool_take(spool_input *from, void *bytes, uint64_t size) {
  if (size > from->left || !tachy_os_file_read(&from->file, from->at, bytes, size)) return 0;
  from->at += size;
  from->left -= size;
  return 1;
}

/* Skips the zeros behind so many bytes. */
static int spool_skip_padding(spool_input *from, uint64_t size) {
  const uint64_t padding = tachy_pad8(size) - size;
  if (padding > from->left) return 0;
  from->at += padding;
  from->left -= padding;
  return 1;
}

/* So many bytes, allocated; NULL: they are not there, or no memory. */
static uint8_t *spool_take_new(spool_input *from, uint64_t size) {
  if (size > from->left) return NULL;
  uint8_t *const bytes = (uint8_t *)(tachy_os_allocate(size ? size : 1));
  if (!bytes) {
    from->no_memory = 1;
  } else if (!spool_take(from, bytes, size)) {
    tachy_os_release(bytes);
    return NULL;
  }
  return bytes;
}

static int spool_take_front(spool_input *from, tachy_batch *batch) {
  tachy_batch_header head;
  const uint64_t size = from->left;
  if (!spool_take(from, &head, sizeof head)) return 0;
  if (head.magic != TACHY_BATCH_MAGIC || head.version != TACHY_FORMAT_VERSION || head.total_size != size) return 0;
  uint8_t *const text = (uint8_t *)(spool_take_new(from, head.description_size));
  if (!text) return 0;
  batch->description.bytes = text;
  batch->description.size = batch->description.capacity = head.description_size;
  const uint64_t hash = head.header_hash;
  head.header_hash = 0;
  tachy_bytes front = {0};
  if (!tachy_bytes_append(&front, &head, sizeof head) || !tachy_bytes_append(&front, text, head.description_size)) {
    from->no_memory = 1;
    tachy_bytes_free(&front);
    return 0;
  }
  const int same = tachy_hash(front.bytes, front.size) == hash;
  tachy_bytes_free(&front);
  memcpy(batch->id, head.batch_id, sizeof batch->id);
  memcpy(batch->process_id, head.process_id, sizeof batch->process_id);
  batch->block_count = head.block_count;
  return same && spool_skip_padding(from, head.description_size);
}

static int spool_is_block(const tachy_block_header *head) {
  return head->magic == TACHY_BLOCK_MAGIC && head->version == TACHY_FORMAT_VERSION && head->cls > 0 &&
         head->cls < TACHY_CLASSES && head->header_size >= sizeof *head && head->header_size % 8 == 0;
}

/* The hash of the header with its own field 0. */
static uint64_t spool_hash_of(tachy_block_header *head) {
  const uint64_t stored = head->header_hash;
  head->header_hash = 0;
  const uint64_t hash = tachy_hash(head, head->header_size);
  head->header_hash = stored;
  return hash;
}

static int spool_take_block(spool_input *from, tachy_block *block) {
  tachy_block_header fixed;
  if (!spool_take(from, &fixed, sizeof fixed) || !spool_is_block(&fixed)) return 0;
  from->at -= sizeof fixed;
  from->left += sizeof fixed;
  block->head = (tachy_block_header *)(void *)spool_take_new(from, fixed.header_size);
  if (!block->head || block->head->header_size != fixed.header_size || !spool_is_block(block->head)) return 0;
  if (spool_hash_of(block->head) != block->head->header_hash) return 0;
  const uint64_t stored = block->head->stored_size;
  block->memory = block->body = spool_take_new(from, stored);
  return block->body && tachy_hash(block->body, stored) == block->head->body_hash && spool_skip_padding(from, stored);
}

static int spool_take_blocks(spool_input *from, tachy_batch *batch) {
  tachy_block **link = (tachy_block **)(&batch->blocks);
  for (uint32_t i = 0; i < batch->block_count; i++) {
    tachy_block *const block = (tachy_block *)(tachy_os_allocate(sizeof *block));
    if (!block) {
      from->no_memory = 1;
      return 0;
    }
    memset(block, 0, sizeof *block);
    *link = block;
    link = &block->next;
    if (!spool_take_block(from, block)) return 0;
  }
  return from->left == 0;
}

tachy_spool_status tachy_spool_load(tachy_batch *batch) {
  spool_input from;
  memset(&from, 0, sizeof from);
  if (!batch->path || !tachy_os_file_open(&from.file, batch->path, TACHY_OS_EXISTING)) return TACHY_SPOOL_DAMAGED;
  from.left = tachy_os_file_size(&from.file);
  batch->loaded = spool_take_front(&from, batch) && spool_take_blocks(&from, batch);
  tachy_os_file_close(&from.file);
  if (!batch->loaded) {
    tachy_batch_unload(batch);
    return from.no_memory ? TACHY_SPOOL_NO_MEMORY : TACHY_SPOOL_DAMAGED;
  }
  tachy_batch_count(batch);
  batch->changed = 0;
  return TACHY_SPOOL_OK;
}

/* src/recorder/threads/late.h */
/* tachy_log_text_at: logs that were made earlier, or on another thread, than they are recorded. */
#ifndef TACHY_SRC_RECORDER_THREADS_LATE_H
#define TACHY_SRC_RECORDER_THREADS_LATE_H
TACHY_HIDE


/* Takes the lock, and answers with the slot of the stream "images", which late logs never share; *ticks is raised to
 * its latest time, which counts from now on. NULL: nothing records, or no memory. tachy_late_unlock in any case. */
tachy_slot *tachy_late_lock_images(uint64_t *ticks);

/* Around fork(). */
void tachy_late_lock(void);
void tachy_late_unlock(void);
void tachy_late_after_fork(void);

TACHY_SHOW
#endif

/* src/recorder/session.c */
/* The life of a session: start, stop, flush, and what fork() leaves of it. */


#define session_POOL_STANDARD (UINT64_C(64) << 20)
#define session_POOL_MAX (UINT64_C(16) << 30)

typedef enum session_life { session_IDLE, session_STARTING, session_RUNNING, session_ENDING, session_ENDED, session_STOPPING } session_life;

static tachy_os_mutex session_mutex = TACHY_OS_MUTEX_INIT;
static tachy_os_once_flag session_once = TACHY_OS_ONCE_INIT;
static session_life session_state = session_IDLE;
static uint32_t session_starts; /* of the session that runs, which its stops have not taken back */
static int session_usable;

static void session_lock_life(void) { tachy_os_lock(&session_mutex); }
static void session_unlock_life(void) { tachy_os_unlock(&session_mutex); }

static void session_life_after_fork(void) {
  tachy_os_mutex_init(&session_mutex);
  session_state = session_IDLE;
}

/* What fork() takes, in the order in which it is nested, so that the child finds all in one piece. Meanwhile the
 * forking thread may run anything, signal handlers and other libraries' fork handlers, in the child too: it waits for
 * none of these, since every public function that takes one asks tachy_forking() first. */
static const struct {
  void (*lock)(void);
  void (*unlock)(void);
  void (*after_fork)(void);
} locks[] = {
    {session_lock_life, session_unlock_life, session_life_after_fork},
    {tachy_control_lock, tachy_control_unlock, tachy_control_after_fork},
    {tachy_triggers_lock, tachy_triggers_unlock, tachy_triggers_after_fork},
    {tachy_collector_lock, tachy_collector_unlock, tachy_collector_after_fork},
    {tachy_outbox_lock, tachy_outbox_unlock, tachy_outbox_after_fork},
    {tachy_description_lock, tachy_description_unlock, tachy_description_after_fork},
    {tachy_registry_lock, tachy_registry_unlock, tachy_registry_after_fork},
    {tachy_late_lock, tachy_late_unlock, tachy_late_after_fork},
    {tachy_threads_lock, tachy_threads_unlock, tachy_threads_after_fork},
    {tachy_followers_lock, tachy_followers_unlock, tachy_followers_after_fork},
    {tachy_recover_lock, tachy_recover_unlock, tachy_recover_after_fork},
};
enum { session_LOCKS = sizeof locks / sizeof locks[0] };
static uint32_t session_held;          /* of these, a bit each; the forking thread's */
static uint32_t session_inside_before; /* the same thread's */

/* A handler that forks while its thread forks finds that the outer fork has begun: its child takes what the outer one
 * has not reached yet, and the outer one lets go of that alone. */
static void session_before_fork(void) {
  if (!tachy_forking_begins()) return;
  session_inside_before = tachy_inside_before_fork();
  tachy_threads_fork_begins();
  for (unsigned i = 0; i < session_LOCKS; i++) {
    locks[i].lock();
    session_held |= 1u << i;
  }
}

static void session_after_fork_parent(void) {
  if (!tachy_forking_is_over()) return;
  for (unsigned i = session_LOCKS; i-- > 0;) {
    if (session_held >> i & 1u) locks[i].unlock();
  }
  session_held = 0;
  tachy_threads_fork_ends();
  tachy_forking_ends();
}

static void session_after_fork_child(void) {
  const int over = tachy_forking_is_over();
  tachy_orphans_after_fork();
  tachy_session_file_after_fork();
  for (unsigned i = session_LOCKS; i-- > 0;) locks[i].after_fork();
  tachy_inside_after_fork(session_inside_before);
  session_held = 0;
  if (!over) return;
  tachy_threads_fork_ends();
  tachy_forking_ends();
}

static void session_init(void) {
  tachy_orphans_init(tachy_recover_has);
  tachy_outbox_init();
  tachy_collector_init();
  session_usable = tachy_threads_init();
  tachy_os_on_fork(session_before_fork, session_after_fork_parent, session_after_fork_child);
}

void tachy_library_init(void) { tachy_os_once(&session_once, session_init); }

/* Goes from one state to another; 0: it was not in the first. */
static int session_move(session_life from, session_life to) {
  tachy_os_lock(&session_mutex);
  const int ok = session_state == from;
  if (ok) session_state = to;
  tachy_os_unlock(&session_mutex);
  return ok;
}

/* The session's file and pool, and the names of what is registered already. */
static int session_open_pool(const tachy_config *config, const char *folder) {
  int fresh;
  tachy_registry_lock(); /* nothing registers between the file's making and the saving of what there is */
  const int ok = tachy_session_file_open(folder, config->destination ? config->destination : "",
                                         config->pool_bytes ? config->pool_bytes : session_POOL_STANDARD, &fresh);
  if (fresh) tachy_registry_save();
  tachy_registry_unlock();
  return ok;
}

/* The sites follow at once if they are not all off. */
static void session_set_level(tachy_level level) {
  tachy_registry_lock();
  tachy_filter_set_level(level);
  tachy_registry_unlock();
  tachy_registry_switch_again();
}

static tachy_status session_start(const tachy_config *config) {
  if ((config->pool_bytes && (config->pool_bytes < TACHY_CHUNK_BYTES || config->pool_bytes > session_POOL_MAX)) ||
      config->level > TACHY_LEVEL_TRACE || config->mode > TACHY_MODE_FLIGHT) {
    return TACHY_ERROR_ARGUMENT;
  }
  if (!session_usable) return TACHY_ERROR_SYSTEM;
  const tachy_status status = tachy_description_start(config);
  if (status != TACHY_OK) return status;
  uint8_t process_id[16];
  tachy_description_process_id(process_id);
  tachy_clock_start();
  tachy_triggers_start(config);
  char folder[TACHY_FOLDER_MAX];
  tachy_folder_resolve(config->session_folder, folder, sizeof folder);
  if (!session_open_pool(config, folder)) return TACHY_ERROR_MEMORY;
  if (!tachy_session_file_id()) folder[0] = 0; /* batches of a process that runs have an owner */
  const tachy_outbox_bounds bounds = {
      config->outbox_bytes ? config->outbox_bytes : UINT64_C(64) << 20,
      config->spool_bytes ? config->spool_bytes : UINT64_C(256) << 20,
      (config->spool_seconds ? config->spool_seconds : 7u * 86400u) * INT64_C(1000000000),
  };
  tachy_outbox_start(&bounds, folder, process_id);
  tachy_slots_begin_session();
  tachy_os_on_termination(tachy_session_file_ends); /* before the collector's first commit: from then on the file says
                                                       that whoever is gone was killed, unless this has said more */
  if (!tachy_collector_start(config->flush_ms, config->block_bytes ? config->block_bytes : 1u << 20, process_id)) {
    tachy_os_on_termination(NULL);
    tachy_outbox_close();
    tachy_session_file_done();
    return TACHY_ERROR_SYSTEM;
  }
  TACHY_STORE(&tachy_running, 1);
  tachy_session_file_crash(TACHY_CRASH_UNKNOWN);
  session_set_level(config->level ? config->level : TACHY_LEVEL_TRACE);
  tachy_control_start();
  tachy_registry_switch(1);
  return TACHY_OK;
}

/* STARTING: the caller has taken that state. RUNNING: it has joined. Another part of the program that is starting is
 * waited for. */
static session_life session_start_or_join(void) {
  for (;;) {
    tachy_os_lock(&session_mutex);
    const session_life found = session_state;
    if (found == session_IDLE) {
      session_state = session_STARTING;
      session_starts = 1;
    } else if (found == session_RUNNING) {
      session_starts++;
    }
    tachy_os_unlock(&session_mutex);
    if (found != session_STARTING) return found == session_IDLE ? session_STARTING : found;
    tachy_os_sleep(1000000);
  }
}

/* What a stop has found. */
typedef enum session_end { session_NOTHING, session_OTHERS, session_LAST } session_end;

/* OTHERS: they go on, and the caller's start has been taken back, if it was to be. LAST: the caller has taken the state
 * ENDING. */
static session_end session_end_or_leave(int take_back) {
  session_end found = session_NOTHING;
  tachy_os_lock(&session_mutex);
  if (session_state == session_RUNNING && session_starts > 1) {
    found = session_OTHERS;
    if (take_back) session_starts--;
  } else if (session_state == session_RUNNING) {
    found = session_LAST;
    session_state = session_ENDING;
  }
  tachy_os_unlock(&session_mutex);
  return found;
}

tachy_status tachy_own_start(const tachy_config *config) {
  static const tachy_config standard = {0};
  if (tachy_own_forking()) return TACHY_ERROR_STATE;
  const session_life begun = session_start_or_join();
  if (begun != session_STARTING) return begun == session_RUNNING ? TACHY_JOINED : TACHY_ERROR_STATE;
  const tachy_status status = session_start(config ? config : &standard);
  session_move(session_STARTING, status == TACHY_OK ? session_RUNNING : session_IDLE);
  return status;
}

static void session_end_recording(void) {
  tachy_registry_switch(0);
  uint8_t process_id[16];
  tachy_description_process_id(process_id);
  tachy_recover_children(process_id); /* first: after the last batch the sender goes as soon as nothing waits */
  tachy_collector_stop();             /* which may still record what was lost */
  tachy_control_stop();
  TACHY_STORE(&tachy_running, 0);
  tachy_os_on_termination(NULL);
  session_move(session_ENDING, session_ENDED);
}

void tachy_own_stop_recording(void) {
  if (!tachy_own_forking() && session_end_or_leave(0) == session_LAST) session_end_recording();
}

void tachy_own_stop(uint32_t timeout_ms) {
  const uint64_t deadline = tachy_os_monotonic() + (uint64_t)timeout_ms * 1000000u;
  if (tachy_own_forking()) return;
  const session_end found = session_end_or_leave(1);
  if (found == session_OTHERS) return;
  if (found == session_LAST) session_end_recording();
  const int ended = session_move(session_ENDED, session_STOPPING);
  /* without a session: what tachy_recover has taken over is left to somebody else */
  if (!ended && !(tachy_recover_holds() && session_move(session_IDLE, session_STOPPING))) return;
  if (ended) tachy_outbox_wait(UINT64_MAX, deadline);
  tachy_outbox_close();
  tachy_recover_let_go();
  tachy_session_file_leave();
  session_move(session_STOPPING, session_IDLE);
}

void tachy_own_get_stats(tachy_stats *out) {
  if (!out) return;
  memset(out, 0, sizeof *out);
  if (tachy_own_forking() || tachy_inside()) return;
  tachy_collector_look();
  tachy_outbox_stats(out);
  out->survives = (uint64_t)tachy_session_file_protects();
  out->threads = tachy_slots_attached();
  out->sites = tachy_registry_site_count();
  out->refused = tachy_registry_refused();
  tachy_control_stats(&out->control_version, &out->control_refused);
  out->frequency = tachy_clock_frequency();
  out->clock = tachy_clock_name();
}

uint64_t tachy_own_flush_begin(uint32_t timeout_ms) {
  uint64_t ordinal = 0;
  if (tachy_own_forking()) return 0;
  const uint64_t deadline = tachy_os_monotonic() + (uint64_t)timeout_ms * 1000000u;
  return tachy_collector_cut(deadline, &ordinal) ? ordinal + 1 : 0;
}

int tachy_own_flush_wait(uint64_t flush, uint32_t timeout_ms) {
  const uint64_t deadline = tachy_os_monotonic() + (uint64_t)timeout_ms * 1000000u;
  return flush != 0 && !tachy_own_forking() && tachy_outbox_wait(flush - 1, deadline);
}

int tachy_own_flush(uint32_t timeout_ms) {
  const uint64_t deadline = tachy_os_monotonic() + (uint64_t)timeout_ms * 1000000u;
  const uint64_t flush = tachy_own_flush_begin(timeout_ms);
  const uint64_t now = tachy_os_monotonic();
  return tachy_own_flush_wait(flush, deadline > now ? (uint32_t)((deadline - now) / 1000000u) : 0);
}

void tachy_own_set_crash_kind(tachy_crash_kind kind) {
  if (!tachy_own_forking()) tachy_session_file_crash((uint32_t)kind);
}

void tachy_own_set_level(tachy_level level) {
  if (level < TACHY_LEVEL_FATAL || level > TACHY_LEVEL_TRACE || tachy_own_forking() || tachy_inside()) return;
  session_set_level(level);
}

/* src/recorder/sites/filter.c */
/* Which sites are on: asked when a site registers and when a rule changes, never by an event. */

#include <string.h>


static tachy_rules filter_own = {TACHY_LEVEL_TRACE, 1, 0, {{0, TACHY_LEVEL_NONE, {0}}}};
static tachy_rules filter_over; /* the server's */
static uint32_t filter_off;     /* classes that the program has switched off, a bit each */

static tachy_rule *filter_find(tachy_rules *rules, const char *category, size_t size) {
  for (uint32_t i = 0; i < rules->count; i++) {
    tachy_rule *const rule = (tachy_rule *)(&rules->rules[i]);
    if (rule->size == size && memcmp(rule->category, category, size) == 0) return rule;
  }
  return NULL;
}

int tachy_rules_put(tachy_rules *rules, const char *category, size_t size, tachy_level level) {
  if (size == 0 || size > TACHY_CATEGORY_MAX) return 0;
  tachy_rule *rule = (tachy_rule *)(filter_find(rules, category, size));
  if (!rule) {
    if (rules->count == TACHY_RULES_MAX) return 0;
    rule = &rules->rules[rules->count++];
    rule->size = (uint32_t)size;
    memcpy(rule->category, category, size);
  }
  rule->level = level;
  return 1;
}

static int filter_covers(const tachy_rule *rule, const char *target, size_t size) {
  return rule->size <= size && memcmp(rule->category, target, rule->size) == 0 &&
         (rule->size == size || target[rule->size] == '.');
}

/* The rule with the longest category that covers the target, if it is at least `size_min` long. */
static const tachy_rule *filter_longest(const tachy_rules *rules, const char *target, size_t size, uint32_t size_min) {
  const tachy_rule *best = (const tachy_rule *)(NULL);
  for (uint32_t i = 0; i < rules->count; i++) {
    const tachy_rule *const rule = (const tachy_rule *)(&rules->rules[i]);
    if (rule->size < size_min || !filter_covers(rule, target, size)) continue;
    best = rule;
    size_min = rule->size + 1;
  }
  return best;
}

static tachy_class filter_class_of_kind(uint8_t kind) {
  switch (kind) {
    case TACHY_SITE_LOG:
      return TACHY_CLASS_LOG;
    case TACHY_SITE_METRIC_INT:
    case TACHY_SITE_METRIC_F64:
    case TACHY_SITE_METRIC_TICKS:
    case TACHY_SITE_FRAME:
      return TACHY_CLASS_METRIC;
    default:
      return TACHY_CLASS_SPAN;
  }
}

int tachy_filter_passes(uint8_t kind, uint8_t level, const char *target, size_t size) {
  if (filter_off >> filter_class_of_kind(kind) & 1u) return 0;
  tachy_level limit = filter_over.has_level ? filter_over.level : filter_own.level;
  const tachy_rule *const below = (const tachy_rule *)(filter_longest(&filter_own, target, size, 1));
  const tachy_rule *const above = (const tachy_rule *)(filter_longest(&filter_over, target, size, below ? below->size : 1));
  if (above) {
    limit = above->level;
  } else if (below) {
    limit = below->level;
  }
  if (limit == TACHY_LEVEL_NONE) return 0;
  return level <= (uint8_t)limit; /* a site without a level has the level 0 */
}

void tachy_filter_set_level(tachy_level level) { filter_own.level = level; }

void tachy_filter_lay_over(const tachy_rules *rules) {
  if (rules) {
    filter_over = *rules;
  } else {
    filter_over.has_level = 0;
    filter_over.count = 0;
  }
}

void tachy_own_set_category(const char *category, tachy_level level) {
  if (!category || (unsigned)level > TACHY_LEVEL_TRACE || tachy_own_forking() || tachy_inside()) return;
  tachy_registry_lock();
  const int put = tachy_rules_put(&filter_own, category, strlen(category), level);
  if (!put) tachy_registry_refuse();
  tachy_registry_unlock();
  if (put) tachy_registry_switch_again();
}

void tachy_own_unset_category(const char *category) {
  if (!category || tachy_own_forking() || tachy_inside()) return;
  tachy_registry_lock();
  tachy_rule *const rule = (tachy_rule *)(filter_find(&filter_own, category, strlen(category)));
  if (rule) *rule = filter_own.rules[--filter_own.count];
  tachy_registry_unlock();
  if (rule) tachy_registry_switch_again();
}

void tachy_own_set_class(tachy_class cls, int on) {
  if (cls < TACHY_CLASS_LOG || cls > TACHY_CLASS_SPAN || tachy_own_forking() || tachy_inside()) return;
  tachy_registry_lock();
  filter_off = on ? filter_off & ~(1u << cls) : filter_off | 1u << cls;
  tachy_registry_unlock();
  tachy_registry_switch_again();
}

/* src/recorder/sites/strings.h */
/* Strings of the registry: equal text has one number, from 0, for the life of the process. Under the registry's lock.
 */
#ifndef TACHY_SRC_RECORDER_SITES_STRINGS_H
#define TACHY_SRC_RECORDER_SITES_STRINGS_H
TACHY_HIDE


#define TACHY_NO_STRING UINT32_MAX
#define TACHY_STRING_MAX 65536u /* bytes; a longer one is cut and marked */

/* TACHY_NO_STRING: no memory, or it is not there and is not to be added. */
uint32_t tachy_strings_number(const char *text, uint64_t size, int add);
tachy_string tachy_strings_text(uint32_t number);
/* Write all of them into a new session file. */
void tachy_strings_save(void);
void tachy_sets_save(void);

/* A list that grows and never moves: chunks of doubling size. */
typedef struct tachy_list {
  uint8_t *chunks[32];
  uint32_t count;
} tachy_list;

/* Memory for the life of the process, zeroed, or NULL. Not of the heap: a signal handler may register what it records,
 * and may have interrupted malloc. */
void *tachy_registry_memory(size_t size);
/* The last piece, if it is not larger than a string. */
void tachy_registry_take_back(void *memory, size_t size);

/* Room for one more; 0: no memory. */
int tachy_list_reserve(tachy_list *list, size_t item_size);
/* A new item, zeroed, or NULL. */
void *tachy_list_add(tachy_list *list, size_t item_size);
void *tachy_list_at(const tachy_list *list, uint32_t index, size_t item_size);

/* Heads of hash chains; 0 ends a chain, so items count from 1. */
typedef struct tachy_chains {
  uint32_t *heads;
  uint32_t mask;
} tachy_chains;

/* The head for a hash, or NULL while there is no memory. */
uint32_t *tachy_chains_head(tachy_chains *chains, uint64_t hash);

TACHY_SHOW
#endif

/* src/recorder/sites/sets.c */
/* Property sets: numbers for sets of text pairs, by value. */
#include <string.h>


enum { sets_SETS_MAX = 65535, sets_PAIRS_MAX = 32 };

static tachy_list sets_sets; /* of tachy_set_entry pointers */
static tachy_chains sets_chains;

static tachy_set_entry *sets_set_at(uint32_t number) {
  return *(tachy_set_entry **)tachy_list_at(&sets_sets, number - 1, sizeof(tachy_set_entry *));
}

const tachy_set_entry *tachy_registry_set(const void *unused, uint32_t number) {
  (void)unused;
  tachy_registry_lock();
  const tachy_set_entry *const set = (const tachy_set_entry *)(number - 1 < sets_sets.count ? sets_set_at(number) : NULL);
  tachy_registry_unlock();
  return set;
}

/* Sorted by the keys' numbers, each key once, the last value given wins. Returns the number of pairs, or -1. When no
 * set can be added its strings are not either: who makes sets without end must not fill the memory. */
static int sets_collect(const tachy_property *pairs, size_t count, uint32_t *strings) {
  unsigned used = 0;
  const int add = sets_sets.count < sets_SETS_MAX;
  for (size_t i = 0; i < count; i++) {
    const char *const key = (const char *)(pairs[i].key ? pairs[i].key : "");
    const char *const value = (const char *)(pairs[i].value ? pairs[i].value : "");
    const uint32_t key_number = tachy_strings_number(key, strlen(key), add);
    const uint32_t value_number = tachy_strings_number(value, strlen(value), add);
    if (key_number == TACHY_NO_STRING || value_number == TACHY_NO_STRING) return -1;
    unsigned at = 0;
    while (at < used && strings[2 * at] < key_number) at++;
    if (at == used || strings[2 * at] != key_number) {
      memmove(&strings[2 * at + 2], &strings[2 * at], 2 * (used - at) * sizeof *strings);
      used++;
    }
    strings[2 * at] = key_number;
    strings[2 * at + 1] = value_number;
  }
  return (int)used;
}

static void sets_save(const tachy_set_entry *set) { tachy_session_file_name(TACHY_NAME_SET, set->strings, set->count * 8); }

static uint32_t sets_number_of(const uint32_t *strings, uint32_t count) {
  const size_t size = 2 * count * sizeof *strings;
  uint32_t *const head = (uint32_t *)(tachy_chains_head(&sets_chains, tachy_hash(strings, size)));
  if (!head) return 0;
  for (uint32_t at = *head; at; at = sets_set_at(at)->next) {
    if (sets_set_at(at)->count == count && memcmp(sets_set_at(at)->strings, strings, size) == 0) return at;
  }
  if (sets_sets.count >= sets_SETS_MAX) return 0;
  tachy_set_entry *const set = (tachy_set_entry *)((tachy_set_entry *)tachy_registry_memory(sizeof *set + size));
  tachy_set_entry **const item = (tachy_set_entry **)(set ? tachy_list_add(&sets_sets, sizeof *item) : NULL);
  if (!item) return 0;
  set->count = count;
  memcpy(set->strings, strings, size);
  set->next = *head;
  *head = sets_sets.count;
  *item = set;
  sets_save(set);
  return sets_sets.count;
}

void tachy_sets_save(void) {
  for (uint32_t number = 1; number <= sets_sets.count; number++) sets_save(sets_set_at(number));
}

uint32_t tachy_own_property_set(const tachy_property *pairs, size_t count) {
  if (!pairs || count == 0 || tachy_own_forking()) return 0;
  if (tachy_inside()) {
    tachy_registry_refuse();
    return 0;
  }
  uint32_t strings[2 * sets_PAIRS_MAX];
  tachy_registry_lock();
  const int used = count <= sets_PAIRS_MAX ? sets_collect(pairs, count, strings) : -1;
  const uint32_t number = used > 0 ? sets_number_of(strings, (uint32_t)used) : 0;
  if (number == 0) tachy_registry_refuse();
  tachy_registry_unlock();
  return number;
}

/* src/recorder/sites/sites.c */
/* Sites: numbers for descriptions of instrumented lines of code, and the switch that turns them on and off.
 *
 * A static site is written only while its module is certainly mapped: in tachy_site_register_, which its module calls,
 * and under the loader's lock, after its whole description has been compared with our copy. */
#include <string.h>


/* Where a static site lies, and where its text did when it registered. */
typedef struct sites_instance {
  tachy_site *site;
  const char *texts[TACHY_SITE_TEXTS];
  uint32_t number;
  uint32_t next;
} sites_instance;

static tachy_os_mutex sites_mutex = TACHY_OS_MUTEX_INIT;
static tachy_list sites_entries;
static tachy_chains sites_entry_chains;
static tachy_list sites_instances;
static tachy_chains sites_instance_chains;
static uint32_t sites_free_instances; /* chain of those whose module has gone */
static uint64_t sites_refused;        /* atomic */
static uint32_t sites_switched_on;    /* atomic, for handlers */

void tachy_registry_lock(void) { tachy_inside_lock(&sites_mutex); }
void tachy_registry_unlock(void) { tachy_inside_unlock(&sites_mutex); }

void tachy_registry_after_fork(void) {
  tachy_os_mutex_init(&sites_mutex);
  TACHY_STORE(&sites_switched_on, 0);
}

static tachy_site_entry *sites_entry_at(uint32_t number) {
  return (tachy_site_entry *)tachy_list_at(&sites_entries, number - 1, sizeof(tachy_site_entry));
}

static sites_instance *sites_instance_at(uint32_t index) { return (sites_instance *)tachy_list_at(&sites_instances, index - 1, sizeof(sites_instance)); }

static void sites_find_sites(const void *unused, const uint32_t *numbers, uint32_t count, const tachy_site_entry **found) {
  (void)unused;
  tachy_registry_lock();
  for (uint32_t i = 0; i < count; i++) found[i] = numbers[i] - 1 < sites_entries.count ? sites_entry_at(numbers[i]) : NULL;
  tachy_registry_unlock();
}

static void sites_find_strings(const void *unused, const uint32_t *numbers, uint32_t count, tachy_string *found) {
  (void)unused;
  tachy_registry_lock();
  for (uint32_t i = 0; i < count; i++) found[i] = tachy_strings_text(numbers[i]);
  tachy_registry_unlock();
}

const tachy_names tachy_registry_names = {sites_find_sites, sites_find_strings, tachy_registry_set, NULL};

uint32_t tachy_registry_site_count(void) {
  tachy_registry_lock();
  const uint32_t count = sites_entries.count;
  tachy_registry_unlock();
  return count;
}

uint64_t tachy_registry_refused(void) { return TACHY_LOAD(&sites_refused); }

void tachy_registry_refuse(void) { tachy_add(&sites_refused, 1); }

/* The site's first word as it should be now. */
static int32_t sites_switched(uint32_t number) {
  const tachy_site_entry *const entry = (const tachy_site_entry *)(sites_entry_at(number));
  const tachy_string target = tachy_strings_text(entry->strings[TACHY_TEXT_TARGET]);
  const int on = sites_switched_on && tachy_filter_passes(entry->kind, entry->level, target.text, target.size);
  return on ? (int32_t)number : -(int32_t)number;
}

static void sites_save(const tachy_site_entry *site) {
  tachy_name_site name = {site->line, site->kind, site->level, 0, {0}};
  memcpy(name.strings, site->strings, sizeof name.strings);
  tachy_session_file_name(TACHY_NAME_SITE, &name, sizeof name);
}

/* The number of the description, a new one if need be; 0: no memory or no number left. */
static uint32_t sites_number_of(const tachy_site *site) {
  const char *const texts[TACHY_SITE_TEXTS] = {site->name, site->target, site->file, site->unit};
  tachy_site_entry wanted;
  memset(&wanted, 0, sizeof wanted);
  wanted.line = site->line;
  wanted.kind = site->kind;
  wanted.level = site->level;
  for (unsigned i = 0; i < TACHY_SITE_TEXTS; i++) {
    const char *const text = (const char *)(texts[i] ? texts[i] : "");
    wanted.strings[i] = tachy_strings_number(text, strlen(text), sites_entries.count < TACHY_SITE_MAX);
    if (wanted.strings[i] == TACHY_NO_STRING) return 0;
  }
  const uint64_t hash = tachy_hash(&wanted, offsetof(tachy_site_entry, next));
  uint32_t *const head = (uint32_t *)(tachy_chains_head(&sites_entry_chains, hash));
  if (!head) return 0;
  for (uint32_t at = *head; at; at = sites_entry_at(at)->next) {
    if (memcmp(sites_entry_at(at), &wanted, offsetof(tachy_site_entry, next)) == 0) return at;
  }
  if (sites_entries.count >= TACHY_SITE_MAX) return 0;
  tachy_site_entry *const entry = (tachy_site_entry *)(tachy_list_add(&sites_entries, sizeof *entry));
  if (!entry) return 0;
  *entry = wanted;
  entry->next = *head;
  *head = sites_entries.count;
  sites_save(entry);
  return sites_entries.count;
}

void tachy_registry_save(void) {
  tachy_strings_save();
  tachy_sets_save();
  for (uint32_t number = 1; number <= sites_entries.count; number++) sites_save(sites_entry_at(number));
}

static uint32_t *sites_instance_chain(const tachy_site *site) {
  const uintptr_t address = (uintptr_t)site;
  return tachy_chains_head(&sites_instance_chains, tachy_mix64((uint64_t)address));
}

/* Remembers where the site lies, so that it can be switched. 0: no memory. */
static int sites_remember(tachy_site *site, uint32_t number) {
  uint32_t *const head = (uint32_t *)(sites_instance_chain(site));
  if (!head) return 0;
  uint32_t at = *head;
  while (at && sites_instance_at(at)->site != site) at = sites_instance_at(at)->next;
  if (!at) {
    if (sites_free_instances) {
      at = sites_free_instances;
      sites_free_instances = sites_instance_at(at)->next;
    } else {
      if (!tachy_list_add(&sites_instances, sizeof(sites_instance))) return 0;
      at = sites_instances.count;
    }
    sites_instance_at(at)->next = *head;
    *head = at;
  }
  sites_instance *const held = (sites_instance *)(sites_instance_at(at));
  held->site = site;
  held->number = number;
  held->texts[TACHY_TEXT_NAME] = site->name;
  held->texts[TACHY_TEXT_TARGET] = site->target;
  held->texts[TACHY_TEXT_FILE] = site->file;
  held->texts[TACHY_TEXT_UNIT] = site->unit;
  return 1;
}

/* In a handler that has interrupted this or the like: the event that wants the number is lost. */
static void sites_drop_event(const tachy_site *site) {
  static const uint8_t classes[] = {TACHY_CLASS_SPAN,   TACHY_CLASS_LOG,    TACHY_CLASS_METRIC, TACHY_CLASS_METRIC,
                                    TACHY_CLASS_METRIC, TACHY_CLASS_METRIC, TACHY_CLASS_SPAN,   0};
  if (TACHY_LOAD(&sites_switched_on) && site->kind < sizeof classes) tachy_inside_drop(classes[site->kind]);
}

int32_t tachy_own_site_register_(tachy_site *site) {
  if (tachy_own_forking()) return 0;
  if (tachy_inside()) {
    sites_drop_event(site);
    return 0;
  }
  tachy_registry_lock();
  int32_t id = TACHY_LOAD(&site->id);
  if (id == 0) {
    const uint32_t number = sites_number_of(site);
    if (number && sites_remember(site, number)) {
      id = sites_switched(number);
      TACHY_STORE(&site->id, id);
    } else {
      tachy_registry_refuse();
    }
  }
  tachy_registry_unlock();
  return id;
}

tachy_site *tachy_own_site_intern(tachy_site_kind kind, tachy_level level, const char *target, const char *name,
                                  const char *file, uint32_t line, const char *unit) {
  if (tachy_own_forking()) return NULL;
  if (tachy_inside()) {
    tachy_registry_refuse();
    return NULL;
  }
  const tachy_site wanted = {0, line, (uint8_t)kind, (uint8_t)level, 0, name, target, file, unit};
  tachy_registry_lock();
  const uint32_t number = sites_number_of(&wanted);
  tachy_site *site = (tachy_site *)(number ? sites_entry_at(number)->interned : NULL);
  if (number && !site) {
    site = (tachy_site *)tachy_registry_memory(sizeof *site);
    if (site) {
      const tachy_site_entry *const entry = (const tachy_site_entry *)(sites_entry_at(number));
      *site = wanted;
      site->name = tachy_strings_text(entry->strings[TACHY_TEXT_NAME]).text;
      site->target = tachy_strings_text(entry->strings[TACHY_TEXT_TARGET]).text;
      site->file = tachy_strings_text(entry->strings[TACHY_TEXT_FILE]).text;
      site->unit = tachy_strings_text(entry->strings[TACHY_TEXT_UNIT]).text;
      TACHY_STORE(&site->id, sites_switched(number));
      sites_entry_at(number)->interned = site;
    }
  }
  if (!site) tachy_registry_refuse();
  tachy_registry_unlock();
  return site;
}

/* The end of the mapped part that holds the address, or 0. */
static uintptr_t sites_mapped_until(const tachy_os_range *ranges, size_t count, uintptr_t address, int writable) {
  size_t low = 0;
  size_t high = count;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (ranges[middle].end <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == count || ranges[low].begin > address || (writable && !ranges[low].writable)) return 0;
  return ranges[low].end;
}

/* Whether the site that registered there is still there. Text is compared only where it lay then. */
static int sites_still_there(const sites_instance *held, const tachy_os_range *ranges, size_t count) {
  const uintptr_t address = (uintptr_t)held->site;
  const uintptr_t end = sites_mapped_until(ranges, count, address, 1);
  if (end == 0 || end - address < sizeof(tachy_site)) return 0;
  const tachy_site *const site = (const tachy_site *)(held->site);
  const tachy_site_entry *const entry = (const tachy_site_entry *)(sites_entry_at(held->number));
  const int32_t id = TACHY_LOAD(&site->id);
  if ((id < 0 ? -id : id) != (int32_t)held->number) return 0;
  if (site->line != entry->line || site->kind != entry->kind || site->level != entry->level) return 0;
  const char *const texts[TACHY_SITE_TEXTS] = {site->name, site->target, site->file, site->unit};
  for (unsigned i = 0; i < TACHY_SITE_TEXTS; i++) {
    if (texts[i] != held->texts[i]) return 0;
    if (!texts[i]) continue;
    const tachy_string copy = tachy_strings_text(entry->strings[i]);
    const uintptr_t until = sites_mapped_until(ranges, count, (uintptr_t)texts[i], 0);
    if (until == 0 || until - (uintptr_t)texts[i] <= copy.size) return 0;
    /* text that was shortened or repaired when it was copied differs from its copy: then the address must do */
    const int shortened = copy.size > TACHY_STRING_MAX - sizeof(tachy_fit);
    if (!shortened && memchr(copy.text, '?', copy.size) == NULL && memcmp(texts[i], copy.text, copy.size) != 0)
      return 0;
  }
  return 1;
}

static void sites_forget(uint32_t at) {
  uint32_t *link = (uint32_t *)(sites_instance_chain(sites_instance_at(at)->site));
  while (*link != at) link = &sites_instance_at(*link)->next;
  *link = sites_instance_at(at)->next;
  sites_instance_at(at)->site = NULL;
  sites_instance_at(at)->next = sites_free_instances;
  sites_free_instances = at;
}

static int sites_by_address(const void *a, const void *b) {
  const tachy_os_range *const x = (const tachy_os_range *)(a), *const y = (const tachy_os_range *)(b);
  return (x->begin > y->begin) - (x->begin < y->begin);
}

typedef struct sites_parts {
  tachy_bytes ranges; /* tachy_os_range */
  int failed;
} sites_parts;

static void sites_add_part(void *context, tachy_os_range range) {
  sites_parts *const of = (sites_parts *)(context);
  if (!tachy_bytes_append(&of->ranges, &range, sizeof range)) of->failed = 1;
}

static void sites_switch_instances(void *context) {
  const sites_parts *const of = (const sites_parts *)(context);
  tachy_os_range *const ranges = (tachy_os_range *)((tachy_os_range *)(void *)of->ranges.bytes);
  const size_t count = of->ranges.size / sizeof *ranges;
  if (of->failed || count == 0) return;
  qsort(ranges, count, sizeof *ranges, sites_by_address);
  for (uint32_t at = 1; at <= sites_instances.count; at++) {
    const sites_instance *const held = (const sites_instance *)(sites_instance_at(at));
    if (!held->site) continue;
    if (sites_still_there(held, ranges, count)) {
      TACHY_STORE(&held->site->id, sites_switched(held->number));
    } else {
      sites_forget(at);
    }
  }
}

/* The sites of ours; those of modules follow without the lock, see tachy_os_with_modules. */
static void sites_switch_interned(void) {
  for (uint32_t number = 1; number <= sites_entries.count; number++) {
    tachy_site *const site = (tachy_site *)(sites_entry_at(number)->interned);
    if (site) TACHY_STORE(&site->id, sites_switched(number));
  }
}

static void sites_switch_modules(void) {
  tachy_inside_begins();
  sites_parts of = {{0}, 0};
  tachy_os_with_modules(&sites_mutex, sites_add_part, sites_switch_instances, &of);
  tachy_bytes_free(&of.ranges);
  tachy_inside_ends();
}

void tachy_registry_switch(int on) {
  tachy_registry_lock();
  TACHY_STORE(&sites_switched_on, (uint32_t)on);
  sites_switch_interned();
  tachy_registry_unlock();
  sites_switch_modules();
}

void tachy_registry_switch_again(void) {
  tachy_registry_lock();
  const uint32_t on = sites_switched_on;
  if (on) sites_switch_interned();
  tachy_registry_unlock();
  if (on) sites_switch_modules();
}

/* src/recorder/sites/strings.c */
/* Strings of the registry, and the two containers that the registry is made of. */

#include <string.h>


enum { strings_FIRST_CHUNK = 256, strings_CHAINS = 1 << 14, strings_ARENA = 1 << 20, strings_ALONE = strings_ARENA / 4 };

typedef struct strings_string_entry {
  tachy_string string;
  uint32_t next;
} strings_string_entry;

static tachy_list strings_strings;
static tachy_chains strings_chains;

/* What the registry keeps lies one after the other in mappings of ARENA bytes; what is large has one of its own. */
static uint8_t *strings_arena;
static size_t strings_arena_left;

static size_t strings_rounded(size_t size) { return (size + 15) & ~(size_t)15; }

void *tachy_registry_memory(size_t size) {
  size = strings_rounded(size);
  if (size > strings_ALONE) return tachy_os_map(size);
  if (size > strings_arena_left) {
    uint8_t *const more = (uint8_t *)((uint8_t *)tachy_os_map(strings_ARENA));
    if (!more) return NULL;
    strings_arena = more;
    strings_arena_left = strings_ARENA;
  }
  void *const memory = (void *)(strings_arena);
  strings_arena += size;
  strings_arena_left -= size;
  return memory;
}

void tachy_registry_take_back(void *memory, size_t size) {
  size = strings_rounded(size);
  TACHY_ASSERT(size <= strings_ALONE && (uint8_t *)memory + size == strings_arena);
  memset(memory, 0, size);
  strings_arena -= size;
  strings_arena_left += size;
}

/* Chunk c holds FIRST_CHUNK << c items. */
static unsigned strings_chunk_of(uint32_t index, uint32_t *offset) {
  const uint32_t group = index / strings_FIRST_CHUNK + 1;
  unsigned chunk = 0;
  while (group >> (chunk + 1)) chunk++;
  *offset = index - strings_FIRST_CHUNK * ((1u << chunk) - 1);
  return chunk;
}

void *tachy_list_at(const tachy_list *list, uint32_t index, size_t item_size) {
  uint32_t offset;
  const unsigned chunk = strings_chunk_of(index, &offset);
  return list->chunks[chunk] + offset * item_size;
}

int tachy_list_reserve(tachy_list *list, size_t item_size) {
  uint32_t offset;
  const unsigned chunk = strings_chunk_of(list->count, &offset);
  if (chunk >= 24) return 0;
  if (!list->chunks[chunk]) {
    list->chunks[chunk] = (uint8_t *)tachy_registry_memory(((size_t)strings_FIRST_CHUNK << chunk) * item_size);
  }
  return list->chunks[chunk] != NULL;
}

void *tachy_list_add(tachy_list *list, size_t item_size) {
  if (!tachy_list_reserve(list, item_size)) return NULL;
  return tachy_list_at(list, list->count++, item_size);
}

uint32_t *tachy_chains_head(tachy_chains *table, uint64_t hash) {
  if (!table->heads) {
    table->heads = (uint32_t *)tachy_registry_memory(strings_CHAINS * sizeof *table->heads);
    if (!table->heads) return NULL;
    table->mask = strings_CHAINS - 1;
  }
  return &table->heads[hash & table->mask];
}

/* The number of a text that is clean, or TACHY_NO_STRING. */
static uint32_t strings_find(const char *text, uint64_t size, uint32_t first) {
  for (uint32_t at = first; at;) {
    const strings_string_entry *const entry = (const strings_string_entry *)(tachy_list_at(&strings_strings, at - 1, sizeof *entry));
    if (entry->string.size == size && memcmp(entry->string.text, text, size) == 0) return at - 1;
    at = entry->next;
  }
  return TACHY_NO_STRING;
}

uint32_t tachy_strings_number(const char *text, uint64_t size, int add) {
  if (!strings_chains.heads && !tachy_chains_head(&strings_chains, 0)) return TACHY_NO_STRING; /* the copy is to be taken last */
  if (add && !tachy_list_reserve(&strings_strings, sizeof(strings_string_entry))) return TACHY_NO_STRING;
  const tachy_fit fit = tachy_text_fit(text, size, TACHY_STRING_MAX);
  const size_t room = fit.kept + fit.mark_size + 1;
  char *const copy = (char *)((char *)tachy_registry_memory(room));
  if (!copy) return TACHY_NO_STRING;
  size = tachy_text_put(copy, text, &fit);
  tachy_text_clean((uint8_t *)copy, size);
  uint32_t *const head = (uint32_t *)(tachy_chains_head(&strings_chains, tachy_hash(copy, size)));
  const uint32_t known = strings_find(copy, size, *head);
  if (known != TACHY_NO_STRING || !add) {
    tachy_registry_take_back(copy, room);
    return known;
  }
  strings_string_entry *const entry = (strings_string_entry *)(tachy_list_add(&strings_strings, sizeof *entry));
  entry->string.text = copy;
  entry->string.size = (uint32_t)size;
  entry->next = *head;
  *head = strings_strings.count;
  tachy_session_file_name(TACHY_NAME_STRING, copy, entry->string.size);
  return strings_strings.count - 1;
}

void tachy_strings_save(void) {
  for (uint32_t i = 0; i < strings_strings.count; i++) {
    const tachy_string string = tachy_strings_text(i);
    tachy_session_file_name(TACHY_NAME_STRING, string.text, string.size);
  }
}

tachy_string tachy_strings_text(uint32_t number) {
  return ((const strings_string_entry *)tachy_list_at(&strings_strings, number, sizeof(strings_string_entry)))->string;
}

/* src/recorder/threads/followers.c */
/* Thread pointers of other copies of the recorder: one entry for each thread and copy, made at the first event there.
 */


#if defined(_WIN32)
void tachy_followers_add(tachy_thread **where, tachy_thread *nobody, const void *copy) {
  (void)where;
  (void)nobody;
  (void)copy;
}

void tachy_followers_forget(const void *copy) { (void)copy; }
void tachy_followers_stand(void) {}
void tachy_followers_end(void) {}
void tachy_followers_lock(void) {}
void tachy_followers_unlock(void) {}
void tachy_followers_after_fork(void) {}

#else
typedef struct followers_follower {
  struct followers_follower *next;   /* of all, for the life of the process */
  struct followers_follower *beside; /* of the same thread; or the next free one */
  tachy_thread **where;    /* in the copy's thread-local memory; NULL: the copy has been unloaded */
  tachy_thread *nobody;
  const void *copy;
} followers_follower;

static tachy_os_mutex followers_mutex = TACHY_OS_MUTEX_INIT;
static followers_follower *followers_all;
static followers_follower *followers_unused;

void tachy_followers_lock(void) { tachy_inside_lock(&followers_mutex); }
void tachy_followers_unlock(void) { tachy_inside_unlock(&followers_mutex); }

static TACHY_THREAD_LOCAL followers_follower *followers_here; /* the calling thread's */

/* One of the thread's whose copy has gone, one of a thread that has gone, or a new one; NULL without memory. */
static followers_follower *followers_take(void) {
  for (followers_follower *f = (followers_follower *)(followers_here); f; f = f->beside) {
    if (!f->where) return f;
  }
  followers_follower *taken = (followers_follower *)(followers_unused);
  if (taken) {
    followers_unused = taken->beside;
  } else {
    taken = (followers_follower *)tachy_os_allocate(sizeof *taken);
    if (!taken) return NULL;
    taken->next = followers_all;
    followers_all = taken;
  }
  taken->beside = followers_here;
  followers_here = taken;
  return taken;
}

void tachy_followers_add(tachy_thread **where, tachy_thread *nobody, const void *copy) {
  tachy_thread *const thread = (tachy_thread *)(tachy_here_());
  if (thread == &tachy_no_thread_ || tachy_inside()) return;
  tachy_followers_lock();
  followers_follower *const added = (followers_follower *)(followers_take());
  if (added) {
    added->nobody = nobody;
    added->copy = copy;
    added->where = where;
    *where = thread;
  }
  tachy_followers_unlock();
}

void tachy_followers_stand(void) {
  if (!followers_here) return;
  tachy_thread *const thread = (tachy_thread *)(tachy_here_());
  tachy_followers_lock();
  for (followers_follower *f = (followers_follower *)(followers_here); f; f = f->beside) {
    if (f->where) *f->where = thread == &tachy_no_thread_ ? f->nobody : thread;
  }
  tachy_followers_unlock();
}

void tachy_followers_end(void) {
  if (!followers_here) return;
  tachy_followers_lock();
  while (followers_here) {
    followers_follower *const gone = (followers_follower *)(followers_here);
    followers_here = gone->beside;
    gone->where = NULL;
    gone->beside = followers_unused;
    followers_unused = gone;
  }
  tachy_followers_unlock();
}

/* In the child: whoever followed learnt before the fork that there is nobody, and the other threads have gone. */
void tachy_followers_after_fork(void) {
  tachy_os_mutex_init(&followers_mutex);
  followers_here = followers_unused = NULL;
  for (followers_follower *f = (followers_follower *)(followers_all); f; f = f->next) {
    f->where = NULL;
    f->beside = followers_unused;
    followers_unused = f;
  }
}

void tachy_followers_forget(const void *copy) {
  tachy_followers_lock();
  for (followers_follower *f = (followers_follower *)(followers_all); f; f = f->next) {
    if (f->copy == copy) f->where = NULL;
  }
  tachy_followers_unlock();
}
#endif

/* src/recorder/threads/images.c */
/* Images: each is a run of logs of the target "tachy.image", in a stream of their own, which readers join again
 * (docs/format.md, "Images").
 *
 * All parts have one time, and are written under one lock: who looks for images of a time finds all blocks that hold
 * parts of them, however they were cut. */
#include <string.h>


enum {
  images_IMAGE_PART = 5700, /* bytes of an image in a log: eight such logs fill a chunk */
  IMAGE_PART_TEXT = images_IMAGE_PART / 3 * 4,
  images_IMAGE_NAME_MAX = 255,
  images_IMAGE_FORMAT_MAX = 63,
  images_IMAGE_HEAD_MAX = 4 * 21 + images_IMAGE_FORMAT_MAX + 1 + images_IMAGE_NAME_MAX + 1
};

static char *images_put_number(char *at, uint64_t number) {
  char digits[20];
  unsigned count = 0;
  do {
    digits[count++] = (char)('0' + number % 10);
    number /= 10;
  } while (number);
  while (count) *at++ = digits[--count];
  *at++ = ' ';
  return at;
}

/* A text of one line. A format has no spaces either. */
static char *images_put_line(char *at, const char *text, uint64_t limit, char space) {
  const tachy_fit fit = tachy_text_fit(text, strlen(text), limit);
  const uint64_t size = tachy_text_put(at, text, &fit);
  for (uint64_t i = 0; i < size; i++) {
    if ((uint8_t)at[i] < ' ' || at[i] == ' ') at[i] = space;
  }
  return at + size;
}

static char *images_put_base64(char *at, const uint8_t *bytes, size_t size) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < size; i += 3) {
    const size_t here = size - i < 3 ? size - i : 3;
    const uint32_t word = (uint32_t)bytes[i] << 16 | (here > 1 ? (uint32_t)bytes[i + 1] << 8 : 0u) |
                          (here > 2 ? (uint32_t)bytes[i + 2] : 0u);
    at[0] = digits[word >> 18];
    at[1] = digits[word >> 12 & 63u];
    at[2] = here > 1 ? digits[word >> 6 & 63u] : '=';
    at[3] = here > 2 ? digits[word & 63u] : '=';
    at += 4;
  }
  return at;
}

void tachy_own_image(const char *name, const char *format, const void *bytes, size_t size) {
  TACHY_DEFINE_LOG(site, TACHY_IMAGE_TARGET, TACHY_LEVEL_INFO, "");
  static uint64_t next_number; /* under the lock */
  const int32_t id = tachy_site_on_(&site);
  if (id <= 0 || tachy_own_forking() || !TACHY_LOAD(&tachy_running) || !bytes || !size) return;
  if (size > TACHY_IMAGE_MAX || tachy_inside()) {
    tachy_inside_drop(TACHY_CLASS_LOG);
    return;
  }
  const uint64_t parts = (size + images_IMAGE_PART - 1) / images_IMAGE_PART;
  uint64_t ticks = tachy_ticks();
  tachy_slot *const slot = (tachy_slot *)(tachy_late_lock_images(&ticks));
  const uint64_t number = ++next_number;
  for (uint64_t part = 0; slot && part < parts; part++) {
    char text[images_IMAGE_HEAD_MAX + IMAGE_PART_TEXT];
    char *at = (char *)(images_put_number(text, number));
    at = images_put_number(at, part);
    at = images_put_number(at, parts);
    at = images_put_number(at, size);
    at = images_put_line(at, format ? format : "", images_IMAGE_FORMAT_MAX, '_');
    *at++ = ' ';
    at = images_put_line(at, name ? name : "", images_IMAGE_NAME_MAX, ' ');
    *at++ = '\n';
    const size_t begin = (size_t)part * images_IMAGE_PART;
    at = images_put_base64(at, (const uint8_t *)bytes + begin, size - begin < images_IMAGE_PART ? size - begin : images_IMAGE_PART);
    tachy_log_write(slot, (uint32_t)id, 0, ticks, text, (uint64_t)(at - text));
  }
  tachy_late_unlock();
}

/* src/recorder/threads/late.c */
/* Logs that come later than they were made, or through another thread: queues, buffers and sockets of other loggers.
 *
 * Each goes to the stream of a stand-in: a slot that no thread stands at, which bears the name of the thread that the
 * log was made on. Whoever holds the lock is the one writer that a slot may have. */

#include <string.h>


enum { late_STAND_INS = 32 }; /* each takes a slot; what is more shares one */

typedef struct late_stand_in {
  char name[TACHY_THREAD_NAME_MAX];
  tachy_slot *slot;
  uint64_t last; /* ticks: a stream's times do not run backwards */
} late_stand_in;

static tachy_os_mutex late_mutex = TACHY_OS_MUTEX_INIT;
static late_stand_in late_all[late_STAND_INS];
static unsigned late_count;
static late_stand_in late_images;

void tachy_late_lock(void) { tachy_inside_lock(&late_mutex); }
void tachy_late_unlock(void) { tachy_inside_unlock(&late_mutex); }

static late_stand_in *late_find(const char *name) {
  for (unsigned i = 0; i < late_count; i++) {
    if (strcmp(late_all[i].name, name) == 0) return &late_all[i];
  }
  return NULL;
}

static late_stand_in *late_stand_in_of(const char *name) {
  late_stand_in *found = (late_stand_in *)(late_find(name));
  if (!found && late_count >= late_STAND_INS - 1) {
    name = "other threads";
    found = late_find(name);
  }
  if (found) return found;
  tachy_slot *const slot = (tachy_slot *)(tachy_slot_stand_in(name));
  if (!slot) return NULL;
  late_stand_in *const made = (late_stand_in *)(&late_all[late_count++]);
  *made = (late_stand_in){.slot = slot};
  memcpy(made->name, name, strlen(name) + 1);
  return made;
}

void tachy_own_log_text_at(tachy_site *site, uint32_t set, uint64_t ticks, const char *thread, const char *text,
                           size_t size) {
  const int32_t id = tachy_site_on_(site);
  if (id <= 0 || tachy_own_forking() || !TACHY_LOAD(&tachy_running)) return;
  if (tachy_inside()) {
    tachy_inside_drop(TACHY_CLASS_LOG);
    return;
  }
  char name[TACHY_THREAD_NAME_MAX] = {0};
  if (thread) {
    const tachy_fit fit = tachy_text_fit(thread, strlen(thread), sizeof name - 1);
    tachy_text_put(name, thread, &fit);
  }
  ticks = tachy_not_after(ticks, tachy_ticks());
  tachy_late_lock();
  late_stand_in *const by = (late_stand_in *)(TACHY_LOAD(&tachy_running) ? late_stand_in_of(name) : NULL);
  if (by) {
    if (by->last < ticks) by->last = ticks;
    tachy_log_write(by->slot, (uint32_t)id, set, by->last, text, size);
  }
  tachy_late_unlock();
  tachy_log_sent(site);
}

tachy_slot *tachy_late_lock_images(uint64_t *ticks) {
  tachy_late_lock();
  if (!TACHY_LOAD(&tachy_running)) return NULL;
  if (!late_images.slot) late_images.slot = tachy_slot_stand_in("images");
  if (late_images.last < *ticks) late_images.last = *ticks;
  *ticks = late_images.last;
  return late_images.slot;
}

/* The stand-ins are the parent's. */
void tachy_late_after_fork(void) {
  tachy_os_mutex_init(&late_mutex);
  late_count = 0;
  late_images = (late_stand_in){{0}, NULL, 0};
}

/* src/recorder/threads/rows.c */
/* Logs and metrics off the fast path. */
#include <string.h>


enum { rows_TEXT_MAX = 32768 };

static void rows_write_metric(tachy_slot *slot, uint32_t site, uint32_t set, uint64_t ticks, uint64_t value) {
  uint64_t head;
  uint8_t *const at = (uint8_t *)(tachy_writer_reserve(slot, TACHY_CLASS_METRIC, sizeof(tachy_metric_record), &head));
  if (!at) {
    tachy_writer_drop(slot, TACHY_CLASS_METRIC, 0);
    return;
  }
  *(tachy_metric_record *)at = (tachy_metric_record){ticks, value, site, set};
  tachy_writer_publish(slot, TACHY_CLASS_METRIC, head);
}

static void rows_metric(int32_t id, uint32_t set, uint64_t ticks, uint64_t value) {
  tachy_slot *const slot = (tachy_slot *)(tachy_slot_enter(TACHY_CLASS_METRIC));
  if (!slot) return;
  rows_write_metric(slot, (uint32_t)id, set, ticks, value);
  tachy_slot_leave(slot);
}

void tachy_own_metric_slow_(int32_t id, uint32_t set, uint64_t value) { rows_metric(id, set, tachy_ticks(), value); }

void tachy_own_metric_at(tachy_site *site, uint32_t set, uint64_t ticks, uint64_t value_bits) {
  const int32_t id = tachy_site_on_(site);
  if (id > 0) rows_metric(id, set, tachy_not_after(ticks, tachy_ticks()), value_bits);
}

void tachy_own_frame_slow_(int32_t id) {
  const uint64_t now = tachy_ticks();
  tachy_slot *const slot = (tachy_slot *)(tachy_slot_enter(TACHY_CLASS_METRIC));
  if (!slot) return;
  uint64_t *const last = (uint64_t *)(&slot->thread.frame_ticks);
  if (*last) rows_write_metric(slot, (uint32_t)id, 0, now, now - *last);
  *last = now;
  tachy_slot_leave(slot);
}

/* The slot to log to, which is to be left, or NULL when this log is not wanted. */
static tachy_slot *rows_log_slot(tachy_site *site, uint32_t *number) {
  const int32_t id = tachy_site_on_(site);
  *number = (uint32_t)id;
  return id > 0 ? tachy_slot_enter(TACHY_CLASS_LOG) : NULL;
}

/* Until tachy_log_end_ the thread is inside a record of a row, no more: as after tachy_row_enter_. */
TACHY_BESIDE tachy_thread *tachy_own_log_begin_slow_(int32_t id, uint32_t set, uint32_t types, uint64_t size) {
  tachy_slot *const slot = (tachy_slot *)(tachy_slot_enter(TACHY_CLASS_LOG));
  if (!slot) return NULL;
  uint64_t head;
  uint8_t *const at = (uint8_t *)(tachy_writer_reserve(slot, TACHY_CLASS_LOG, size, &head));
  if (TACHY_UNLIKELY(!at)) {
    tachy_writer_drop(slot, TACHY_CLASS_LOG, 0);
    tachy_slot_leave(slot);
    return NULL;
  }
  *(tachy_log_record *)at = (tachy_log_record){tachy_ticks(), (uint32_t)id, set, (uint32_t)size, types};
  tachy_slot_leave_to_row(slot);
  return &slot->thread;
}

static uint8_t *rows_put_text(uint8_t *at, const char *text, const tachy_fit *fit) {
  const uint32_t size = (uint32_t)(fit->kept + fit->mark_size);
  const uint64_t padded = tachy_log_text_room_(size);
  memset(at + padded - 8, 0, 8);
  memcpy(at, &size, sizeof size);
  tachy_text_put(at + sizeof size, text, fit);
  return at + padded;
}

void tachy_log_write(tachy_slot *slot, uint32_t site, uint32_t set, uint64_t ticks, const char *text, uint64_t size) {
  const tachy_fit fit = tachy_text_fit(text, text ? size : 0, rows_TEXT_MAX);
  const uint64_t record_size = sizeof(tachy_log_record) + tachy_log_text_room_(fit.kept + fit.mark_size);
  uint64_t head;
  uint8_t *const at = (uint8_t *)(tachy_writer_reserve(slot, TACHY_CLASS_LOG, record_size, &head));
  if (!at) {
    tachy_writer_drop(slot, TACHY_CLASS_LOG, 0);
    return;
  }
  *(tachy_log_record *)at = (tachy_log_record){ticks, site, set, (uint32_t)record_size, TACHY_ARG_TEXT};
  rows_put_text(at + sizeof(tachy_log_record), text, &fit);
  tachy_writer_publish(slot, TACHY_CLASS_LOG, head);
}

void tachy_own_log_text(tachy_site *site, uint32_t set, const char *text, size_t size) {
  uint32_t number;
  tachy_slot *const slot = (tachy_slot *)(rows_log_slot(site, &number));
  if (!slot) return;
  tachy_log_write(slot, number, set, tachy_ticks(), text, size);
  tachy_slot_leave(slot);
  tachy_log_sent(site);
}

static void rows_write_log(tachy_slot *slot, uint32_t site, uint32_t set, uint32_t types, const uint64_t *values,
                      const uint32_t *sizes) {
  tachy_fit fits[TACHY_LOG_ARGS_MAX];
  uint64_t room = TACHY_RECORD_MAX - sizeof(tachy_log_record) - 16 * TACHY_LOG_ARGS_MAX;
  uint64_t record_size = sizeof(tachy_log_record);
  uint32_t known = 0;
  unsigned count = 0;
  for (; count < TACHY_LOG_ARGS_MAX; count++) {
    const uint32_t type = types >> (4 * count) & 15u;
    if (type == TACHY_ARG_END || type > TACHY_ARG_POINTER) break;
    known |= type << (4 * count);
    if (type != TACHY_ARG_TEXT) {
      record_size += 8;
      continue;
    }
    const char *const text = (const char *)((const char *)(uintptr_t)values[count]);
    const uint64_t limit = room < rows_TEXT_MAX ? room : rows_TEXT_MAX;
    fits[count] = tachy_text_fit(text, text ? sizes[count] : 0, limit);
    const uint64_t length = fits[count].kept + fits[count].mark_size;
    room -= length;
    record_size += tachy_log_text_room_(length);
  }
  uint64_t head;
  uint8_t *at = (uint8_t *)(tachy_writer_reserve(slot, TACHY_CLASS_LOG, record_size, &head));
  if (!at) {
    tachy_writer_drop(slot, TACHY_CLASS_LOG, 0);
    return;
  }
  *(tachy_log_record *)at = (tachy_log_record){tachy_ticks(), site, set, (uint32_t)record_size, known};
  at += sizeof(tachy_log_record);
  for (unsigned i = 0; i < count; i++) {
    if ((known >> (4 * i) & 15u) == TACHY_ARG_TEXT) {
      at = rows_put_text(at, (const char *)(uintptr_t)values[i], &fits[i]);
    } else {
      memcpy(at, &values[i], 8);
      at += 8;
    }
  }
  tachy_writer_publish(slot, TACHY_CLASS_LOG, head);
}

void tachy_own_log_args(tachy_site *site, uint32_t set, uint32_t types, const uint64_t *values, const uint32_t *sizes) {
  uint32_t number;
  tachy_slot *const slot = (tachy_slot *)(rows_log_slot(site, &number));
  if (!slot) return;
  rows_write_log(slot, number, set, types, values, sizes);
  tachy_slot_leave(slot);
  tachy_log_sent(site);
}

/* A number that an int metric cannot hold. Its site is made at run time and found again by its text: 0.3 µs. */
void tachy_own_metric_beyond_(tachy_site *site, uint32_t set, double value) {
  if (!tachy_enabled(site)) return;
  tachy_site *const real = (tachy_site *)(tachy_own_site_intern(TACHY_SITE_METRIC_F64, (tachy_level)site->level, site->target,
                                                 site->name, site->file, site->line, site->unit));
  if (real) {
    tachy_metric_float(real, set, value);
  } else if (tachy_inside()) {
    tachy_inside_drop(TACHY_CLASS_METRIC);
  }
}

/* src/recorder/threads/spans.c */
/* Spans off the fast path: first events, full chunks, long durations, depth, scopes out of order, async spans. */

static uint64_t spans_raise(tachy_slot *slot, uint64_t begin, uint64_t end) {
  if ((int64_t)(end - begin) >= 0) return end;
  tachy_count(&slot->backwards, 1);
  return begin;
}

/* One record for a span that ended; counts it when there is no room. */
static void spans_write_span(tachy_slot *slot, uint32_t depth, uint32_t site, uint64_t begin, uint64_t end) {
  const uint64_t duration = end - begin;
  const int is_long = duration >= UINT32_MAX;
  uint64_t head;
  uint8_t *at = (uint8_t *)(tachy_writer_reserve(slot, TACHY_CLASS_SPAN,
                                     sizeof(tachy_span_record) + (is_long ? sizeof(tachy_long_record) : 0), &head));
  if (!at) {
    tachy_writer_drop(slot, TACHY_CLASS_SPAN, depth);
    return;
  }
  if (is_long) {
    *(tachy_long_record *)at = (tachy_long_record){TACHY_CONTROL_LONG, duration};
    at += sizeof(tachy_long_record);
  }
  *(tachy_span_record *)at =
      (tachy_span_record){begin, is_long ? UINT32_MAX : (uint32_t)duration, depth << TACHY_DEPTH_SHIFT | site};
  tachy_writer_publish(slot, TACHY_CLASS_SPAN, head);
}

/* id 0: the caller knows that a handler has interrupted it, and the span is only counted as lost. */
uint32_t tachy_own_span_begin_slow_(int32_t id) {
  if (id == 0 && TACHY_LOAD(&tachy_running)) tachy_inside_drop(TACHY_CLASS_SPAN);
  tachy_slot *const slot = (tachy_slot *)(id ? tachy_slot_enter(TACHY_CLASS_SPAN) : NULL);
  if (!slot) return 0;
  uint32_t scope = TACHY_TOP_OF_(tachy_depth_of(&slot->thread) + 1);
  if (scope > slot->thread.room && !tachy_slot_deepen(slot)) {
    scope = 0;
    tachy_count(&slot->too_deep, 1);
  } else {
    tachy_writer_begin(slot, TACHY_CLASS_SPAN); /* before the clock is read: the span is not to count it */
    tachy_span_open_(&slot->thread, scope, id, tachy_ticks());
  }
  tachy_slot_leave(slot);
  return scope;
}

/* The thread is inside a record of spans: the inline half has begun it. */
void tachy_own_span_close_slow_(tachy_thread *thread, uint32_t scope, uint64_t now) {
  tachy_slot *const slot = (tachy_slot *)(tachy_slot_of(thread));
  const tachy_open_span *const entry = (const tachy_open_span *)(tachy_span_entry_(thread, scope));
  spans_write_span(slot, (uint32_t)(entry - thread->stack), entry->site, entry->begin, spans_raise(slot, entry->begin, now));
}

void tachy_spans_unwind(tachy_slot *slot, uint32_t depth) {
  tachy_thread *const thread = (tachy_thread *)(&slot->thread);
  uint32_t top = tachy_depth_of(thread);
  if (top <= depth) return;
  tachy_count(&slot->mismatched, top - depth);
  const uint64_t now = tachy_ticks();
  for (; top > depth; top--) {
    tachy_span_close_(thread, TACHY_TOP_OF_(top), now);
    TACHY_STORE_RELEASE(&thread->top, TACHY_INSIDE_ | TACHY_TOP_OF_(top - 1));
  }
}

static void spans_repair(uint32_t scope) {
  tachy_slot *const slot = (tachy_slot *)(tachy_slot_enter(TACHY_CLASSES));
  if (!slot) return;
  const uint32_t depth = TACHY_DEPTH_AT_(scope);
  const int open = scope == TACHY_TOP_OF_(depth) && depth - 1 < tachy_depth_of(&slot->thread);
  if (open) {
    tachy_spans_unwind(slot, depth);
  } else {
    tachy_count(&slot->mismatched, 1);
  }
  tachy_slot_leave(slot);
  if (open) tachy_span_end(scope);
}

/* Out of order, longer than 32 bits, or no room. The clock is read again, some 10 ns after the caller's reading. */
void tachy_own_span_end_rare_(int32_t ended) {
  const uint32_t scope = (uint32_t)ended;
  const uint64_t now = tachy_ticks();
  tachy_thread *const thread = (tachy_thread *)(tachy_here_());
  const int known = thread != &tachy_no_thread_;
  if (known && thread->top == scope) tachy_span_enter_(thread); /* a long one, or of a copy that knows no thread */
  if (!known || TACHY_TOP_OF_(tachy_depth_of(thread)) != scope) {
    spans_repair(scope);
    return;
  }
  tachy_own_span_close_slow_(thread, scope, now);
  TACHY_STORE_RELEASE(&thread->top, scope - (uint32_t)sizeof(tachy_open_span));
}

void tachy_own_span_complete(tachy_site *site, uint64_t begin_ticks, uint64_t end_ticks) {
  const int32_t id = tachy_site_on_(site);
  tachy_slot *const slot = (tachy_slot *)(id > 0 ? tachy_slot_enter(TACHY_CLASS_SPAN) : NULL);
  if (!slot) return;
  const uint64_t now = tachy_ticks();
  begin_ticks = tachy_not_after(begin_ticks, now);
  end_ticks = tachy_not_after(end_ticks, now);
  const uint32_t depth = tachy_depth_of(&slot->thread);
  if (depth >= TACHY_DEPTH_MAX) {
    tachy_count(&slot->too_deep, 1);
  } else {
    if (depth > 0) begin_ticks = spans_raise(slot, slot->thread.stack[depth - 1].begin, begin_ticks);
    spans_write_span(slot, depth, (uint32_t)id, begin_ticks, spans_raise(slot, begin_ticks, end_ticks));
  }
  tachy_slot_leave(slot);
}

static int spans_write_async(tachy_slot *slot, uint64_t control, uint32_t site, const tachy_async *span) {
  uint64_t head;
  uint8_t *const at = (uint8_t *)(tachy_writer_reserve(slot, TACHY_CLASS_SPAN, sizeof(tachy_async_record), &head));
  if (!at) {
    tachy_count(&slot->async_lost, 1);
    return 0;
  }
  *(tachy_async_record *)at =
      (tachy_async_record){control, tachy_ticks(), site, span->depth, span->id, span->parent, span->values};
  tachy_writer_publish(slot, TACHY_CLASS_SPAN, head);
  return 1;
}

tachy_async tachy_own_async_begin(tachy_site *site, const tachy_async *parent) {
  tachy_async span = {0, 0, site, 0, 0};
  const int32_t id = tachy_site_on_(site);
  tachy_slot *const slot = (tachy_slot *)(id > 0 ? tachy_slot_enter(TACHY_CLASS_SPAN) : NULL);
  if (!slot) return span;
  if (parent && parent->id) {
    span.parent = parent->id;
    span.depth = parent->depth + 1;
  }
  /* unique without an atomic: thread numbers are never reused */
  span.id = (uint64_t)slot->thread.number << TACHY_ASYNC_SHIFT | ++slot->async_count;
  if (!spans_write_async(slot, TACHY_CONTROL_ASYNC_BEGIN, (uint32_t)id, &span)) span.id = 0;
  tachy_slot_leave(slot);
  return span;
}

void tachy_own_async_end(const tachy_async *span) {
  if (!span || span->id == 0 || !span->site) return;
  /* also when the site has been switched off since: a begin without an end would mislead */
  const int32_t id = TACHY_LOAD(&span->site->id);
  tachy_slot *const slot = (tachy_slot *)(id != 0 ? tachy_slot_enter(TACHY_CLASS_SPAN) : NULL);
  if (!slot) return;
  spans_write_async(slot, TACHY_CONTROL_ASYNC_END, (uint32_t)(id < 0 ? -id : id), span);
  tachy_slot_leave(slot);
}

/* src/recorder/threads/threads.c */
/* Thread slots: given to a thread at its first event, taken back by the collector after its end. */

#include <string.h>


/* Inside records of all kinds: every event of a thread without a slot takes a slow path. */
const tachy_thread tachy_no_thread_ = {.top = TACHY_TOP_UNKNOWN_, .busy = 1};
static TACHY_THREAD_LOCAL char threads_given_name[TACHY_THREAD_NAME_MAX];

/* Slots that lie ready for new threads. */
enum { threads_READY = 16 };

uint32_t tachy_running;

static tachy_os_mutex threads_mutex = TACHY_OS_MUTEX_INIT;
static tachy_slot *threads_first_slot;
static uint32_t threads_last_number;
static tachy_slot *threads_free_slots;
static uint64_t threads_free_count;
static uint64_t threads_attached; /* in this session */
static uint64_t threads_ended;    /* atomic */

/* What a thread arms itself with is its tachy_thread, or NULL: on Windows that is also how it is found. */
#if defined(_WIN32)
uint32_t tachy_thread_offset_;

tachy_thread *tachy_thread_armed(void) {
  tachy_thread *const thread = (tachy_thread *)(tachy_os_armed());
  return thread ? thread : (tachy_thread *)(uintptr_t)&tachy_no_thread_;
}

static int threads_stand_at(tachy_slot *slot) { return tachy_os_arm_thread_exit(slot ? &slot->thread : NULL); }
#else
TACHY_THREAD_LOCAL tachy_thread *tachy_this_thread_ = (tachy_thread *)((tachy_thread *)(uintptr_t)&tachy_no_thread_);

static int threads_stand_at(tachy_slot *slot) {
  if (!tachy_os_arm_thread_exit(slot ? &slot->thread : NULL)) return 0;
  tachy_this_thread_ = slot ? &slot->thread : (tachy_thread *)(uintptr_t)&tachy_no_thread_;
  tachy_followers_stand();
  return 1;
}
#endif

/* The forking thread records nothing meanwhile: its slot is not mapped in the child, and others' handlers run there
 * before ours. */
static TACHY_THREAD_LOCAL tachy_slot *threads_forking_slot;

void tachy_threads_fork_begins(void) {
  threads_forking_slot = tachy_slot_here();
  if (threads_forking_slot) threads_stand_at(NULL);
}

void tachy_threads_fork_ends(void) {
  if (threads_forking_slot) threads_stand_at(threads_forking_slot);
}

void tachy_threads_lock(void) { tachy_inside_lock(&threads_mutex); }
void tachy_threads_unlock(void) { tachy_inside_unlock(&threads_mutex); }

static uint64_t threads_to_pages(uint64_t size) {
  const uint64_t page = tachy_os_page_size();
  return (size + page - 1) / page * page;
}

/* Under the lock: a new one, of the pool or, when that has no more, on its own. NULL: no memory. */
static tachy_slot *threads_make_slot(void) {
  tachy_slot *slot = (tachy_slot *)(tachy_pool_slot());
  if (!slot) slot = (tachy_slot *)tachy_os_map(sizeof *slot);
  if (!slot) return NULL;
  const uint64_t backed = TACHY_SLOT_BACKED - offsetof(tachy_slot, thread.stack);
  slot->thread.room = TACHY_TOP_OF_(backed / sizeof(tachy_open_span));
  slot->thread.top = TACHY_INSIDE_ | TACHY_TOP_NONE_;
  slot->thread.busy = 1;
  slot->next = threads_first_slot;
  TACHY_STORE_RELEASE(&threads_first_slot, slot);
  return slot;
}

int tachy_slot_deepen(tachy_slot *slot) {
  tachy_thread *const thread = (tachy_thread *)(&slot->thread);
  if (thread->room >= TACHY_TOP_MAX_) return 0;
  void *const memory = (void *)(tachy_span_entry_(thread, thread->room) + 1);
  uint32_t room = thread->room + TACHY_SLOT_STEP;
  if (room > TACHY_TOP_MAX_) room = TACHY_TOP_MAX_;
  if (!tachy_pool_back_slot(slot, memory, threads_to_pages(room - thread->room))) return 0;
  thread->room = room;
  return 1;
}

/* Under the lock. NULL: no memory. */
static tachy_slot *threads_free_slot(void) {
  tachy_slot *const slot = (tachy_slot *)(threads_free_slots);
  if (!slot) return threads_make_slot();
  threads_free_slots = slot->next_free;
  threads_free_count--;
  return slot;
}

static void threads_put_back(tachy_slot *slot) {
  if (!tachy_pool_has_slot(slot)) return;
  slot->next_free = threads_free_slots;
  threads_free_slots = slot;
  threads_free_count++;
}

/* Under the lock: a free slot becomes somebody's, who is inside a record, as nobody was. */
static void threads_take_slot(tachy_slot *slot, const char *name, int named, uint64_t os_id) {
  slot->thread.number = ++threads_last_number;
  TACHY_STORE(&slot->thread.top, TACHY_INSIDE_ | TACHY_TOP_NONE_);
  slot->thread.frame_ticks = 0;
  slot->async_count = 0;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    tachy_writer_back *const back = (tachy_writer_back *)(&slot->back[cls]);
    *tachy_slot_writer(slot, (tachy_class)cls) = (tachy_writer){0, 0, 0};
    TACHY_ASSERT(slot->sources[cls] == NULL);
    back->chunk = back->lost = slot->begin[cls] = slot->lost_before[cls] = 0;
    back->lost_depth = TACHY_NO_DEPTH;
    TACHY_STORE(&slot->first[cls], 0);
  }
  slot->missed_before = tachy_slot_missed(slot);
  slot->os_id = os_id;
  memcpy(slot->name, name, sizeof slot->name);
  slot->named = (uint32_t)named;
  threads_attached++;
  TACHY_STORE_RELEASE(&slot->state, TACHY_SLOT_LIVE);
}

static tachy_slot *threads_attach(void) {
  char name[TACHY_THREAD_NAME_MAX];
  memcpy(name, threads_given_name, sizeof name);
  if (name[0] == 0) tachy_os_thread_name(name, sizeof name);
  tachy_threads_lock();
  tachy_slot *slot = (tachy_slot *)(threads_free_slot());
  if (slot && !threads_stand_at(slot)) {
    threads_put_back(slot);
    slot = NULL;
  }
  if (slot) threads_take_slot(slot, name, threads_given_name[0] != 0, tachy_os_thread_id());
  const int few = threads_free_count < threads_READY / 2;
  tachy_threads_unlock();
  if (few) tachy_bell_ring();
  return slot;
}

static int threads_is_inside(const tachy_thread *thread) {
  return tachy_inside() || (thread != &tachy_no_thread_ && (thread->top > TACHY_TOP_MAX_ || TACHY_LOAD(&thread->busy)));
}

/* Nothing of the slot is read before all three are set. */
static void threads_begin_records(tachy_thread *thread) {
  tachy_inside_begins();
  if (thread == &tachy_no_thread_) return;
  TACHY_STORE(&thread->busy, 1);
  tachy_span_enter_(thread);
}

TACHY_BESIDE tachy_slot *tachy_slot_enter(unsigned cls) {
  if (TACHY_UNLIKELY(tachy_is_forking() || !TACHY_LOAD(&tachy_running))) return NULL;
  tachy_thread *const thread = (tachy_thread *)(tachy_here_());
  if (TACHY_UNLIKELY(threads_is_inside(thread))) {
    if (cls < TACHY_CLASSES) tachy_inside_drop(cls);
    return NULL;
  }
  threads_begin_records(thread);
  /* a handler may have given the thread its slot just before */
  tachy_slot *slot = (tachy_slot *)(tachy_slot_here());
  if (TACHY_UNLIKELY(thread == &tachy_no_thread_)) {
    if (slot) {
      tachy_inside_ends();
      return tachy_slot_enter(cls);
    }
    slot = threads_attach();
    if (!slot) tachy_inside_ends();
  }
  return slot;
}

TACHY_BESIDE void tachy_slot_leave_to_row(tachy_slot *slot) {
  tachy_thread *const thread = (tachy_thread *)(&slot->thread);
  TACHY_STORE_RELEASE(&thread->top, TACHY_TOP_OF_(tachy_depth_of(thread)));
  tachy_inside_ends();
}

TACHY_BESIDE void tachy_slot_leave(tachy_slot *slot) {
  tachy_slot_leave_to_row(slot);
  tachy_row_leave_(&slot->thread);
}

tachy_slot *tachy_slot_stand_in(const char *name) {
  char text[TACHY_THREAD_NAME_MAX] = {0};
  memcpy(text, name, strlen(name));
  tachy_threads_lock();
  tachy_slot *slot = (tachy_slot *)(threads_free_slot());
  if (slot) threads_take_slot(slot, text, 1, 0);
  tachy_threads_unlock();
  return slot;
}

/* The thread's end. What it left open ends now. Its thread-local variables may be gone already. */
static void threads_leave(void *value) {
  tachy_thread *const thread = (tachy_thread *)(value);
  tachy_slot *const slot = (tachy_slot *)(tachy_slot_of(thread));
  threads_begin_records(thread); /* and does not leave them: whatever comes later on this thread attaches anew */
  if (TACHY_LOAD(&tachy_running)) tachy_spans_unwind(slot, 0);
  char name[TACHY_THREAD_NAME_MAX] = {0};
  tachy_os_thread_name(name, sizeof name);
  tachy_threads_lock();
  if (name[0] && !slot->named) memcpy(slot->name, name, sizeof name);
  threads_stand_at(NULL);
  tachy_followers_end();
  slot->ended = tachy_ticks();
  TACHY_STORE_RELEASE(&slot->state, TACHY_SLOT_EXITED);
  const uint64_t count = threads_ended + 1;
  TACHY_STORE(&threads_ended, count);
  tachy_threads_unlock();
  tachy_inside_ends();
  if (count % TACHY_ENDS_RING == 0) tachy_bell_ring();
}

void tachy_own_set_thread_name(const char *name) {
  char text[TACHY_THREAD_NAME_MAX] = {0};
  if (name) {
    const tachy_fit fit = tachy_text_fit(name, strlen(name), sizeof text - 1);
    tachy_text_put(text, name, &fit);
  }
  if (tachy_inside()) return;
  memcpy(threads_given_name, text, sizeof text);
  tachy_slot *const slot = (tachy_slot *)(tachy_slot_here());
  if (!slot || tachy_own_forking()) return;
  tachy_threads_lock();
  memcpy(slot->name, text, sizeof text);
  slot->named = text[0] != 0;
  tachy_threads_unlock();
}

void tachy_slot_read_name(tachy_slot *slot) {
  tachy_threads_lock(); /* a thread does not end while we have it: the number is still its own */
  if (TACHY_LOAD(&slot->state) == TACHY_SLOT_LIVE && !slot->named) {
    tachy_os_thread_name_of(slot->os_id, slot->name, sizeof slot->name);
  }
  tachy_threads_unlock();
}

uint32_t tachy_slot_name(tachy_slot *slot, char *name) {
  tachy_threads_lock();
  memcpy(name, slot->name, TACHY_THREAD_NAME_MAX);
  tachy_threads_unlock();
  const uint32_t size = (uint32_t)strlen(name);
  tachy_text_clean((uint8_t *)name, size);
  return size;
}

tachy_slot *tachy_slots_first(void) { return TACHY_LOAD_ACQUIRE(&threads_first_slot); }

void tachy_slot_free(tachy_slot *slot) {
  tachy_threads_lock();
  TACHY_ASSERT(slot->state == TACHY_SLOT_READ);
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    uint64_t size;
    TACHY_STORE(&tachy_slot_own(slot, (tachy_class)cls, &size)->owner, 0);
  }
  TACHY_STORE(&threads_ended, threads_ended - 1);
  TACHY_STORE_RELEASE(&slot->state, TACHY_SLOT_FREE);
  threads_put_back(slot);
  tachy_threads_unlock();
}

void tachy_slots_tend(void) {
  for (int more = 1; more;) {
    tachy_threads_lock(); /* for each anew: a thread may be waiting for its first event */
    tachy_slot *const slot = (tachy_slot *)(threads_free_count < threads_READY ? threads_make_slot() : NULL);
    if (slot) threads_put_back(slot);
    more = slot != NULL;
    tachy_threads_unlock();
  }
}

uint64_t tachy_slots_ended(void) { return TACHY_LOAD(&threads_ended); }

uint64_t tachy_slots_attached(void) {
  tachy_threads_lock();
  const uint64_t count = threads_attached;
  tachy_threads_unlock();
  return count;
}

void tachy_slots_begin_session(void) {
  tachy_threads_lock();
  if (threads_free_slots && !tachy_pool_has_slot(threads_free_slots)) {
    threads_free_slots = NULL;
    threads_free_count = 0;
  }
  threads_attached = 0;
  for (const tachy_slot *slot = (const tachy_slot *)(threads_first_slot); slot; slot = slot->next) {
    threads_attached += TACHY_LOAD(&slot->state) != TACHY_SLOT_FREE;
  }
  tachy_threads_unlock();
}

int tachy_threads_init(void) {
  const int ok = tachy_os_on_thread_exit(threads_leave);
#if defined(_WIN32)
  TACHY_STORE(&tachy_thread_offset_, tachy_os_armed_offset());
#endif
  return ok;
}

void tachy_threads_after_fork(void) {
  threads_forking_slot = NULL;
  tachy_os_mutex_init(&threads_mutex);
  TACHY_STORE(&tachy_running, 0);
  threads_first_slot = threads_free_slots = NULL; /* those in the session file are not mapped here, and the others are of no more use */
  threads_free_count = 0;
  TACHY_STORE(&threads_ended, 0);
}

/* src/recorder/threads/values.c */
/* Values on spans, off the fast path: texts, async spans, full chunks, threads that another copy knows. */

/* The thread, which is to be left, and the depth of the span; NULL: it is not open. */
static tachy_slot *values_owner_of(tachy_scope scope, uint32_t *depth) {
  tachy_slot *const slot = (tachy_slot *)(tachy_slot_here() ? tachy_slot_enter(0) : NULL);
  if (!slot) return NULL;
  const uint32_t open = tachy_depth_of(&slot->thread);
  /* the innermost, of who did not know the thread */
  const uint32_t top = scope == TACHY_TOP_UNKNOWN_ ? TACHY_TOP_OF_(open) : (uint32_t)scope;
  *depth = TACHY_DEPTH_AT_(top) - 1;
  if (*depth < open && top == TACHY_TOP_OF_(*depth + 1)) return slot;
  tachy_slot_leave(slot);
  return NULL;
}

/* Where the record goes, or NULL: it finds no room and is counted, but is no event. *head: what to publish then. */
static void *values_reserve(tachy_slot *slot, uint64_t size, uint64_t *head) {
  uint8_t *const at = (uint8_t *)(tachy_writer_reserve(slot, TACHY_CLASS_SPAN, size, head));
  if (!at) tachy_count(&slot->values_lost, 1);
  return at;
}

static int values_write_number(tachy_slot *slot, const tachy_async_value_record *front, uint64_t size) {
  uint64_t head;
  void *const record = (void *)(values_reserve(slot, size, &head));
  if (!record) return 0;
  memcpy(record, front, size);
  tachy_writer_publish(slot, TACHY_CLASS_SPAN, head);
  return 1;
}

/* `size`: of what goes in front of the text. */
static int values_write_text(tachy_slot *slot, tachy_async_value_record *front, uint64_t size, const char *text,
                      size_t text_size) {
  uint64_t head;
  const tachy_fit fit = tachy_text_fit(text, text ? text_size : 0, TACHY_VALUE_TEXT_MAX);
  front->value.bits = fit.kept + fit.mark_size;
  const uint64_t whole = tachy_value_size(&front->value);
  uint8_t *const record = (uint8_t *)(values_reserve(slot, whole, &head));
  if (!record) return 0;
  memset(record + whole - 16, 0, 16);
  memcpy(record, front, size);
  tachy_text_put(record + size, text, &fit);
  tachy_writer_publish(slot, TACHY_CLASS_SPAN, head);
  return 1;
}

static uint64_t values_control_of(uint32_t type, uint32_t depth, int32_t id) {
  return (TACHY_CONTROL_VALUE | (uint64_t)type << 32) | (depth << TACHY_DEPTH_SHIFT | (uint32_t)id);
}

void tachy_own_span_value_slow_(tachy_scope scope, int32_t id, uint32_t type, uint64_t bits) {
  uint32_t depth;
  tachy_slot *const slot = (tachy_slot *)(values_owner_of(scope, &depth));
  if (!slot) return;
  const tachy_async_value_record front = {{values_control_of(type, depth, id), bits}, 0, 0};
  values_write_number(slot, &front, sizeof front.value);
  tachy_slot_leave(slot);
}

void tachy_own_span_value_text(tachy_scope scope, tachy_site *site, const char *text, size_t size) {
  const int32_t id = tachy_site_on_(site);
  uint32_t depth;
  tachy_slot *const slot = (tachy_slot *)(id > 0 ? values_owner_of(scope, &depth) : NULL);
  if (!slot) return;
  tachy_async_value_record front = {{values_control_of(TACHY_VALUE_TEXT, depth, id), 0}, 0, 0};
  values_write_text(slot, &front, sizeof front.value, text, size);
  tachy_slot_leave(slot);
}

/* To be left; NULL: the value is not to be recorded. */
static tachy_slot *values_slot_for(const tachy_async *span, tachy_site *site, uint32_t type, tachy_async_value_record *front) {
  if (!span || span->id == 0) return NULL;
  const int32_t id = tachy_site_on_(site);
  tachy_slot *const slot = (tachy_slot *)(id > 0 ? tachy_slot_enter(0) : NULL);
  if (!slot) return NULL;
  const uint64_t control = TACHY_CONTROL_ASYNC_VALUE | (uint64_t)type << 32 | (uint32_t)id;
  *front = (tachy_async_value_record){{control, 0}, span->id, 0};
  return slot;
}

void tachy_own_async_value_(tachy_async *span, tachy_site *site, uint32_t type, uint64_t bits) {
  tachy_async_value_record front;
  tachy_slot *const slot = (tachy_slot *)(values_slot_for(span, site, type, &front));
  if (!slot) return;
  front.value.bits = bits;
  span->values += (uint32_t)values_write_number(slot, &front, sizeof front);
  tachy_slot_leave(slot);
}

void tachy_own_async_value_text(tachy_async *span, tachy_site *site, const char *text, size_t size) {
  tachy_async_value_record front;
  tachy_slot *const slot = (tachy_slot *)(values_slot_for(span, site, TACHY_VALUE_TEXT, &front));
  if (!slot) return;
  span->values += (uint32_t)values_write_text(slot, &front, sizeof front, text, size);
  tachy_slot_leave(slot);
}

/* src/recorder/threads/writer.c */
/* The slow half of writing: the next chunk, what finds no room. */

#include <string.h>


/* The thread's own small chunk, at its first event, or the full one that the collector has returned. NULL: neither, or
 * too small. *size: its room. (Of an earlier pool nothing is begun any more.) */
static tachy_chunk *writer_chunk_at_hand(tachy_slot *slot, tachy_class cls, tachy_chunk *full, uint64_t wanted,
                                  uint64_t *size) {
  uint64_t room;
  tachy_chunk *const own = (tachy_chunk *)(tachy_slot_own(slot, cls, &room));
  tachy_chunk *const chunk = (tachy_chunk *)(full ? full : own);
  if (chunk != own) room = TACHY_RECORD_MAX;
  if (!tachy_pool_has_slot(slot) || wanted > room) return NULL;
  *size = room;
  return chunk;
}

/* The thread fills `chunk` after the full one, which the collector may return as long as it knows of none. */
static void writer_link_spent(tachy_slot *slot, tachy_class cls, tachy_chunk *full, tachy_chunk *chunk) {
  if (full && full != chunk) {
    uint64_t size;
    if (TACHY_COMPARE_EXCHANGE(&full->next, TACHY_CHUNK_LAST, (uint64_t)(uintptr_t)chunk)) return;
    if (full != tachy_slot_own(slot, cls, &size)) tachy_pool_give(full);
  }
  TACHY_STORE_RELEASE(&slot->first[cls], (uintptr_t)chunk);
}

/* The thread goes on in another chunk. Between two changes lie a thousand events, so that every cache line which is
 * touched here, of code or data, is a miss: where the full chunk has some room left it is only written to. */
static TACHY_BESIDE int writer_next_chunk(tachy_slot *slot, tachy_class cls, uint64_t wanted) {
  tachy_writer *const writer = (tachy_writer *)(tachy_slot_writer(slot, cls));
  tachy_writer_back *const back = (tachy_writer_back *)(&slot->back[cls]);
  tachy_chunk *const full = (tachy_chunk *)(tachy_chunk_at(back->chunk));
  const uint32_t depth = cls == TACHY_CLASS_SPAN ? tachy_depth_of(&slot->thread) : 0;
  const uint64_t stack = depth * sizeof(tachy_open_span);
  /* only of such a chunk the collector can think that the thread has found none after it */
  const int spent = writer->head == writer->limit;
  uint64_t size = TACHY_RECORD_MAX;
  const int returned = spent && full && TACHY_LOAD_ACQUIRE(&full->next) == TACHY_CHUNK_RETURNED;
  tachy_chunk *chunk = (tachy_chunk *)(!full || returned ? writer_chunk_at_hand(slot, cls, full, stack + wanted, &size) : NULL);
  if (!chunk) chunk = tachy_pool_take();
  if (!chunk) return 0;
  TACHY_ASSERT(stack + wanted <= size);
  if (chunk == full) TACHY_COMPARE_EXCHANGE(&chunk->owner, chunk->owner, 0); /* before what follows, for who recovers */
  TACHY_ASSERT(TACHY_LOAD(&chunk->owner) == 0);
  if (full && full != chunk && !returned) TACHY_STORE_RELEASE(&full->used, writer->head - full->first);
  chunk->first = writer->head;
  chunk->used = 0;
  chunk->lost = back->lost;
  chunk->lost_depth = back->lost_depth;
  chunk->ticks = tachy_ticks();
  chunk->depth = depth;
  chunk->size = size - stack;
  chunk->read = chunk->waiting = 0;
  TACHY_STORE(&chunk->next, TACHY_CHUNK_LAST);
  if (stack) memcpy(chunk + 1, slot->thread.stack, stack);
  TACHY_STORE_RELEASE(&chunk->owner, tachy_chunk_owner(slot->thread.number, cls));
  writer->origin = (uintptr_t)tachy_chunk_records(chunk) - (uintptr_t)writer->head;
  /* before the link: a collector that has come to the chunk must not take it for a full one, and return it */
  TACHY_STORE(&writer->limit, writer->head + chunk->size);
  if (spent) {
    writer_link_spent(slot, cls, full, chunk);
  } else {
    TACHY_STORE_RELEASE(&full->next, (uintptr_t)chunk);
  }
  back->chunk = (uintptr_t)chunk;
  /* release: whoever sees the loss gone also sees the chunk that counts it */
  TACHY_STORE_RELEASE(&back->lost_depth, TACHY_NO_DEPTH);
  return 1;
}

int tachy_writer_begin(tachy_slot *slot, tachy_class cls) {
  return slot->back[cls].chunk || writer_next_chunk(slot, cls, sizeof(tachy_span_record));
}

TACHY_BESIDE uint8_t *tachy_writer_reserve(tachy_slot *slot, tachy_class cls, uint64_t size, uint64_t *head) {
  tachy_writer *const writer = (tachy_writer *)(tachy_slot_writer(slot, cls));
  if (writer->limit - writer->head < size && !writer_next_chunk(slot, cls, size)) return NULL;
  *head = writer->head + size;
  return (uint8_t *)(writer->origin + (uintptr_t)writer->head);
}

void tachy_writer_publish(tachy_slot *slot, tachy_class cls, uint64_t head) {
  TACHY_ASSERT(head <= tachy_slot_writer(slot, cls)->limit);
  TACHY_STORE_RELEASE(&tachy_slot_writer(slot, cls)->head, head);
}

void tachy_writer_drop(tachy_slot *slot, tachy_class cls, uint32_t depth) {
  tachy_writer *const writer = (tachy_writer *)(tachy_slot_writer(slot, cls));
  tachy_writer_back *const back = (tachy_writer_back *)(&slot->back[cls]);
  TACHY_STORE(&writer->limit, writer->head); /* nothing smaller may slip in before the chunk that counts it */
  /* release, and the depth first: whoever sees the stack change sees why, and whoever sees the count sees a depth that
   * is at least as shallow */
  if (depth < back->lost_depth) TACHY_STORE_RELEASE(&back->lost_depth, depth);
  TACHY_STORE_RELEASE(&back->lost, back->lost + 1);
}

#if defined(TACHY_OS_POSIX)

/* src/os/posix/clock.c */
/* Clocks on POSIX, and what the processor says about its own. */
#include <errno.h>
#if defined(__APPLE__)
#include <stdlib.h>
#else
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#include <time.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif


static uint64_t posix_clock_read_clock(clockid_t clock) {
  struct timespec time = {0, 0};
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

#if defined(__APPLE__)
uint64_t tachy_os_monotonic(void) { return posix_clock_read_clock(CLOCK_MONOTONIC_RAW); } /* the other one moves by 1000 ns */
#else
uint64_t tachy_os_monotonic(void) { return posix_clock_read_clock(CLOCK_MONOTONIC); }
#endif
int64_t tachy_os_utc(void) { return (int64_t)posix_clock_read_clock(CLOCK_REALTIME); }
uint64_t tachy_os_thread_cpu(void) { return posix_clock_read_clock(CLOCK_THREAD_CPUTIME_ID); }

uint64_t tachy_os_tick_frequency(void) {
#if defined(TACHY_CLOCK_OS)
  return 1000000000u;
#elif defined(__x86_64__)
  /* Leaf 15h: TSC = crystal * numerator / denominator; leaf 16h's base frequency is too coarse to be used alone. */
  unsigned denominator = 0, numerator = 0, crystal = 0, rest = 0;
  if (__get_cpuid_max(0, NULL) >= 0x15) __cpuid_count(0x15, 0, denominator, numerator, crystal, rest);
  if (denominator == 0 || numerator == 0 || crystal == 0) return 0;
  const uint64_t frequency = (uint64_t)crystal * numerator / denominator;
  return frequency >= 100000000u && frequency <= 10000000000u ? frequency : 0;
#elif defined(__aarch64__)
  uint64_t frequency;
  __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
  return frequency;
#else
  return 1000000000u;
#endif
}

void tachy_os_sleep(uint64_t ns) {
  struct timespec time = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
  while (nanosleep(&time, &time) != 0 && errno == EINTR) {
  }
}

#if defined(__APPLE__)
int tachy_os_random(void *bytes, size_t size) {
  arc4random_buf(bytes, size);
  return 1;
}
#else
static int posix_clock_read_random(unsigned char *bytes, size_t size) {
  const int file = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  const ssize_t got = file < 0 ? 0 : read(file, bytes, size);
  if (file >= 0) close(file);
  return got == (ssize_t)size;
}

int tachy_os_random(void *bytes, size_t size) {
  unsigned char *at = (unsigned char *)(bytes);
  while (size > 0) {
    const long got = syscall(SYS_getrandom, at, size, 0); /* in the C library since glibc 2.25 and Android 9 */
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == ENOSYS) return posix_clock_read_random(at, size); /* before Linux 3.17 */
    if (got <= 0) return 0;
    at += got;
    size -= (size_t)got;
  }
  return 1;
}
#endif

#endif

#if defined(TACHY_OS_POSIX)

/* src/os/posix/describe.c */
/* What POSIX says about the machine, the user and the program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <mach-o/dyld.h>
#include <pwd.h>
#include <sys/sysctl.h>
#endif


static void posix_describe_copy(char *text, size_t size, const char *from, size_t length) {
  if (length >= size) length = size - 1;
  memcpy(text, from, length);
  text[length] = 0;
}

#if defined(__APPLE__)
static void posix_describe_read_kernel(const char *name, char *text, size_t size) {
  if (sysctlbyname(name, text, &size, NULL, 0) != 0) text[0] = 0;
}

static void posix_describe_read_exe(char *text, size_t size) {
  uint32_t room = (uint32_t)size;
  if (_NSGetExecutablePath(text, &room) != 0) text[0] = 0;
}

static void posix_describe_read_distro(char *text, size_t size) {
  char version[64];
  posix_describe_read_kernel("kern.osproductversion", version, sizeof version);
  snprintf(text, size, "macOS %s", version);
}

static void posix_describe_read_cpu(char *text, size_t size) { posix_describe_read_kernel("machdep.cpu.brand_string", text, size); }
#else
/* The value of the first line `key`, separator, value; quotes and blanks around the value are removed. */
static void posix_describe_read_value(const char *path, const char *key, char separator, char *text, size_t size) {
  FILE *const file = (FILE *)(fopen(path, "re"));
  if (!file) return;
  char line[1024];
  while (fgets(line, sizeof line, file)) {
    if (strncmp(line, key, strlen(key)) != 0) continue;
    const char *value = (const char *)(strchr(line, separator));
    if (!value) continue;
    value++;
    value += strspn(value, " \t\"");
    size_t length = strcspn(value, "\"\n");
    while (length > 0 && value[length - 1] == ' ') length--;
    posix_describe_copy(text, size, value, length);
    break;
  }
  fclose(file);
}

static void posix_describe_read_exe(char *text, size_t size) {
  const ssize_t length = readlink("/proc/self/exe", text, size - 1);
  text[length > 0 ? length : 0] = 0;
}

static void posix_describe_read_distro(char *text, size_t size) { posix_describe_read_value("/etc/os-release", "PRETTY_NAME", '=', text, size); }

static void posix_describe_read_cpu(char *text, size_t size) { posix_describe_read_value("/proc/cpuinfo", "model name", ':', text, size); }
#endif

#if defined(__APPLE__)
static void posix_describe_read_user(tachy_os_fact fact, char *text, size_t size) {
  struct passwd entry;
  struct passwd *found = (struct passwd *)(NULL);
  char memory[4096];
  if (getpwuid_r(getuid(), &entry, memory, sizeof memory, &found) != 0 || !found) return;
  const char *const value = (const char *)(fact == TACHY_OS_USERNAME ? found->pw_name : found->pw_gecos);
  if (value) posix_describe_copy(text, size, value, fact == TACHY_OS_REALNAME ? strcspn(value, ",") : strlen(value));
}
#else
/* The part of `line` behind so many colons; its length up to the next. NULL: there are not so many. */
static const char *posix_describe_field(const char *line, unsigned colons, size_t *length) {
  while (line && colons-- > 0) {
    line = strchr(line, ':');
    if (line) line++;
  }
  if (line) *length = strcspn(line, ":\n");
  return line;
}

/* From /etc/passwd, or the name that the environment has. getpwuid_r would load modules into the program, ask a
 * directory over the network, and with hardly any memory glibc's aborts. */
static void posix_describe_read_user(tachy_os_fact fact, char *text, size_t size) {
  char line[1024];
  char wanted[24];
  size_t length = 0;
  snprintf(wanted, sizeof wanted, "%lu:", (unsigned long)getuid());
  FILE *const file = (FILE *)(fopen("/etc/passwd", "re"));
  int found = 0;
  while (file && !found && fgets(line, sizeof line, file)) {
    const char *const number = (const char *)(posix_describe_field(line, 2, &length));
    found = number && strncmp(number, wanted, strlen(wanted)) == 0;
  }
  if (file) fclose(file);
  const char *value = (const char *)(found ? posix_describe_field(line, fact == TACHY_OS_USERNAME ? 0 : 4, &length) : NULL);
  if (!found && fact == TACHY_OS_USERNAME) {
    value = getenv("USER") ? getenv("USER") : getenv("LOGNAME");
    length = value ? strlen(value) : 0;
  }
  if (!value) return;
  const size_t name = strcspn(value, ",");
  posix_describe_copy(text, size, value, fact == TACHY_OS_REALNAME && name < length ? name : length);
}
#endif

void tachy_os_describe(tachy_os_fact fact, char *text, size_t size) {
  if (size == 0) return;
  text[0] = 0;
  switch (fact) {
    case TACHY_OS_EXE:
      posix_describe_read_exe(text, size);
      break;
    case TACHY_OS_USERNAME:
    case TACHY_OS_REALNAME:
      posix_describe_read_user(fact, text, size);
      break;
    case TACHY_OS_COMPUTER:
      if (gethostname(text, size) != 0) text[0] = 0;
      text[size - 1] = 0;
      break;
    case TACHY_OS_DISTRO:
      posix_describe_read_distro(text, size);
      break;
    case TACHY_OS_CPU:
      posix_describe_read_cpu(text, size);
      break;
  }
}

void tachy_os_complain(const char *line) {
  char text[1400];
  const int length = snprintf(text, sizeof text, "tachy: %s\n", line);
  const size_t size = length < 0 ? 0 : (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
  if (write(STDERR_FILENO, text, size) < 0) return; /* closed: nobody wants to know */
}

void tachy_os_fail(const char *line) {
  tachy_os_complain(line);
  abort();
}

int tachy_os_environment(const char *name, char *text, size_t size) {
  const char *const value = (const char *)(getenv(name));
  posix_describe_copy(text, size, value ? value : "", value ? strlen(value) : 0);
  return value != NULL;
}

#endif

#if defined(TACHY_OS_POSIX)

/* src/os/posix/files.c */
/* Files and mappings on POSIX. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <mach/vm_inherit.h>
#endif


int tachy_os_folder(const char *path) {
  if (mkdir(path, 0700) != 0 && errno != EEXIST) return 0;
  struct stat about;
  /* not a link, and nobody else's: names in /tmp and /dev/shm can be foreseen */
  return lstat(path, &about) == 0 && S_ISDIR(about.st_mode) && about.st_uid == geteuid() &&
         (about.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

int tachy_os_folder_lock(tachy_os_file *lock, const char *path) {
  *lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (*lock >= 0 && flock(*lock, LOCK_EX | LOCK_NB) == 0) return 1;
  tachy_os_file_close(lock);
  return 0;
}

void tachy_os_folder_unlock(tachy_os_file *lock) {
  if (*lock >= 0) flock(*lock, LOCK_UN); /* closing would not do while a forked child has a copy */
  tachy_os_file_close(lock);
}

int tachy_os_folder_list(const char *path, void (*function)(void *, const char *), void *context) {
  DIR *const folder = (DIR *)(opendir(path));
  if (!folder) return 0;
  for (const struct dirent *entry = (const struct dirent *)(readdir(folder)); entry; entry = readdir(folder)) {
    if (entry->d_name[0] != '.') function(context, entry->d_name);
  }
  closedir(folder);
  return 1;
}

int tachy_os_session_folder(unsigned choice, char *path, size_t size) {
  const char *parent = (const char *)(NULL);
  const char *name = (const char *)("tachy"); /* in a folder that is the user's own */
  char own[32];
  snprintf(own, sizeof own, "tachy-%lu", (unsigned long)geteuid());
  path[0] = 0;
  if (choice == 0) {
    name = own;
#if defined(__linux__)
    if (access("/dev/shm", W_OK | X_OK) == 0) parent = "/dev/shm";
#endif
  } else if (choice == 1) {
    parent = getenv("XDG_RUNTIME_DIR");
  } else if (choice == 2) {
    name = own;
    parent = getenv("TMPDIR");
    if (!parent || !*parent) parent = "/tmp";
  } else if (choice == 3) {
    parent = getenv("HOME");
    name = ".tachy-sessions";
  } else {
    return 0;
  }
  if (!parent || !*parent) return 1;
  const int length = snprintf(path, size, "%s/%s", parent, name);
  if (length < 0 || (size_t)length >= size) path[0] = 0;
  return 1;
}

uint64_t tachy_os_folder_free(const char *path) {
  struct statvfs about;
  if (statvfs(path, &about) != 0) return UINT64_MAX;
  return (uint64_t)about.f_bavail * about.f_frsize;
}

int tachy_os_file_open(tachy_os_file *file, const char *path, tachy_os_open_mode mode) {
  const int create = mode == TACHY_OS_NEW ? O_CREAT | O_EXCL : 0;
  int descriptor;
  do descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | create, 0600);
  while (descriptor < 0 && errno == EINTR);
  *file = descriptor;
  return descriptor >= 0;
}

void tachy_os_file_close(tachy_os_file *file) {
  if (*file >= 0) close(*file);
  *file = -1;
}

/* The open file's lock where there is one, for the process's own does not keep out a second copy of the library in the
 * process: a plugin's recovery would take what is being recorded. */
int tachy_os_file_lock(tachy_os_file *file) {
  struct flock lock;
  memset(&lock, 0, sizeof lock);
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
#if defined(F_OFD_SETLK)
  if (fcntl(*file, F_OFD_SETLK, &lock) == 0) return 1;
  if (errno != EINVAL) return 0; /* the kernel does not know them */
#endif
  return fcntl(*file, F_SETLK, &lock) == 0;
}

int tachy_os_file_is_at(const tachy_os_file *file, const char *path) {
  struct stat here, there;
  return fstat(*file, &here) == 0 && lstat(path, &there) == 0 && here.st_ino == there.st_ino &&
         here.st_dev == there.st_dev;
}

uint64_t tachy_os_file_size(const tachy_os_file *file) {
  struct stat about;
  return fstat(*file, &about) == 0 && about.st_size >= 0 ? (uint64_t)about.st_size : UINT64_MAX;
}

/* Beyond the process's limit the system would send SIGXFSZ, which kills. */
static int posix_files_allowed(uint64_t size) {
  struct rlimit limit;
  return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || size <= (uint64_t)limit.rlim_cur;
}

int tachy_os_file_resize(tachy_os_file *file, uint64_t size) {
  int status;
  if (!posix_files_allowed(size)) return 0;
  do status = ftruncate(*file, (off_t)size);
  while (status != 0 && errno == EINTR);
  return status == 0;
}

#if !defined(__APPLE__)
int tachy_os_file_back(tachy_os_file *file, uint64_t offset, uint64_t size) {
  int error;
  if (!posix_files_allowed(offset + size)) return 0;
  do error = posix_fallocate(*file, (off_t)offset, (off_t)size);
  while (error == EINTR);
  return error == 0;
}
#else
static int posix_files_write_zeros(tachy_os_file *file, uint64_t begin, uint64_t end) {
  static const unsigned char zeros[65536] = {0};
  while (begin < end) {
    const size_t size = end - begin < sizeof zeros ? (size_t)(end - begin) : sizeof zeros;
    if (!tachy_os_file_write(file, begin, zeros, size)) return 0;
    begin += size;
  }
  return 1;
}

/* macOS allocates behind a file's end only: zeros written into its holes take storage, too. */
int tachy_os_file_back(tachy_os_file *file, uint64_t offset, uint64_t size) {
  const uint64_t end = offset + size;
  if (end > tachy_os_file_size(file) && !tachy_os_file_resize(file, end)) return 0;
  while (offset < end) {
    const off_t hole = lseek(*file, (off_t)offset, SEEK_HOLE);                  /* the file's end counts as one */
    if (hole < 0 || (uint64_t)hole >= end) return hole >= 0 || errno == EINVAL; /* EINVAL: no holes here */
    const off_t data = lseek(*file, hole, SEEK_DATA);                           /* ENXIO: none comes any more */
    if (data < 0 && errno != ENXIO) return 0;
    const uint64_t until = data < 0 || (uint64_t)data > end ? end : (uint64_t)data;
    if (!posix_files_write_zeros(file, (uint64_t)hole, until)) return 0;
    offset = until;
  }
  return 1;
}
#endif

int tachy_os_file_discard(tachy_os_file *file, uint64_t offset, uint64_t size) {
#if defined(FALLOC_FL_PUNCH_HOLE)
  return fallocate(*file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size) == 0;
#else
  (void)file;
  (void)offset;
  (void)size;
  return 0;
#endif
}

int tachy_os_file_read(const tachy_os_file *file, uint64_t offset, void *bytes, size_t size) {
  unsigned char *at = (unsigned char *)(bytes);
  while (size > 0) {
    const ssize_t got = pread(*file, at, size, (off_t)offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return 0;
    at += got;
    offset += (uint64_t)got;
    size -= (size_t)got;
  }
  return 1;
}

int tachy_os_file_write(tachy_os_file *file, uint64_t offset, const void *bytes, size_t size) {
  const unsigned char *at = (const unsigned char *)(bytes);
  if (!posix_files_allowed(offset + size)) return 0;
  while (size > 0) {
    const ssize_t put = pwrite(*file, at, size, (off_t)offset);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return 0;
    at += put;
    offset += (uint64_t)put;
    size -= (size_t)put;
  }
  return 1;
}

int tachy_os_file_look(const char *path, uint64_t *storage, int64_t *utc) {
  struct stat about;
  if (lstat(path, &about) != 0 || !S_ISREG(about.st_mode)) return 0;
  *storage = (uint64_t)about.st_blocks * 512u;
#if defined(__APPLE__)
  *utc = (int64_t)about.st_mtimespec.tv_sec * 1000000000 + about.st_mtimespec.tv_nsec;
#else
  *utc = (int64_t)about.st_mtim.tv_sec * 1000000000 + about.st_mtim.tv_nsec;
#endif
  return 1;
}

void tachy_os_file_copy_time(const char *from, const char *to) {
  struct stat about;
  if (lstat(from, &about) != 0) return;
#if defined(__APPLE__)
  const struct timespec times[2] = {about.st_atimespec, about.st_mtimespec};
#else
  const struct timespec times[2] = {about.st_atim, about.st_mtim};
#endif
  utimensat(AT_FDCWD, to, times, AT_SYMLINK_NOFOLLOW);
}

int tachy_os_file_remove(const char *path) { return unlink(path) == 0; }

int tachy_os_file_rename(const char *from, const char *to) { return rename(from, to) == 0; }

void *tachy_os_map(size_t size) {
  void *const memory = (void *)(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  return memory == MAP_FAILED ? NULL : memory;
}

size_t tachy_os_page_size(void) {
  const long size = sysconf(_SC_PAGESIZE);
  return size > 0 ? (size_t)size : 4096;
}

void tachy_os_prefer_large_pages(void *memory, size_t size) {
#ifdef MADV_HUGEPAGE
  const uintptr_t page = tachy_os_page_size();
  const uintptr_t begin = ((uintptr_t)memory + page - 1) / page * page;
  const uintptr_t end = ((uintptr_t)memory + size) / page * page;
  if (end > begin) madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#else
  (void)memory;
  (void)size;
#endif
}

void tachy_os_prefault(void *memory, size_t size) {
#ifdef MADV_POPULATE_WRITE
  if (madvise(memory, size, MADV_POPULATE_WRITE) == 0) return;
#endif
  const size_t page = tachy_os_page_size();
  volatile unsigned char *const bytes = (unsigned char *)(memory);
  for (size_t i = 0; i < size; i += page) bytes[i] = bytes[i]; /* a part of a file keeps what it has */
}

void *tachy_os_file_map(tachy_os_file *file, uint64_t offset, size_t size) {
  void *const memory = (void *)(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *file, (off_t)offset));
  if (memory == MAP_FAILED) return NULL;
#if defined(__APPLE__)
  const int kept = minherit(memory, size, VM_INHERIT_NONE);
#else
  const int kept = madvise(memory, size, MADV_DONTFORK);
#endif
  if (kept != 0) {
    munmap(memory, size);
    return NULL;
  }
  return memory;
}

void tachy_os_unmap(void *memory, size_t size) {
  if (memory) munmap(memory, size);
}

int tachy_os_map_over(void *memory, size_t size) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  return mmap(memory, size, PROT_READ | PROT_WRITE, flags, -1, 0) != MAP_FAILED;
}

void tachy_os_on_exit(void (*function)(void)) {
  atexit(function);
#if defined(__GLIBC__)
  at_quick_exit(function);
#endif
}

#endif

#if defined(TACHY_OS_POSIX)

/* src/os/posix/landmarks_elf.c */
/* Landmarks in ELF modules: a note each (see TACHY_OS_LANDMARK), in a segment of its own. */
#if !defined(__APPLE__)
#include <dlfcn.h>
#include <link.h>
#include <string.h>


/* A program that is linked statically has neither these nor modules to keep; libraries need not ask for libdl. */
#pragma weak dlopen

static const struct {
  uint32_t name_size, size, type;
  char name[8];
} head = {6, 4, 1, "tachy"};

static size_t posix_landmarks_elf_padded(size_t size, size_t to) { return (size + to - 1) / to * to; }

/* Whether a segment of the module that is loaded holds the address. */
static int posix_landmarks_elf_is_loaded(const struct dl_phdr_info *module, uintptr_t address, size_t size) {
  for (unsigned i = 0; i < module->dlpi_phnum; i++) {
    const ElfW(Phdr) *const part = &module->dlpi_phdr[i];
    if (part->p_type != PT_LOAD) continue;
    const uintptr_t begin = (uintptr_t)(module->dlpi_addr + part->p_vaddr);
    if (address >= begin && address - begin <= part->p_memsz && size <= part->p_memsz - (address - begin)) return 1;
  }
  return 0;
}

typedef struct posix_landmarks_elf_visit {
  int (*function)(void *, void *);
  void *context;
} posix_landmarks_elf_visit;

static int posix_landmarks_elf_read_notes(const posix_landmarks_elf_visit *v, const uint8_t *notes, size_t size, size_t alignment) {
  while (size >= sizeof head) {
    ElfW(Nhdr) note;
    memcpy(&note, notes, sizeof note);
    if (note.n_namesz > size || note.n_descsz > size) return 0; /* not what it should be */
    const size_t content = posix_landmarks_elf_padded(sizeof note + note.n_namesz, alignment);
    const size_t all = posix_landmarks_elf_padded(content + note.n_descsz, alignment);
    if (all > size) return 0;
    if (memcmp(notes, &head, sizeof head) == 0) {
      int32_t distance;
      memcpy(&distance, notes + content, sizeof distance);
      if (v->function(v->context, (void *)((uintptr_t)(notes + content) + (uintptr_t)(intptr_t)distance))) return 1;
    }
    notes += all;
    size -= all;
  }
  return 0;
}

static int posix_landmarks_elf_look_through(struct dl_phdr_info *module, size_t size, void *context) {
  const posix_landmarks_elf_visit *const v = (const posix_landmarks_elf_visit *)(context);
  (void)size;
  for (unsigned i = 0; i < module->dlpi_phnum; i++) {
    const ElfW(Phdr) *const part = &module->dlpi_phdr[i];
    const uintptr_t notes = (uintptr_t)(module->dlpi_addr + part->p_vaddr);
    if (part->p_type != PT_NOTE || !posix_landmarks_elf_is_loaded(module, notes, part->p_memsz)) continue;
    if (posix_landmarks_elf_read_notes(v, (const uint8_t *)notes, part->p_memsz, part->p_align == 8 ? 8 : 4)) return 1;
  }
  return 0;
}

void tachy_os_landmarks(int (*function)(void *, void *), void *context) {
  posix_landmarks_elf_visit v = {function, context};
  dl_iterate_phdr(posix_landmarks_elf_look_through, &v);
}

typedef struct posix_landmarks_elf_holder {
  uintptr_t address;
  int found;
  int in_library;
  char name[4096];
} posix_landmarks_elf_holder;

static int posix_landmarks_elf_find_module(struct dl_phdr_info *module, size_t size, void *context) {
  posix_landmarks_elf_holder *const h = (posix_landmarks_elf_holder *)(context);
  (void)size;
  if (!posix_landmarks_elf_is_loaded(module, h->address, 1)) {
    h->in_library = 1; /* the program comes first */
    return 0;
  }
  h->found = 1;
  strncpy(h->name, module->dlpi_name ? module->dlpi_name : "", sizeof h->name - 1);
  return 1;
}

static void posix_landmarks_elf_find(const void *address, posix_landmarks_elf_holder *h) {
  memset(h, 0, sizeof *h);
  h->address = (uintptr_t)address;
  dl_iterate_phdr(posix_landmarks_elf_find_module, h);
}

int tachy_os_keep_loaded(const void *address) {
  posix_landmarks_elf_holder h;
  posix_landmarks_elf_find(address, &h);
  if (!h.found || !h.in_library || !dlopen) return h.found;
  if (dlopen(h.name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE)) return 1;
  posix_landmarks_elf_find(address, &h); /* the loader may refuse, for instance a module that it did not load itself */
  return h.found;
}

void tachy_os_module_name(const void *address, char *text, size_t size) {
  posix_landmarks_elf_holder h;
  posix_landmarks_elf_find(address, &h);
  if (size == 0) return;
  strncpy(text, h.found && h.name[0] ? h.name : "the program", size - 1);
  text[size - 1] = 0;
}
#endif

#endif

#if defined(TACHY_OS_POSIX)

/* src/os/posix/modules_elf.c */
/* The loaded modules where they are ELF, walked under the loader's own lock. */
#if !defined(__APPLE__)
#include <link.h>


typedef struct posix_modules_elf_walk {
  void (*part)(void *, tachy_os_range);
  void (*then)(void *);
  void *context;
} posix_modules_elf_walk;

static int posix_modules_elf_look_at(struct dl_phdr_info *info, size_t size, void *context) {
  const posix_modules_elf_walk *const w = (const posix_modules_elf_walk *)(context);
  (void)size;
  for (unsigned i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *const part = &info->dlpi_phdr[i];
    if (part->p_type != PT_LOAD) continue;
    const uintptr_t begin = (uintptr_t)(info->dlpi_addr + part->p_vaddr);
    w->part(w->context, (tachy_os_range){begin, begin + part->p_memsz, (part->p_flags & PF_W) != 0});
  }
  return 0;
}

/* The loader's lock is recursive and held during every callback: the first one walks all modules and does the work. */
static int posix_modules_elf_first_module(struct dl_phdr_info *info, size_t size, void *context) {
  const posix_modules_elf_walk *const w = (const posix_modules_elf_walk *)(context);
  (void)info;
  (void)size;
  dl_iterate_phdr(posix_modules_elf_look_at, context);
  w->then(w->context);
  return 1;
}

/* Our mutex first, so that fork() does not copy a loader's lock that waits for it. Constructors run under another lock
 * of the loader. */
void tachy_os_with_modules(tachy_os_mutex *mutex, void (*part)(void *, tachy_os_range), void (*then)(void *),
                           void *context) {
  posix_modules_elf_walk w = {part, then, context};
  tachy_os_lock(mutex);
  dl_iterate_phdr(posix_modules_elf_first_module, &w);
  tachy_os_unlock(mutex);
}
#endif

#endif

#if defined(TACHY_OS_POSIX)

/* src/os/posix/modules_macos.c */
/* The loaded modules on macOS. dyld shows no lock, so each module is held by a reference of its own while its parts are
 * looked at. */
#if defined(__APPLE__)
#include <dlfcn.h>
#include <mach-o/dyld.h>
#include <mach-o/getsect.h>
#include <mach-o/loader.h>
#include <string.h>


typedef struct posix_modules_macos_held {
  void *handle;
  const struct mach_header_64 *header;
} posix_modules_macos_held;

static void posix_modules_macos_read_parts(const struct mach_header_64 *header, void (*function)(void *, tachy_os_range), void *context) {
  uintptr_t slide = 0;
  const struct load_command *command = (const struct load_command *)((const struct load_command *)(const void *)(header + 1));
  for (uint32_t i = 0; i < header->ncmds; i++) {
    const struct segment_command_64 *const part = (const struct segment_command_64 *)((const struct segment_command_64 *)(const void *)command);
    command = (const struct load_command *)(const void *)((const uint8_t *)command + command->cmdsize);
    if (part->cmd != LC_SEGMENT_64) continue;
    if (strcmp(part->segname, SEG_TEXT) == 0) slide = (uintptr_t)header - (uintptr_t)part->vmaddr;
    /* the second is shared by all modules of the system */
    if (part->initprot == 0 || strcmp(part->segname, SEG_LINKEDIT) == 0) continue;
    const uintptr_t begin = slide + (uintptr_t)part->vmaddr; /* __TEXT comes first */
    const uint32_t writable = (part->initprot & VM_PROT_WRITE) != 0;
    function(context, (tachy_os_range){begin, begin + (uintptr_t)part->vmsize, writable});
  }
}

/* Holds image i. 0: it has gone. */
static int posix_modules_macos_hold(uint32_t i, posix_modules_macos_held *h) {
  const char *const name = (const char *)(_dyld_get_image_name(i));
  const void *const header = (const void *)(_dyld_get_image_header(i));
  if (!name || !header) return 0;
  Dl_info found;
  h->header = (const struct mach_header_64 *)header;
  h->handle = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
  if (!h->handle) return i == 0; /* the program itself stays */
  if (dladdr(header, &found) && found.dli_fbase == header) return 1;
  dlclose(h->handle);
  return 0;
}

void tachy_os_with_modules(tachy_os_mutex *mutex, void (*part)(void *, tachy_os_range), void (*then)(void *),
                           void *context) {
  const uint32_t images = _dyld_image_count();
  posix_modules_macos_held *const modules = (posix_modules_macos_held *)(tachy_os_allocate(images * sizeof *modules));
  size_t count = 0;
  if (!modules) return;
  for (uint32_t i = 0; i < images; i++) count += (size_t)posix_modules_macos_hold(i, &modules[count]);
  tachy_os_lock(mutex);
  for (size_t i = 0; i < count; i++) posix_modules_macos_read_parts(modules[i].header, part, context);
  then(context);
  tachy_os_unlock(mutex);
  for (size_t i = 0; i < count; i++) {
    if (modules[i].handle) dlclose(modules[i].handle);
  }
  tachy_os_release(modules);
}

void tachy_os_landmarks(int (*function)(void *, void *), void *context) {
  int enough = 0;
  for (uint32_t i = 0; i < _dyld_image_count() && !enough; i++) {
    posix_modules_macos_held module;
    if (!posix_modules_macos_hold(i, &module)) continue;
    unsigned long size = 0;
    void *const *const objects = (const *)((void *const *)(void *)getsectiondata(module.header, "__DATA", "__tachy", &size));
    for (unsigned long at = 0; objects && at < size / sizeof *objects && !enough; at++) {
      if (objects[at]) enough = function(context, objects[at]);
    }
    if (module.handle) dlclose(module.handle);
  }
}

int tachy_os_keep_loaded(const void *address) {
  Dl_info found;
  if (!dladdr(address, &found)) return 0;
  if (found.dli_fbase == (const void *)_dyld_get_image_header(0)) return 1;
  return dlopen(found.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) != NULL || dladdr(address, &found) != 0;
}

void tachy_os_module_name(const void *address, char *text, size_t size) {
  Dl_info found;
  if (size == 0) return;
  strncpy(text, dladdr(address, &found) && found.dli_fname ? found.dli_fname : "the program", size - 1);
  text[size - 1] = 0;
}
#endif

#endif

#if defined(TACHY_OS_POSIX)

/* src/os/posix/thread.c */
/* Threads, locks and forks on POSIX; what each system has of its own is in thread_linux.c and thread_macos.c. */
#include <signal.h>
#include <string.h>


static pthread_key_t posix_thread_exit_key;

void tachy_os_mutex_init(tachy_os_mutex *mutex) { pthread_mutex_init(mutex, NULL); }
void tachy_os_lock(tachy_os_mutex *mutex) { pthread_mutex_lock(mutex); }
void tachy_os_unlock(tachy_os_mutex *mutex) { pthread_mutex_unlock(mutex); }
void tachy_os_wake_all(tachy_os_condition *condition) { pthread_cond_broadcast(condition); }
void tachy_os_once(tachy_os_once_flag *flag, void (*function)(void)) { pthread_once(flag, function); }

static void (*thread_function)(void *);
static const char *posix_thread_thread_name;

static void *posix_thread_run(void *argument) {
  tachy_os_name_thread(posix_thread_thread_name);
  thread_function(argument);
  return NULL;
}

int tachy_os_thread_start(tachy_os_thread *thread, void (*function)(void *), void *argument, const char *name) {
  sigset_t all, before;
  thread_function = function;
  posix_thread_thread_name = name;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(thread, NULL, posix_thread_run, argument);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error == 0;
}

void tachy_os_thread_join(tachy_os_thread thread) { pthread_join(thread, NULL); }

int tachy_os_on_thread_exit(void (*function)(void *)) { return pthread_key_create(&posix_thread_exit_key, function) == 0; }

int tachy_os_arm_thread_exit(void *value) { return pthread_setspecific(posix_thread_exit_key, value) == 0; }

static const int posix_thread_terminations[] = {SIGTERM, SIGINT, SIGHUP};
static void (*on_termination)(void);

/* Its disposition is the default again, and it is blocked until this returns: then the process dies of it. */
static void posix_thread_terminate(int number) {
  on_termination();
  raise(number);
}

void tachy_os_on_termination(void (*function)(void)) {
  if (function) on_termination = function;
  for (size_t i = 0; i < sizeof posix_thread_terminations / sizeof *posix_thread_terminations; i++) {
    struct sigaction now;
    if (sigaction(posix_thread_terminations[i], NULL, &now) != 0 || now.sa_flags & SA_SIGINFO) continue;
    if (now.sa_handler != (function ? SIG_DFL : posix_thread_terminate)) continue;
    struct sigaction wanted;
    memset(&wanted, 0, sizeof wanted);
    wanted.sa_handler = function ? posix_thread_terminate : SIG_DFL;
    wanted.sa_flags = (int)SA_RESETHAND;
    sigaction(posix_thread_terminations[i], &wanted, NULL);
  }
}

void tachy_os_on_fork(void (*before)(void), void (*parent)(void), void (*child)(void)) {
  pthread_atfork(before, parent, child);
}

#endif

#if defined(TACHY_OS_POSIX)

/* src/os/posix/thread_linux.c */
/* Waits, names and numbers of threads on Linux. */
#if !defined(__APPLE__)
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>


void tachy_os_condition_init(tachy_os_condition *condition) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(condition, &attributes);
  pthread_condattr_destroy(&attributes);
}

int tachy_os_wait(tachy_os_condition *condition, tachy_os_mutex *mutex, uint64_t deadline) {
  struct timespec time;
  time.tv_sec = (time_t)(deadline / 1000000000u);
  time.tv_nsec = (long)(deadline % 1000000000u);
  return pthread_cond_timedwait(condition, mutex, &time) != ETIMEDOUT;
}

/* A semaphore cannot wait by the monotonic clock before glibc 2.30 and on Android, so a bell is a word that the kernel
 * watches: 0, or RUNG, or WAITING: somebody sleeps until it changes. */
enum { posix_thread_linux_RUNG = 1, posix_thread_linux_WAITING = 2 };

void tachy_os_bell_init(tachy_os_bell *bell) { TACHY_STORE(bell, 0); }

void tachy_os_ring(tachy_os_bell *bell) {
  if (TACHY_EXCHANGE(bell, posix_thread_linux_RUNG) == posix_thread_linux_WAITING) syscall(SYS_futex, bell, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void tachy_os_wait_bell(tachy_os_bell *bell, uint64_t deadline) {
  const struct { /* as the kernel has it in this call, whatever the C library's time_t is */
    long seconds, ns;
  } time = {(long)(deadline / 1000000000u), (long)(deadline % 1000000000u)};
  if (TACHY_EXCHANGE(bell, posix_thread_linux_WAITING) != posix_thread_linux_RUNG) {
    while (TACHY_LOAD(bell) == posix_thread_linux_WAITING &&
           (syscall(SYS_futex, bell, FUTEX_WAIT_BITSET_PRIVATE, posix_thread_linux_WAITING, &time, NULL, FUTEX_BITSET_MATCH_ANY) == 0 ||
            errno != ETIMEDOUT)) {
    }
  }
  TACHY_EXCHANGE(bell, 0);
}

void tachy_os_name_thread(const char *name) { prctl(PR_SET_NAME, name); }

uint64_t tachy_os_thread_id(void) { return (uint64_t)syscall(SYS_gettid); }

void tachy_os_thread_name(char *text, size_t size) {
  char name[16] = {0};
  if (size == 0) return;
  if (prctl(PR_GET_NAME, name) != 0) name[0] = 0;
  strncpy(text, name, size - 1);
  text[size - 1] = 0;
}

int tachy_os_thread_name_of(uint64_t id, char *text, size_t size) {
  char path[48];
  char name[16];
  snprintf(path, sizeof path, "/proc/self/task/%llu/comm", (unsigned long long)id);
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ssize_t length = read(file, name, sizeof name);
  close(file);
  if (length > 0 && name[length - 1] == '\n') length--;
  if (length <= 0 || (size_t)length >= size) return 0;
  memcpy(text, name, (size_t)length);
  text[length] = 0;
  return 1;
}
#endif

#endif

#if defined(TACHY_OS_POSIX)

/* src/os/posix/thread_macos.c */
/* Waits, names and numbers of threads on macOS, which waits for a time to pass, not for a clock to show one. */
#if defined(__APPLE__)
#include <errno.h>
#include <mach/mach.h>
#include <time.h>


/* How long until the deadline, in ns. */
static uint64_t posix_thread_macos_time_until(uint64_t deadline) {
  const uint64_t now = tachy_os_monotonic();
  return deadline > now ? deadline - now : 0;
}

void tachy_os_condition_init(tachy_os_condition *condition) { pthread_cond_init(condition, NULL); }

int tachy_os_wait(tachy_os_condition *condition, tachy_os_mutex *mutex, uint64_t deadline) {
  const uint64_t ns = posix_thread_macos_time_until(deadline);
  const struct timespec time = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
  return pthread_cond_timedwait_relative_np(condition, mutex, &time) != ETIMEDOUT;
}

/* Mach's semaphores: there are no POSIX ones without a name. A forked child has none of its parent's. */
void tachy_os_bell_init(tachy_os_bell *bell) { semaphore_create(mach_task_self(), bell, SYNC_POLICY_FIFO, 0); }

void tachy_os_ring(tachy_os_bell *bell) { semaphore_signal(*bell); }

void tachy_os_wait_bell(tachy_os_bell *bell, uint64_t deadline) {
  const uint64_t ns = posix_thread_macos_time_until(deadline);
  const uint64_t seconds = ns / 1000000000u;
  const mach_timespec_t time = {seconds < UINT32_MAX ? (unsigned)seconds : UINT32_MAX, (clock_res_t)(ns % 1000000000u)};
  semaphore_timedwait(*bell, time);
}

void tachy_os_name_thread(const char *name) { pthread_setname_np(name); }

uint64_t tachy_os_thread_id(void) {
  uint64_t id = 0;
  pthread_threadid_np(NULL, &id);
  return id;
}

void tachy_os_thread_name(char *text, size_t size) {
  if (size && pthread_getname_np(pthread_self(), text, size) != 0) text[0] = 0;
}

/* There is pthread_from_mach_thread_np, for ports, which a thread's number is not. */
int tachy_os_thread_name_of(uint64_t id, char *text, size_t size) {
  (void)id;
  (void)text;
  (void)size;
  return 0;
}
#endif

#endif

#if defined(TACHY_OS_WIN32)

/* src/os/win32/system.h */
/* windows.h as of Vista, and its text, which is UTF-16. Included by this folder's sources only. */
#ifndef TACHY_SRC_OS_WIN32_SYSTEM_H
#define TACHY_SRC_OS_WIN32_SYSTEM_H

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
/* clang-format off: the first brings the types of the others */
#include <aclapi.h>
#include <sddl.h>
#include <tlhelp32.h>
#include <windows.h>
#include <winioctl.h>
TACHY_HIDE
/* clang-format on */

#if defined(_MSC_VER)
#pragma comment(lib, "advapi32.lib") /* users, the registry, randomness */
#endif

#define TACHY_OS_PATH_MAX 1024

/* 0: not UTF-8, or more than fits. */
int tachy_os_to_wide(const char *text, wchar_t *wide, int size);
/* Cut at the end of a character; "" when there is none. */
void tachy_os_to_utf8(const wchar_t *wide, char *text, size_t size);

/* A function that not every Windows has, or NULL. No lock of ours is held around it: it takes the loader's. */
typedef void (*tachy_os_function)(void);
tachy_os_function tachy_os_find(const char *name);

/* How long until the deadline, in ms for the system's waits, rounded up; never INFINITE. */
DWORD tachy_os_ms_until(uint64_t deadline);

TACHY_SHOW
#endif

/* src/os/win32/clock.c */
/* Clocks on Windows, what the processor says about its own, and randomness. */

#if defined(_M_X64) && !defined(__clang__) && !defined(__GNUC__)
#include <intrin.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#endif

/* RtlGenRandom, as its documentation says to reach it: it needs no provider, and nothing else to link. */
#ifdef __cplusplus
extern "C"
#endif
    BOOLEAN NTAPI
    SystemFunction036(PVOID bytes, ULONG size);

static uint64_t win32_clock_to_number(FILETIME time) { return (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime; }

uint64_t tachy_os_monotonic(void) {
  LARGE_INTEGER count, frequency;
  QueryPerformanceCounter(&count);
  QueryPerformanceFrequency(&frequency); /* a load: it is fixed at boot */
  const uint64_t ticks = (uint64_t)count.QuadPart;
  const uint64_t second = (uint64_t)frequency.QuadPart;
  return ticks / second * 1000000000u + ticks % second * 1000000000u / second;
}

/* Windows 8 reads it to 100 ns, its predecessors to the timer's last tick, some 16 ms. */
int64_t tachy_os_utc(void) {
  typedef void(WINAPI * reader)(FILETIME *);
  const reader precise = (reader)tachy_os_find("GetSystemTimePreciseAsFileTime");
  FILETIME time;
  if (precise) {
    precise(&time);
  } else {
    GetSystemTimeAsFileTime(&time);
  }
  return ((int64_t)win32_clock_to_number(time) - INT64_C(116444736000000000)) * 100; /* since 1601 */
}

uint64_t tachy_os_thread_cpu(void) {
  FILETIME created, exited, kernel, user;
  if (!GetThreadTimes(GetCurrentThread(), &created, &exited, &kernel, &user)) return 0;
  return (win32_clock_to_number(kernel) + win32_clock_to_number(user)) * 100;
}

#if !defined(TACHY_CLOCK_OS) && (defined(_M_X64) || defined(__x86_64__))
static void win32_clock_read_cpuid(unsigned leaf, unsigned words[4]) {
#if defined(_M_X64) && !defined(__clang__) && !defined(__GNUC__)
  int signed_words[4];
  __cpuidex(signed_words, (int)leaf, 0);
  for (unsigned i = 0; i < 4; i++) words[i] = (unsigned)signed_words[i];
#else
  __cpuid_count(leaf, 0, words[0], words[1], words[2], words[3]);
#endif
}

uint64_t tachy_os_tick_frequency(void) {
  /* Leaf 15h: TSC = crystal (ecx) * numerator (ebx) / denominator (eax). */
  unsigned words[4] = {0, 0, 0, 0};
  win32_clock_read_cpuid(0, words);
  if (words[0] < 0x15) return 0;
  win32_clock_read_cpuid(0x15, words);
  if (words[0] == 0 || words[1] == 0 || words[2] == 0) return 0;
  const uint64_t frequency = (uint64_t)words[2] * words[1] / words[0];
  return frequency >= 100000000u && frequency <= 10000000000u ? frequency : 0;
}
#else
uint64_t tachy_os_tick_frequency(void) { return 1000000000u; } /* ticks are tachy_os_monotonic */
#endif

DWORD tachy_os_ms_until(uint64_t deadline) {
  const uint64_t now = tachy_os_monotonic();
  if (deadline <= now) return 0;
  const uint64_t ms = (deadline - now) / 1000000u + 1;
  return ms < INFINITE ? (DWORD)ms : INFINITE - 1;
}

void tachy_os_sleep(uint64_t ns) {
  const uint64_t end = tachy_os_monotonic() + ns;
  for (DWORD ms = tachy_os_ms_until(end); ms > 0; ms = tachy_os_ms_until(end)) Sleep(ms);
}

int tachy_os_random(void *bytes, size_t size) { return size <= 65536 && SystemFunction036(bytes, (ULONG)size); }

#endif

#if defined(TACHY_OS_WIN32)

/* src/os/win32/describe.c */
/* What Windows says about the machine, the user and the program. */
#include <string.h>
#include <wchar.h>


static void win32_describe_read_exe(char *text, size_t size) {
  wchar_t path[TACHY_OS_PATH_MAX];
  const DWORD length = GetModuleFileNameW(NULL, path, TACHY_OS_PATH_MAX);
  if (length > 0 && length < TACHY_OS_PATH_MAX) tachy_os_to_utf8(path, text, size);
}

/* A text of the registry, of the machine; "" when it is not there. */
static void win32_describe_read_registry(const wchar_t *key, const wchar_t *name, wchar_t *text, DWORD size) {
  DWORD bytes = size * (DWORD)sizeof *text;
  text[0] = 0;
  if (RegGetValueW(HKEY_LOCAL_MACHINE, key, name, RRF_RT_REG_SZ, NULL, text, &bytes) != ERROR_SUCCESS) text[0] = 0;
}

/* "Windows 10 Pro, build 22631": the build says Windows 11, whose product name does not. */
static void win32_describe_read_product(char *text, size_t size) {
  static const wchar_t key[] = L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion";
  static const wchar_t between[] = L", build ";
  wchar_t name[256];
  wchar_t build[64];
  win32_describe_read_registry(key, L"ProductName", name, 128);
  win32_describe_read_registry(key, L"CurrentBuildNumber", build, 64);
  if (name[0] && build[0]) {
    wcscat(name, between);
    wcscat(name, build);
  }
  tachy_os_to_utf8(name, text, size);
}

void tachy_os_describe(tachy_os_fact fact, char *text, size_t size) {
  wchar_t wide[256];
  DWORD length = 256;
  if (size == 0) return;
  text[0] = 0;
  switch (fact) {
    case TACHY_OS_EXE:
      win32_describe_read_exe(text, size);
      break;
    case TACHY_OS_USERNAME:
      if (GetUserNameW(wide, &length)) tachy_os_to_utf8(wide, text, size);
      break;
    case TACHY_OS_REALNAME:
      break; /* in a domain, asking for it goes over the network */
    case TACHY_OS_COMPUTER:
      if (GetComputerNameExW(ComputerNameDnsHostname, wide, &length)) tachy_os_to_utf8(wide, text, size);
      break;
    case TACHY_OS_DISTRO:
      win32_describe_read_product(text, size);
      break;
    case TACHY_OS_CPU:
      win32_describe_read_registry(L"HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0", L"ProcessorNameString", wide, 256);
      tachy_os_to_utf8(wide, text, size);
      break;
  }
}

/* Not from the C library, which has them in the process' code page. */
int tachy_os_environment(const char *name, char *text, size_t size) {
  wchar_t wide_name[64];
  wchar_t wide[TACHY_OS_PATH_MAX];
  text[0] = 0;
  if (!tachy_os_to_wide(name, wide_name, 64)) return 0;
  SetLastError(ERROR_SUCCESS);
  const DWORD length = GetEnvironmentVariableW(wide_name, wide, TACHY_OS_PATH_MAX);
  if (length >= TACHY_OS_PATH_MAX || (length == 0 && GetLastError() != ERROR_SUCCESS)) return 0;
  wide[length] = 0;
  tachy_os_to_utf8(wide, text, size);
  return 1;
}

void tachy_os_complain(const char *line) {
  const HANDLE out = GetStdHandle(STD_ERROR_HANDLE);
  DWORD done;
  if (!out || out == INVALID_HANDLE_VALUE) return;
  WriteFile(out, "tachy: ", 7, &done, NULL);
  WriteFile(out, line, (DWORD)strlen(line), &done, NULL);
  WriteFile(out, "\r\n", 2, &done, NULL);
}

void tachy_os_fail(const char *line) {
  tachy_os_complain(line);
  abort();
}

#endif

#if defined(TACHY_OS_WIN32)

/* src/os/win32/files.c */
/* Files and mappings on Windows. */
#include <stdlib.h>
#include <string.h>


enum { win32_files_SHARED = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE };

/* The file itself and not what a link leads to; INVALID_HANDLE_VALUE: none. */
static HANDLE win32_files_open_file(const char *path, DWORD access, DWORD disposition) {
  wchar_t wide[TACHY_OS_PATH_MAX];
  if (!tachy_os_to_wide(path, wide, TACHY_OS_PATH_MAX)) return INVALID_HANDLE_VALUE;
  /* temporary: kept in memory as long as there is enough, for what is written all the time */
  const DWORD how = FILE_FLAG_OPEN_REPARSE_POINT | FILE_ATTRIBUTE_TEMPORARY;
  return CreateFileW(wide, access, win32_files_SHARED, NULL, disposition, how, NULL);
}

int tachy_os_file_open(tachy_os_file *file, const char *path, tachy_os_open_mode mode) {
  const int made = mode == TACHY_OS_NEW;
  *file = win32_files_open_file(path, GENERIC_READ | GENERIC_WRITE, made ? CREATE_NEW : OPEN_EXISTING);
  if (*file == INVALID_HANDLE_VALUE) return 0;
  BY_HANDLE_FILE_INFORMATION about;
  if (!GetFileInformationByHandle(*file, &about) || about.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) {
    tachy_os_file_close(file);
    return 0;
  }
  DWORD size;
  /* where there are no sparse files, a longer file takes its storage at once */
  if (made) DeviceIoControl(*file, FSCTL_SET_SPARSE, NULL, 0, NULL, 0, &size, NULL);
  return 1;
}

void tachy_os_file_close(tachy_os_file *file) {
  if (*file != INVALID_HANDLE_VALUE) CloseHandle(*file);
  *file = INVALID_HANDLE_VALUE;
}

static OVERLAPPED win32_files_at_offset(uint64_t offset) {
  OVERLAPPED at;
  memset(&at, 0, sizeof at);
  at.Offset = (DWORD)offset;
  at.OffsetHigh = (DWORD)(offset >> 32);
  return at;
}

/* Far behind the end: Windows keeps others from reading what is locked. */
int tachy_os_file_lock(tachy_os_file *file) {
  OVERLAPPED at = win32_files_at_offset(UINT64_C(1) << 62);
  return LockFileEx(*file, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at) != 0;
}

int tachy_os_file_is_at(const tachy_os_file *file, const char *path) {
  BY_HANDLE_FILE_INFORMATION here, there;
  HANDLE other = win32_files_open_file(path, FILE_READ_ATTRIBUTES, OPEN_EXISTING);
  const int same = other != INVALID_HANDLE_VALUE && GetFileInformationByHandle(*file, &here) &&
                   GetFileInformationByHandle(other, &there) &&
                   here.dwVolumeSerialNumber == there.dwVolumeSerialNumber &&
                   here.nFileIndexHigh == there.nFileIndexHigh && here.nFileIndexLow == there.nFileIndexLow;
  tachy_os_file_close(&other);
  return same;
}

uint64_t tachy_os_file_size(const tachy_os_file *file) {
  LARGE_INTEGER size;
  return GetFileSizeEx(*file, &size) ? (uint64_t)size.QuadPart : UINT64_MAX;
}

int tachy_os_file_resize(tachy_os_file *file, uint64_t size) {
  FILE_END_OF_FILE_INFO end;
  end.EndOfFile.QuadPart = (LONGLONG)size;
  return SetFileInformationByHandle(*file, FileEndOfFileInfo, &end, sizeof end) != 0;
}

int tachy_os_file_discard(tachy_os_file *file, uint64_t offset, uint64_t size) {
  FILE_ZERO_DATA_INFORMATION part;
  DWORD bytes = 0;
  part.FileOffset.QuadPart = (LONGLONG)offset;
  part.BeyondFinalZero.QuadPart = (LONGLONG)(offset + size);
  return DeviceIoControl(*file, FSCTL_SET_ZERO_DATA, &part, sizeof part, NULL, 0, &bytes, NULL) != 0;
}

int tachy_os_file_read(const tachy_os_file *file, uint64_t offset, void *bytes, size_t size) {
  unsigned char *at = (unsigned char *)((unsigned char *)bytes);
  while (size > 0) {
    OVERLAPPED where = win32_files_at_offset(offset);
    DWORD got = 0;
    if (!ReadFile(*file, at, size < 1 << 30 ? (DWORD)size : 1 << 30, &got, &where) || got == 0) return 0;
    at += got;
    offset += got;
    size -= got;
  }
  return 1;
}

int tachy_os_file_write(tachy_os_file *file, uint64_t offset, const void *bytes, size_t size) {
  const unsigned char *at = (const unsigned char *)((const unsigned char *)bytes);
  while (size > 0) {
    OVERLAPPED where = win32_files_at_offset(offset);
    DWORD put = 0;
    if (!WriteFile(*file, at, size < 1 << 30 ? (DWORD)size : 1 << 30, &put, &where) || put == 0) return 0;
    at += put;
    offset += put;
    size -= put;
  }
  return 1;
}

static int win32_files_write_zeros(tachy_os_file *file, uint64_t begin, uint64_t end) {
  static const unsigned char zeros[65536] = {0};
  while (begin < end) {
    const size_t size = end - begin < sizeof zeros ? (size_t)(end - begin) : sizeof zeros;
    if (!tachy_os_file_write(file, begin, zeros, size)) return 0;
    begin += size;
  }
  return 1;
}

/* Zeros written into the holes of a sparse file take storage. Where the question for them is not known, files have no
 * holes. */
int tachy_os_file_back(tachy_os_file *file, uint64_t offset, uint64_t size) {
  const uint64_t end = offset + size;
  if (end > tachy_os_file_size(file) && !tachy_os_file_resize(file, end)) return 0;
  while (offset < end) {
    FILE_ALLOCATED_RANGE_BUFFER asked, found;
    DWORD bytes = 0;
    asked.FileOffset.QuadPart = (LONGLONG)offset;
    asked.Length.QuadPart = (LONGLONG)(end - offset);
    const BOOL ok =
        DeviceIoControl(*file, FSCTL_QUERY_ALLOCATED_RANGES, &asked, sizeof asked, &found, sizeof found, &bytes, NULL);
    if (!ok && GetLastError() != ERROR_MORE_DATA) return 1;
    if (bytes < sizeof found) return win32_files_write_zeros(file, offset, end);
    if (!win32_files_write_zeros(file, offset, (uint64_t)found.FileOffset.QuadPart)) return 0;
    offset = (uint64_t)(found.FileOffset.QuadPart + found.Length.QuadPart);
  }
  return 1;
}

/* A file that somebody maps cannot go yet: then this process keeps it open, for the system to remove when it closes the
 * files of the process, which is after it has ended the mappings. */
int tachy_os_file_remove(const char *path) {
  wchar_t wide[TACHY_OS_PATH_MAX];
  if (!tachy_os_to_wide(path, wide, TACHY_OS_PATH_MAX)) return 0;
  if (DeleteFileW(wide)) return 1;
  const DWORD error = GetLastError();
  if (error != ERROR_ACCESS_DENIED && error != ERROR_USER_MAPPED_FILE) return 0;
  const DWORD how = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_DELETE_ON_CLOSE;
  return CreateFileW(wide, DELETE, win32_files_SHARED, NULL, OPEN_EXISTING, how, NULL) != INVALID_HANDLE_VALUE;
}

int tachy_os_file_rename(const char *from, const char *to) {
  wchar_t wide_from[TACHY_OS_PATH_MAX];
  wchar_t wide_to[TACHY_OS_PATH_MAX];
  return tachy_os_to_wide(from, wide_from, TACHY_OS_PATH_MAX) && tachy_os_to_wide(to, wide_to, TACHY_OS_PATH_MAX) &&
         MoveFileExW(wide_from, wide_to, MOVEFILE_REPLACE_EXISTING);
}

int tachy_os_file_look(const char *path, uint64_t *storage, int64_t *utc) {
  BY_HANDLE_FILE_INFORMATION about;
  FILE_STANDARD_INFO size;
  HANDLE file = win32_files_open_file(path, FILE_READ_ATTRIBUTES, OPEN_EXISTING);
  const int ok = file != INVALID_HANDLE_VALUE && GetFileInformationByHandle(file, &about) &&
                 GetFileInformationByHandleEx(file, FileStandardInfo, &size, sizeof size);
  if (ok) {
    const uint64_t time = (uint64_t)about.ftLastWriteTime.dwHighDateTime << 32 | about.ftLastWriteTime.dwLowDateTime;
    *storage = (uint64_t)size.AllocationSize.QuadPart;
    *utc = ((int64_t)time - INT64_C(116444736000000000)) * 100; /* from 1601 to 1970 */
  }
  tachy_os_file_close(&file);
  return ok;
}

void tachy_os_file_copy_time(const char *from, const char *to) {
  BY_HANDLE_FILE_INFORMATION about;
  HANDLE old = win32_files_open_file(from, FILE_READ_ATTRIBUTES, OPEN_EXISTING);
  HANDLE file = win32_files_open_file(to, FILE_WRITE_ATTRIBUTES, OPEN_EXISTING);
  if (old != INVALID_HANDLE_VALUE && file != INVALID_HANDLE_VALUE && GetFileInformationByHandle(old, &about)) {
    SetFileTime(file, NULL, NULL, &about.ftLastWriteTime);
  }
  tachy_os_file_close(&old);
  tachy_os_file_close(&file);
}

void *tachy_os_map(size_t size) { return VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE); }

size_t tachy_os_page_size(void) {
  SYSTEM_INFO info;
  GetSystemInfo(&info);
  return info.dwPageSize;
}

/* Writes what is there already: a part of a file must keep it. */
void tachy_os_prefer_large_pages(void *memory, size_t size) {
  (void)memory;
  (void)size;
}

void tachy_os_prefault(void *memory, size_t size) {
  const size_t page = tachy_os_page_size();
  volatile unsigned char *const bytes = (unsigned char *)((volatile unsigned char *)memory);
  for (size_t i = 0; i < size; i += page) bytes[i] = bytes[i];
}

/* The view keeps the mapping, and the file, after the handles are closed. */
void *tachy_os_file_map(tachy_os_file *file, uint64_t offset, size_t size) {
  const HANDLE mapping = CreateFileMappingW(*file, NULL, PAGE_READWRITE, 0, 0, NULL);
  if (!mapping) return NULL;
  void *const memory = (void *)(MapViewOfFile(mapping, FILE_MAP_WRITE, (DWORD)(offset >> 32), (DWORD)offset, size));
  CloseHandle(mapping);
  return memory;
}

void tachy_os_unmap(void *memory, size_t size) {
  (void)size;
  if (memory) UnmapViewOfFile(memory);
}

/* A view cannot be replaced in part. */
int tachy_os_map_over(void *memory, size_t size) {
  (void)memory;
  (void)size;
  return 0;
}

void tachy_os_on_exit(void (*function)(void)) { atexit(function); }

void tachy_os_on_termination(void (*function)(void)) { (void)function; }

#endif

#if defined(TACHY_OS_WIN32)

/* src/os/win32/folders.c */
/* Folders on Windows, for the user alone. */
#include <string.h>
#include <wchar.h>


/* Who the process is, or, with TokenOwner, who its files belong to (an administrator's: all administrators). */
static PSID win32_folders_read_token(TOKEN_INFORMATION_CLASS what, void *memory, DWORD size) {
  HANDLE token;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) return NULL;
  const BOOL ok = GetTokenInformation(token, what, memory, size, &size);
  CloseHandle(token);
  if (!ok) return NULL;
  return what == TokenUser ? ((const TOKEN_USER *)memory)->User.Sid : ((const TOKEN_OWNER *)memory)->Owner;
}

/* The user and the system may do everything there, nobody else anything. NULL: could not; else for LocalFree. */
static PSECURITY_DESCRIPTOR win32_folders_make_private(void) {
  _Alignas(16) unsigned char memory[512];
  wchar_t *name = (wchar_t *)(NULL);
  const PSID user = win32_folders_read_token(TokenUser, memory, sizeof memory);
  if (!user || !ConvertSidToStringSidW(user, &name)) return NULL;
  wchar_t text[256] = L"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;";
  PSECURITY_DESCRIPTOR made = NULL;
  if (wcslen(name) < 200) {
    wcscat(wcscat(text, name), L")");
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(text, SDDL_REVISION_1, &made, NULL)) made = NULL;
  }
  LocalFree(name);
  return made;
}

/* Not a link, and nobody else's: names in a folder for temporary files can be foreseen. */
static int win32_folders_is_ours(wchar_t *path) {
  const DWORD about = GetFileAttributesW(path);
  if (about == INVALID_FILE_ATTRIBUTES || !(about & FILE_ATTRIBUTE_DIRECTORY)) return 0;
  if (about & FILE_ATTRIBUTE_REPARSE_POINT) return 0;
  PSID owner = NULL;
  PSECURITY_DESCRIPTOR security = NULL;
  if (GetNamedSecurityInfoW(path, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL, NULL, &security) !=
      ERROR_SUCCESS) {
    return 0;
  }
  _Alignas(16) unsigned char memory[512];
  PSID us = win32_folders_read_token(TokenUser, memory, sizeof memory);
  int ours = us && EqualSid(us, owner);
  if (!ours) {
    us = win32_folders_read_token(TokenOwner, memory, sizeof memory);
    ours = us && EqualSid(us, owner);
  }
  LocalFree(security);
  return ours;
}

int tachy_os_folder(const char *path) {
  wchar_t wide[TACHY_OS_PATH_MAX];
  if (!tachy_os_to_wide(path, wide, TACHY_OS_PATH_MAX)) return 0;
  const PSECURITY_DESCRIPTOR security = win32_folders_make_private();
  if (!security) return 0;
  SECURITY_ATTRIBUTES attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.nLength = sizeof attributes;
  attributes.lpSecurityDescriptor = security;
  const int made = CreateDirectoryW(wide, &attributes) || GetLastError() == ERROR_ALREADY_EXISTS;
  LocalFree(security);
  return made && win32_folders_is_ours(wide);
}

int tachy_os_folder_list(const char *path, void (*function)(void *, const char *), void *context) {
  wchar_t wide[TACHY_OS_PATH_MAX + 2];
  char name[3 * MAX_PATH];
  if (!tachy_os_to_wide(path, wide, TACHY_OS_PATH_MAX)) return 0;
  wcscat(wide, L"/*");
  WIN32_FIND_DATAW found;
  const HANDLE search = FindFirstFileW(wide, &found);
  if (search == INVALID_HANDLE_VALUE) return 0;
  do {
    tachy_os_to_utf8(found.cFileName, name, sizeof name);
    if (name[0] != '.') function(context, name);
  } while (FindNextFileW(search, &found));
  FindClose(search);
  return 1;
}

/* The user's own folder for temporary files; Windows has none in memory. */
int tachy_os_session_folder(unsigned choice, char *path, size_t size) {
  static const wchar_t name[] = L"tachy";
  wchar_t wide[TACHY_OS_PATH_MAX];
  if (choice > 0) return 0;
  if (size) path[0] = 0;
  const DWORD length = GetTempPathW(TACHY_OS_PATH_MAX, wide); /* ends in a backslash */
  if (length == 0 || length + sizeof name / sizeof name[0] > TACHY_OS_PATH_MAX) return 1;
  wcscat(wide, name);
  if (wcslen(wide) * 3 < size) tachy_os_to_utf8(wide, path, size);
  return 1;
}

/* A file that nobody else can open, and that goes when it is closed; names with a dot are not listed. */
int tachy_os_folder_lock(tachy_os_file *lock, const char *path) {
  wchar_t wide[TACHY_OS_PATH_MAX + 8];
  *lock = INVALID_HANDLE_VALUE;
  if (!tachy_os_to_wide(path, wide, TACHY_OS_PATH_MAX)) return 0;
  wcscat(wide, L"/.lock");
  *lock = CreateFileW(wide, GENERIC_WRITE, 0, NULL, OPEN_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, NULL);
  return *lock != INVALID_HANDLE_VALUE;
}

void tachy_os_folder_unlock(tachy_os_file *lock) { tachy_os_file_close(lock); }

uint64_t tachy_os_folder_free(const char *path) {
  wchar_t wide[TACHY_OS_PATH_MAX];
  ULARGE_INTEGER available;
  if (!tachy_os_to_wide(path, wide, TACHY_OS_PATH_MAX)) return UINT64_MAX;
  if (!GetDiskFreeSpaceExW(wide, &available, NULL, NULL)) return UINT64_MAX;
  return available.QuadPart;
}

#endif

#if defined(TACHY_OS_WIN32)

/* src/os/win32/modules.c */
/* The loaded modules on Windows. Each is held by a reference of its own while its parts are looked at: the loader's
 * lock would do that too, but only by functions that are not documented. */
#include <string.h>


typedef struct win32_modules_held {
  HMODULE *modules;
  size_t count;
  size_t capacity;
} win32_modules_held;

/* 0: no memory. A module that has gone meanwhile is left out. */
static int win32_modules_hold(win32_modules_held *h, const void *address) {
  HMODULE module;
  if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, (LPCWSTR)address, &module)) return 1;
  if (h->count == h->capacity) {
    const size_t capacity = h->capacity ? h->capacity * 2 : 64;
    HMODULE *const modules = (HMODULE *)(tachy_os_resize(h->modules, capacity * sizeof *modules));
    if (!modules) {
      FreeLibrary(module);
      return 0;
    }
    h->modules = modules;
    h->capacity = capacity;
  }
  h->modules[h->count++] = module;
  return 1;
}

static int win32_modules_hold_all(win32_modules_held *h) {
  HANDLE snapshot;
  do snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPMODULE, 0);
  while (snapshot == INVALID_HANDLE_VALUE && GetLastError() == ERROR_BAD_LENGTH); /* somebody loads a module */
  if (snapshot == INVALID_HANDLE_VALUE) return 0;
  MODULEENTRY32W entry;
  entry.dwSize = sizeof entry;
  int ok = 1;
  for (BOOL more = Module32FirstW(snapshot, &entry); ok && more; more = Module32NextW(snapshot, &entry)) {
    ok = win32_modules_hold(h, entry.modBaseAddr);
  }
  CloseHandle(snapshot);
  return ok;
}

static const IMAGE_SECTION_HEADER *win32_modules_parts_of(HMODULE module, size_t *count) {
  const uintptr_t base = (uintptr_t)module;
  const IMAGE_DOS_HEADER *const dos = (const IMAGE_DOS_HEADER *)((const IMAGE_DOS_HEADER *)base);
  const IMAGE_NT_HEADERS *const head = (const IMAGE_NT_HEADERS *)((const IMAGE_NT_HEADERS *)(base + (uintptr_t)dos->e_lfanew));
  *count = head->FileHeader.NumberOfSections;
  return IMAGE_FIRST_SECTION(head);
}

void tachy_os_with_modules(tachy_os_mutex *mutex, void (*part)(void *, tachy_os_range), void (*then)(void *),
                           void *context) {
  win32_modules_held h = {NULL, 0, 0};
  const int ok = win32_modules_hold_all(&h);
  if (ok) tachy_os_lock(mutex);
  for (size_t i = 0; ok && i < h.count; i++) {
    size_t count;
    const IMAGE_SECTION_HEADER *const parts = (const IMAGE_SECTION_HEADER *)(win32_modules_parts_of(h.modules[i], &count));
    for (size_t k = 0; k < count; k++) {
      const uintptr_t begin = (uintptr_t)h.modules[i] + parts[k].VirtualAddress;
      const uint32_t writable = (parts[k].Characteristics & IMAGE_SCN_MEM_WRITE) != 0;
      const tachy_os_range range = {begin, begin + parts[k].Misc.VirtualSize, writable};
      part(context, range);
    }
  }
  if (ok) then(context);
  if (ok) tachy_os_unlock(mutex);
  for (size_t i = 0; i < h.count; i++) FreeLibrary(h.modules[i]);
  tachy_os_release(h.modules);
}

/* The landmarks are pointers in a section of this name. 1: that is enough. */
static int win32_modules_read_landmarks(HMODULE module, int (*function)(void *, void *), void *context) {
  size_t count;
  const IMAGE_SECTION_HEADER *const parts = (const IMAGE_SECTION_HEADER *)(win32_modules_parts_of(module, &count));
  for (size_t i = 0; i < count; i++) {
    if (memcmp(parts[i].Name, ".tachy\0", sizeof parts[i].Name) != 0) continue;
    void *const *const objects = (const *)((void *const *)((uintptr_t)module + parts[i].VirtualAddress));
    for (size_t at = 0; at < parts[i].Misc.VirtualSize / sizeof *objects; at++) {
      if (objects[at] && function(context, objects[at])) return 1;
    }
  }
  return 0;
}

/* The program is the first in a snapshot, too. */
void tachy_os_landmarks(int (*function)(void *, void *), void *context) {
  win32_modules_held h = {NULL, 0, 0};
  int enough = !win32_modules_hold_all(&h);
  for (size_t i = 0; i < h.count; i++) {
    if (!enough) enough = win32_modules_read_landmarks(h.modules[i], function, context);
    FreeLibrary(h.modules[i]);
  }
  tachy_os_release(h.modules);
}

int tachy_os_keep_loaded(const void *address) {
  const DWORD how = GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS;
  HMODULE module;
  return GetModuleHandleExW(how, (LPCWSTR)address, &module) != 0;
}

void tachy_os_module_name(const void *address, char *text, size_t size) {
  const DWORD how = GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS;
  HMODULE module;
  wchar_t name[MAX_PATH];
  if (size == 0) return;
  text[0] = 0;
  if (!GetModuleHandleExW(how, (LPCWSTR)address, &module)) return;
  if (GetModuleFileNameW(module, name, MAX_PATH)) tachy_os_to_utf8(name, text, size);
}

#endif

#if defined(TACHY_OS_WIN32)

/* src/os/win32/text.c */
/* UTF-8 and UTF-16, and functions that not every Windows has. */
#include <wchar.h>


int tachy_os_to_wide(const char *text, wchar_t *wide, int size) {
  return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, size) > 0;
}

void tachy_os_to_utf8(const wchar_t *wide, char *text, size_t size) {
  if (size == 0) return;
  const size_t room = size - 1 < 65536 ? size - 1 : 65536;
  size_t length = wcslen(wide);
  if (length > room) length = room; /* a unit is a byte at least */
  int made = 0;
  for (; length > 0 && made == 0; length--) {
    if (IS_HIGH_SURROGATE(wide[length - 1])) continue; /* half a character */
    made = WideCharToMultiByte(CP_UTF8, 0, wide, (int)length, text, (int)room, NULL, NULL);
  }
  text[made] = 0;
}

tachy_os_function tachy_os_find(const char *name) {
  const HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
  return kernel ? (tachy_os_function)GetProcAddress(kernel, name) : NULL;
}

#endif

#if defined(TACHY_OS_WIN32)

/* src/os/win32/thread.c */
/* Threads and locks on Windows. There is no fork() to hook into. */
#include <process.h>
#include <string.h>


_Static_assert(sizeof(tachy_os_mutex) == sizeof(SRWLOCK) && sizeof(tachy_os_condition) == sizeof(CONDITION_VARIABLE) &&
                   sizeof(tachy_os_once_flag) == sizeof(INIT_ONCE),
               "types.h stands for these");

void tachy_os_mutex_init(tachy_os_mutex *mutex) { InitializeSRWLock((SRWLOCK *)mutex); }
void tachy_os_lock(tachy_os_mutex *mutex) { AcquireSRWLockExclusive((SRWLOCK *)mutex); }
void tachy_os_unlock(tachy_os_mutex *mutex) { ReleaseSRWLockExclusive((SRWLOCK *)mutex); }

void tachy_os_condition_init(tachy_os_condition *condition) {
  InitializeConditionVariable((CONDITION_VARIABLE *)condition);
}

void tachy_os_wake_all(tachy_os_condition *condition) { WakeAllConditionVariable((CONDITION_VARIABLE *)condition); }

int tachy_os_wait(tachy_os_condition *condition, tachy_os_mutex *mutex, uint64_t deadline) {
  const DWORD ms = tachy_os_ms_until(deadline);
  if (SleepConditionVariableSRW((CONDITION_VARIABLE *)condition, (SRWLOCK *)mutex, ms, 0)) return 1;
  return tachy_os_monotonic() < deadline;
}

void tachy_os_bell_init(tachy_os_bell *bell) { *bell = CreateEventW(NULL, FALSE, FALSE, NULL); }

void tachy_os_ring(tachy_os_bell *bell) { SetEvent(*bell); }

/* Without a bell, because the system had none left, everybody comes at his deadline. */
void tachy_os_wait_bell(tachy_os_bell *bell, uint64_t deadline) {
  const DWORD ms = tachy_os_ms_until(deadline);
  if (WaitForSingleObject(*bell, ms) == WAIT_FAILED) Sleep(ms);
}

void tachy_os_once(tachy_os_once_flag *flag, void (*function)(void)) {
  BOOL first = FALSE;
  if (!InitOnceBeginInitialize((INIT_ONCE *)flag, 0, &first, NULL) || !first) return;
  function();
  InitOnceComplete((INIT_ONCE *)flag, 0, NULL);
}

static void (*thread_function)(void *);
static const char *win32_thread_thread_name;

/* Windows 10 and later. */
static void win32_thread_name_this_thread(const char *name) {
  typedef HRESULT(WINAPI * setter)(HANDLE, PCWSTR);
  const setter set = (setter)tachy_os_find("SetThreadDescription");
  wchar_t wide[16];
  if (set && tachy_os_to_wide(name, wide, 16)) set(GetCurrentThread(), wide);
}

static unsigned __stdcall win32_thread_run(void *argument) {
  win32_thread_name_this_thread(win32_thread_thread_name);
  thread_function(argument);
  return 0;
}

int tachy_os_thread_start(tachy_os_thread *thread, void (*function)(void *), void *argument, const char *name) {
  thread_function = function;
  win32_thread_thread_name = name;
  const uintptr_t handle = _beginthreadex(NULL, 0, win32_thread_run, argument, 0, NULL);
  *thread = (tachy_os_thread)handle;
  return handle != 0;
}

void tachy_os_thread_join(tachy_os_thread thread) {
  WaitForSingleObject(thread, INFINITE);
  CloseHandle(thread);
}

void tachy_os_on_fork(void (*before)(void), void (*parent)(void), void (*child)(void)) {
  (void)before;
  (void)parent;
  (void)child;
}

uint64_t tachy_os_thread_id(void) { return GetCurrentThreadId(); }

/* Windows 10 and later. Also at a thread's end, under the loader's lock: so nothing here waits for another thread. */
static int win32_thread_read_name(HANDLE thread, char *text, size_t size) {
  typedef HRESULT(WINAPI * getter)(HANDLE, PWSTR *);
  const getter get = (getter)tachy_os_find("GetThreadDescription");
  PWSTR name = NULL;
  if (!get || get(thread, &name) < 0 || !name) return 0;
  const int given = name[0] != 0;
  if (given) tachy_os_to_utf8(name, text, size);
  LocalFree(name);
  return given;
}

void tachy_os_thread_name(char *text, size_t size) {
  if (size) text[0] = 0;
  win32_thread_read_name(GetCurrentThread(), text, size);
}

int tachy_os_thread_name_of(uint64_t id, char *text, size_t size) {
  const HANDLE thread = OpenThread(THREAD_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)id);
  if (!thread) return 0;
  const int known = win32_thread_read_name(thread, text, size);
  CloseHandle(thread);
  return known;
}

#endif

#if defined(TACHY_OS_WIN32)

/* src/os/win32/thread_exit.c */
/* The end of threads on Windows, and the value that each armed itself with.
 *
 * A callback of the loader (PE's TLS directory), not FlsAlloc's: those belong to fibers, and a job system ends fibers
 * on other threads than they began on. It runs under the loader's lock: what it calls must not wait for a thread that
 * wants that. */

enum { win32_thread_exit_INLINE_SLOTS = 64, win32_thread_exit_SLOTS_IN_TEB = 0x1480 }; /* winternl.h: TlsSlots[64] of a 64-bit TEB */

static void (*exit_function)(void *);
static volatile DWORD win32_thread_exit_exit_slot = TLS_OUT_OF_INDEXES; /* set after exit_function */

static void NTAPI win32_thread_exit_at_thread_event(PVOID module, DWORD reason, PVOID reserved) {
  (void)module;
  (void)reserved;
  void *const value = (void *)(reason == DLL_THREAD_DETACH ? tachy_os_armed() : NULL);
  if (value) exit_function(value);
}

/* The linker makes a list of what lies in the sections .CRT$XLA to .CRT$XLZ. */
#if defined(_MSC_VER)
#pragma comment(linker, "/INCLUDE:_tls_used")
#pragma comment(linker, "/INCLUDE:tachy_os_thread_callback")
#pragma section(".CRT$XLC", long, read)
#ifdef __cplusplus
extern "C"
#endif
    __declspec(allocate(".CRT$XLC")) const PIMAGE_TLS_CALLBACK tachy_os_thread_callback = win32_thread_exit_at_thread_event;
#else
__attribute__((section(".CRT$XLC"), used)) static const PIMAGE_TLS_CALLBACK thread_callback = win32_thread_exit_at_thread_event;
#endif

int tachy_os_on_thread_exit(void (*function)(void *)) {
  exit_function = function;
  MemoryBarrier();
  win32_thread_exit_exit_slot = TlsAlloc();
  return win32_thread_exit_exit_slot != TLS_OUT_OF_INDEXES;
}

int tachy_os_arm_thread_exit(void *value) { return TlsSetValue(win32_thread_exit_exit_slot, value) != 0; }

void *tachy_os_armed(void) {
  const DWORD slot = win32_thread_exit_exit_slot;
  if (slot == TLS_OUT_OF_INDEXES) return NULL;
  const DWORD error = GetLastError(); /* TlsGetValue clears it, and whoever records may be about to read it */
  void *const value = (void *)(TlsGetValue(slot));
  SetLastError(error);
  return value;
}

uint32_t tachy_os_armed_offset(void) {
#if defined(_WIN64)
  if (win32_thread_exit_exit_slot < win32_thread_exit_INLINE_SLOTS) return win32_thread_exit_SLOTS_IN_TEB + (uint32_t)sizeof(void *) * win32_thread_exit_exit_slot;
#endif
  return 0;
}

#endif

#if defined(TACHY_OS_HOST)

/* src/os/host/host.c */
/* The system as a host tells of it (tachy/host.h): memory, locks, threads and clocks are the host's, and there are no
 * files and no modules. Until a host has been set there is one thread and nothing to wait for: tachy_start says
 * TACHY_ERROR_SYSTEM then, while sites, levels and property sets work, and recording calls do nothing. */
#include <string.h>


#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wunused-parameter"
#elif defined(_MSC_VER)
#pragma warning(disable : 4100)
#endif

enum { host_host_PAGE = 4096 };

/* Not every C library aligns; what is made before there is a host stays. */
static void *host_host_lasting_memory(size_t size, size_t alignment) {
  void *const memory = (void *)(size < SIZE_MAX - alignment ? malloc(size + alignment) : NULL);
  return memory ? (void *)(((uintptr_t)memory + alignment - 1) & ~(uintptr_t)(alignment - 1)) : NULL;
}
static void *host_host_no_handle(void) { return NULL; }
static void host_host_no_use(void *handle) {}
static void host_host_no_wait(void *event, uint64_t ns) {}
static void *host_host_no_thread(void (*function)(void *), void *argument, const char *name) { return NULL; }
static uint64_t host_host_no_number(void) { return 0; }
static int64_t host_host_no_utc(void) { return 0; }
static void host_host_no_name(char *text, size_t size) {
  if (size) text[0] = 0;
}
static int host_host_no_exit(void (*function)(void *), void *value) { return 0; }
static void host_host_no_sleep(uint64_t ns) {}
static int host_host_no_random(void *bytes, size_t size) { return 0; }
static void host_host_no_fact(tachy_host_fact fact, char *text, size_t size) { host_host_no_name(text, size); }
static void host_host_no_complaint(const char *line) {}

static tachy_host host_host_host = {
    host_host_lasting_memory, host_host_no_use,  host_host_no_handle, host_host_no_use,   host_host_no_use,    host_host_no_handle, host_host_no_use,    host_host_no_wait, host_host_no_thread,    host_host_no_use,
    host_host_no_number,      host_host_no_name, host_host_no_exit,   host_host_no_sleep, host_host_no_number, host_host_no_utc,    host_host_no_random, host_host_no_fact, host_host_no_complaint,
};
static void *host_host_making; /* the lock under which everything else of the host is made; NULL: there is no host */

void tachy_set_host(const tachy_host *given) {
  host_host_host = *given;
  host_host_making = host_host_host.lock_make();
}

/* The lock or event behind a variable, made by its first user. NULL: there is no host, and nobody else. */
static void *host_host_handle_of(void **variable, void *(*make)(void)) {
  void *handle = (void *)(TACHY_LOAD_ACQUIRE(variable));
  if (handle || !host_host_making) return handle;
  host_host_host.lock(host_host_making);
  handle = *variable;
  if (!handle) {
    handle = make();
    TACHY_STORE_RELEASE(variable, handle);
  }
  host_host_host.unlock(host_host_making);
  return handle;
}

void *tachy_os_map(size_t size) {
  if (size > SIZE_MAX - host_host_PAGE) return NULL;
  const size_t whole = (size + host_host_PAGE - 1) / host_host_PAGE * host_host_PAGE;
  void *const memory = (void *)(host_host_host.allocate(whole, host_host_PAGE));
  if (memory) memset(memory, 0, whole);
  return memory;
}
void tachy_os_prefault(void *memory, size_t size) {}
void tachy_os_prefer_large_pages(void *memory, size_t size) {}
size_t tachy_os_page_size(void) { return host_host_PAGE; }
void tachy_os_unmap(void *memory, size_t size) {
  if (memory) host_host_host.release(memory);
}

int tachy_os_folder(const char *path) { return 0; }
int tachy_os_folder_lock(tachy_os_file *lock, const char *path) { return 0; }
void tachy_os_folder_unlock(tachy_os_file *lock) {}
int tachy_os_folder_list(const char *path, void (*function)(void *, const char *), void *context) { return 0; }
int tachy_os_session_folder(unsigned choice, char *path, size_t size) {
  host_host_no_name(path, size);
  return 0;
}
uint64_t tachy_os_folder_free(const char *path) { return UINT64_MAX; }

int tachy_os_file_open(tachy_os_file *file, const char *path, tachy_os_open_mode mode) { return 0; }
void tachy_os_file_close(tachy_os_file *file) {}
int tachy_os_file_lock(tachy_os_file *file) { return 0; }
int tachy_os_file_is_at(const tachy_os_file *file, const char *path) { return 0; }
uint64_t tachy_os_file_size(const tachy_os_file *file) { return UINT64_MAX; }
int tachy_os_file_resize(tachy_os_file *file, uint64_t size) { return 0; }
int tachy_os_file_back(tachy_os_file *file, uint64_t offset, uint64_t size) { return 0; }
int tachy_os_file_discard(tachy_os_file *file, uint64_t offset, uint64_t size) { return 0; }
int tachy_os_file_read(const tachy_os_file *file, uint64_t offset, void *bytes, size_t size) { return 0; }
int tachy_os_file_write(tachy_os_file *file, uint64_t offset, const void *bytes, size_t size) { return 0; }
int tachy_os_file_look(const char *path, uint64_t *storage, int64_t *utc) { return 0; }
void tachy_os_file_copy_time(const char *from, const char *to) {}
int tachy_os_file_remove(const char *path) { return 0; }
int tachy_os_file_rename(const char *from, const char *to) { return 0; }
void *tachy_os_file_map(tachy_os_file *file, uint64_t offset, size_t size) { return NULL; }
int tachy_os_map_over(void *memory, size_t size) { return 0; }

void tachy_os_on_exit(void (*function)(void)) {}
void tachy_os_on_termination(void (*function)(void)) {}

void tachy_os_mutex_init(tachy_os_mutex *mutex) { mutex->lock = NULL; }
void tachy_os_lock(tachy_os_mutex *mutex) { host_host_host.lock(host_host_handle_of(&mutex->lock, host_host_host.lock_make)); }
void tachy_os_unlock(tachy_os_mutex *mutex) { host_host_host.unlock(mutex->lock); }

/* A thread in tachy_os_wait, and the event that wakes it: when it is done another one takes it. */
typedef struct tachy_os_waiter {
  struct tachy_os_waiter *next;
  void *event;
  int woken;
} waiter;
static waiter *host_host_unused;

void tachy_os_condition_init(tachy_os_condition *condition) { condition->first = NULL; }

void tachy_os_wake_all(tachy_os_condition *condition) {
  host_host_host.lock(host_host_making);
  for (waiter *each = (waiter *)(condition->first); each; each = each->next) {
    each->woken = 1;
    host_host_host.event_set(each->event);
  }
  condition->first = NULL;
  host_host_host.unlock(host_host_making);
}

static waiter *host_host_begin_wait(tachy_os_condition *condition) {
  host_host_host.lock(host_host_making);
  waiter *self = (waiter *)(host_host_unused);
  if (self) {
    host_host_unused = self->next;
  } else {
    self = host_host_host.allocate(sizeof *self, sizeof(uint64_t));
    if (self) self->event = host_host_host.event_make();
  }
  if (self) {
    self->woken = 0;
    self->next = condition->first;
    condition->first = self;
  }
  host_host_host.unlock(host_host_making);
  return self;
}

static int host_host_end_wait(tachy_os_condition *condition, waiter *self) {
  host_host_host.lock(host_host_making);
  waiter **link = (waiter **)(&condition->first);
  while (*link && *link != self) link = &(*link)->next;
  if (*link) *link = self->next;
  self->next = host_host_unused; /* its event may have been set meanwhile: then the next wait ends for no reason */
  host_host_unused = self;
  const int woken = self->woken;
  host_host_host.unlock(host_host_making);
  return woken;
}

int tachy_os_wait(tachy_os_condition *condition, tachy_os_mutex *mutex, uint64_t deadline) {
  const uint64_t now = host_host_host.monotonic();
  if (!host_host_making || now >= deadline) return 0;
  waiter *const self = (waiter *)(host_host_begin_wait(condition));
  tachy_os_unlock(mutex);
  if (self) {
    host_host_host.event_wait(self->event, deadline - now);
  } else {
    host_host_host.sleep(1000000); /* no memory */
  }
  tachy_os_lock(mutex);
  return (self && host_host_end_wait(condition, self)) || host_host_host.monotonic() < deadline;
}

void tachy_os_bell_init(tachy_os_bell *bell) { bell->event = NULL; }
void tachy_os_ring(tachy_os_bell *bell) { host_host_host.event_set(host_host_handle_of(&bell->event, host_host_host.event_make)); }
void tachy_os_wait_bell(tachy_os_bell *bell, uint64_t deadline) {
  const uint64_t now = host_host_host.monotonic();
  if (now < deadline) host_host_host.event_wait(host_host_handle_of(&bell->event, host_host_host.event_make), deadline - now);
}

void tachy_os_once(tachy_os_once_flag *flag, void (*function)(void)) {
  if (TACHY_LOAD_ACQUIRE(flag)) return;
  host_host_host.lock(host_host_making);
  if (!*flag) {
    function();
    TACHY_STORE_RELEASE(flag, 1);
  }
  host_host_host.unlock(host_host_making);
}

int tachy_os_thread_start(tachy_os_thread *thread, void (*function)(void *), void *argument, const char *name) {
  *thread = host_host_host.thread_start(function, argument, name);
  return *thread != NULL;
}
void tachy_os_thread_join(tachy_os_thread thread) { host_host_host.thread_join(thread); }

static void (*at_exit_of_threads)(void *);
int tachy_os_on_thread_exit(void (*function)(void *)) {
  at_exit_of_threads = function;
  return host_host_making != NULL;
}
int tachy_os_arm_thread_exit(void *value) { return host_host_host.at_thread_exit(at_exit_of_threads, value); }
void tachy_os_on_fork(void (*before)(void), void (*parent)(void), void (*child)(void)) {}
uint64_t tachy_os_thread_id(void) { return host_host_host.thread_id(); }
void tachy_os_thread_name(char *text, size_t size) { host_host_host.thread_name(text, size); }
int tachy_os_thread_name_of(uint64_t id, char *text, size_t size) { return 0; }

uint64_t tachy_os_monotonic(void) { return host_host_host.monotonic(); }
int64_t tachy_os_utc(void) { return host_host_host.utc(); }
uint64_t tachy_os_thread_cpu(void) { return 0; }
uint64_t tachy_os_tick_frequency(void) {
#if defined(TACHY_CLOCK_OS)
  return 1000000000u; /* ticks are tachy_os_monotonic */
#else
  return 0;
#endif
}
void tachy_os_sleep(uint64_t ns) { host_host_host.sleep(ns); }

int tachy_os_random(void *bytes, size_t size) { return host_host_host.random(bytes, size); }
void tachy_os_describe(tachy_os_fact fact, char *text, size_t size) {
  host_host_host.describe((tachy_host_fact)fact, text, size);
}
void tachy_os_complain(const char *line) { host_host_host.complain(line); }
void tachy_os_fail(const char *line) {
  host_host_host.complain(line);
  abort();
}
int tachy_os_environment(const char *name, char *text, size_t size) {
  host_host_no_name(text, size);
  return 0;
}

/* All memory is one module, which stays. */
void tachy_os_with_modules(tachy_os_mutex *mutex, void (*part)(void *, tachy_os_range), void (*then)(void *),
                           void *context) {
  tachy_os_lock(mutex);
  const tachy_os_range everything = {0, UINTPTR_MAX, 1};
  part(context, everything);
  then(context);
  tachy_os_unlock(mutex);
}
void tachy_os_landmarks(int (*function)(void *, void *), void *context) {}
int tachy_os_keep_loaded(const void *address) { return 1; }
void tachy_os_module_name(const void *address, char *text, size_t size) { host_host_no_name(text, size); }

#endif
