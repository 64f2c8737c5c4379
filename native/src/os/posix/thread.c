/* Threads, locks and forks on POSIX. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../os.h"

static pthread_key_t exit_key;

void tachy_os_mutex_init(tachy_os_mutex *mutex) { pthread_mutex_init(mutex, NULL); }
void tachy_os_lock(tachy_os_mutex *mutex) { pthread_mutex_lock(mutex); }
void tachy_os_unlock(tachy_os_mutex *mutex) { pthread_mutex_unlock(mutex); }
void tachy_os_wake_all(tachy_os_condition *condition) { pthread_cond_broadcast(condition); }
void tachy_os_once(tachy_os_once_flag *flag, void (*function)(void)) { pthread_once(flag, function); }

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

void tachy_os_bell_init(tachy_os_bell *bell) { sem_init(bell, 0, 0); }
void tachy_os_ring(tachy_os_bell *bell) { sem_post(bell); }

void tachy_os_wait_bell(tachy_os_bell *bell, uint64_t deadline) {
  const struct timespec time = {(time_t)(deadline / 1000000000u), (long)(deadline % 1000000000u)};
  while (sem_clockwait(bell, CLOCK_MONOTONIC, &time) != 0 && errno == EINTR) {
  }
}

typedef struct entry_point {
  void (*function)(void *);
  void *argument;
  char name[16];
} entry_point;

static void *run(void *argument) {
  const entry_point entry = *(entry_point *)argument;
  tachy_os_release(argument);
  prctl(PR_SET_NAME, entry.name);
  entry.function(entry.argument);
  return NULL;
}

int tachy_os_thread_start(tachy_os_thread *thread, void (*function)(void *), void *argument, const char *name) {
  entry_point *const entry = tachy_os_allocate(sizeof *entry);
  if (!entry) return 0;
  entry->function = function;
  entry->argument = argument;
  strncpy(entry->name, name, sizeof entry->name - 1);
  entry->name[sizeof entry->name - 1] = 0;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(thread, NULL, run, entry);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error) tachy_os_release(entry);
  return error == 0;
}

void tachy_os_thread_join(tachy_os_thread thread) { pthread_join(thread, NULL); }

int tachy_os_on_thread_exit(void (*function)(void *)) { return pthread_key_create(&exit_key, function) == 0; }

int tachy_os_arm_thread_exit(void *value) { return pthread_setspecific(exit_key, value) == 0; }

void tachy_os_on_fork(void (*before)(void), void (*parent)(void), void (*child)(void)) {
  pthread_atfork(before, parent, child);
}

uint64_t tachy_os_thread_id(void) { return (uint64_t)syscall(SYS_gettid); }

void tachy_os_thread_name(char *text, size_t size) {
  char name[16] = {0};
  if (size == 0) return;
  if (prctl(PR_GET_NAME, name) != 0) name[0] = 0;
  strncpy(text, name, size - 1);
  text[size - 1] = 0;
}
