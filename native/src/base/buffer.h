/* Growing memory for the collector, and the UINT column encoding of docs/format.md. Never used by recording threads. */
#ifndef TACHY_SRC_BASE_BUFFER_H
#define TACHY_SRC_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../os/os.h"

typedef struct tachy_bytes {
  uint8_t *bytes;
  uint64_t size;
  uint64_t capacity;
} tachy_bytes;

/* Makes room for `more` bytes behind size. 0: no memory, nothing changed. */
int tachy_bytes_grow(tachy_bytes *buffer, uint64_t more);
void tachy_bytes_free(tachy_bytes *buffer);

static inline int tachy_bytes_reserve(tachy_bytes *buffer, uint64_t more) {
  return buffer->capacity - buffer->size >= more || tachy_bytes_grow(buffer, more);
}

/* Room must have been reserved. */
static inline void tachy_bytes_put(tachy_bytes *buffer, const void *bytes, uint64_t size) {
  if (size) memcpy(buffer->bytes + buffer->size, bytes, size);
  buffer->size += size;
}

static inline int tachy_bytes_append(tachy_bytes *buffer, const void *bytes, uint64_t size) {
  if (!tachy_bytes_reserve(buffer, size)) return 0;
  tachy_bytes_put(buffer, bytes, size);
  return 1;
}

/* A column of encoding UINT: one byte per value, and what did not fit into it. */
typedef struct tachy_plane {
  tachy_bytes low;
  tachy_bytes high;
} tachy_plane;

#define TACHY_HIGH_MAX 10u /* bytes of the longest LEB128 */

/* Appends what a value is above 255 to `high`. Room must have been reserved. */
void tachy_plane_high(tachy_plane *plane, uint64_t rest);
int tachy_plane_grow(tachy_plane *plane, uint64_t values);
void tachy_plane_free(tachy_plane *plane);

static inline void tachy_plane_clear(tachy_plane *plane) {
  plane->low.size = 0;
  plane->high.size = 0;
}

/* Room for so many values, whatever they are. */
static inline int tachy_plane_reserve(tachy_plane *plane, uint64_t values) {
  return (plane->low.capacity - plane->low.size >= values &&
          plane->high.capacity - plane->high.size >= values * TACHY_HIGH_MAX) ||
         tachy_plane_grow(plane, values);
}

/* Room must have been reserved. */
static inline void tachy_plane_put(tachy_plane *plane, uint64_t v) {
  uint8_t *const at = plane->low.bytes + plane->low.size++;
  if (v < 255) {
    *at = (uint8_t)v;
  } else {
    *at = 255;
    tachy_plane_high(plane, v - 255);
  }
}

static inline int tachy_plane_append(tachy_plane *plane, uint64_t v) {
  if (!tachy_plane_reserve(plane, 1)) return 0;
  tachy_plane_put(plane, v);
  return 1;
}

#endif
