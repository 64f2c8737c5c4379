/* The body of a block: columns, in the order in which they are added. */
#ifndef TACHY_SRC_BASE_COLUMNS_H
#define TACHY_SRC_BASE_COLUMNS_H

#include <tachy/format.h>

#include "buffer.h"

/* More columns than there are. */
enum { TACHY_COLUMNS_MAX = 88 };

typedef struct tachy_columns {
  tachy_column heads[TACHY_COLUMNS_MAX];
  uint32_t count;
  tachy_bytes bytes; /* room for the heads, then what is in the columns: it becomes the body as it is */
  int failed;
} tachy_columns;

/* Begins a body of about so many bytes. */
void tachy_columns_begin(tachy_columns *columns, uint64_t size);

/* A value for each of so many planes. */
static inline void tachy_columns_row(tachy_columns *columns, tachy_plane *planes, unsigned count,
                                     const uint64_t *values) {
  for (unsigned k = 0; k < count; k++) {
    if (!tachy_plane_append(&planes[k], values[k])) columns->failed = 1;
  }
}
/* Opens a column of so many bytes: where they go, or NULL. */
uint8_t *tachy_columns_open(tachy_columns *columns, tachy_column_id id, uint16_t encoding, uint64_t count,
                            uint64_t size);
/* Planes that follow one another by `next` as one column; takes what is above their bytes. */
void tachy_columns_plane(tachy_columns *columns, tachy_column_id id, tachy_plane *planes);
/* The planes of so many doubles of an F64 column of `count`, of which `at` is the first one's lowest byte. */
void tachy_columns_doubles(uint8_t *at, uint64_t count, const tachy_bytes *doubles);
/* So many planes as the columns from `first` on, and a buffer as a column; frees them. */
void tachy_columns_add(tachy_columns *columns, int first, tachy_plane *planes, unsigned count);
void tachy_columns_buffer(tachy_columns *columns, tachy_column_id id, uint16_t encoding, tachy_bytes *buffer);
/* Points of a clock, the newest first, each by how far it is before the one after it, the first before `after`. */
void tachy_columns_points(tachy_columns *columns, tachy_column_id id, tachy_clock_pair after,
                          const tachy_clock_pair *points, uint64_t count);
/* The memory of the body, which begins at `body` in it; NULL: there was none. Frees the columns. */
void *tachy_columns_finish(tachy_columns *columns, uint8_t **body, uint64_t *size);

enum { TACHY_COUNTED_AT_ONCE = 128 };

/* How many of fewer than 256 bytes are 255: a byte counts them, so that compilers take sixteen at a time. */
static inline uint64_t tachy_count_few(const uint8_t *bytes, uint64_t count) {
  uint8_t full = 0;
  for (uint64_t i = 0; i < count; i++) full = (uint8_t)(full + (bytes[i] == 255u));
  return full;
}

/* How many of the bytes are 255. */
static inline uint64_t tachy_count_full(const uint8_t *bytes, uint64_t count) {
  const uint8_t *const end = bytes + count;
  const uint8_t *at = (const uint8_t *)memchr(bytes, 255, (size_t)count); /* most columns have none */
  uint64_t full = 0;
  if (!at) return 0;
  for (; end - at >= TACHY_COUNTED_AT_ONCE; at += TACHY_COUNTED_AT_ONCE) {
    full += tachy_count_few(at, TACHY_COUNTED_AT_ONCE); /* a constant: so they do in ordinary builds, too */
  }
  return full + tachy_count_few(at, (uint64_t)(end - at));
}

/* Copies a buffer; returns the end of the copy. */
static inline uint8_t *tachy_bytes_copy(uint8_t *at, const tachy_bytes *buffer) {
  if (buffer->size) memcpy(at, buffer->bytes, buffer->size);
  return at + buffer->size;
}

#endif
