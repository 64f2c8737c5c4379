/* The values of metrics. Those of float sites go over as integers, with the digits behind the point that the site
 * needs, where that says them exactly, or else as single floats: counts and hundredths, which is what most of them are,
 * take the bytes of what they count, where a double of 16.62 has eight that repeat nothing. */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "merge.h"

enum { FAILURE = 8, HOPELESS = 32 }; /* a value that is no such integer, by how many that are it is made good */

static const double RANGE = 1099511627776.0; /* 2^40: what is above has as many bytes as a double */

void merge_metrics_start(merge *m, merge_source *source) {
  uint64_t *const last = calloc((size_t)source->block.site_count + 1, sizeof *last);
  if (!last) m->failed = 1;
  source->metrics = tachy_metric_start(&source->block, last);
}

/* Whether `integer`, with so many digits behind the point, is the value to the bit. */
static int is_decimal(double value, unsigned digits, int64_t *integer) {
  const double wide = value * TACHY_TENS[digits];
  if (!(wide > -RANGE && wide < RANGE)) return 0; /* not a number neither */
  *integer = (int64_t)(wide < 0 ? wide - 0.5 : wide + 0.5);
  const double back = (double)*integer / TACHY_TENS[digits];
  return memcmp(&back, &value, sizeof back) == 0;
}

/* 0: it is none. */
static int put_decimal(merge *m, merge_metric *site, double value) {
  if (site->failed >= HOPELESS) return 0;
  for (unsigned digits = site->digits; digits <= TACHY_SCALE_DIGITS; digits++) {
    int64_t integer;
    if (!is_decimal(value, digits, &integer)) continue;
    site->digits = (uint8_t)digits;
    site->failed -= site->failed > 0;
    merge_put(m, &m->scales, TACHY_SCALE_INT + digits);
    merge_put(m, &m->typed.integers, tachy_zigzag((int64_t)((uint64_t)integer - site->last)));
    site->last = (uint64_t)integer;
    return 1;
  }
  site->failed += FAILURE;
  return 0;
}

static void put_float(merge *m, merge_metric *site, uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  if (put_decimal(m, site, value)) return;
  if (value >= -FLT_MAX && value <= FLT_MAX) {
    const float narrow = (float)value;
    const double back = narrow;
    if (memcmp(&back, &value, sizeof back) == 0) {
      uint32_t single;
      memcpy(&single, &narrow, sizeof single);
      merge_put(m, &m->scales, TACHY_SCALE_F32);
      merge_put(m, &m->singles, single);
      return;
    }
  }
  merge_put(m, &m->scales, TACHY_SCALE_F64);
  if (!tachy_bytes_append(&m->typed.floats, &bits, sizeof bits)) m->failed = 1;
}

int merge_metrics_put(merge *m, merge_source *source, uint32_t site) {
  const uint32_t kind = source->block.sites[site].kind;
  merge_metric *const into = &m->metrics[source->sites[site]];
  uint64_t bits;
  if (tachy_metric_next(&source->metrics, kind, site, &bits)) return 0;
  if (kind == TACHY_SITE_METRIC_F64) {
    put_float(m, into, bits);
  } else {
    merge_put(m, &m->typed.integers, tachy_zigzag((int64_t)(bits - into->last)));
    into->last = bits;
  }
  return 1;
}

void merge_metrics_columns(merge *m, tachy_columns *c) {
  tachy_columns_add(c, TACHY_COLUMN_VALUE_INT, &m->typed.integers, 1);
  tachy_columns_buffer(c, TACHY_COLUMN_VALUE_F64, TACHY_ENCODING_F64, &m->typed.floats);
  tachy_columns_add(c, TACHY_COLUMN_VALUE_SCALE, &m->scales, 1);
  tachy_columns_add(c, TACHY_COLUMN_VALUE_F32, &m->singles, 1);
}
