/* Memory on POSIX: the heap for the collector, mappings for the pool. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../os.h"

void *tachy_os_allocate(size_t size) { return malloc(size); }

void *tachy_os_resize(void *memory, size_t size) { return realloc(memory, size); }

void tachy_os_release(void *memory) { free(memory); }

void *tachy_os_map(size_t size) {
  void *const memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

size_t tachy_os_page_size(void) {
  const long size = sysconf(_SC_PAGESIZE);
  return size > 0 ? (size_t)size : 4096;
}

void tachy_os_prefault(void *memory, size_t size) {
#ifdef MADV_POPULATE_WRITE
  if (madvise(memory, size, MADV_POPULATE_WRITE) == 0) return;
#endif
  const size_t page = tachy_os_page_size();
  volatile unsigned char *const bytes = memory;
  for (size_t i = 0; i < size; i += page) bytes[i] = bytes[i]; /* a part of a file keeps what it has */
}
