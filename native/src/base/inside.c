#include "inside.h"

#include "add.h"

#if defined(_WIN32)
static const uint32_t depth = 0; /* nothing interrupts a thread, and thread-local variables are gone at its end */
#define ADD(n) (void)(n)
#define SET(n) (void)(n)
#else
static TACHY_THREAD_LOCAL uint32_t depth; /* atomic, for handlers on this thread, which leave it as it was */
#define ADD(n) TACHY_STORE(&depth, TACHY_LOAD(&depth) + (n))
#define SET(n) TACHY_STORE(&depth, (n))
#endif
static uint64_t lost[TACHY_CLASSES]; /* atomic */

int tachy_inside(void) { return TACHY_LOAD(&depth) != 0; }

void tachy_inside_begins(void) {
  ADD(1u);
  TACHY_SIGNAL_FENCE();
}

void tachy_inside_ends(void) {
  TACHY_SIGNAL_FENCE();
  ADD(UINT32_MAX);
}

void tachy_inside_lock(tachy_os_mutex *mutex) {
  tachy_inside_begins();
  tachy_os_lock(mutex);
}

void tachy_inside_unlock(tachy_os_mutex *mutex) {
  tachy_os_unlock(mutex);
  tachy_inside_ends();
}

uint32_t tachy_inside_before_fork(void) { return TACHY_LOAD(&depth); }

void tachy_inside_after_fork(uint32_t before) { SET(before); }

void tachy_inside_drop(unsigned cls) { tachy_add(&lost[cls], 1); }

uint64_t tachy_inside_dropped(unsigned cls) { return TACHY_LOAD(&lost[cls]); }
