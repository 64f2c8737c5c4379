/* Whether this thread forks just now: it records and locks nothing of ours meanwhile. */
#ifndef TACHY_SRC_BASE_FORKING_H
#define TACHY_SRC_BASE_FORKING_H

#include <tachy/compiler.h>

extern TACHY_THREAD_LOCAL uint32_t tachy_forking_depth; /* atomic, for handlers on this thread */

static inline int tachy_is_forking(void) { return TACHY_LOAD(&tachy_forking_depth) != 0; }

/* Counted, since a signal handler may fork, too. 0: it forks already. */
int tachy_forking_begins(void);
/* In the parent and in the child. 0: it goes on, this was a handler's. */
int tachy_forking_is_over(void);
/* After everything has been put in order. */
void tachy_forking_ends(void);

#endif
