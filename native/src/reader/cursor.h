/* Walks columns of numbers. Their planes were found to add up when the block was opened, and the number of values is
 * known to the caller: no step looks at bounds. After a walk tachy_uint_ok says whether everything was taken. */
#ifndef TACHY_READER_CURSOR_H
#define TACHY_READER_CURSOR_H

#include <string.h>
#include <tachy/compiler.h>

#include "decode.h"
#include "error.h"

enum { TACHY_UINT_LEVELS = 8 }; /* how often a lowest byte can be taken off a value */

typedef struct tachy_uint_cursor {             /* where the next bytes of a UINT column are: */
  const uint8_t *above[TACHY_UINT_LEVELS + 1]; /* what is left of values that have so many lowest bytes taken off */
  const uint8_t *lowest[TACHY_UINT_LEVELS];    /* the next byte of those that are 255 there */
  const uint8_t *end;                          /* of above[0] */
  int bad;
} tachy_uint_cursor;

/* 0: the planes are not those of a column of that size. */
int tachy_uint_find(tachy_uint_cursor *cursor, const tachy_raw_column *column);
/* Of values that have `level` bytes taken off, reads the next `count`, or leaves them out. */
void tachy_uint_read(tachy_uint_cursor *cursor, unsigned level, uint64_t *out, uint64_t count);
void tachy_uint_pass(tachy_uint_cursor *cursor, unsigned level, uint64_t count);

static inline tachy_uint_cursor tachy_uint_start(const tachy_raw_column *column) {
  tachy_uint_cursor c;
  c.above[0] = column->bytes;
  c.end = column->bytes + column->count;
  c.bad = 0;
  if (column->size > column->count) (void)tachy_uint_find(&c, column); /* it was right when the block was opened */
  return c;
}

/* The next value, whose byte in the first plane was 255. */
static inline uint64_t tachy_uint_take_large(tachy_uint_cursor *c) {
  uint64_t value = 0;
  unsigned level = 0;
  uint64_t byte;
  do {
    value |= (uint64_t)*c->lowest[level]++ << 8 * level;
    byte = *c->above[++level]++;
  } while (byte == 255u);
  return value | byte << 4 * level << 4 * level; /* in two, for level may be 8 */
}

/* The next value; the caller knows that there is one. */
static inline uint64_t tachy_uint_take(tachy_uint_cursor *c) {
  const uint8_t byte = *c->above[0]++;
  return TACHY_UNLIKELY(byte == 255u) ? tachy_uint_take_large(c) : byte;
}

/* The next value, for columns whose count is not that of the rows. */
static inline uint64_t tachy_uint_next(tachy_uint_cursor *c) {
  if (TACHY_UNLIKELY(c->above[0] == c->end)) {
    c->bad = 1;
    return 0;
  }
  return tachy_uint_take(c);
}

/* The next `count` values, which there are; or so many left out. */
static inline void tachy_uint_take_many(tachy_uint_cursor *c, uint64_t *out, uint64_t count) {
  tachy_uint_read(c, 0, out, count);
}
static inline void tachy_uint_skip(tachy_uint_cursor *c, uint64_t count) { tachy_uint_pass(c, 0, count); }

/* All values taken, nothing missing, nothing left over. */
static inline int tachy_uint_ok(const tachy_uint_cursor *c) { return !c->bad && c->above[0] == c->end; }

/* Walks an F64 column. */
typedef struct tachy_double_cursor {
  const uint8_t *lowest; /* the next value's lowest byte */
  const uint8_t *end;    /* of the lowest bytes */
  uint64_t count;        /* of the column: the bytes of a value are so far apart */
} tachy_double_cursor;

static inline tachy_double_cursor tachy_double_start(const tachy_raw_column *column) {
  return (tachy_double_cursor){column->bytes, column->bytes + column->count, column->count};
}

/* The bits of the next value. 0: there is none. */
static inline int tachy_double_next(tachy_double_cursor *c, uint64_t *bits) {
  if (TACHY_UNLIKELY(c->lowest == c->end)) return 0;
  uint64_t sum = 0;
  for (unsigned k = 0; k < sizeof sum; k++) sum |= (uint64_t)c->lowest[k * c->count] << 8 * k;
  *bits = sum;
  c->lowest++;
  return 1;
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
  tachy_double_cursor floats;
  const uint8_t *text;
  const uint8_t *text_end;
} tachy_typed_cursor;

/* `id` is the column of integers: floats, the sizes of texts and their bytes follow it. */
static inline tachy_typed_cursor tachy_typed_start(const tachy_block *block, uint32_t id) {
  const tachy_raw_column *const text = &block->columns[id + 3];
  return (tachy_typed_cursor){.integers = tachy_uint_start(&block->columns[id]),
                              .sizes = tachy_uint_start(&block->columns[id + 2]),
                              .floats = tachy_double_start(&block->columns[id + 1]),
                              .text = text->bytes,
                              .text_end = text->bytes + text->size};
}

/* As tachy_uint_ok. */
static inline int tachy_typed_ok(const tachy_typed_cursor *c) {
  return tachy_uint_ok(&c->integers) && tachy_uint_ok(&c->sizes) && c->floats.lowest == c->floats.end &&
         c->text == c->text_end;
}

/* Takes a value of value->type, which is one of tachy_arg_type or tachy_value_type: the two begin alike, and have only
 * integers besides. 0 when it is not there. */
static inline int tachy_typed_take(tachy_typed_cursor *c, tachy_value *value) {
  switch (value->type) {
    case TACHY_ARG_F64:
      return tachy_double_next(&c->floats, &value->bits);
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
