/* Cuts: blocks of what has been read, as one batch in the outbox. The batch's file is written, then the commit makes it
 * valid and what was read old, then it may be sent. */
#ifndef TACHY_SRC_RECORDER_COLLECT_CUT_H
#define TACHY_SRC_RECORDER_COLLECT_CUT_H

#include "drain.h"

/* What is cut of logs and metrics: what has been read, which is for when others wait for the chunks that this gives
 * back; all that was recorded before; the same, and nothing will come any more. Of spans it is always all. */
typedef enum tachy_cut_of { TACHY_CUT_READ, TACHY_CUT_ALL, TACHY_CUT_LAST } tachy_cut_of;

/* Cuts the classes (a bit each) at one moment, for one batch; all of them when the wall clock was set, so that no block
 * has both times in it. (A flight recorder's spans lie in no block yet.) */
void tachy_cut(tachy_collection *c, unsigned classes, tachy_cut_of what);
/* Goes on with the flight recorder. 1: there is more to do. */
int tachy_cut_flight(tachy_collection *c, tachy_flight_pace pace);
/* Its spans are the blocks' again. */
void tachy_cut_leave_flight(tachy_collection *c);
/* The counter has begun anew: until the next cut, which jumps, time stands still for what it says. */
int tachy_cut_restarted(tachy_collection *c);
/* Commits no events. The first one of a session: from now on what is recorded can be recovered. Later: who records, and
 * by which clock, said anew. */
void tachy_cut_first(const tachy_collection *c);
void tachy_cut_description(const tachy_collection *c);

#endif
