/* The loaded modules on macOS. dyld shows no lock, so each module is held by a reference of its own while its parts are
 * looked at. */
#if defined(__APPLE__)
#include <dlfcn.h>
#include <mach-o/dyld.h>
#include <mach-o/getsect.h>
#include <mach-o/loader.h>
#include <string.h>

#include "../os.h"

typedef struct held {
  void *handle;
  const struct mach_header_64 *header;
} held;

static void read_parts(const struct mach_header_64 *header, void (*function)(void *, tachy_os_range), void *context) {
  uintptr_t slide = 0;
  const struct load_command *command = (const struct load_command *)(const void *)(header + 1);
  for (uint32_t i = 0; i < header->ncmds; i++) {
    const struct segment_command_64 *const part = (const struct segment_command_64 *)(const void *)command;
    command = (const struct load_command *)(const void *)((const uint8_t *)command + command->cmdsize);
    if (part->cmd != LC_SEGMENT_64) continue;
    if (strcmp(part->segname, SEG_TEXT) == 0) slide = (uintptr_t)header - (uintptr_t)part->vmaddr;
    /* the second is shared by all modules of the system */
    if (part->initprot == 0 || strcmp(part->segname, SEG_LINKEDIT) == 0) continue;
    const uintptr_t begin = slide + (uintptr_t)part->vmaddr; /* __TEXT comes first */
    const uint32_t writable = (part->initprot & VM_PROT_WRITE) != 0;
    function(context, (tachy_os_range){begin, begin + (uintptr_t)part->vmsize, writable});
  }
}

/* Holds image i. 0: it has gone. */
static int hold(uint32_t i, held *h) {
  const char *const name = _dyld_get_image_name(i);
  const void *const header = _dyld_get_image_header(i);
  if (!name || !header) return 0;
  Dl_info found;
  h->header = (const struct mach_header_64 *)header;
  h->handle = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
  if (!h->handle) return i == 0; /* the program itself stays */
  if (dladdr(header, &found) && found.dli_fbase == header) return 1;
  dlclose(h->handle);
  return 0;
}

void tachy_os_with_modules(tachy_os_mutex *mutex, void (*part)(void *, tachy_os_range), void (*then)(void *),
                           void *context) {
  const uint32_t images = _dyld_image_count();
  held *const modules = tachy_os_allocate(images * sizeof *modules);
  size_t count = 0;
  if (!modules) return;
  for (uint32_t i = 0; i < images; i++) count += (size_t)hold(i, &modules[count]);
  tachy_os_lock(mutex);
  for (size_t i = 0; i < count; i++) read_parts(modules[i].header, part, context);
  then(context);
  tachy_os_unlock(mutex);
  for (size_t i = 0; i < count; i++) {
    if (modules[i].handle) dlclose(modules[i].handle);
  }
  tachy_os_release(modules);
}

void tachy_os_landmarks(int (*function)(void *, void *), void *context) {
  int enough = 0;
  for (uint32_t i = 0; i < _dyld_image_count() && !enough; i++) {
    held module;
    if (!hold(i, &module)) continue;
    unsigned long size = 0;
    void *const *const objects = (void *const *)(void *)getsectiondata(module.header, "__DATA", "__tachy", &size);
    for (unsigned long at = 0; objects && at < size / sizeof *objects && !enough; at++) {
      if (objects[at]) enough = function(context, objects[at]);
    }
    if (module.handle) dlclose(module.handle);
  }
}

int tachy_os_keep_loaded(const void *address) {
  Dl_info found;
  if (!dladdr(address, &found)) return 0;
  if (found.dli_fbase == (const void *)_dyld_get_image_header(0)) return 1;
  return dlopen(found.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) != NULL || dladdr(address, &found) != 0;
}

void tachy_os_module_name(const void *address, char *text, size_t size) {
  Dl_info found;
  if (size == 0) return;
  strncpy(text, dladdr(address, &found) && found.dli_fname ? found.dli_fname : "the program", size - 1);
  text[size - 1] = 0;
}
#endif
