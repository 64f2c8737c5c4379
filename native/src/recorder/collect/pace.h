/* When the collector wakes and cuts. What has been recorded outlives the process, so a block waits until it is worth
 * sending: until its records are as many as the session wants, or it has waited for the flush interval. At once, but no
 * class more often than every 250 ms, go logs of level warning and above, and what a trigger says of itself. */
#ifndef TACHY_SRC_RECORDER_COLLECT_PACE_H
#define TACHY_SRC_RECORDER_COLLECT_PACE_H

#include "drain.h"

typedef struct tachy_pace {
  uint64_t flush_ns;              /* the longest that an event waits; 0: by the session's age */
  uint64_t block_bytes;           /* of records: a block with so many is cut */
  uint64_t started;               /* monotonic, as what follows */
  uint64_t due_from;              /* what was recorded since then has been cut in no round of all classes */
  uint64_t looked;                /* the last such round, for which alone all clocks were read */
  uint64_t cut_at[TACHY_CLASSES]; /* the last cut of each class */
  uint64_t took_at;               /* the last pass */
  int busy;                       /* a block's worth came so fast that the next one need not be rung for */
  int urgent;                     /* logs that are to go at once have been read, or will be by a pass */
} tachy_pace;

void tachy_pace_start(tachy_pace *p, uint32_t flush_ms, uint64_t block_bytes);
/* When the next round of all classes is due. */
uint64_t tachy_pace_due(const tachy_pace *p, uint64_t now);
/* Until when the collector may sleep, unless it is rung. */
uint64_t tachy_pace_wake(const tachy_pace *p, const tachy_collection *c, uint64_t now);
/* Classes, a bit each, of which a block is to be cut now, before the round is due. */
unsigned tachy_pace_full(const tachy_pace *p, const tachy_collection *c, uint64_t now);
/* These are being cut; all: with everything that is there. */
void tachy_pace_cut(tachy_pace *p, unsigned classes, int all, uint64_t now);
/* Chunks after which the collector is to be rung: of what is in no block yet, one class may then have a block's worth.
 */
uint64_t tachy_pace_worth(const tachy_pace *p, const tachy_collection *c);
/* A pass has found so many chunks taken since the one before. */
void tachy_pace_took(tachy_pace *p, uint64_t chunks, uint64_t now);
/* A round is due, and nothing has been recorded: whether it may be left out. */
int tachy_pace_skip(tachy_pace *p, const tachy_collection *c, uint64_t now);

#endif
