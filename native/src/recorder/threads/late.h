/* tachy_log_text_at: logs that were made earlier, or on another thread, than they are recorded. */
#ifndef TACHY_SRC_RECORDER_THREADS_LATE_H
#define TACHY_SRC_RECORDER_THREADS_LATE_H

/* Around fork(). */
void tachy_late_lock(void);
void tachy_late_unlock(void);
void tachy_late_after_fork(void);

#endif
