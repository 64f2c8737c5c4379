/* What precedes everything else in the copy of the recorder that records. */
#ifndef TACHY_SRC_RECORDER_SESSION_H
#define TACHY_SRC_RECORDER_SESSION_H

/* Conditions, the thread exit hook, the fork handlers: once per process. */
void tachy_library_init(void);

#endif
