/* What tachy_recover has claimed, at the end of a session and after fork(). */
#ifndef TACHY_SRC_RECORDER_RECOVER_RECOVER_H
#define TACHY_SRC_RECORDER_RECOVER_RECOVER_H

#include <tachy/tachy.h>

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

#endif
