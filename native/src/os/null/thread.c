/* One thread: locks are always free, nobody rings, no thread starts. A session needs a collector, so tachy_start says
 * TACHY_ERROR_SYSTEM here; sites, levels and property sets work, and recording calls do nothing. */
#include "../os.h"

void tachy_os_mutex_init(tachy_os_mutex *mutex) { *mutex = TACHY_OS_MUTEX_INIT; }
void tachy_os_lock(tachy_os_mutex *mutex) { (void)mutex; }
void tachy_os_unlock(tachy_os_mutex *mutex) { (void)mutex; }
void tachy_os_condition_init(tachy_os_condition *condition) { *condition = 0; }
void tachy_os_wake_all(tachy_os_condition *condition) { (void)condition; }

/* Nobody else runs, so nothing would change before the deadline: it counts as passed. */
int tachy_os_wait(tachy_os_condition *condition, tachy_os_mutex *mutex, uint64_t deadline) {
  (void)condition;
  (void)mutex;
  (void)deadline;
  return 0;
}

void tachy_os_bell_init(tachy_os_bell *bell) { *bell = 0; }
void tachy_os_ring(tachy_os_bell *bell) { *bell = 1; }

void tachy_os_wait_bell(tachy_os_bell *bell, uint64_t deadline) {
  (void)deadline;
  *bell = 0;
}

void tachy_os_once(tachy_os_once_flag *flag, void (*function)(void)) {
  if (*flag) return;
  *flag = 1;
  function();
}

int tachy_os_thread_start(tachy_os_thread *thread, void (*function)(void *), void *argument, const char *name) {
  (void)thread;
  (void)function;
  (void)argument;
  (void)name;
  return 0;
}

void tachy_os_thread_join(tachy_os_thread thread) { (void)thread; }

int tachy_os_on_thread_exit(void (*function)(void *)) {
  (void)function;
  return 0;
}

int tachy_os_arm_thread_exit(void *value) {
  (void)value;
  return 0;
}

void tachy_os_on_fork(void (*before)(void), void (*parent)(void), void (*child)(void)) {
  (void)before;
  (void)parent;
  (void)child;
}

uint64_t tachy_os_thread_id(void) { return 1; }

void tachy_os_thread_name(char *text, size_t size) {
  if (size) text[0] = 0;
}

int tachy_os_thread_name_of(uint64_t id, char *text, size_t size) {
  (void)id;
  (void)text;
  (void)size;
  return 0;
}
