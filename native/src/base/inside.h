/* Whether this thread is inside one of the recorder's slow paths. A signal handler that finds it there neither waits
 * for a lock nor touches what is half done: its event is dropped and counted. */
#ifndef TACHY_SRC_BASE_INSIDE_H
#define TACHY_SRC_BASE_INSIDE_H

#include <tachy/tachy.h>

#include "../os/os.h"

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

#endif
