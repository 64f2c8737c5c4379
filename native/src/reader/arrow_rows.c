/* Log and metric rows -> Arrow. */
#include <stdlib.h>
#include <string.h>

#include "arrow.h"
#include "error.h"

static tachy_status messages_of(const tachy_block *block, const tachy_log_rows *rows, uint64_t first, uint64_t *count,
                                uint64_t most, tachy_buffer *messages, int32_t *offsets, tachy_read_error *error) {
  uint64_t i = 0;
  for (; i < *count && (messages->size < most || !i); i++) {
    offsets[i] = (int32_t)messages->size;
    const tachy_status status = tachy_log_message(block, rows, first + i, messages, error);
    if (status) return status;
    if (messages->size > INT32_MAX) return tachy_read_fail(error, "a block's messages are longer than 2 GiB");
  }
  offsets[i] = (int32_t)messages->size;
  *count = i;
  return TACHY_OK;
}

/* The message column first: it says how many rows the batch has. */
static tachy_status add_log_columns(tachy_arrow *arrow, const tachy_block *block, tachy_log_rows *rows,
                                    tachy_arrow_window window, tachy_buffer *messages, int32_t *offsets,
                                    tachy_read_error *error) {
  const uint32_t *const sites = rows->site + window.first;
  const size_t count = (size_t)arrow->length;
  int32_t *levels = malloc((count + 1) * sizeof *levels);
  for (size_t i = 0; levels && i < count; i++) levels[i] = block->sites[sites[i]].level;
  TACHY_ARROW_GIVE(arrow, "thread", "i", window, rows->thread);
  TACHY_ARROW_GIVE(arrow, "time", "tsn:UTC", window, rows->utc);
  tachy_arrow_site_text(arrow, "target", block, sites, TACHY_SITE_TEXT_TARGET);
  tachy_arrow_fixed(arrow, "level", "i", levels);
  tachy_arrow_text(arrow, "msg", offsets, messages->bytes);
  const tachy_status status = tachy_arrow_properties(arrow, block, rows->set + window.first, error);
  tachy_arrow_site_text(arrow, "filename", block, sites, TACHY_SITE_TEXT_FILE);
  tachy_arrow_site_line(arrow, block, sites);
  return status;
}

tachy_status tachy_arrow_logs(const tachy_block *block, tachy_log_rows *rows, uint64_t first, uint64_t *count,
                              uint64_t most_text, tachy_arrow *arrow, tachy_read_error *error) {
  tachy_buffer messages = {0};
  int32_t *offsets = malloc((*count + 1) * sizeof *offsets);
  tachy_status status =
      offsets ? tachy_arrow_sets_fit(block, rows->set + first, count, most_text, error) : tachy_read_no_memory(error);
  if (!status) status = messages_of(block, rows, first, count, most_text, &messages, offsets, error);
  if (!status && !tachy_arrow_start(arrow, *count)) status = tachy_read_no_memory(error);
  if (status) {
    free(offsets);
    tachy_buffer_free(&messages);
    return status;
  }
  const tachy_arrow_window window = {first, rows->count};
  return add_log_columns(arrow, block, rows, window, &messages, offsets, error);
}

tachy_status tachy_arrow_metrics(const tachy_block *block, tachy_metric_rows *rows, uint64_t first, uint64_t *count,
                                 uint64_t most_text, tachy_arrow *arrow, tachy_read_error *error) {
  const tachy_status fits = tachy_arrow_sets_fit(block, rows->set + first, count, most_text, error);
  if (fits) return fits;
  if (!tachy_arrow_start(arrow, *count)) return tachy_read_no_memory(error);
  const uint32_t *const sites = rows->site + first;
  const tachy_arrow_window window = {first, rows->count};
  double *values = malloc((*count + 1) * sizeof *values);
  uint8_t *kinds = malloc(*count + 1);
  for (uint64_t i = 0; values && kinds && i < *count; i++) {
    kinds[i] = block->sites[sites[i]].kind;
    values[i] = tachy_metric_value(block, kinds[i], rows->bits[first + i]);
  }
  TACHY_ARROW_GIVE(arrow, "thread", "i", window, rows->thread);
  TACHY_ARROW_GIVE(arrow, "time", "tsn:UTC", window, rows->utc);
  tachy_arrow_site_text(arrow, "target", block, sites, TACHY_SITE_TEXT_TARGET);
  tachy_arrow_site_text(arrow, "name", block, sites, TACHY_SITE_TEXT_NAME);
  tachy_arrow_site_text(arrow, "unit", block, sites, TACHY_SITE_TEXT_UNIT);
  tachy_arrow_fixed(arrow, "value", "g", values);
  const tachy_status status = tachy_arrow_properties(arrow, block, rows->set + first, error);
  tachy_arrow_fixed(arrow, "kind", "C", kinds);
  return status;
}
