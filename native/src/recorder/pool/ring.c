/* The slow half of a ring's writer: laps, gaps, records of odd sizes. */
#include "ring.h"

#include "../../os/os.h"
#include "../collect/collector.h"
#include "session_file.h"

int tachy_ring_map(tachy_slot *slot, tachy_class cls) {
  tachy_ring_back *const back = &slot->back[cls];
  if (back->mapped) return 1;
  uint32_t where = TACHY_RING_HERE;
  if (!tachy_session_file_back(slot, tachy_slot_memory(slot, cls), back->size)) {
    const uint8_t *const memory = tachy_os_map(back->size);
    if (!memory) return 0;
    back->offset = (uint64_t)((uintptr_t)memory - (uintptr_t)slot);
    where = TACHY_RING_ELSEWHERE;
  }
  tachy_os_prefault(tachy_slot_memory(slot, cls), back->size);
  TACHY_STORE_RELEASE(&back->mapped, where);
  return 1;
}

uint8_t *tachy_ring_reserve(tachy_slot *slot, tachy_class cls, uint64_t size, uint64_t *head) {
  tachy_ring *const ring = tachy_slot_ring(slot, cls);
  tachy_ring_back *const back = &slot->back[cls];
  if (!tachy_ring_map(slot, cls)) return NULL;
  uint8_t *const memory = tachy_slot_memory(slot, cls);
  const uint64_t mask = back->size - 1;
  const uint64_t tail = TACHY_LOAD_ACQUIRE(&slot->tail[cls]);
  const uint64_t gap = back->pending ? sizeof(tachy_gap_record) : 0;
  uint64_t at = ring->head;
  if (back->size - (at & mask) < gap + size) at = (at & ~mask) + back->size;
  /* once it is full: not for every event that is lost, the bell is one cache line for all threads */
  if (at - tail >= back->size / 2 && back->pending % 64 == 0) tachy_collector_hurry();
  if (at + gap + size - tail > back->size) return NULL;
  if (at != ring->head) *(uint64_t *)(memory + (ring->head & mask)) = TACHY_CONTROL_PAD;
  const uint64_t lap = at & ~mask;
  ring->origin = (uintptr_t)memory - (uintptr_t)lap;
  ring->limit = lap < tail ? lap + back->size : tail + back->size;
  /* come back after half a ring at the latest: it may be time to wake the collector */
  if (ring->limit - at > gap + size + back->size / 2) ring->limit = at + gap + size + back->size / 2;
  if (gap) {
    tachy_gap_record *const record = (tachy_gap_record *)(memory + (at & mask));
    *record = (tachy_gap_record){TACHY_CONTROL_GAP, back->pending,
                                 back->lost_depth == TACHY_NO_DEPTH ? 0 : back->lost_depth, 0};
  }
  *head = at + gap + size;
  return memory + (at & mask) + gap;
}

void tachy_ring_publish(tachy_slot *slot, tachy_class cls, uint64_t head) {
  tachy_ring_back *const back = &slot->back[cls];
  TACHY_STORE_RELEASE(&tachy_slot_ring(slot, cls)->head, head);
  if (!back->pending) return;
  back->pending = 0;
  /* release: whoever sees the gap gone also sees its record */
  TACHY_STORE_RELEASE(&back->lost_depth, TACHY_NO_DEPTH);
}

void tachy_ring_lose(tachy_slot *slot, tachy_class cls, uint32_t depth) {
  tachy_ring *const ring = tachy_slot_ring(slot, cls);
  tachy_ring_back *const back = &slot->back[cls];
  ring->limit = ring->head; /* nothing smaller may slip in before the gap record */
  back->pending++;
  /* release, and the depth first: whoever sees the stack change sees why, and whoever sees the count sees a depth that
   * is at least as shallow */
  if (depth < back->lost_depth) TACHY_STORE_RELEASE(&back->lost_depth, depth);
  TACHY_STORE_RELEASE(&back->lost, back->lost + 1);
}

void tachy_ring_skip(tachy_slot *slot, tachy_class cls) {
  tachy_ring_front *const front = &slot->front[cls];
  const uint64_t size = slot->back[cls].size;
  const uint64_t mask = size - 1;
  const uint8_t *const memory = tachy_slot_memory(slot, cls);
  const uint64_t head = TACHY_LOAD_ACQUIRE(&tachy_slot_ring(slot, cls)->head);
  uint64_t at = slot->tail[cls];
  while (at < head) {
    const uint8_t *const record = memory + (at & mask);
    if (*(const uint64_t *)record == TACHY_CONTROL_GAP) front->told += ((const tachy_gap_record *)record)->count;
    at += tachy_record_size(cls, record, size - (at & mask));
  }
  front->emitted = TACHY_LOAD_ACQUIRE(&slot->back[cls].lost);
  TACHY_STORE_RELEASE(&slot->tail[cls], at);
}
