/* A process in which every allocation from the n-th on fails, the C library's own included: for each n, a session
 * starts, records and stops, or is refused. n grows until sessions start. Prints how many were refused; a process that
 * such a session took with it is named, and makes the program fail. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <tachy/tachy.h>
#include <unistd.h>

enum { STARTS = 3, ALLOCATIONS_MAX = 1000, REFUSED = 4 };

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

static int limited;           /* atomic */
static long allocations_left; /* atomic */

static int fails(void) {
  if (!__atomic_load_n(&limited, __ATOMIC_SEQ_CST)) return 0;
  if (__atomic_fetch_sub(&allocations_left, 1, __ATOMIC_SEQ_CST) > 0) return 0;
  errno = ENOMEM;
  return 1;
}

/* The program's own come before the C library's, for every module. */
__attribute__((visibility("default"))) void *malloc(size_t size) { return fails() ? NULL : __libc_malloc(size); }

__attribute__((visibility("default"))) void *calloc(size_t count, size_t size) {
  return fails() ? NULL : __libc_calloc(count, size);
}

__attribute__((visibility("default"))) void *realloc(void *memory, size_t size) {
  return fails() ? NULL : __libc_realloc(memory, size);
}

static int use_a_session(void) {
  TACHY_DEFINE_SPAN(work, "memory", "work");
  const tachy_config config = {.sdk = "a game"};
  if (tachy_start(&config) != TACHY_OK) return REFUSED;
  for (int i = 0; i < 10; i++) tachy_span_end(tachy_span_begin(&work));
  tachy_set_thread_name("main");
  tachy_stop(0);
  return 0;
}

int main(void) {
  int refused = 0, started = 0, lost = 0;
  for (long n = 0; started < STARTS && n < ALLOCATIONS_MAX; n++) {
    const pid_t child = fork();
    if (child == 0) {
      allocations_left = n;
      __atomic_store_n(&limited, 1, __ATOMIC_SEQ_CST);
      _exit(use_a_session());
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child) return 2;
    if (WIFSIGNALED(status)) {
      fprintf(stderr, "with %ld allocations: signal %d\n", n, WTERMSIG(status));
      lost++;
    } else if (WEXITSTATUS(status) == REFUSED) {
      refused++;
    } else {
      started++;
    }
  }
  printf("%d\n", refused);
  return lost || started < STARTS;
}
