/* Whether this thread forks just now: it records and locks nothing of ours meanwhile. */
#ifndef TACHY_SRC_BASE_FORKING_H
#define TACHY_SRC_BASE_FORKING_H

/* Counted, since a signal handler may fork, too. 0: it forks already. */
int tachy_forking_begins(void);
/* In the parent and in the child. 0: it goes on, this was a handler's. */
int tachy_forking_is_over(void);
/* After everything has been put in order. */
void tachy_forking_ends(void);

#endif
