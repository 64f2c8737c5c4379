/* The system as a host tells of it (tachy/host.h): memory, locks, threads and clocks are the host's, and there are no
 * files and no modules. Until a host has been set there is one thread and nothing to wait for: tachy_start says
 * TACHY_ERROR_SYSTEM then, while sites, levels and property sets work, and recording calls do nothing. */
#include <string.h>
#include <tachy/compiler.h>
#include <tachy/host.h>

#include "../os.h"

#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wunused-parameter"
#elif defined(_MSC_VER)
#pragma warning(disable : 4100)
#endif

enum { PAGE = 4096 };

/* Not every C library aligns; what is made before there is a host stays. */
static void *lasting_memory(size_t size, size_t alignment) {
  void *const memory = size < SIZE_MAX - alignment ? malloc(size + alignment) : NULL;
  return memory ? (void *)(((uintptr_t)memory + alignment - 1) & ~(uintptr_t)(alignment - 1)) : NULL;
}
static void *no_handle(void) { return NULL; }
static void no_use(void *handle) {}
static void no_wait(void *event, uint64_t ns) {}
static void *no_thread(void (*function)(void *), void *argument, const char *name) { return NULL; }
static uint64_t no_number(void) { return 0; }
static int64_t no_utc(void) { return 0; }
static void no_name(char *text, size_t size) {
  if (size) text[0] = 0;
}
static int no_exit(void (*function)(void *), void *value) { return 0; }
static void no_sleep(uint64_t ns) {}
static int no_random(void *bytes, size_t size) { return 0; }
static void no_fact(tachy_host_fact fact, char *text, size_t size) { no_name(text, size); }
static void no_complaint(const char *line) {}

static tachy_host host = {
    lasting_memory, no_use,  no_handle, no_use,   no_use,    no_handle, no_use,    no_wait, no_thread,    no_use,
    no_number,      no_name, no_exit,   no_sleep, no_number, no_utc,    no_random, no_fact, no_complaint,
};
static void *making; /* the lock under which everything else of the host is made; NULL: there is no host */

void tachy_set_host(const tachy_host *given) {
  host = *given;
  making = host.lock_make();
}

/* The lock or event behind a variable, made by its first user. NULL: there is no host, and nobody else. */
static void *handle_of(void **variable, void *(*make)(void)) {
  void *handle = TACHY_LOAD_ACQUIRE(variable);
  if (handle || !making) return handle;
  host.lock(making);
  handle = *variable;
  if (!handle) {
    handle = make();
    TACHY_STORE_RELEASE(variable, handle);
  }
  host.unlock(making);
  return handle;
}

void *tachy_os_map(size_t size) {
  if (size > SIZE_MAX - PAGE) return NULL;
  const size_t whole = (size + PAGE - 1) / PAGE * PAGE;
  void *const memory = host.allocate(whole, PAGE);
  if (memory) memset(memory, 0, whole);
  return memory;
}
void tachy_os_prefault(void *memory, size_t size) {}
void tachy_os_prefer_large_pages(void *memory, size_t size) {}
size_t tachy_os_page_size(void) { return PAGE; }
void tachy_os_unmap(void *memory, size_t size) {
  if (memory) host.release(memory);
}

int tachy_os_folder(const char *path) { return 0; }
int tachy_os_folder_lock(tachy_os_file *lock, const char *path) { return 0; }
void tachy_os_folder_unlock(tachy_os_file *lock) {}
int tachy_os_folder_list(const char *path, void (*function)(void *, const char *), void *context) { return 0; }
int tachy_os_session_folder(unsigned choice, char *path, size_t size) {
  no_name(path, size);
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
int tachy_os_map_over(void *memory, size_t size) { return 0; }

void tachy_os_on_exit(void (*function)(void)) {}
void tachy_os_on_termination(void (*function)(void)) {}

void tachy_os_mutex_init(tachy_os_mutex *mutex) { mutex->lock = NULL; }
void tachy_os_lock(tachy_os_mutex *mutex) { host.lock(handle_of(&mutex->lock, host.lock_make)); }
void tachy_os_unlock(tachy_os_mutex *mutex) { host.unlock(mutex->lock); }

/* A thread in tachy_os_wait, and the event that wakes it: when it is done another one takes it. */
typedef struct tachy_os_waiter {
  struct tachy_os_waiter *next;
  void *event;
  int woken;
} waiter;
static waiter *unused;

void tachy_os_condition_init(tachy_os_condition *condition) { condition->first = NULL; }

void tachy_os_wake_all(tachy_os_condition *condition) {
  host.lock(making);
  for (waiter *each = condition->first; each; each = each->next) {
    each->woken = 1;
    host.event_set(each->event);
  }
  condition->first = NULL;
  host.unlock(making);
}

static waiter *begin_wait(tachy_os_condition *condition) {
  host.lock(making);
  waiter *self = unused;
  if (self) {
    unused = self->next;
  } else {
    self = host.allocate(sizeof *self, sizeof(uint64_t));
    if (self) self->event = host.event_make();
  }
  if (self) {
    self->woken = 0;
    self->next = condition->first;
    condition->first = self;
  }
  host.unlock(making);
  return self;
}

static int end_wait(tachy_os_condition *condition, waiter *self) {
  host.lock(making);
  waiter **link = &condition->first;
  while (*link && *link != self) link = &(*link)->next;
  if (*link) *link = self->next;
  self->next = unused; /* its event may have been set meanwhile: then the next wait ends for no reason */
  unused = self;
  const int woken = self->woken;
  host.unlock(making);
  return woken;
}

int tachy_os_wait(tachy_os_condition *condition, tachy_os_mutex *mutex, uint64_t deadline) {
  const uint64_t now = host.monotonic();
  if (!making || now >= deadline) return 0;
  waiter *const self = begin_wait(condition);
  tachy_os_unlock(mutex);
  if (self) {
    host.event_wait(self->event, deadline - now);
  } else {
    host.sleep(1000000); /* no memory */
  }
  tachy_os_lock(mutex);
  return (self && end_wait(condition, self)) || host.monotonic() < deadline;
}

void tachy_os_bell_init(tachy_os_bell *bell) { bell->event = NULL; }
void tachy_os_ring(tachy_os_bell *bell) { host.event_set(handle_of(&bell->event, host.event_make)); }
void tachy_os_wait_bell(tachy_os_bell *bell, uint64_t deadline) {
  const uint64_t now = host.monotonic();
  if (now < deadline) host.event_wait(handle_of(&bell->event, host.event_make), deadline - now);
}

void tachy_os_once(tachy_os_once_flag *flag, void (*function)(void)) {
  if (TACHY_LOAD_ACQUIRE(flag)) return;
  host.lock(making);
  if (!*flag) {
    function();
    TACHY_STORE_RELEASE(flag, 1);
  }
  host.unlock(making);
}

int tachy_os_thread_start(tachy_os_thread *thread, void (*function)(void *), void *argument, const char *name) {
  *thread = host.thread_start(function, argument, name);
  return *thread != NULL;
}
void tachy_os_thread_join(tachy_os_thread thread) { host.thread_join(thread); }

static void (*at_exit_of_threads)(void *);
int tachy_os_on_thread_exit(void (*function)(void *)) {
  at_exit_of_threads = function;
  return making != NULL;
}
int tachy_os_arm_thread_exit(void *value) { return host.at_thread_exit(at_exit_of_threads, value); }
void tachy_os_on_fork(void (*before)(void), void (*parent)(void), void (*child)(void)) {}
uint64_t tachy_os_thread_id(void) { return host.thread_id(); }
void tachy_os_thread_name(char *text, size_t size) { host.thread_name(text, size); }
int tachy_os_thread_name_of(uint64_t id, char *text, size_t size) { return 0; }

uint64_t tachy_os_monotonic(void) { return host.monotonic(); }
int64_t tachy_os_utc(void) { return host.utc(); }
uint64_t tachy_os_thread_cpu(void) { return 0; }
uint64_t tachy_os_tick_frequency(void) {
#if defined(TACHY_CLOCK_OS)
  return 1000000000u; /* ticks are tachy_os_monotonic */
#else
  return 0;
#endif
}
void tachy_os_sleep(uint64_t ns) { host.sleep(ns); }

int tachy_os_random(void *bytes, size_t size) { return host.random(bytes, size); }
void tachy_os_describe(tachy_os_fact fact, char *text, size_t size) {
  host.describe((tachy_host_fact)fact, text, size);
}
void tachy_os_complain(const char *line) { host.complain(line); }
void tachy_os_fail(const char *line) {
  host.complain(line);
  abort();
}
int tachy_os_environment(const char *name, char *text, size_t size) {
  no_name(text, size);
  return 0;
}

/* All memory is one module, which stays. */
void tachy_os_with_modules(tachy_os_mutex *mutex, void (*part)(void *, tachy_os_range), void (*then)(void *),
                           void *context) {
  tachy_os_lock(mutex);
  const tachy_os_range everything = {0, UINTPTR_MAX, 1};
  part(context, everything);
  then(context);
  tachy_os_unlock(mutex);
}
void tachy_os_landmarks(int (*function)(void *, void *), void *context) {}
int tachy_os_keep_loaded(const void *address) { return 1; }
void tachy_os_module_name(const void *address, char *text, size_t size) { no_name(text, size); }
