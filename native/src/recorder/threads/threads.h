/* Thread slots: given to a thread at its first event, and free again once all that it left is in a batch. */
#ifndef TACHY_SRC_RECORDER_THREADS_THREADS_H
#define TACHY_SRC_RECORDER_THREADS_THREADS_H

#include "../pool/slot.h"

#if defined(_WIN32)
/* tachy_here_ for what the inline half cannot read. */
tachy_thread *tachy_thread_armed(void);
#endif

/* The calling thread's slot, or NULL when it has none. */
static inline tachy_slot *tachy_slot_here(void) {
  tachy_thread *const thread = tachy_here_();
  return thread == &tachy_no_thread_ ? NULL : tachy_slot_of(thread);
}

/* For a slow path: the calling thread's slot, made now if need be, and inside a record of every class until
 * tachy_slot_leave. NULL while nothing records, without memory, or when the thread is inside a record, which a signal
 * handler has interrupted: that event is counted as lost for the class (0: a value on a span; TACHY_CLASSES: none). */
tachy_slot *tachy_slot_enter(unsigned cls);
void tachy_slot_leave(tachy_slot *slot);
/* The same, but for a record of a metric or a log, which goes on inline. */
void tachy_slot_leave_to_row(tachy_slot *slot);

/* A slot of this name that belongs to no thread, for the life of the process: late.c writes to it. NULL without memory.
 */
tachy_slot *tachy_slot_stand_in(const char *name);

/* Gives the calling thread's stack more memory. 0: it has all that there can be. */
int tachy_slot_deepen(tachy_slot *slot);

/* For the collector. The list only grows. */
tachy_slot *tachy_slots_first(void);
void tachy_slot_free(tachy_slot *slot);
/* Keeps some free ones ready, with storage and touched. */
void tachy_slots_tend(void);
/* Slots of threads that have ended, read or not. */
uint64_t tachy_slots_ended(void);
/* After so many of these the collector is rung. */
#define TACHY_ENDS_RING 256u
/* Reads again what the system calls a thread that was not named through us: programs name threads once they run. Where
 * there are many it leaves out some that it has read lately. threads: how many there are, nearly. */
void tachy_slot_read_name(tachy_slot *slot, uint64_t threads);
/* Copies the thread's name, at most TACHY_THREAD_NAME_MAX - 1 bytes, and returns its size. */
uint32_t tachy_slot_name(tachy_slot *slot, char *name);
uint64_t tachy_slots_attached(void);

/* Before a session: forgets free slots of an earlier pool. Threads that have a slot keep it. */
void tachy_slots_begin_session(void);
int tachy_threads_init(void);

/* Around fork(). */
void tachy_threads_fork_begins(void);
void tachy_threads_fork_ends(void);
void tachy_threads_lock(void);
void tachy_threads_unlock(void);
void tachy_threads_after_fork(void);

/* Whether a session records. Loaded relaxed, in slow paths only. */
extern uint32_t tachy_running;

#endif
