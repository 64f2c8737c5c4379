/* Growing memory for the collector, and the slow halves of the UINT encoding. */
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

void tachy_plane_high(tachy_plane *plane, uint64_t rest) {
  uint8_t *at = plane->high.bytes + plane->high.size;
  while (rest >= 128) {
    *at++ = (uint8_t)(rest | 128);
    rest >>= 7;
  }
  *at++ = (uint8_t)rest;
  plane->high.size = (uint64_t)(at - plane->high.bytes);
}

int tachy_plane_grow(tachy_plane *plane, uint64_t values) {
  return tachy_bytes_reserve(&plane->low, values) && tachy_bytes_reserve(&plane->high, values * TACHY_HIGH_MAX);
}

void tachy_plane_free(tachy_plane *plane) {
  tachy_bytes_free(&plane->low);
  tachy_bytes_free(&plane->high);
}

int tachy_plane_scale(tachy_plane *plane, uint64_t factor) {
  tachy_plane scaled = {{NULL, 0, 0}, {NULL, 0, 0}};
  if (plane->low.size == 0) return 1;
  /* as much room as there was: rows that have been reserved must still fit */
  if (!tachy_plane_reserve(&scaled, plane->low.capacity)) {
    tachy_plane_free(&scaled);
    return 0;
  }
  const uint8_t *high = plane->high.bytes;
  for (uint64_t i = 0; i < plane->low.size; i++) {
    uint64_t v = plane->low.bytes[i];
    if (v == 255) {
      unsigned shift = 0;
      uint64_t rest = 0;
      do rest |= (uint64_t)(*high & 127) << shift, shift += 7;
      while (*high++ & 128);
      v += rest;
    }
    tachy_plane_put(&scaled, v * factor);
  }
  tachy_plane_free(plane);
  *plane = scaled;
  return 1;
}
