/* Metric rows and their values. */
#include <stdlib.h>

#include "decode_rows.h"
#include "error.h"
#include "metric_values.h"

double tachy_metric_value(uint32_t kind, uint64_t bits) {
  double value;
  if (kind == TACHY_SITE_METRIC_INT) return (double)(int64_t)bits;
  memcpy(&value, &bits, sizeof value);
  return kind == TACHY_SITE_METRIC_F64 ? value : value / 1e9;
}

/* Ticks are as long as they were when the row was recorded. */
static uint64_t nanoseconds(uint64_t ticks, double rate) {
  const double ns = (double)(int64_t)ticks * rate;
  memcpy(&ticks, &ns, sizeof ticks);
  return ticks;
}

static tachy_status decode(tachy_row_walk *walk, uint64_t *last_values, tachy_rows *rows, tachy_read_error *error) {
  const tachy_block *const block = walk->block;
  tachy_metric_cursor values = tachy_metric_start(block, last_values);
  for (;;) {
    int found = 0;
    const tachy_status status = tachy_row_next(walk, rows, &found, error);
    if (status) return status;
    if (!found) break;
    uint64_t bits;
    const uint32_t kind = block->sites[walk->site].kind;
    const char *const wrong = tachy_metric_next(&values, kind, walk->site, &bits);
    if (wrong) return tachy_read_fail(error, "%s", wrong);
    if (kind == TACHY_SITE_METRIC_TICKS || kind == TACHY_SITE_FRAME) bits = nanoseconds(bits, walk->line.rate);
    if (walk->wanted) rows->bits[tachy_row_keep(walk, rows)] = bits;
  }
  if (!tachy_metric_ok(&values)) {
    return tachy_read_fail(error, "the metric rows do not use up their values");
  }
  return TACHY_OK;
}

tachy_status tachy_decode_metrics(const tachy_block *block, const tachy_row_filter *filter, tachy_rows *rows,
                                  tachy_read_error *error) {
  tachy_row_walk walk;
  tachy_status status = tachy_row_start(&walk, block, TACHY_CLASS_METRIC, filter, error);
  if (!status) status = tachy_rows_allocate(rows, TACHY_READ_METRICS, block, block->rows, error);
  if (status) return status;
  uint64_t *const last_values = calloc((size_t)block->site_count + 1, sizeof *last_values);
  status = last_values ? decode(&walk, last_values, rows, error) : tachy_read_no_memory(error);
  free(last_values);
  return status;
}
