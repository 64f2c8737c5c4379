/* Log and metric blocks -> Arrow: tachy_read_logs, tachy_read_metrics. */
#include <stdlib.h>
#include <string.h>

#include "arrow.h"
#include "error.h"

static tachy_read_status add_messages(tachy_arrow *arrow, const tachy_block *block, const tachy_log_rows *rows,
                                      tachy_read_error *error) {
  tachy_buffer messages = {0};
  int32_t *offsets = malloc((rows->count + 1) * sizeof *offsets);
  tachy_read_status status = offsets ? TACHY_READ_OK : tachy_read_no_memory(error);
  for (uint64_t i = 0; !status && i < rows->count; i++) {
    offsets[i] = (int32_t)messages.size;
    status = tachy_log_message(block, rows, i, &messages, error);
    if (!status && messages.size > INT32_MAX) {
      status = tachy_read_fail(error, "a block's messages are longer than 2 GiB");
    }
  }
  if (status) {
    free(offsets);
    tachy_buffer_free(&messages);
    return status;
  }
  offsets[rows->count] = (int32_t)messages.size;
  tachy_arrow_text(arrow, "msg", offsets, messages.bytes);
  return TACHY_READ_OK;
}

static tachy_read_status add_log_columns(tachy_arrow *arrow, const tachy_block *block, tachy_log_rows *rows,
                                         tachy_read_error *error) {
  int32_t *levels = malloc((rows->count + 1) * sizeof *levels);
  for (uint64_t i = 0; levels && i < rows->count; i++) levels[i] = block->sites[rows->site[i]].level;
  TACHY_ARROW_GIVE(arrow, "thread", "i", rows->thread);
  TACHY_ARROW_GIVE(arrow, "time", "tsn:UTC", rows->utc);
  tachy_arrow_site_text(arrow, "target", block, rows->site, TACHY_SITE_TEXT_TARGET);
  tachy_arrow_fixed(arrow, "level", "i", levels);
  tachy_read_status status = add_messages(arrow, block, rows, error);
  if (!status) status = tachy_arrow_properties(arrow, block, rows->set, error);
  tachy_arrow_site_text(arrow, "filename", block, rows->site, TACHY_SITE_TEXT_FILE);
  tachy_arrow_site_line(arrow, block, rows->site);
  return status;
}

tachy_read_status tachy_read_logs(const void *head, uint64_t head_size, const void *body, uint64_t body_size,
                                  const tachy_read_options *options, struct ArrowSchema *schema,
                                  struct ArrowArray *array, tachy_read_error *error) {
  tachy_block block;
  tachy_log_rows rows;
  tachy_arrow arrow;
  tachy_read_status status = tachy_block_open(&block, head, head_size, body, body_size, error);
  if (status) return status;
  status = tachy_decode_logs(&block, options, &rows, error);
  if (!status) {
    status = tachy_arrow_start(&arrow, rows.count) ? add_log_columns(&arrow, &block, &rows, error)
                                                   : tachy_read_no_memory(error);
    if (status) {
      tachy_arrow_free(&arrow);
    } else {
      status = tachy_arrow_export(&arrow, schema, array, error);
    }
    tachy_log_rows_free(&rows);
  }
  tachy_block_close(&block);
  return status;
}

static tachy_read_status add_metric_columns(tachy_arrow *arrow, const tachy_block *block, tachy_metric_rows *rows,
                                            tachy_read_error *error) {
  double *values = malloc((rows->count + 1) * sizeof *values);
  uint8_t *kinds = malloc(rows->count + 1);
  for (uint64_t i = 0; values && kinds && i < rows->count; i++) {
    kinds[i] = block->sites[rows->site[i]].kind;
    values[i] = tachy_metric_value(block, kinds[i], rows->bits[i]);
  }
  TACHY_ARROW_GIVE(arrow, "thread", "i", rows->thread);
  TACHY_ARROW_GIVE(arrow, "time", "tsn:UTC", rows->utc);
  tachy_arrow_site_text(arrow, "target", block, rows->site, TACHY_SITE_TEXT_TARGET);
  tachy_arrow_site_text(arrow, "name", block, rows->site, TACHY_SITE_TEXT_NAME);
  tachy_arrow_site_text(arrow, "unit", block, rows->site, TACHY_SITE_TEXT_UNIT);
  tachy_arrow_fixed(arrow, "value", "g", values);
  const tachy_read_status status = tachy_arrow_properties(arrow, block, rows->set, error);
  tachy_arrow_fixed(arrow, "kind", "C", kinds);
  return status;
}

tachy_read_status tachy_read_metrics(const void *head, uint64_t head_size, const void *body, uint64_t body_size,
                                     const tachy_read_options *options, struct ArrowSchema *schema,
                                     struct ArrowArray *array, tachy_read_error *error) {
  tachy_block block;
  tachy_metric_rows rows;
  tachy_arrow arrow;
  tachy_read_status status = tachy_block_open(&block, head, head_size, body, body_size, error);
  if (status) return status;
  status = tachy_decode_metrics(&block, options, &rows, error);
  if (!status) {
    status = tachy_arrow_start(&arrow, rows.count) ? add_metric_columns(&arrow, &block, &rows, error)
                                                   : tachy_read_no_memory(error);
    if (status) {
      tachy_arrow_free(&arrow);
    } else {
      status = tachy_arrow_export(&arrow, schema, array, error);
    }
    tachy_metric_rows_free(&rows);
  }
  tachy_block_close(&block);
  return status;
}
