/* The system of which nothing is known but C's library: one thread, no files, no modules, no randomness. A session
 * needs a collector, so tachy_start says TACHY_ERROR_SYSTEM here; sites, levels and property sets work, and recording
 * calls do nothing. */
#include <string.h>
#include <time.h>

#include "../os.h"

#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wunused-parameter"
#elif defined(_MSC_VER)
#pragma warning(disable : 4100)
#endif

enum { PAGE = 4096 };

void *tachy_os_map(size_t size) {
  if (size > SIZE_MAX - PAGE) return NULL;
  const size_t whole = (size + PAGE - 1) / PAGE * PAGE;
  void *const memory = aligned_alloc(PAGE, whole);
  if (memory) memset(memory, 0, whole);
  return memory;
}
void tachy_os_prefault(void *memory, size_t size) {}
void tachy_os_prefer_large_pages(void *memory, size_t size) {}
size_t tachy_os_page_size(void) { return PAGE; }

int tachy_os_folder(const char *path) { return 0; }
int tachy_os_folder_lock(tachy_os_file *lock, const char *path) { return 0; }
void tachy_os_folder_unlock(tachy_os_file *lock) {}
int tachy_os_folder_list(const char *path, void (*function)(void *, const char *), void *context) { return 0; }
int tachy_os_session_folder(unsigned choice, char *path, size_t size) {
  if (size) path[0] = 0;
  return 0;
}
uint64_t tachy_os_folder_free(const char *path) { return UINT64_MAX; }

int tachy_os_file_open(tachy_os_file *file, const char *path, tachy_os_open_mode mode) { return 0; }
void tachy_os_file_close(tachy_os_file *file) {}
int tachy_os_file_lock(tachy_os_file *file) { return 0; }
int tachy_os_file_is_at(const tachy_os_file *file, const char *path) { return 0; }
uint64_t tachy_os_file_size(const tachy_os_file *file) { return UINT64_MAX; }
int tachy_os_file_resize(tachy_os_file *file, uint64_t size) { return 0; }
int tachy_os_file_back(tachy_os_file *file, uint64_t offset, uint64_t size) { return 0; }
int tachy_os_file_discard(tachy_os_file *file, uint64_t offset, uint64_t size) { return 0; }
int tachy_os_file_read(const tachy_os_file *file, uint64_t offset, void *bytes, size_t size) { return 0; }
int tachy_os_file_write(tachy_os_file *file, uint64_t offset, const void *bytes, size_t size) { return 0; }
int tachy_os_file_look(const char *path, uint64_t *storage, int64_t *utc) { return 0; }
void tachy_os_file_copy_time(const char *from, const char *to) {}
int tachy_os_file_remove(const char *path) { return 0; }
int tachy_os_file_rename(const char *from, const char *to) { return 0; }
void *tachy_os_file_map(tachy_os_file *file, uint64_t offset, size_t size) { return NULL; }
void tachy_os_unmap(void *memory, size_t size) {}
int tachy_os_map_over(void *memory, size_t size) { return 0; }

void tachy_os_on_exit(void (*function)(void)) {}
void tachy_os_on_termination(void (*function)(void)) {}

/* Locks are always free, nobody rings. Nobody else runs, so nothing would change before a deadline: it has passed. */
void tachy_os_mutex_init(tachy_os_mutex *mutex) { *mutex = TACHY_OS_MUTEX_INIT; }
void tachy_os_lock(tachy_os_mutex *mutex) {}
void tachy_os_unlock(tachy_os_mutex *mutex) {}
void tachy_os_condition_init(tachy_os_condition *condition) { *condition = 0; }
void tachy_os_wake_all(tachy_os_condition *condition) {}
int tachy_os_wait(tachy_os_condition *condition, tachy_os_mutex *mutex, uint64_t deadline) { return 0; }
void tachy_os_bell_init(tachy_os_bell *bell) { *bell = 0; }
void tachy_os_ring(tachy_os_bell *bell) { *bell = 1; }
void tachy_os_wait_bell(tachy_os_bell *bell, uint64_t deadline) { *bell = 0; }
void tachy_os_once(tachy_os_once_flag *flag, void (*function)(void)) {
  if (!*flag) function();
  *flag = 1;
}

int tachy_os_thread_start(tachy_os_thread *thread, void (*function)(void *), void *argument, const char *name) {
  return 0;
}
void tachy_os_thread_join(tachy_os_thread thread) {}
int tachy_os_on_thread_exit(void (*function)(void *)) { return 0; }
int tachy_os_arm_thread_exit(void *value) { return 0; }
void tachy_os_on_fork(void (*before)(void), void (*parent)(void), void (*child)(void)) {}
uint64_t tachy_os_thread_id(void) { return 1; }
void tachy_os_thread_name(char *text, size_t size) {
  if (size) text[0] = 0;
}
int tachy_os_thread_name_of(uint64_t id, char *text, size_t size) { return 0; }

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

int tachy_os_random(void *bytes, size_t size) { return 0; }
void tachy_os_describe(tachy_os_fact fact, char *text, size_t size) {
  if (size) text[0] = 0;
}
void tachy_os_complain(const char *line) {}
void tachy_os_fail(const char *line) { abort(); }
int tachy_os_environment(const char *name, char *text, size_t size) {
  if (size) text[0] = 0;
  return 0;
}

void tachy_os_with_modules(tachy_os_mutex *mutex, void (*part)(void *, tachy_os_range), void (*then)(void *),
                           void *context) {}
void tachy_os_landmarks(int (*function)(void *, void *), void *context) {}
int tachy_os_keep_loaded(const void *address) { return 1; }
void tachy_os_module_name(const void *address, char *text, size_t size) {
  if (size) text[0] = 0;
}
