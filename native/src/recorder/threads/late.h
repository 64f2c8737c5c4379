/* tachy_log_text_at: logs that were made earlier, or on another thread, than they are recorded. */
#ifndef TACHY_SRC_RECORDER_THREADS_LATE_H
#define TACHY_SRC_RECORDER_THREADS_LATE_H

#include "threads.h"

/* Takes the lock, and answers with the slot of the stream "images", which late logs never share; *ticks is raised to
 * its latest time, which counts from now on. NULL: nothing records, or no memory. tachy_late_unlock in any case. */
tachy_slot *tachy_late_lock_images(uint64_t *ticks);

/* Around fork(). */
void tachy_late_lock(void);
void tachy_late_unlock(void);
void tachy_late_after_fork(void);

#endif
