/* The loaded modules where they are ELF, walked under the loader's own lock. */
#if !defined(__APPLE__)
#include <link.h>

#include "../os.h"

typedef struct walk {
  void (*function)(void *, tachy_os_range *, size_t);
  void *context;
  tachy_os_range *ranges;
  size_t count;
  size_t capacity;
  int failed;
  int called;
} walk;

static int collect(struct dl_phdr_info *info, size_t size, void *context) {
  walk *const w = context;
  (void)size;
  for (unsigned i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *const part = &info->dlpi_phdr[i];
    if (part->p_type != PT_LOAD) continue;
    if (w->count == w->capacity) {
      const size_t capacity = w->capacity ? w->capacity * 2 : 64;
      tachy_os_range *const ranges = tachy_os_resize(w->ranges, capacity * sizeof *ranges);
      if (!ranges) {
        w->failed = 1;
        return 1;
      }
      w->ranges = ranges;
      w->capacity = capacity;
    }
    const uintptr_t begin = (uintptr_t)(info->dlpi_addr + part->p_vaddr);
    w->ranges[w->count++] = (tachy_os_range){begin, begin + part->p_memsz, (part->p_flags & PF_W) != 0};
  }
  return 0;
}

/* The loader's lock is recursive and held during every callback: the first one walks all modules and does the work. */
static int first_module(struct dl_phdr_info *info, size_t size, void *context) {
  walk *const w = context;
  (void)info;
  (void)size;
  dl_iterate_phdr(collect, w);
  if (w->failed) return 1;
  w->function(w->context, w->ranges, w->count);
  w->called = 1;
  return 1;
}

/* Our mutex first, so that fork() does not copy a loader's lock that waits for it. Constructors run under another lock
 * of the loader. */
int tachy_os_with_modules(tachy_os_mutex *mutex, void (*function)(void *, tachy_os_range *, size_t), void *context) {
  walk w = {function, context, NULL, 0, 0, 0, 0};
  tachy_os_lock(mutex);
  dl_iterate_phdr(first_module, &w);
  tachy_os_unlock(mutex);
  tachy_os_release(w.ranges);
  return w.called;
}
#endif
