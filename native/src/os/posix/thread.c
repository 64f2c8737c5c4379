/* Threads, locks and forks on POSIX; what each system has of its own is in thread_linux.c and thread_macos.c. */
#include <signal.h>
#include <string.h>

#include "../os.h"

static pthread_key_t exit_key;

void tachy_os_mutex_init(tachy_os_mutex *mutex) { pthread_mutex_init(mutex, NULL); }
void tachy_os_lock(tachy_os_mutex *mutex) { pthread_mutex_lock(mutex); }
void tachy_os_unlock(tachy_os_mutex *mutex) { pthread_mutex_unlock(mutex); }
void tachy_os_wake_all(tachy_os_condition *condition) { pthread_cond_broadcast(condition); }
void tachy_os_once(tachy_os_once_flag *flag, void (*function)(void)) { pthread_once(flag, function); }

static void (*thread_function)(void *);
static const char *thread_name;

static void *run(void *argument) {
  tachy_os_name_thread(thread_name);
  thread_function(argument);
  return NULL;
}

int tachy_os_thread_start(tachy_os_thread *thread, void (*function)(void *), void *argument, const char *name) {
  sigset_t all, before;
  thread_function = function;
  thread_name = name;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(thread, NULL, run, argument);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error == 0;
}

void tachy_os_thread_join(tachy_os_thread thread) { pthread_join(thread, NULL); }

int tachy_os_on_thread_exit(void (*function)(void *)) { return pthread_key_create(&exit_key, function) == 0; }

int tachy_os_arm_thread_exit(void *value) { return pthread_setspecific(exit_key, value) == 0; }

static const int terminations[] = {SIGTERM, SIGINT, SIGHUP};
static void (*on_termination)(void);

/* Its disposition is the default again, and it is blocked until this returns: then the process dies of it. */
static void terminate(int number) {
  on_termination();
  raise(number);
}

void tachy_os_on_termination(void (*function)(void)) {
  if (function) on_termination = function;
  for (size_t i = 0; i < sizeof terminations / sizeof *terminations; i++) {
    struct sigaction now;
    if (sigaction(terminations[i], NULL, &now) != 0 || now.sa_flags & SA_SIGINFO) continue;
    if (now.sa_handler != (function ? SIG_DFL : terminate)) continue;
    struct sigaction wanted;
    memset(&wanted, 0, sizeof wanted);
    wanted.sa_handler = function ? terminate : SIG_DFL;
    wanted.sa_flags = (int)SA_RESETHAND;
    sigaction(terminations[i], &wanted, NULL);
  }
}

void tachy_os_on_fork(void (*before)(void), void (*parent)(void), void (*child)(void)) {
  pthread_atfork(before, parent, child);
}
