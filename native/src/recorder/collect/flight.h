/* The flight recorder: spans wait on their threads' reels, are shipped where a trigger's window wants them, and are
 * passed over where none does. Only the collector.
 *
 * All streams go forward together: at every moment each of them has been fed what its thread ended up to the same
 * moment (`fed`), so a cut there is a cut through all threads at one time, and the spans that are open there are known:
 * from what comes later on the reel, or from the shadow stack. Passing over feeds the streams as always, so that ids,
 * depths and open spans go on, and forgets the rows. */
#ifndef TACHY_SRC_RECORDER_COLLECT_FLIGHT_H
#define TACHY_SRC_RECORDER_COLLECT_FLIGHT_H

#include "../../encode/block.h"
#include "reel.h"

enum { TACHY_FLIGHT_SAMPLES = 256 };

/* How far a step goes. */
typedef enum tachy_flight_pace {
  TACHY_FLIGHT_PACED, /* whatever there is for sure */
  TACHY_FLIGHT_DUE,   /* and cuts what has been fed */
  TACHY_FLIGHT_FLUSH, /* and what was recorded before now */
  TACHY_FLIGHT_LAST   /* nothing will be recorded any more */
} tachy_flight_pace;

typedef struct tachy_flight {
  tachy_channel *channel;
  const uint8_t *process_id;
  uint64_t block_events;
  uint64_t limit; /* bytes of reels */
  int on;
  int shipping;
  uint64_t until; /* shipping: the window's end */
  uint64_t fed;
  uint64_t passed_over; /* events, since the session began */
  uint64_t overwritten; /* of these: before their time, the reels were full */
  tachy_reels reels;
  tachy_clock_pair now;                           /* when this pass over the rings began */
  tachy_clock_pair samples[TACHY_FLIGHT_SAMPLES]; /* of the clock, from the block's begin on */
  uint32_t sample_count;
  uint64_t sample_step; /* ticks */
  tachy_open_span stack[TACHY_DEPTH_MAX];
  tachy_reel_cursor ahead;
} tachy_flight;

/* The stream's ring is read to a reel from now on. 0: no memory. */
int tachy_flight_join(tachy_flight *flight, tachy_stream *stream);
/* After a cut: the recorder waits for triggers. 0: no memory, nothing changed. */
int tachy_flight_enter(tachy_flight *flight, tachy_clock_pair now);
/* Once the block of the last step is safe: the memory of what is in it is let go. */
void tachy_flight_release(tachy_flight *flight);
/* After a flush: from now on everything goes, and what is still on the reels. A cut must follow. */
void tachy_flight_leave(tachy_flight *flight);
/* Before a pass over the rings. */
void tachy_flight_tick(tachy_flight *flight);
/* After it. 1: there is more to be done, the rings should be read in between. *block: one to be sent, or NULL. */
int tachy_flight_step(tachy_flight *flight, tachy_flight_pace pace, tachy_block **block);

#endif
