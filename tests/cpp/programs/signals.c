/* An instrumented program whose instrumented signal handler interrupts it at every single instruction: of its own, of
 * the hooks, of a function's first call, of a thread's first and last. Prints how many calls there were of functions
 * that only a handler calls, that only the program calls, and that both call. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>

#define QUIET __attribute__((no_instrument_function))
#define COUNTED __attribute__((noinline))

static long handlers_calls, own_calls, calls_of_both; /* atomic */

QUIET static void count(long *of) { __atomic_fetch_add(of, 1, __ATOMIC_RELAXED); }

QUIET static void step(int on) {
  if (on) {
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
  } else {
    __asm__ volatile("pushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
  }
}

COUNTED static int of_both(int n) {
  count(&calls_of_both);
  return n + 1;
}

COUNTED static void on_step(int number) {
  count(&handlers_calls);
  of_both(number);
}

COUNTED static int own(int depth) {
  count(&own_calls);
  return depth == 0 ? of_both(0) : own(depth - 1) + of_both(depth);
}

/* Functions that are called for the first time while every instruction is interrupted. */
#define FRESH(n)                       \
  COUNTED static int fresh##n(int x) { \
    count(&own_calls);                 \
    return own(2) + x;                 \
  }
FRESH(0)
FRESH(1)
FRESH(2)
FRESH(3)

QUIET static void *life(void *function) {
  static int number;
  char name[16];
  snprintf(name, sizeof name, "thread %d", number++);
  pthread_setname_np(pthread_self(), name);
  step(1);
  ((int (*)(int))(uintptr_t)function)(1);
  step(0);
  return NULL;
}

int main(void) {
  count(&own_calls);
  own(1);
  on_step(0); /* known before it interrupts anything */
  signal(SIGTRAP, on_step);
  int (*const fresh[])(int) = {fresh0, fresh1, fresh2, fresh3};
  for (int i = 0; i < 4; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, life, (void *)(uintptr_t)fresh[i]) != 0) return 2;
    pthread_join(thread, NULL);
  }
  step(1);
  own(5);
  step(0);
  signal(SIGTRAP, SIG_DFL);
  printf("handlers %ld own %ld both %ld\n", handlers_calls, own_calls, calls_of_both);
  fflush(stdout);
  return 0;
}
