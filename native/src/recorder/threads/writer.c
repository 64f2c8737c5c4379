/* The slow half of writing: the next chunk, what finds no room. */
#include "writer.h"

#include <string.h>

#include "../pool/pool.h"

/* The thread's own small chunk, at its first event, or the full one that the collector has returned. NULL: neither, or
 * too small. *size: its room. (Of an earlier pool nothing is begun any more.) */
static tachy_chunk *chunk_at_hand(tachy_slot *slot, tachy_class cls, tachy_chunk *full, uint64_t wanted,
                                  uint64_t *size) {
  uint64_t room;
  tachy_chunk *const own = tachy_slot_own(slot, cls, &room);
  tachy_chunk *const chunk = full ? full : own;
  if (chunk != own) room = TACHY_RECORD_MAX;
  if (!tachy_pool_has_slot(slot) || wanted > room) return NULL;
  *size = room;
  return chunk;
}

/* The thread fills `chunk` after the full one, which the collector may return as long as it knows of none. */
static void link_spent(tachy_slot *slot, tachy_class cls, tachy_chunk *full, tachy_chunk *chunk) {
  if (full && full != chunk) {
    uint64_t size;
    if (TACHY_COMPARE_EXCHANGE(&full->next, TACHY_CHUNK_LAST, (uint64_t)(uintptr_t)chunk)) return;
    if (full != tachy_slot_own(slot, cls, &size)) tachy_pool_give(full);
  }
  TACHY_STORE_RELEASE(&slot->first[cls], (uintptr_t)chunk);
}

/* The thread goes on in another chunk. Between two changes lie a thousand events, so that every cache line which is
 * touched here, of code or data, is a miss: where the full chunk has some room left it is only written to. */
static TACHY_BESIDE int next_chunk(tachy_slot *slot, tachy_class cls, uint64_t wanted) {
  tachy_writer *const writer = tachy_slot_writer(slot, cls);
  tachy_writer_back *const back = &slot->back[cls];
  tachy_chunk *const full = tachy_chunk_at(back->chunk);
  const uint32_t depth = cls == TACHY_CLASS_SPAN ? tachy_depth_of(&slot->thread) : 0;
  const uint64_t stack = depth * sizeof(tachy_open_span);
  /* only of such a chunk the collector can think that the thread has found none after it */
  const int spent = writer->head == writer->limit;
  uint64_t size = TACHY_RECORD_MAX;
  const int returned = spent && full && TACHY_LOAD_ACQUIRE(&full->next) == TACHY_CHUNK_RETURNED;
  tachy_chunk *chunk = !full || returned ? chunk_at_hand(slot, cls, full, stack + wanted, &size) : NULL;
  if (!chunk) chunk = tachy_pool_take();
  if (!chunk) return 0;
  TACHY_ASSERT(stack + wanted <= size);
  if (chunk == full) TACHY_COMPARE_EXCHANGE(&chunk->owner, chunk->owner, 0); /* before what follows, for who recovers */
  TACHY_ASSERT(TACHY_LOAD(&chunk->owner) == 0);
  if (full && full != chunk && !returned) TACHY_STORE_RELEASE(&full->used, writer->head - full->first);
  chunk->first = writer->head;
  chunk->used = 0;
  chunk->lost = back->lost;
  chunk->lost_depth = back->lost_depth;
  chunk->ticks = tachy_ticks();
  chunk->depth = depth;
  chunk->size = size - stack;
  chunk->read = chunk->waiting = 0;
  TACHY_STORE(&chunk->next, TACHY_CHUNK_LAST);
  if (stack) memcpy(chunk + 1, slot->thread.stack, stack);
  TACHY_STORE_RELEASE(&chunk->owner, tachy_chunk_owner(slot->thread.number, cls));
  writer->origin = (uintptr_t)tachy_chunk_records(chunk) - (uintptr_t)writer->head;
  /* before the link: a collector that has come to the chunk must not take it for a full one, and return it */
  TACHY_STORE(&writer->limit, writer->head + chunk->size);
  if (spent) {
    link_spent(slot, cls, full, chunk);
  } else {
    TACHY_STORE_RELEASE(&full->next, (uintptr_t)chunk);
  }
  back->chunk = (uintptr_t)chunk;
  /* release: whoever sees the loss gone also sees the chunk that counts it */
  TACHY_STORE_RELEASE(&back->lost_depth, TACHY_NO_DEPTH);
  return 1;
}

int tachy_writer_begin(tachy_slot *slot, tachy_class cls) {
  return slot->back[cls].chunk || next_chunk(slot, cls, sizeof(tachy_span_record));
}

TACHY_BESIDE uint8_t *tachy_writer_reserve(tachy_slot *slot, tachy_class cls, uint64_t size, uint64_t *head) {
  tachy_writer *const writer = tachy_slot_writer(slot, cls);
  if (writer->limit - writer->head < size && !next_chunk(slot, cls, size)) return NULL;
  *head = writer->head + size;
  return (uint8_t *)(writer->origin + (uintptr_t)writer->head);
}

void tachy_writer_publish(tachy_slot *slot, tachy_class cls, uint64_t head) {
  TACHY_ASSERT(head <= tachy_slot_writer(slot, cls)->limit);
  TACHY_STORE_RELEASE(&tachy_slot_writer(slot, cls)->head, head);
}

void tachy_writer_drop(tachy_slot *slot, tachy_class cls, uint32_t depth) {
  tachy_writer *const writer = tachy_slot_writer(slot, cls);
  tachy_writer_back *const back = &slot->back[cls];
  TACHY_STORE(&writer->limit, writer->head); /* nothing smaller may slip in before the chunk that counts it */
  /* release, and the depth first: whoever sees the stack change sees why, and whoever sees the count sees a depth that
   * is at least as shallow */
  if (depth < back->lost_depth) TACHY_STORE_RELEASE(&back->lost_depth, depth);
  TACHY_STORE_RELEASE(&back->lost, back->lost + 1);
}
