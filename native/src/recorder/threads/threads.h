/* Thread slots: what a recording thread and the collector share, one mapping each, valid for the life of the process.
 * They lie in the session file where there is one (session_file.h), so what they hold outlives the process. */
#ifndef TACHY_SRC_RECORDER_THREADS_THREADS_H
#define TACHY_SRC_RECORDER_THREADS_THREADS_H

#include <tachy/tachy.h>

#define TACHY_CLASSES 4 /* indexed by tachy_class; 0 is unused */
#define TACHY_NO_DEPTH UINT32_MAX
#define TACHY_THREAD_NAME_MAX 48

/* Where a ring's memory is: not there yet, behind the slot, or elsewhere because the file had no room for it. */
typedef enum tachy_ring_memory { TACHY_RING_NONE = 0, TACHY_RING_HERE = 1, TACHY_RING_ELSEWHERE = 2 } tachy_ring_memory;

enum { TACHY_SLOT_FREE = 0, TACHY_SLOT_LIVE = 1, TACHY_SLOT_EXITED = 2 };

/* The thread's other half of a ring: what only slow paths need. */
typedef struct tachy_ring_back {
  uint64_t offset;     /* of the ring's memory, from the slot (modulo 2^64) */
  uint64_t size;       /* a power of two */
  uint64_t pending;    /* thread: events lost since the last gap record */
  uint64_t lost;       /* thread -> collector: all events lost, gap records or not */
  uint32_t lost_depth; /* thread -> collector: shallowest of the pending ones */
  uint32_t mapped;     /* thread: tachy_ring_memory */
} tachy_ring_back;

/* What the collector keeps about a ring. */
typedef struct tachy_ring_front {
  uint64_t told;    /* events lost according to the gap records read so far */
  uint64_t emitted; /* events lost that blocks have been told of */
} tachy_ring_front;

/* Of a slot's memory: the process's own, or of a session file that is not the process's any more. */
#define TACHY_NOT_IN_FILE 0u
#define TACHY_IN_OLD_FILE UINT32_MAX

/* The stack comes last, and gets its memory step by step: a thread that is not deep takes one page. */
#define TACHY_STACK_STEP 4096u
typedef struct tachy_slot {
  tachy_ring_back back[TACHY_CLASSES];
  uint64_t async_count; /* thread */
  uint64_t async_lost;  /* thread -> collector, like the next three */
  uint64_t too_deep;
  uint64_t mismatched;
  uint64_t backwards;
  uint64_t os_id;                   /* set before the slot is LIVE */
  char name[TACHY_THREAD_NAME_MAX]; /* under tachy_threads_lock */
  uint64_t size;                    /* of the mapping */
  struct tachy_slot *next;
  uint32_t state;
  uint32_t in_file; /* atomic: its place in the session file's table, from 1, or one of the two above */
  uint32_t named;   /* like the name: tachy_set_thread_name gave it, the system's will not replace it */
  _Alignas(128) uint64_t tail[TACHY_CLASSES]; /* collector -> thread */
  tachy_ring_front front[TACHY_CLASSES];
  struct tachy_stream *streams[TACHY_CLASSES]; /* of the running session */
  uint64_t seen_async_lost; /* collector: the counters above that stats and blocks have been told of */
  uint64_t seen_too_deep;
  uint64_t seen_mismatched;
  uint64_t seen_backwards;
  uint64_t missed_before; /* tachy_slot_missed when the thread's part in this session began */
  _Alignas(128) tachy_thread thread;
} tachy_slot;

_Static_assert(offsetof(tachy_slot, thread.stack) <= 1024, "a page holds the slot and a stack of some 190 spans");

static inline tachy_slot *tachy_slot_of(tachy_thread *thread) {
  return (tachy_slot *)(void *)((uint8_t *)thread - offsetof(tachy_slot, thread));
}

static inline tachy_ring *tachy_slot_ring(tachy_slot *slot, tachy_class cls) {
  return cls == TACHY_CLASS_SPAN ? &slot->thread.span
                                 : (cls == TACHY_CLASS_METRIC ? &slot->thread.metric : &slot->thread.log);
}

static inline uint8_t *tachy_slot_memory(tachy_slot *slot, tachy_class cls) {
  return (uint8_t *)((uintptr_t)slot + (uintptr_t)slot->back[cls].offset);
}

/* Events without a row that the slot has counted. */
static inline uint64_t tachy_slot_missed(const tachy_slot *slot) {
  return TACHY_LOAD(&slot->too_deep) + TACHY_LOAD(&slot->async_lost);
}

#if defined(_WIN32)
/* tachy_here_ for what the inline half cannot read. */
tachy_thread *tachy_thread_armed(void);
#endif

/* The calling thread's slot, or NULL when it has none. */
static inline tachy_slot *tachy_slot_here(void) {
  tachy_thread *const thread = tachy_here_();
  return thread == &tachy_no_thread_ ? NULL : tachy_slot_of(thread);
}

/* The calling thread's slot, made now if need be; NULL while nothing records, or without memory. */
tachy_slot *tachy_slot_attach(void);

/* A new one at which no thread stands, with this name; NULL without memory. For the life of the process. */
tachy_slot *tachy_slot_stand_in(const char *name);

/* More room on the calling thread's stack. 0: it has all that there can be. */
int tachy_slot_deepen(tachy_slot *slot);

/* For the collector. The list only grows. */
tachy_slot *tachy_slots_first(void);
void tachy_slot_free(tachy_slot *slot);
/* Reads again what the system calls a thread that was not named through us: programs name threads once they run. */
void tachy_slot_read_name(tachy_slot *slot);
/* Copies the thread's name, at most TACHY_THREAD_NAME_MAX - 1 bytes, and returns its size. */
uint32_t tachy_slot_name(tachy_slot *slot, char *name);
uint64_t tachy_slots_attached(void);

/* For start and stop. Records that nobody has drained are skipped. */
void tachy_slots_begin_session(const uint32_t ring_bytes[TACHY_CLASSES]);
/* The session file is another one from now on, or none: no slot is in it. */
void tachy_slots_part(void);
int tachy_threads_init(void);

/* Around fork(). */
int tachy_threads_fork_begins(void);  /* 0: it has begun already, for a handler that forks */
int tachy_threads_fork_is_over(void); /* 0: the outer one goes on */
void tachy_threads_fork_ends(void);
void tachy_threads_lock(void);
void tachy_threads_unlock(void);
void tachy_threads_after_fork(void);

/* Whether a session records: relaxed, for slow paths. */
extern uint32_t tachy_running;

/* Adds to a counter that the calling thread alone writes. */
static inline void tachy_count(uint64_t *counter, uint64_t n) { TACHY_STORE(counter, *counter + n); }

#endif
