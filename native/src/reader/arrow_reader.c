/* Blocks -> record batches of bounded size, one after the other: tachy_reader_open, _next, and tachy_read_*, which
 * makes one of a whole block. */
#include <stdlib.h>
#include <string.h>

#include "arrow.h"
#include "error.h"

#define SLICE_ROWS (UINT64_C(1) << 20) /* as many as the recorder puts into a block, so that most are one slice */
#define SLICE_LOGS (UINT64_C(1) << 17) /* an argument takes 32 bytes, and a log has up to 8 */
#define SLICE_TEXT (UINT64_C(1) << 24) /* of messages, and of properties */

struct tachy_reader {
  tachy_block block;
  tachy_read_kind kind;
  uint64_t most_rows;
  uint64_t most_text;
  uint64_t at; /* the first of the decoded rows that has not been given yet */
  uint64_t closed;
  int more; /* logs: whether rows follow the decoded ones */
  tachy_log_walk *walk;
  tachy_log_rows logs;
  tachy_metric_rows metrics;
  tachy_span_rows spans;
  tachy_async_rows async;
  tachy_value_rows values; /* on spans, of both kinds */
};

static tachy_status decode(tachy_reader *r, const tachy_read_options *options, tachy_read_error *error) {
  static const tachy_read_options everything = {INT64_MIN, INT64_MAX, -1, 0};
  if (!options) options = &everything;
  tachy_status status;
  switch (r->kind) {
    case TACHY_READ_LOGS:
      r->more = 1;
      return tachy_logs_start(&r->block, options, r->most_rows, &r->walk, error);
    case TACHY_READ_METRICS:
      return tachy_decode_metrics(&r->block, options, &r->metrics, error);
    case TACHY_READ_ASYNC:
      status = tachy_decode_async(&r->block, options, &r->async, error);
      return status ? status : tachy_decode_values(&r->block, &r->values, error);
    default:
      status = tachy_decode_spans(&r->block, options, &r->spans, error);
      if (status) return status;
      r->closed = r->spans.count;
      if (options->open_end && !tachy_append_open(&r->block, options, &r->spans)) return tachy_read_no_memory(error);
      return tachy_decode_values(&r->block, &r->values, error);
  }
}

static tachy_status open_reader(const tachy_reader *about, const void *head, uint64_t head_size, const void *body,
                                uint64_t body_size, const tachy_read_options *options, tachy_reader **reader,
                                tachy_read_error *error) {
  tachy_reader *const r = malloc(sizeof *r);
  if (!r) return tachy_read_no_memory(error);
  *r = *about;
  tachy_status status = tachy_block_open(&r->block, head, head_size, body, body_size, error);
  if (!status) status = decode(r, options, error);
  if (status) {
    tachy_reader_free(r);
  } else {
    *reader = r;
  }
  return status;
}

tachy_status tachy_reader_open(tachy_read_kind kind, const void *head, uint64_t head_size, const void *body,
                               uint64_t body_size, const tachy_read_options *options, tachy_reader **reader,
                               tachy_read_error *error) {
  const uint64_t most_rows = kind == TACHY_READ_LOGS ? SLICE_LOGS : SLICE_ROWS;
  const tachy_reader about = {.kind = kind, .most_rows = most_rows, .most_text = SLICE_TEXT};
  return open_reader(&about, head, head_size, body, body_size, options, reader, error);
}

void tachy_reader_free(tachy_reader *reader) {
  if (!reader) return;
  tachy_logs_end(reader->walk);
  tachy_log_rows_free(&reader->logs);
  tachy_metric_rows_free(&reader->metrics);
  tachy_span_rows_free(&reader->spans);
  tachy_async_rows_free(&reader->async);
  tachy_value_rows_free(&reader->values);
  tachy_block_close(&reader->block);
  free(reader);
}

static uint64_t decoded(const tachy_reader *r) {
  switch (r->kind) {
    case TACHY_READ_LOGS:
      return r->logs.count;
    case TACHY_READ_METRICS:
      return r->metrics.count;
    case TACHY_READ_ASYNC:
      return r->async.count;
    default:
      return r->spans.count;
  }
}

static tachy_status columns(tachy_reader *r, uint64_t *count, tachy_arrow *arrow, tachy_read_error *error) {
  switch (r->kind) {
    case TACHY_READ_LOGS:
      return tachy_arrow_logs(&r->block, &r->logs, r->at, count, r->most_text, arrow, error);
    case TACHY_READ_METRICS:
      return tachy_arrow_metrics(&r->block, &r->metrics, r->at, count, r->most_text, arrow, error);
    case TACHY_READ_ASYNC:
      return tachy_arrow_async(&r->block, &r->async, &r->values, r->at, count, r->most_text, arrow, error);
    default:
      return tachy_arrow_spans(&r->block, &r->spans, &r->values, r->closed, r->at, count, r->most_text, arrow, error);
  }
}

tachy_status tachy_reader_next(tachy_reader *reader, struct ArrowSchema *schema, struct ArrowArray *array, int *more,
                               tachy_read_error *error) {
  tachy_reader *const r = reader;
  if (r->at == decoded(r) && r->more) {
    tachy_log_rows_free(&r->logs);
    r->at = 0;
    const tachy_status status = tachy_logs_next(r->walk, &r->logs, &r->more, error);
    if (status) return status;
  }
  uint64_t count = decoded(r) - r->at;
  if (count > r->most_rows) count = r->most_rows;
  tachy_arrow arrow = {0};
  const tachy_status status = columns(r, &count, &arrow, error);
  if (status) {
    tachy_arrow_free(&arrow);
    return status;
  }
  r->at += count;
  *more = r->more || r->at < decoded(r);
  return tachy_arrow_export(&arrow, schema, array, error);
}

static tachy_status whole(tachy_read_kind kind, const void *head, uint64_t head_size, const void *body,
                          uint64_t body_size, const tachy_read_options *options, struct ArrowSchema *schema,
                          struct ArrowArray *array, tachy_read_error *error) {
  const tachy_reader about = {.kind = kind, .most_rows = UINT64_MAX, .most_text = UINT64_MAX};
  tachy_reader *r = NULL;
  tachy_status status = open_reader(&about, head, head_size, body, body_size, options, &r, error);
  if (status) return status;
  int more = 0;
  status = tachy_reader_next(r, schema, array, &more, error);
  tachy_reader_free(r);
  return status;
}

tachy_status tachy_read_spans(const void *head, uint64_t head_size, const void *body, uint64_t body_size,
                              const tachy_read_options *options, struct ArrowSchema *schema, struct ArrowArray *array,
                              tachy_read_error *error) {
  return whole(TACHY_READ_SPANS, head, head_size, body, body_size, options, schema, array, error);
}

tachy_status tachy_read_async(const void *head, uint64_t head_size, const void *body, uint64_t body_size,
                              const tachy_read_options *options, struct ArrowSchema *schema, struct ArrowArray *array,
                              tachy_read_error *error) {
  return whole(TACHY_READ_ASYNC, head, head_size, body, body_size, options, schema, array, error);
}

tachy_status tachy_read_logs(const void *head, uint64_t head_size, const void *body, uint64_t body_size,
                             const tachy_read_options *options, struct ArrowSchema *schema, struct ArrowArray *array,
                             tachy_read_error *error) {
  return whole(TACHY_READ_LOGS, head, head_size, body, body_size, options, schema, array, error);
}

tachy_status tachy_read_metrics(const void *head, uint64_t head_size, const void *body, uint64_t body_size,
                                const tachy_read_options *options, struct ArrowSchema *schema, struct ArrowArray *array,
                                tachy_read_error *error) {
  return whole(TACHY_READ_METRICS, head, head_size, body, body_size, options, schema, array, error);
}
