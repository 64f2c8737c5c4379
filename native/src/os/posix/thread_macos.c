/* Waits, names and numbers of threads on macOS, which waits for a time to pass, not for a clock to show one. */
#if defined(__APPLE__)
#include <errno.h>
#include <mach/mach.h>
#include <time.h>

#include "../os.h"

/* How long until the deadline, in ns. */
static uint64_t time_until(uint64_t deadline) {
  const uint64_t now = tachy_os_monotonic();
  return deadline > now ? deadline - now : 0;
}

void tachy_os_condition_init(tachy_os_condition *condition) { pthread_cond_init(condition, NULL); }

int tachy_os_wait(tachy_os_condition *condition, tachy_os_mutex *mutex, uint64_t deadline) {
  const uint64_t ns = time_until(deadline);
  const struct timespec time = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
  return pthread_cond_timedwait_relative_np(condition, mutex, &time) != ETIMEDOUT;
}

/* Mach's semaphores: there are no POSIX ones without a name. A forked child has none of its parent's. */
void tachy_os_bell_init(tachy_os_bell *bell) { semaphore_create(mach_task_self(), bell, SYNC_POLICY_FIFO, 0); }

void tachy_os_ring(tachy_os_bell *bell) { semaphore_signal(*bell); }

void tachy_os_wait_bell(tachy_os_bell *bell, uint64_t deadline) {
  const uint64_t ns = time_until(deadline);
  const uint64_t seconds = ns / 1000000000u;
  const mach_timespec_t time = {seconds < UINT32_MAX ? (unsigned)seconds : UINT32_MAX, (clock_res_t)(ns % 1000000000u)};
  semaphore_timedwait(*bell, time);
}

void tachy_os_name_thread(const char *name) { pthread_setname_np(name); }

uint64_t tachy_os_thread_id(void) {
  uint64_t id = 0;
  pthread_threadid_np(NULL, &id);
  return id;
}

void tachy_os_thread_name(char *text, size_t size) {
  if (size && pthread_getname_np(pthread_self(), text, size) != 0) text[0] = 0;
}

/* There is pthread_from_mach_thread_np, for ports, which a thread's number is not. */
int tachy_os_thread_name_of(uint64_t id, char *text, size_t size) {
  (void)id;
  (void)text;
  (void)size;
  return 0;
}
#endif
