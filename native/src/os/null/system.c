/* Clocks of C's library; no randomness, no facts, no modules. */
#include <stdlib.h>
#include <time.h>

#include "../os.h"

int64_t tachy_os_utc(void) {
  struct timespec time = {0, 0};
  timespec_get(&time, TIME_UTC);
  return (int64_t)time.tv_sec * 1000000000 + (int64_t)time.tv_nsec;
}

/* C11 has no monotonic clock: UTC, which stands still while somebody has set it back. */
uint64_t tachy_os_monotonic(void) {
  static uint64_t last;
  const uint64_t now = (uint64_t)tachy_os_utc();
  if (now > last) last = now;
  return last;
}

uint64_t tachy_os_thread_cpu(void) { return (uint64_t)((double)clock() * 1e9 / CLOCKS_PER_SEC); }

uint64_t tachy_os_tick_frequency(void) {
#if !defined(TACHY_CLOCK_OS) && (defined(__x86_64__) || defined(__aarch64__))
  return 0;
#else
  return 1000000000u; /* ticks are tachy_os_monotonic */
#endif
}

void tachy_os_sleep(uint64_t ns) {
  const uint64_t end = tachy_os_monotonic() + ns;
  while (tachy_os_monotonic() < end) {
  }
}

int tachy_os_random(void *bytes, size_t size) {
  (void)bytes;
  (void)size;
  return 0;
}

void tachy_os_describe(tachy_os_fact fact, char *text, size_t size) {
  (void)fact;
  if (size) text[0] = 0;
}

const char *tachy_os_environment(const char *name) { return getenv(name); }

int tachy_os_with_modules(tachy_os_mutex *mutex, void (*function)(void *, const tachy_os_range *, size_t),
                          void *context) {
  (void)mutex;
  (void)function;
  (void)context;
  return 0;
}

void tachy_os_landmarks(int (*function)(void *, void *), void *context) {
  (void)function;
  (void)context;
}

int tachy_os_keep_loaded(const void *address) {
  (void)address;
  return 1;
}

void tachy_os_module_name(const void *address, char *text, size_t size) {
  (void)address;
  if (size) text[0] = 0;
}
