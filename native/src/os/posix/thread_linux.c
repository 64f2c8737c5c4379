/* Waits, names and numbers of threads on Linux. */
#if !defined(__APPLE__)
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <tachy/compiler.h>
#include <time.h>
#include <unistd.h>

#include "../os.h"

void tachy_os_condition_init(tachy_os_condition *condition) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(condition, &attributes);
  pthread_condattr_destroy(&attributes);
}

int tachy_os_wait(tachy_os_condition *condition, tachy_os_mutex *mutex, uint64_t deadline) {
  struct timespec time;
  time.tv_sec = (time_t)(deadline / 1000000000u);
  time.tv_nsec = (long)(deadline % 1000000000u);
  return pthread_cond_timedwait(condition, mutex, &time) != ETIMEDOUT;
}

/* A semaphore cannot wait by the monotonic clock before glibc 2.30 and on Android, so a bell is a word that the kernel
 * watches: 0, or RUNG, or WAITING: somebody sleeps until it changes. */
enum { RUNG = 1, WAITING = 2 };

void tachy_os_bell_init(tachy_os_bell *bell) { TACHY_STORE(bell, 0); }

void tachy_os_ring(tachy_os_bell *bell) {
  if (TACHY_EXCHANGE(bell, RUNG) == WAITING) syscall(SYS_futex, bell, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void tachy_os_wait_bell(tachy_os_bell *bell, uint64_t deadline) {
  const struct { /* as the kernel has it in this call, whatever the C library's time_t is */
    long seconds, ns;
  } time = {(long)(deadline / 1000000000u), (long)(deadline % 1000000000u)};
  if (TACHY_EXCHANGE(bell, WAITING) != RUNG) {
    while (TACHY_LOAD(bell) == WAITING &&
           (syscall(SYS_futex, bell, FUTEX_WAIT_BITSET_PRIVATE, WAITING, &time, NULL, FUTEX_BITSET_MATCH_ANY) == 0 ||
            errno != ETIMEDOUT)) {
    }
  }
  TACHY_EXCHANGE(bell, 0);
}

void tachy_os_name_thread(const char *name) { prctl(PR_SET_NAME, name); }

uint64_t tachy_os_thread_id(void) { return (uint64_t)syscall(SYS_gettid); }

void tachy_os_thread_name(char *text, size_t size) {
  char name[16] = {0};
  if (size == 0) return;
  if (prctl(PR_GET_NAME, name) != 0) name[0] = 0;
  strncpy(text, name, size - 1);
  text[size - 1] = 0;
}

int tachy_os_thread_name_of(uint64_t id, char *text, size_t size) {
  char path[48];
  char name[16];
  snprintf(path, sizeof path, "/proc/self/task/%llu/comm", (unsigned long long)id);
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ssize_t length = read(file, name, sizeof name);
  close(file);
  if (length > 0 && name[length - 1] == '\n') length--;
  if (length <= 0 || (size_t)length >= size) return 0;
  memcpy(text, name, (size_t)length);
  text[length] = 0;
  return 1;
}
#endif
