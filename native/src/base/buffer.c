/* Growing memory for the collector. */
#include "buffer.h"

int tachy_bytes_grow(tachy_bytes *buffer, uint64_t more) {
  uint64_t capacity = buffer->capacity ? buffer->capacity * 2 : 64;
  while (capacity < buffer->size + more) capacity *= 2;
  uint8_t *const bytes = tachy_os_resize(buffer->bytes, capacity);
  if (!bytes) return 0;
  buffer->bytes = bytes;
  buffer->capacity = capacity;
  return 1;
}

void tachy_bytes_free(tachy_bytes *buffer) {
  tachy_os_release(buffer->bytes);
  *buffer = (tachy_bytes){NULL, 0, 0};
}

int tachy_plane_grow(tachy_plane *plane, uint64_t values) {
  return tachy_bytes_reserve(&plane->low, values) && tachy_bytes_reserve(&plane->high, values * sizeof(uint32_t)) &&
         tachy_bytes_reserve(&plane->wide, values * sizeof(uint64_t));
}

void tachy_plane_free(tachy_plane *plane) {
  tachy_bytes_free(&plane->low);
  tachy_bytes_free(&plane->high);
  tachy_bytes_free(&plane->wide);
}
