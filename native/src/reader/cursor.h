/* Walks a UINT column: a plane of bytes, then LEB128 for each value of 255 and more. The plane's length is known to the
 * caller; only the rare path looks at bounds. After a walk tachy_uint_ok says whether everything was there. */
#ifndef TACHY_READER_CURSOR_H
#define TACHY_READER_CURSOR_H

#include <string.h>

#include "decode.h"
#include "error.h"

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

/* The index of the lowest set bit; `word` is not 0. */
static inline unsigned tachy_lowest_bit(uint64_t word) {
#if defined(__GNUC__)
  return (unsigned)__builtin_ctzll(word);
#else
  unsigned bit = 0;
  for (; !(word & 1u); word >>= 1) bit++;
  return bit;
#endif
}

/* tachy_uint_extra near the end of the bytes, or for what is longer than 8 of them. */
static inline uint64_t tachy_uint_extra_slowly(tachy_uint_cursor *c) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && c->extra < c->extra_end; shift += 7) {
    const uint8_t byte = *c->extra++;
    value |= (uint64_t)(byte & 0x7Fu) << shift;
    if (byte < 0x80u) return value + 255u;
  }
  c->bad = 1;
  return 0;
}

/* The value behind a 255: 7 bits of up to 8 bytes are pushed together without a branch on their number. */
static inline uint64_t tachy_uint_extra(tachy_uint_cursor *c) {
  if (TACHY_UNLIKELY(c->extra_end - c->extra < 8)) return tachy_uint_extra_slowly(c);
  uint64_t word;
  memcpy(&word, c->extra, sizeof word);
  const uint64_t last = ~word & UINT64_C(0x8080808080808080);
  if (TACHY_UNLIKELY(last == 0)) return tachy_uint_extra_slowly(c);
  c->extra += tachy_lowest_bit(last) / 8 + 1;
  word &= last ^ (last - 1);
  word = (word & UINT64_C(0x007F007F007F007F)) | (word & UINT64_C(0x7F007F007F007F00)) >> 1;
  word = (word & UINT64_C(0x00003FFF00003FFF)) | (word & UINT64_C(0x3FFF00003FFF0000)) >> 2;
  word = (word & UINT64_C(0x000000000FFFFFFF)) | (word & UINT64_C(0x0FFFFFFF00000000)) >> 4;
  return word + 255u;
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

/* The next `count` values, which the plane has. Without large ones this is a widening copy. */
static inline void tachy_uint_take_many(tachy_uint_cursor *c, uint64_t *out, uint64_t count) {
  const uint8_t *plane = c->plane;
  uint8_t largest = 0;
  for (uint64_t i = 0; i < count; i++) {
    out[i] = plane[i];
    largest = plane[i] > largest ? plane[i] : largest;
  }
  c->plane += count;
  if (largest < 255u) return;
  uint64_t i = 0;
  for (; i + 8 <= count; i += 8) { /* the high bit of every byte that is 255; which of the 8 it is, is no branch */
    uint64_t word;
    memcpy(&word, plane + i, sizeof word);
    const uint64_t low = word & UINT64_C(0x7F7F7F7F7F7F7F7F);
    uint64_t full = (low + UINT64_C(0x0101010101010101)) & word & UINT64_C(0x8080808080808080);
    for (; full; full &= full - 1) out[i + tachy_lowest_bit(full) / 8] = tachy_uint_extra(c);
  }
  for (; i < count; i++) {
    if (plane[i] == 255u) out[i] = tachy_uint_extra(c);
  }
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

/* Reads block->values; the last step of opening a block. */
tachy_status tachy_block_read_values(tachy_block *block, tachy_read_error *error);

/* `columns` columns from `id` on, which have a value for each of `count` things, and their end: nothing missing or left
 * over in any of them. `what` is one such thing, for the sentence. Inline, so that who reads a row of each in a loop
 * can have the cursors in registers. */
static inline tachy_status tachy_uints_start(tachy_uint_cursor *cursors, const tachy_block *block, uint32_t id,
                                             uint32_t columns, uint64_t count, const char *what,
                                             tachy_read_error *error) {
  for (uint32_t i = 0; i < columns; i++) cursors[i] = tachy_uint_start(&block->columns[id + i]);
  for (uint32_t i = 0; i < columns; i++) {
    if (block->columns[id + i].count == count) continue;
    return tachy_read_fail(error, "column %u does not have a value for each %s: they differ in length", id + i, what);
  }
  return TACHY_OK;
}

static inline tachy_status tachy_uints_end(const tachy_uint_cursor *cursors, uint32_t columns, const char *what,
                                           tachy_read_error *error) {
  for (uint32_t i = 0; i < columns; i++) {
    if (!tachy_uint_ok(&cursors[i]))
      return tachy_read_fail(error, "a column with a value for each %s is malformed", what);
  }
  return TACHY_OK;
}

/* Values of several types: each is in the column of its type. */
typedef struct tachy_typed_cursor {
  tachy_uint_cursor integers;
  tachy_uint_cursor sizes; /* of texts */
  const uint8_t *floats;
  const uint8_t *floats_end;
  const uint8_t *text;
  const uint8_t *text_end;
} tachy_typed_cursor;

/* `id` is the column of integers: floats, the sizes of texts and their bytes follow it. */
static inline tachy_typed_cursor tachy_typed_start(const tachy_block *block, uint32_t id) {
  const tachy_raw_column *const floats = &block->columns[id + 1];
  const tachy_raw_column *const text = &block->columns[id + 3];
  return (tachy_typed_cursor){.integers = tachy_uint_start(&block->columns[id]),
                              .sizes = tachy_uint_start(&block->columns[id + 2]),
                              .floats = floats->bytes,
                              .floats_end = floats->bytes + floats->size,
                              .text = text->bytes,
                              .text_end = text->bytes + text->size};
}

/* As tachy_uint_ok. */
static inline int tachy_typed_ok(const tachy_typed_cursor *c) {
  return tachy_uint_ok(&c->integers) && tachy_uint_ok(&c->sizes) && c->floats == c->floats_end &&
         c->text == c->text_end;
}

/* Takes a value of value->type, which is one of tachy_arg_type or tachy_value_type: the two begin alike, and have only
 * integers besides. 0 when it is not there. */
static inline int tachy_typed_take(tachy_typed_cursor *c, tachy_value *value) {
  switch (value->type) {
    case TACHY_ARG_F64:
      if (c->floats == c->floats_end) return 0;
      memcpy(&value->bits, c->floats, sizeof value->bits);
      c->floats += sizeof value->bits;
      return 1;
    case TACHY_ARG_TEXT:
      value->bits = tachy_uint_next(&c->sizes);
      value->text = (const char *)c->text;
      if (c->sizes.bad || value->bits > (uint64_t)(c->text_end - c->text)) return 0;
      c->text += value->bits;
      return 1;
    default:
      value->bits = tachy_uint_next(&c->integers);
      if (value->type == TACHY_ARG_I64) value->bits = (uint64_t)tachy_unzigzag(value->bits);
      return !c->integers.bad;
  }
}

#endif
