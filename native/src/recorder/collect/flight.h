/* The flight recorder: spans wait in their threads' chunks. Those that a trigger's window wants are read and shipped;
 * the others are skipped, and counted as not retained.
 *
 * A chunk is kept until it ends before every window that may still come, or until the pool runs short: then the oldest
 * goes. It is shipped whole, and so a window may be wider at each of its ends by what one chunk holds, and never
 * narrower. Skipping a chunk counts its spans and reads its async ones, so that ids and open spans stay right. */
#ifndef TACHY_SRC_RECORDER_COLLECT_FLIGHT_H
#define TACHY_SRC_RECORDER_COLLECT_FLIGHT_H

#include "../../encode/block.h"
#include "source.h"

/* How far a step goes. */
typedef enum tachy_flight_pace {
  TACHY_FLIGHT_PACED, /* whatever there is for sure */
  TACHY_FLIGHT_DUE,   /* and cuts what has been read */
  TACHY_FLIGHT_FLUSH, /* and what was recorded before now */
  TACHY_FLIGHT_LAST   /* nothing will be recorded any more */
} tachy_flight_pace;

enum { TACHY_FLIGHT_SAMPLES = 256 };

typedef struct tachy_flight {
  tachy_intake *intake;
  const uint8_t *process_id;
  uint64_t block_bytes; /* of records: with so many a block is cut */
  int on;
  int pending;                                    /* rows that are to be shipped have been read */
  int skipped;                                    /* chunks have been skipped since rows were last forgotten */
  uint64_t not_retained;                          /* events that no window wanted, since the session began */
  uint64_t overwritten;                           /* of these: before their time, the pool was short */
  tachy_clock_pair samples[TACHY_FLIGHT_SAMPLES]; /* of the clock, the oldest first */
  uint32_t sample_count;
  uint64_t sample_step; /* ticks */
} tachy_flight;

/* Spans that are kept and have not been read: an async one counts as three as long. */
uint64_t tachy_flight_kept(const tachy_flight *flight);
/* After a cut: spans wait for triggers from now on. */
void tachy_flight_enter(tachy_flight *flight);
/* After a flush: from now on everything is sent; what has been kept is skipped. A cut must follow. */
void tachy_flight_leave(tachy_flight *flight);
/* After tachy_channel_jump: the wall clock was set forward by so many nanoseconds. */
void tachy_flight_jump(tachy_flight *flight, int64_t ns);
/* After each pass over the other classes. 1: there is more to do, after another such pass. *block: a block to be sent,
 * or NULL. */
int tachy_flight_step(tachy_flight *flight, tachy_flight_pace pace, tachy_block **block);

#endif
