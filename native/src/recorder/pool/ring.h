/* The slow half of a ring's writer: laps, gaps, records of odd sizes. */
#ifndef TACHY_SRC_RECORDER_POOL_RING_H
#define TACHY_SRC_RECORDER_POOL_RING_H

#include "../threads/threads.h"

/* Somebody else's ticks: a time to come would hold back the thread's next events, and look like a control code. */
static inline uint64_t tachy_not_after(uint64_t ticks, uint64_t now) { return ticks < now ? ticks : now; }

/* Backs the ring with memory, before its first record. 0: there is none. */
int tachy_ring_map(tachy_slot *slot, tachy_class cls);
/* Room for `size` bytes in one piece, behind the gap record that is due: where to write the record, or NULL when the
 * ring is full. *head: what to publish then. */
uint8_t *tachy_ring_reserve(tachy_slot *slot, tachy_class cls, uint64_t size, uint64_t *head);
/* Publishes what was reserved last. */
void tachy_ring_publish(tachy_slot *slot, tachy_class cls, uint64_t head);
/* Counts an event that found no room; a span's depth. The next record will bring a gap record. */
void tachy_ring_lose(tachy_slot *slot, tachy_class cls, uint32_t depth);

/* A log with a ready message into the slot of the calling thread, at a time of its own; `size` is at most 512. */
void tachy_log_write(tachy_slot *slot, uint32_t site, uint32_t set, uint64_t ticks, const char *text, uint64_t size);

/* The collector's side, before a session: passes over everything that is in the ring. */
void tachy_ring_skip(tachy_slot *slot, tachy_class cls);

/* Ends the open spans at depths >= depth now and counts them as mismatched. */
void tachy_spans_unwind(tachy_slot *slot, uint32_t depth);

/* Bytes of the record at `record`, `left` being what is left of the lap. */
static inline uint64_t tachy_record_size(tachy_class cls, const uint8_t *record, uint64_t left) {
  const uint64_t first = *(const uint64_t *)record;
  if (first == TACHY_CONTROL_PAD) return left;
  if (first == TACHY_CONTROL_GAP) return sizeof(tachy_gap_record);
  if (cls == TACHY_CLASS_METRIC) return sizeof(tachy_metric_record);
  if (cls == TACHY_CLASS_LOG) return ((const tachy_log_record *)record)->size;
  return first >= TACHY_CONTROL_ASYNC_END && first <= TACHY_CONTROL_ASYNC_BEGIN ? sizeof(tachy_async_record)
                                                                                : sizeof(tachy_span_record);
}

#endif
