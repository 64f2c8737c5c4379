/* Growing memory for the collector, and numbers on their way into a column. Never used by recording threads. */
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

/* Values of a column of encoding UINT, whose first plane `low` is. */
typedef struct tachy_plane {
  tachy_bytes low;          /* a byte of each: 255 says that it is in `high` */
  tachy_bytes high;         /* uint32_t of each of these: UINT32_MAX says that it is in `wide` */
  tachy_bytes wide;         /* uint64_t of each of those */
  struct tachy_plane *next; /* of the same column; tachy_columns_plane */
} tachy_plane;

int tachy_plane_grow(tachy_plane *plane, uint64_t values);
void tachy_plane_free(tachy_plane *plane);

static inline void tachy_plane_clear(tachy_plane *plane) {
  plane->low.size = 0;
  plane->high.size = 0;
  plane->wide.size = 0;
}

/* Room for so many values, whatever they are. */
static inline int tachy_plane_reserve(tachy_plane *plane, uint64_t values) {
  return (plane->low.capacity - plane->low.size >= values &&
          plane->high.capacity - plane->high.size >= values * sizeof(uint32_t) &&
          plane->wide.capacity - plane->wide.size >= values * sizeof(uint64_t)) ||
         tachy_plane_grow(plane, values);
}

/* Of a value that is not in `low`. Room must have been reserved. */
static inline void tachy_plane_high(tachy_plane *plane, uint64_t v) {
  const uint32_t narrow = v < UINT32_MAX ? (uint32_t)v : UINT32_MAX;
  tachy_bytes_put(&plane->high, &narrow, sizeof narrow);
  if (narrow == UINT32_MAX) tachy_bytes_put(&plane->wide, &v, sizeof v);
}

/* Room must have been reserved. */
static inline void tachy_plane_put(tachy_plane *plane, uint64_t v) {
  plane->low.bytes[plane->low.size++] = v < 255 ? (uint8_t)v : 255;
  if (v >= 255) tachy_plane_high(plane, v);
}

static inline int tachy_plane_append(tachy_plane *plane, uint64_t v) {
  if (!tachy_plane_reserve(plane, 1)) return 0;
  tachy_plane_put(plane, v);
  return 1;
}

#endif
