/* Memory on Windows: the heap for the collector, pages for the pool. */
#include <stdlib.h>

#include "../os.h"
#include "system.h"

void *tachy_os_allocate(size_t size) { return malloc(size); }

void *tachy_os_resize(void *memory, size_t size) { return realloc(memory, size); }

void tachy_os_release(void *memory) { free(memory); }

void *tachy_os_map(size_t size) { return VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE); }

size_t tachy_os_page_size(void) {
  SYSTEM_INFO info;
  GetSystemInfo(&info);
  return info.dwPageSize;
}

/* Writes what is there already: a part of a file must keep it. */
void tachy_os_prefault(void *memory, size_t size) {
  const size_t page = tachy_os_page_size();
  volatile unsigned char *const bytes = (volatile unsigned char *)memory;
  for (size_t i = 0; i < size; i += page) bytes[i] = bytes[i];
}
