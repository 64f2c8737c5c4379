/* Whether this thread is inside one of the recorder's slow paths. A signal handler that finds it there neither waits
 * for a lock nor touches what is half done: its event is dropped and counted. */
#ifndef TACHY_SRC_BASE_INSIDE_H
#define TACHY_SRC_BASE_INSIDE_H

#include <tachy/tachy.h>

#include "../os/os.h"

int tachy_inside(void);

/* Nested ones count. */
void tachy_inside_begins(void);
void tachy_inside_ends(void);

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
