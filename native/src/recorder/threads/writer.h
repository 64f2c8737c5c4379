/* The slow half of writing: the next chunk, records of odd sizes, what finds no room. */
#ifndef TACHY_SRC_RECORDER_THREADS_WRITER_H
#define TACHY_SRC_RECORDER_THREADS_WRITER_H

#include "../../base/bell.h"
#include "threads.h"

/* Ticks that the program gives, at most now: a time to come would raise the thread's next events to it, and could look
 * like a control code. */
static inline uint64_t tachy_not_after(uint64_t ticks, uint64_t now) { return ticks < now ? ticks : now; }

/* Takes the first chunk of a class ahead of its first record. 0: there is none. */
int tachy_writer_begin(tachy_slot *slot, tachy_class cls);
/* Room for `size` bytes in one piece (at most TACHY_RECORD_MAX; spans less, by the stack): returns where to write the
 * record, and in *head what to publish then. NULL: there is no chunk. */
uint8_t *tachy_writer_reserve(tachy_slot *slot, tachy_class cls, uint64_t size, uint64_t *head);
/* Publishes what was reserved last. */
void tachy_writer_publish(tachy_slot *slot, tachy_class cls, uint64_t head);
/* Counts an event that found no room, for the head of the next chunk. depth: a span's. */
void tachy_writer_drop(tachy_slot *slot, tachy_class cls, uint32_t depth);

/* A log with a ready message into the slot of the calling thread, at a time of its own; `size` is at most 512. */
void tachy_log_write(tachy_slot *slot, uint32_t site, uint32_t set, uint64_t ticks, const char *text, uint64_t size);

/* After a log of this site: tachy_log_sends_ for callers within the recorder. */
static inline void tachy_log_sent(const tachy_site *site) {
  if (site->level >= TACHY_LEVEL_FATAL && site->level <= TACHY_LEVEL_WARN) tachy_bell_urge();
}

/* Ends the open spans at depths >= depth now and counts them as mismatched. */
void tachy_spans_unwind(tachy_slot *slot, uint32_t depth);

#endif
