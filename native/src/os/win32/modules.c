/* The loaded modules on Windows. Each is held by a reference of its own while its parts are looked at: the loader's
 * lock would do that too, but only by functions that are not documented. */
#include <string.h>

#include "../os.h"
#include "system.h"

typedef struct held {
  HMODULE *modules;
  size_t count;
  size_t capacity;
} held;

/* 0: no memory. A module that has gone meanwhile is left out. */
static int hold(held *h, const void *address) {
  HMODULE module;
  if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, (LPCWSTR)address, &module)) return 1;
  if (h->count == h->capacity) {
    const size_t capacity = h->capacity ? h->capacity * 2 : 64;
    HMODULE *const modules = tachy_os_resize(h->modules, capacity * sizeof *modules);
    if (!modules) {
      FreeLibrary(module);
      return 0;
    }
    h->modules = modules;
    h->capacity = capacity;
  }
  h->modules[h->count++] = module;
  return 1;
}

static int hold_all(held *h) {
  HANDLE snapshot;
  do snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPMODULE, 0);
  while (snapshot == INVALID_HANDLE_VALUE && GetLastError() == ERROR_BAD_LENGTH); /* somebody loads a module */
  if (snapshot == INVALID_HANDLE_VALUE) return 0;
  MODULEENTRY32W entry;
  entry.dwSize = sizeof entry;
  int ok = 1;
  for (BOOL more = Module32FirstW(snapshot, &entry); ok && more; more = Module32NextW(snapshot, &entry)) {
    ok = hold(h, entry.modBaseAddr);
  }
  CloseHandle(snapshot);
  return ok;
}

static const IMAGE_SECTION_HEADER *parts_of(HMODULE module, size_t *count) {
  const uintptr_t base = (uintptr_t)module;
  const IMAGE_DOS_HEADER *const dos = (const IMAGE_DOS_HEADER *)base;
  const IMAGE_NT_HEADERS *const head = (const IMAGE_NT_HEADERS *)(base + (uintptr_t)dos->e_lfanew);
  *count = head->FileHeader.NumberOfSections;
  return IMAGE_FIRST_SECTION(head);
}

void tachy_os_with_modules(tachy_os_mutex *mutex, void (*part)(void *, tachy_os_range), void (*then)(void *),
                           void *context) {
  held h = {NULL, 0, 0};
  const int ok = hold_all(&h);
  if (ok) tachy_os_lock(mutex);
  for (size_t i = 0; ok && i < h.count; i++) {
    size_t count;
    const IMAGE_SECTION_HEADER *const parts = parts_of(h.modules[i], &count);
    for (size_t k = 0; k < count; k++) {
      const uintptr_t begin = (uintptr_t)h.modules[i] + parts[k].VirtualAddress;
      const uint32_t writable = (parts[k].Characteristics & IMAGE_SCN_MEM_WRITE) != 0;
      const tachy_os_range range = {begin, begin + parts[k].Misc.VirtualSize, writable};
      part(context, range);
    }
  }
  if (ok) then(context);
  if (ok) tachy_os_unlock(mutex);
  for (size_t i = 0; i < h.count; i++) FreeLibrary(h.modules[i]);
  tachy_os_release(h.modules);
}

/* The landmarks are pointers in a section of this name. 1: that is enough. */
static int read_landmarks(HMODULE module, int (*function)(void *, void *), void *context) {
  size_t count;
  const IMAGE_SECTION_HEADER *const parts = parts_of(module, &count);
  for (size_t i = 0; i < count; i++) {
    if (memcmp(parts[i].Name, ".tachy\0", sizeof parts[i].Name) != 0) continue;
    void *const *const objects = (void *const *)((uintptr_t)module + parts[i].VirtualAddress);
    for (size_t at = 0; at < parts[i].Misc.VirtualSize / sizeof *objects; at++) {
      if (objects[at] && function(context, objects[at])) return 1;
    }
  }
  return 0;
}

/* The program is the first in a snapshot, too. */
void tachy_os_landmarks(int (*function)(void *, void *), void *context) {
  held h = {NULL, 0, 0};
  int enough = !hold_all(&h);
  for (size_t i = 0; i < h.count; i++) {
    if (!enough) enough = read_landmarks(h.modules[i], function, context);
    FreeLibrary(h.modules[i]);
  }
  tachy_os_release(h.modules);
}

int tachy_os_keep_loaded(const void *address) {
  const DWORD how = GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS;
  HMODULE module;
  return GetModuleHandleExW(how, (LPCWSTR)address, &module) != 0;
}

void tachy_os_module_name(const void *address, char *text, size_t size) {
  const DWORD how = GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS;
  HMODULE module;
  wchar_t name[MAX_PATH];
  if (size == 0) return;
  text[0] = 0;
  if (!GetModuleHandleExW(how, (LPCWSTR)address, &module)) return;
  if (GetModuleFileNameW(module, name, MAX_PATH)) tachy_os_to_utf8(name, text, size);
}
