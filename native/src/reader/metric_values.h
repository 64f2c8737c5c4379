/* The values of metric rows, one after the other. */
#ifndef TACHY_READER_METRIC_VALUES_H
#define TACHY_READER_METRIC_VALUES_H

#include <string.h>

#include "cursor.h"

/* What VALUE_SCALE says; from TACHY_SCALE_INT on, how many digits there are behind the point. */
enum { TACHY_SCALE_F64, TACHY_SCALE_F32, TACHY_SCALE_INT, TACHY_SCALE_DIGITS = 6 };

static const double TACHY_TENS[TACHY_SCALE_DIGITS + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};

typedef struct tachy_metric_cursor {
  tachy_uint_cursor integers;
  tachy_uint_cursor scales;
  tachy_uint_cursor singles;
  tachy_double_cursor doubles;
  uint64_t *last; /* of each of the block's sites, the integer before; the caller's */
  int is_scaled;
} tachy_metric_cursor;

static inline tachy_metric_cursor tachy_metric_start(const tachy_block *block, uint64_t *last) {
  const tachy_raw_column *const columns = block->columns;
  return (tachy_metric_cursor){
      tachy_uint_start(&columns[TACHY_COLUMN_VALUE_INT]),
      tachy_uint_start(&columns[TACHY_COLUMN_VALUE_SCALE]),
      tachy_uint_start(&columns[TACHY_COLUMN_VALUE_F32]),
      tachy_double_start(&columns[TACHY_COLUMN_VALUE_F64]),
      last,
      columns[TACHY_COLUMN_VALUE_SCALE].count > 0,
  };
}

/* All values taken, nothing missing, nothing left over. */
static inline int tachy_metric_ok(const tachy_metric_cursor *c) {
  return tachy_uint_ok(&c->integers) && tachy_uint_ok(&c->scales) && tachy_uint_ok(&c->singles) &&
         c->doubles.lowest == c->doubles.end;
}

static inline uint64_t tachy_metric_integer(tachy_metric_cursor *c, uint32_t site) {
  return c->last[site] += (uint64_t)tachy_unzigzag(tachy_uint_next(&c->integers));
}

/* The next float of a block with VALUE_SCALE. 0: there is none. */
static inline int tachy_metric_scaled(tachy_metric_cursor *c, uint32_t site, uint64_t *bits) {
  const uint64_t scale = tachy_uint_next(&c->scales);
  double value;
  if (scale == TACHY_SCALE_F64) return tachy_double_next(&c->doubles, bits);
  if (scale == TACHY_SCALE_F32) {
    const uint64_t wide = tachy_uint_next(&c->singles);
    const uint32_t single = (uint32_t)wide;
    float narrow;
    if (wide > UINT32_MAX) return 0;
    memcpy(&narrow, &single, sizeof narrow);
    value = narrow;
  } else if (scale <= TACHY_SCALE_INT + TACHY_SCALE_DIGITS) {
    value = (double)(int64_t)tachy_metric_integer(c, site);
    if (scale > TACHY_SCALE_INT) value /= TACHY_TENS[scale - TACHY_SCALE_INT];
  } else {
    return 0;
  }
  memcpy(bits, &value, sizeof value);
  return 1;
}

/* The next value: the bits of a double of a float site, else an integer. NULL, or what is wrong; what a column does not
 * have is found at the end. */
static inline const char *tachy_metric_next(tachy_metric_cursor *c, uint32_t kind, uint32_t site, uint64_t *bits) {
  switch (kind) {
    case TACHY_SITE_METRIC_F64:
      return (c->is_scaled ? tachy_metric_scaled(c, site, bits) : tachy_double_next(&c->doubles, bits))
                 ? NULL
                 : "a float metric has no value";
    case TACHY_SITE_METRIC_INT:
    case TACHY_SITE_METRIC_TICKS:
    case TACHY_SITE_FRAME:
      *bits = tachy_metric_integer(c, site);
      return NULL;
    default:
      return "a metric row names a site that is not a metric";
  }
}

#endif
