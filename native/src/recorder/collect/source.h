/* Where the collector reads: the chunks of one thread and class, from its first to the one that it fills. */
#ifndef TACHY_SRC_RECORDER_COLLECT_SOURCE_H
#define TACHY_SRC_RECORDER_COLLECT_SOURCE_H

#include "../../encode/stream.h"
#include "../pool/slot.h"

typedef struct tachy_source {
  tachy_stream *stream;
  tachy_slot *slot;
  tachy_chunk *chunk;  /* the one that is being read, or NULL: none yet */
  uint64_t position;   /* read up to here */
  uint64_t known_lost; /* lost events that the chunks read so far have counted */
  uint64_t emitted;    /* lost events that the gap rows so far have counted */
  uint64_t missed;     /* of a dead process: the part of tachy_slot_missed that blocks have counted */
} tachy_source;

/* One class: its channel, and the chunks that have been read and wait for the commit of what was in them. */
typedef struct tachy_intake {
  tachy_channel channel;
  tachy_chunk *waiting;
  uint64_t waiting_count;
} tachy_intake;

/* The slot's source. It is made when its thread has recorded something, lost it or, if asked for, has spans open. NULL:
 * not yet, or no memory. */
tachy_source *tachy_source_of(tachy_intake *intake, tachy_slot *slot, int open_too);
/* The same for a slot that has none yet, whatever its thread has done. */
tachy_source *tachy_source_make(tachy_intake *intake, tachy_slot *slot);
/* The chunk that is being read, or after its end the next one. NULL: there is none yet. */
tachy_chunk *tachy_source_chunk(tachy_intake *intake, tachy_source *source);
/* Reads what there is in the chunk. */
void tachy_source_read_chunk(tachy_intake *intake, tachy_source *source);
/* Reads what there is, as long as no more chunks wait for the class's next cut than so many. 0: there is more. */
int tachy_source_read(tachy_intake *intake, tachy_source *source, uint64_t most_waiting);
/* Skips what there is in the chunk and returns how many spans that were; the stream gets a gap row of no lost events.
 * Async spans are read all the same. */
uint64_t tachy_source_skip(tachy_intake *intake, tachy_source *source);
/* Reads everything up to the first chunk that was begun after the ticks `until`, and makes a gap row of the lost events
 * that no chunk has counted yet. For spans it also copies the thread's stack at the last row to the stream's
 * ends[0 .. depth). 0: it met a chunk that was begun later; then the stack is the one with which that chunk begins, and
 * if `until` is not 0 it includes what was opened since the last row. */
int tachy_source_drain(tachy_intake *intake, tachy_source *source, uint64_t until);
/* Copies the stack with which the next chunk begins to the stream; reads nothing. open_too: with what was opened since
 * the last row. */
void tachy_source_stack_here(tachy_source *source, int open_too);
/* After draining: what the thread has opened since the last row is open too, unless it changes its stack too fast to be
 * copied. */
void tachy_source_open_rest(tachy_source *source);
/* The thread has gone and everything was read: the stream leaves, and the slot knows nothing of it any more. */
void tachy_source_free(tachy_intake *intake, tachy_source *source);

/* After a commit: if the thread has filled its chunk and found no other, it gets this one back, to begin it anew. */
void tachy_source_return(tachy_source *source);
/* After a commit: frees the slot of a thread that has ended. */
void tachy_source_free_slot(tachy_slot *slot);
/* After a commit: the chunks that waited are nobody's. */
void tachy_intake_release(tachy_intake *intake);

/* Before a session: skips what slots hold of the time before. */
void tachy_sources_begin_session(void);

#endif
