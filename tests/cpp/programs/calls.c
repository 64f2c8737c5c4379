/* An instrumented C program: recursion, function pointers, longjmp, threads, exit in the middle. It counts its calls
 * itself, prints "calls N", and ends as its argument says: return, exit, abort, thread (exit called by another thread),
 * fork. */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if !defined(_WIN32)
#include <sys/wait.h>
#include <unistd.h>
#endif

#define QUIET __attribute__((no_instrument_function))
#define COUNTED __attribute__((noinline))

static long calls;
static jmp_buf there;

QUIET static void count(void) { __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED); }
QUIET static void say(void) {
  printf("calls %ld\n", __atomic_load_n(&calls, __ATOMIC_RELAXED));
  fflush(stdout);
}

QUIET static void name_thread(void) {
  static int number;
  char name[16];
  snprintf(name, sizeof name, "thread %d", __atomic_fetch_add(&number, 1, __ATOMIC_RELAXED));
  pthread_setname_np(pthread_self(), name);
}

COUNTED static int leaf(int n) {
  count();
  return n + 1;
}

COUNTED static int recursion(int depth) {
  count();
  return depth == 0 ? leaf(0) : recursion(depth - 1) + leaf(depth);
}

static inline int inlined(int n) {
  count();
  return leaf(n) * 2;
}

COUNTED static int deep(int depth) {
  count();
  if (depth == 0) longjmp(there, 1);
  return depth > 1000 ? 0 : 1 + deep(depth - 1);
}

/* Many jumps over many frames: what they leave behind must neither pile up nor swallow what comes after. */
COUNTED static int jumps(int rounds) {
  volatile int done = 0;
  volatile int sum = 0;
  count();
  while (done < rounds) {
    if (setjmp(there) == 0) sum = sum + deep(20);
    done = done + 1;
    sum = sum + inlined(done);
  }
  return sum;
}

COUNTED static int with_alloca(int n) {
  count();
  char *const text = __builtin_alloca((size_t)n);
  memset(text, 0, (size_t)n);
  return text[n / 2] + leaf(n);
}

COUNTED static void *thread(void *rounds) {
  count();
  name_thread();
  long sum = 0;
  for (intptr_t i = 0; i < (intptr_t)rounds; i++) sum += recursion(5);
  return (void *)(intptr_t)sum;
}

COUNTED static void end_here(const char *how) {
  count();
  if (strcmp(how, "exit") == 0) {
    say();
    exit(0);
  }
  if (strcmp(how, "abort") == 0) {
    say();
    abort();
  }
}

COUNTED static void *exiting_thread(void *how) {
  count();
  end_here(how);
  return NULL;
}

int main(int argc, char **argv) {
  const char *const how = argc > 1 ? argv[1] : "return";
  count();
  int (*volatile pointer)(int) = leaf;
  long sum = recursion(100) + pointer(1) + jumps(300) + with_alloca(100) + with_alloca(5000);
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, thread, (void *)(intptr_t)500);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
#if !defined(_WIN32)
  if (strcmp(how, "fork") == 0) {
    const pid_t child = fork();
    if (child == 0) {
      for (int i = 0; i < 100; i++) sum += leaf(i); /* not the parent's spans */
      exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) return 3;
  }
#endif
  if (strcmp(how, "thread") == 0) {
    pthread_t last;
    pthread_create(&last, NULL, exiting_thread, (void *)"exit");
    pthread_join(last, NULL);
  }
  end_here(how);
  say();
  return sum == 42;
}
