/* Landmarks in ELF modules: a note each (see TACHY_OS_LANDMARK), in a segment of its own. */
#if !defined(__APPLE__)
#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "../os.h"

/* A program that is linked statically has neither these nor modules to keep; libraries need not ask for libdl. */
#pragma weak dlopen

static const struct {
  uint32_t name_size, size, type;
  char name[8];
} head = {6, 4, 1, "tachy"};

static size_t padded(size_t size, size_t to) { return (size + to - 1) / to * to; }

/* Whether a segment of the module that is loaded holds the address. */
static int is_loaded(const struct dl_phdr_info *module, uintptr_t address, size_t size) {
  for (unsigned i = 0; i < module->dlpi_phnum; i++) {
    const ElfW(Phdr) *const part = &module->dlpi_phdr[i];
    if (part->p_type != PT_LOAD) continue;
    const uintptr_t begin = (uintptr_t)(module->dlpi_addr + part->p_vaddr);
    if (address >= begin && address - begin <= part->p_memsz && size <= part->p_memsz - (address - begin)) return 1;
  }
  return 0;
}

typedef struct visit {
  int (*function)(void *, void *);
  void *context;
} visit;

static int read_notes(const visit *v, const uint8_t *notes, size_t size, size_t alignment) {
  while (size >= sizeof head) {
    ElfW(Nhdr) note;
    memcpy(&note, notes, sizeof note);
    if (note.n_namesz > size || note.n_descsz > size) return 0; /* not what it should be */
    const size_t content = padded(sizeof note + note.n_namesz, alignment);
    const size_t all = padded(content + note.n_descsz, alignment);
    if (all > size) return 0;
    if (memcmp(notes, &head, sizeof head) == 0) {
      int32_t distance;
      memcpy(&distance, notes + content, sizeof distance);
      if (v->function(v->context, (void *)((uintptr_t)(notes + content) + (uintptr_t)(intptr_t)distance))) return 1;
    }
    notes += all;
    size -= all;
  }
  return 0;
}

static int look_through(struct dl_phdr_info *module, size_t size, void *context) {
  const visit *const v = context;
  (void)size;
  for (unsigned i = 0; i < module->dlpi_phnum; i++) {
    const ElfW(Phdr) *const part = &module->dlpi_phdr[i];
    const uintptr_t notes = (uintptr_t)(module->dlpi_addr + part->p_vaddr);
    if (part->p_type != PT_NOTE || !is_loaded(module, notes, part->p_memsz)) continue;
    if (read_notes(v, (const uint8_t *)notes, part->p_memsz, part->p_align == 8 ? 8 : 4)) return 1;
  }
  return 0;
}

void tachy_os_landmarks(int (*function)(void *, void *), void *context) {
  visit v = {function, context};
  dl_iterate_phdr(look_through, &v);
}

typedef struct holder {
  uintptr_t address;
  int found;
  int in_library;
  char name[4096];
} holder;

static int find_module(struct dl_phdr_info *module, size_t size, void *context) {
  holder *const h = context;
  (void)size;
  if (!is_loaded(module, h->address, 1)) {
    h->in_library = 1; /* the program comes first */
    return 0;
  }
  h->found = 1;
  strncpy(h->name, module->dlpi_name ? module->dlpi_name : "", sizeof h->name - 1);
  return 1;
}

static void find(const void *address, holder *h) {
  memset(h, 0, sizeof *h);
  h->address = (uintptr_t)address;
  dl_iterate_phdr(find_module, h);
}

int tachy_os_keep_loaded(const void *address) {
  holder h;
  find(address, &h);
  if (!h.found || !h.in_library || !dlopen) return h.found;
  if (dlopen(h.name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE)) return 1;
  find(address, &h); /* the loader may refuse, for instance a module that it did not load itself */
  return h.found;
}

void tachy_os_module_name(const void *address, char *text, size_t size) {
  holder h;
  find(address, &h);
  if (size == 0) return;
  strncpy(text, h.found && h.name[0] ? h.name : "the program", size - 1);
  text[size - 1] = 0;
}
#endif
