/* Memory where there is only C's library: the heap, also for what other systems map. */
#include <stdlib.h>
#include <string.h>

#include "../os.h"

enum { PAGE = 4096 };

void *tachy_os_allocate(size_t size) { return malloc(size); }

void *tachy_os_resize(void *memory, size_t size) { return realloc(memory, size); }

void tachy_os_release(void *memory) { free(memory); }

void *tachy_os_map(size_t size) {
  if (size > SIZE_MAX - PAGE) return NULL;
  const size_t whole = (size + PAGE - 1) / PAGE * PAGE;
  void *const memory = aligned_alloc(PAGE, whole);
  if (memory) memset(memory, 0, whole);
  return memory;
}

void tachy_os_prefault(void *memory, size_t size) {
  (void)memory;
  (void)size;
}

size_t tachy_os_page_size(void) { return PAGE; }
