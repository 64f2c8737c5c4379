/* What makes the flight recorder ship, and whether there is one: modes, triggers, and the windows around them. Any
 * thread triggers; the collector asks. */
#ifndef TACHY_SRC_RECORDER_COLLECT_TRIGGERS_H
#define TACHY_SRC_RECORDER_COLLECT_TRIGGERS_H

#include "../../encode/stream.h"

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

#endif
