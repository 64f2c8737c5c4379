/* Clocks on POSIX, and what the processor says about its own. */
#include <errno.h>
#if defined(__APPLE__)
#include <stdlib.h>
#else
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#include <time.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "../os.h"

static uint64_t read_clock(clockid_t clock) {
  struct timespec time = {0, 0};
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

#if defined(__APPLE__)
uint64_t tachy_os_monotonic(void) { return read_clock(CLOCK_MONOTONIC_RAW); } /* the other one moves by 1000 ns */
#else
uint64_t tachy_os_monotonic(void) { return read_clock(CLOCK_MONOTONIC); }
#endif
int64_t tachy_os_utc(void) { return (int64_t)read_clock(CLOCK_REALTIME); }
uint64_t tachy_os_thread_cpu(void) { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

uint64_t tachy_os_tick_frequency(void) {
#if defined(TACHY_CLOCK_OS)
  return 1000000000u;
#elif defined(__x86_64__)
  /* Leaf 15h: TSC = crystal * numerator / denominator; leaf 16h's base frequency is too coarse to be used alone. */
  unsigned denominator = 0, numerator = 0, crystal = 0, rest = 0;
  if (__get_cpuid_max(0, NULL) >= 0x15) __cpuid_count(0x15, 0, denominator, numerator, crystal, rest);
  if (denominator == 0 || numerator == 0 || crystal == 0) return 0;
  const uint64_t frequency = (uint64_t)crystal * numerator / denominator;
  return frequency >= 100000000u && frequency <= 10000000000u ? frequency : 0;
#elif defined(__aarch64__)
  uint64_t frequency;
  __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
  return frequency;
#else
  return 1000000000u;
#endif
}

void tachy_os_sleep(uint64_t ns) {
  struct timespec time = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
  while (nanosleep(&time, &time) != 0 && errno == EINTR) {
  }
}

#if defined(__APPLE__)
int tachy_os_random(void *bytes, size_t size) {
  arc4random_buf(bytes, size);
  return 1;
}
#else
static int read_random(unsigned char *bytes, size_t size) {
  const int file = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  const ssize_t got = file < 0 ? 0 : read(file, bytes, size);
  if (file >= 0) close(file);
  return got == (ssize_t)size;
}

int tachy_os_random(void *bytes, size_t size) {
  unsigned char *at = bytes;
  while (size > 0) {
    const long got = syscall(SYS_getrandom, at, size, 0); /* in the C library since glibc 2.25 and Android 9 */
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == ENOSYS) return read_random(at, size); /* before Linux 3.17 */
    if (got <= 0) return 0;
    at += got;
    size -= (size_t)got;
  }
  return 1;
}
#endif
