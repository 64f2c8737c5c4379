/* A system that the recorder does not know (a game console, say) as a table of functions, for builds with
 * -DTACHY_OS_HOST: the host calls tachy_set_host before anything else of the recorder. Without a table nothing runs:
 * tachy_start says TACHY_ERROR_SYSTEM.
 *
 * There are no files behind it: sessions are as with session_folder "-", and what is not sent dies with the process. */
#ifndef TACHY_HOST_H
#define TACHY_HOST_H

#include <stddef.h>
#include <stdint.h>

typedef enum tachy_host_fact {
  TACHY_HOST_EXE,
  TACHY_HOST_USERNAME,
  TACHY_HOST_REALNAME,
  TACHY_HOST_COMPUTER,
  TACHY_HOST_SYSTEM,
  TACHY_HOST_CPU
} tachy_host_fact;

/* Times are in nanoseconds. Every function may be called on any thread, and none may be NULL. */
typedef struct tachy_host {
  /* Memory that begins at a multiple of `alignment`, a power of two; it need not be cleared. NULL: there is none. */
  void *(*allocate)(size_t size, size_t alignment);
  void (*release)(void *memory);

  /* Locks that their owner may take again. They live as long as the process. */
  void *(*lock_make)(void);
  void (*lock)(void *lock);
  void (*unlock)(void *lock);

  /* An event lets one wait through and is reset by that; one that is set while nobody waits is remembered. Waits at
   * most so long. They live as long as the process. */
  void *(*event_make)(void);
  void (*event_set)(void *event);
  void (*event_wait)(void *event, uint64_t ns);

  /* Runs function(argument) on a thread of that name; what it returns is for thread_join, which frees it. NULL: could
   * not. */
  void *(*thread_start)(void (*function)(void *argument), void *argument, const char *name);
  void (*thread_join)(void *thread);
  uint64_t (*thread_id)(void);
  /* The calling thread's name, terminated; "" when it has none. */
  void (*thread_name)(char *text, size_t size);
  /* function(value) is to run when the calling thread ends. Called once or more on a thread, always with the same
   * function; the last value holds. 0: could not, and then the thread records nothing. */
  int (*at_thread_exit)(void (*function)(void *value), void *value);
  void (*sleep)(uint64_t ns);

  uint64_t (*monotonic)(void);
  int64_t (*utc)(void);                    /* since 1970 */
  int (*random)(void *bytes, size_t size); /* 0: could not, and then no session starts */

  /* Terminated, "" when unknown. */
  void (*describe)(tachy_host_fact fact, char *text, size_t size);
  /* One line for whoever runs the program. */
  void (*complain)(const char *line);
} tachy_host;

#ifdef __cplusplus
extern "C" {
#endif

/* Copied. */
void tachy_set_host(const tachy_host *host);

#ifdef __cplusplus
}
#endif

#endif
