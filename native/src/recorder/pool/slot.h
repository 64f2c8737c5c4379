/* A slot: what a recording thread and the collector share. It lies in the pool's memory, at the same address for the
 * life of the process, and so in the session file where there is one. */
#ifndef TACHY_SRC_RECORDER_POOL_SLOT_H
#define TACHY_SRC_RECORDER_POOL_SLOT_H

#include <tachy/tachy.h>

#include "chunk.h"

#define TACHY_THREAD_NAME_MAX 48

/* FREE; LIVE: a thread's; EXITED: the thread has ended; READ: and all that it left has been read, but is not yet in a
 * batch. */
enum { TACHY_SLOT_FREE = 0, TACHY_SLOT_LIVE = 1, TACHY_SLOT_EXITED = 2, TACHY_SLOT_READ = 3 };

/* What only slow paths need of a class. */
typedef struct tachy_writer_back {
  uint64_t chunk;      /* thread: address of the one that it fills, or 0 */
  uint64_t lost;       /* thread -> collector: all events that found no room */
  uint32_t lost_depth; /* thread -> collector: the shallowest of the lost spans that no chunk has counted yet */
  uint32_t zero;
} tachy_writer_back;

struct tachy_source;

/* Room for records in the slot's own chunks: most threads record little. */
enum { TACHY_OWN_LOG = 1024, TACHY_OWN_METRIC = 384, TACHY_OWN_SPAN = 1344 };

#define TACHY_SLOT_STEP 4096u                   /* the slot's memory is backed in such steps */
#define TACHY_SLOT_BACKED (2 * TACHY_SLOT_STEP) /* from the start */
#define TACHY_SLOT_BYTES UINT64_C(24576)        /* from one slot to the next */

typedef struct tachy_slot {
  uint64_t async_count; /* thread */
  uint64_t async_lost;  /* thread -> collector, like the next four */
  uint64_t too_deep;
  uint64_t mismatched;
  uint64_t backwards;
  uint64_t values_lost;
  uint64_t os_id;                   /* set before the slot is LIVE */
  uint64_t ended;                   /* ticks, set before it is EXITED */
  char name[TACHY_THREAD_NAME_MAX]; /* under tachy_threads_lock */
  struct tachy_slot *next;          /* of all slots */
  struct tachy_slot *next_free;     /* under the same lock */
  uint32_t state;                   /* atomic */
  uint32_t named;                   /* like the name: tachy_set_thread_name gave it, the system's will not replace it */
  uint64_t pool;                    /* in whose memory it lies */
  uint64_t name_read;               /* collector: when it last asked the system for the name; 0: not yet */
  _Alignas(128) struct tachy_source *sources[TACHY_CLASSES]; /* collector: of the running session */
  /* atomic: address of the thread's first chunk that is not read yet, or 0; the thread writes only that of a chunk that
   * follows none, so it does not lie beside what the thread reads */
  uint64_t first[TACHY_CLASSES];
  uint64_t seen_async_lost; /* collector: what stats and blocks have of the counters above */
  uint64_t seen_too_deep;
  uint64_t seen_mismatched;
  uint64_t seen_backwards;
  uint64_t seen_values_lost;
  uint64_t begin[TACHY_CLASSES];       /* collector: the thread's part in this session begins here in its stream, */
  uint64_t lost_before[TACHY_CLASSES]; /* after so many lost events, */
  uint64_t missed_before;              /* and tachy_slot_missed of these */
  _Alignas(16) uint8_t own_log[sizeof(tachy_chunk) + TACHY_OWN_LOG];
  uint8_t own_metric[sizeof(tachy_chunk) + TACHY_OWN_METRIC];
  uint8_t own_span[sizeof(tachy_chunk) + TACHY_OWN_SPAN];
  _Alignas(4096) tachy_writer_back back[TACHY_CLASSES]; /* in the thread's page: its change of chunks meets no other */
  _Alignas(128) tachy_thread thread;                    /* its stack gets memory step by step */
} tachy_slot;

_Static_assert(offsetof(tachy_slot, back) == TACHY_SLOT_STEP && sizeof(tachy_slot) <= TACHY_SLOT_BYTES,
               "what a thread that does little touches is two pages");

static inline tachy_slot *tachy_slot_of(tachy_thread *thread) {
  return (tachy_slot *)(void *)((uint8_t *)thread - offsetof(tachy_slot, thread));
}

static inline tachy_writer *tachy_slot_writer(tachy_slot *slot, tachy_class cls) {
  return cls == TACHY_CLASS_SPAN ? &slot->thread.span
                                 : (cls == TACHY_CLASS_METRIC ? &slot->thread.metric : &slot->thread.log);
}

/* How many spans are open, also while the thread is inside a record. */
static inline uint32_t tachy_depth_of(const tachy_thread *thread) {
  const uint32_t top = TACHY_LOAD_ACQUIRE(&thread->top);
  return TACHY_DEPTH_AT_(top >= ~TACHY_TOP_MAX_ ? ~top : top & ~TACHY_INSIDE_);
}

/* The slot's own chunk of a class, and its room for records. */
static inline tachy_chunk *tachy_slot_own(tachy_slot *slot, tachy_class cls, uint64_t *size) {
  *size = cls == TACHY_CLASS_SPAN ? TACHY_OWN_SPAN : cls == TACHY_CLASS_METRIC ? TACHY_OWN_METRIC : TACHY_OWN_LOG;
  return (tachy_chunk *)(void *)(cls == TACHY_CLASS_SPAN     ? slot->own_span
                                 : cls == TACHY_CLASS_METRIC ? slot->own_metric
                                                             : slot->own_log);
}

/* Events without a row that the slot has counted. */
static inline uint64_t tachy_slot_missed(const tachy_slot *slot) {
  return TACHY_LOAD(&slot->too_deep) + TACHY_LOAD(&slot->async_lost);
}

/* Adds to a counter that the calling thread alone writes. */
static inline void tachy_count(uint64_t *counter, uint64_t n) { TACHY_STORE(counter, *counter + n); }

#endif
