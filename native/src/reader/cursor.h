/* Walks a UINT column: a plane of bytes, then LEB128 for each value of 255 and more. The plane's length is known to the
 * caller; only the rare path looks at bounds. After a walk tachy_uint_ok says whether everything was there. */
#ifndef TACHY_READER_CURSOR_H
#define TACHY_READER_CURSOR_H

#include <string.h>

#include "decode.h"

#if defined(__GNUC__)
#define TACHY_UNLIKELY(x) __builtin_expect(!!(x), 0)
#else
#define TACHY_UNLIKELY(x) (x)
#endif

typedef struct tachy_uint_cursor {
  const uint8_t *plane; /* the next value's byte */
  const uint8_t *plane_end;
  const uint8_t *extra; /* the next LEB128 */
  const uint8_t *extra_end;
  int bad;
} tachy_uint_cursor;

static inline tachy_uint_cursor tachy_uint_start(const tachy_raw_column *column) {
  const uint8_t *extra = column->bytes + column->count;
  return (tachy_uint_cursor){column->bytes, extra, extra, column->bytes + column->size, 0};
}

/* The value behind a 255. */
static inline uint64_t tachy_uint_extra(tachy_uint_cursor *c) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && c->extra < c->extra_end; shift += 7) {
    const uint8_t byte = *c->extra++;
    value |= (uint64_t)(byte & 0x7Fu) << shift;
    if (byte < 0x80u) return value + 255u;
  }
  c->bad = 1;
  return 0;
}

/* The next value; the caller knows that the plane has one. */
static inline uint64_t tachy_uint_take(tachy_uint_cursor *c) {
  const uint8_t byte = *c->plane++;
  return TACHY_UNLIKELY(byte == 255u) ? tachy_uint_extra(c) : byte;
}

/* The next value, for columns whose count is not that of the rows. */
static inline uint64_t tachy_uint_next(tachy_uint_cursor *c) {
  if (TACHY_UNLIKELY(c->plane == c->plane_end)) {
    c->bad = 1;
    return 0;
  }
  return tachy_uint_take(c);
}

/* Leaves out `count` values, which the plane has. */
static inline void tachy_uint_skip(tachy_uint_cursor *c, uint64_t count) {
  const uint8_t *end = c->plane + count;
  const uint8_t *p = c->plane;
  while (p < end && (p = memchr(p, 255, (size_t)(end - p))) != NULL) {
    (void)tachy_uint_extra(c);
    p++;
  }
  c->plane = end;
}

/* All values taken, nothing missing, nothing left over. */
static inline int tachy_uint_ok(const tachy_uint_cursor *c) {
  return !c->bad && c->plane == c->plane_end && c->extra == c->extra_end;
}

#endif
