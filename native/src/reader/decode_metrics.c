/* Metric rows and their values. */
#include <stdlib.h>
#include <string.h>

#include "decode_rows.h"
#include "error.h"

double tachy_metric_value(const tachy_block *block, uint8_t kind, uint64_t bits) {
  double value;
  if (kind == TACHY_SITE_METRIC_F64) {
    memcpy(&value, &bits, sizeof value);
    return value;
  }
  value = (double)(int64_t)bits;
  return kind == TACHY_SITE_METRIC_INT ? value : value * block->clock.lines[0].rate / 1e9;
}

static tachy_status allocate(const tachy_block *block, tachy_metric_rows *rows, tachy_read_error *error) {
  const size_t n = (size_t)block->rows + 1;
  rows->thread = malloc(n * sizeof *rows->thread);
  rows->site = malloc(n * sizeof *rows->site);
  rows->set = malloc(n * sizeof *rows->set);
  rows->utc = malloc(n * sizeof *rows->utc);
  rows->bits = malloc(n * sizeof *rows->bits);
  rows->gaps = tachy_row_gaps(block);
  if (!rows->thread || !rows->site || !rows->set || !rows->utc || !rows->bits || !rows->gaps) {
    return tachy_read_no_memory(error);
  }
  return TACHY_OK;
}

static tachy_status decode(const tachy_block *block, tachy_row_walk *walk, uint64_t *last_values,
                           tachy_metric_rows *rows, tachy_read_error *error) {
  const tachy_raw_column *doubles = &block->columns[TACHY_COLUMN_VALUE_F64];
  tachy_uint_cursor integers = tachy_uint_start(&block->columns[TACHY_COLUMN_VALUE_INT]);
  uint64_t doubles_taken = 0;
  for (;;) {
    int found = 0;
    const tachy_status status = tachy_row_next(walk, rows->gaps, &rows->gap_count, rows->count, &found, error);
    if (status) return status;
    if (!found) break;
    uint64_t bits;
    const uint8_t kind = block->sites[walk->row_site].kind;
    if (kind == TACHY_SITE_METRIC_F64) {
      if (doubles_taken == doubles->count) return tachy_read_fail(error, "a float metric has no value");
      memcpy(&bits, doubles->bytes + 8 * doubles_taken++, sizeof bits);
    } else if (kind == TACHY_SITE_METRIC_INT || kind == TACHY_SITE_METRIC_TICKS || kind == TACHY_SITE_FRAME) {
      bits = last_values[walk->row_site] + (uint64_t)tachy_unzigzag(tachy_uint_next(&integers));
      last_values[walk->row_site] = bits;
    } else {
      return tachy_read_fail(error, "a metric row names a site that is not a metric");
    }
    if (!walk->wanted) continue;
    const uint64_t i = rows->count++;
    rows->thread[i] = walk->thread;
    rows->site[i] = walk->row_site;
    rows->set[i] = walk->row_set;
    rows->utc[i] = walk->utc;
    rows->bits[i] = bits;
  }
  if (!tachy_uint_ok(&integers) || doubles_taken != doubles->count) {
    return tachy_read_fail(error, "the metric rows do not use up their values");
  }
  return TACHY_OK;
}

tachy_status tachy_decode_metrics(const tachy_block *block, const tachy_read_options *options, tachy_metric_rows *rows,
                                  tachy_read_error *error) {
  memset(rows, 0, sizeof *rows);
  tachy_row_walk walk;
  tachy_status status = tachy_row_start(&walk, block, TACHY_CLASS_METRIC, options, error);
  if (status) return status;
  uint64_t *last_values = calloc((size_t)block->site_count + 1, sizeof *last_values);
  status = last_values ? allocate(block, rows, error) : tachy_read_no_memory(error);
  if (!status) status = decode(block, &walk, last_values, rows, error);
  free(last_values);
  if (status) tachy_metric_rows_free(rows);
  return status;
}

void tachy_metric_rows_free(tachy_metric_rows *rows) {
  free(rows->thread);
  free(rows->site);
  free(rows->set);
  free(rows->utc);
  free(rows->bits);
  free(rows->gaps);
  memset(rows, 0, sizeof *rows);
}
