/* The loaded modules where they are ELF, walked under the loader's own lock. */
#if !defined(__APPLE__)
#include <link.h>

#include "../os.h"

typedef struct walk {
  void (*part)(void *, tachy_os_range);
  void (*then)(void *);
  void *context;
} walk;

static int look_at(struct dl_phdr_info *info, size_t size, void *context) {
  const walk *const w = context;
  (void)size;
  for (unsigned i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *const part = &info->dlpi_phdr[i];
    if (part->p_type != PT_LOAD) continue;
    const uintptr_t begin = (uintptr_t)(info->dlpi_addr + part->p_vaddr);
    w->part(w->context, (tachy_os_range){begin, begin + part->p_memsz, (part->p_flags & PF_W) != 0});
  }
  return 0;
}

/* The loader's lock is recursive and held during every callback: the first one walks all modules and does the work. */
static int first_module(struct dl_phdr_info *info, size_t size, void *context) {
  const walk *const w = context;
  (void)info;
  (void)size;
  dl_iterate_phdr(look_at, context);
  w->then(w->context);
  return 1;
}

/* Our mutex first, so that fork() does not copy a loader's lock that waits for it. Constructors run under another lock
 * of the loader. */
void tachy_os_with_modules(tachy_os_mutex *mutex, void (*part)(void *, tachy_os_range), void (*then)(void *),
                           void *context) {
  walk w = {part, then, context};
  tachy_os_lock(mutex);
  dl_iterate_phdr(first_module, &w);
  tachy_os_unlock(mutex);
}
#endif
