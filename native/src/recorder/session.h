/* What every entry into the library that may be the first one calls. */
#ifndef TACHY_SRC_RECORDER_SESSION_H
#define TACHY_SRC_RECORDER_SESSION_H

/* Conditions, the thread exit hook, the fork handlers: once per process. */
void tachy_library_init(void);

#endif
