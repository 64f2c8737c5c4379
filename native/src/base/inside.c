#include "inside.h"

#include "add.h"

#if !defined(_WIN32)
TACHY_THREAD_LOCAL uint32_t tachy_inside_depth;
#endif
static uint64_t lost[TACHY_CLASSES]; /* atomic */

void tachy_inside_lock(tachy_os_mutex *mutex) {
  tachy_inside_begins();
  tachy_os_lock(mutex);
}

void tachy_inside_unlock(tachy_os_mutex *mutex) {
  tachy_os_unlock(mutex);
  tachy_inside_ends();
}

#if defined(_WIN32)
uint32_t tachy_inside_before_fork(void) { return 0; }
void tachy_inside_after_fork(uint32_t before) { (void)before; }
#else
uint32_t tachy_inside_before_fork(void) { return TACHY_LOAD(&tachy_inside_depth); }
void tachy_inside_after_fork(uint32_t before) { TACHY_STORE(&tachy_inside_depth, before); }
#endif

void tachy_inside_drop(unsigned cls) { tachy_add(&lost[cls], 1); }

uint64_t tachy_inside_dropped(unsigned cls) { return TACHY_LOAD(&lost[cls]); }
