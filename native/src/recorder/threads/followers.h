/* Thread pointers of other copies of the recorder in the process. Each copy has a thread-local pointer of its own that
 * its inline half reads; they follow the one of the copy that records. On Windows all copies read the same slot of
 * TlsAlloc, and nothing is to be done. */
#ifndef TACHY_SRC_RECORDER_THREADS_FOLLOWERS_H
#define TACHY_SRC_RECORDER_THREADS_FOLLOWERS_H

#include "threads.h"

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

#endif
