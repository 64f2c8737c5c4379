/* Blocks -> record batches of bounded size, one after the other. */
#include <stdlib.h>

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
  int more;    /* logs: whether rows follow the decoded ones */
  tachy_log_walk *walk;
  tachy_rows rows;
};

static tachy_status decode(tachy_reader *r, const tachy_read_options *options, tachy_read_error *error) {
  switch (r->kind) {
    case TACHY_READ_LOGS:
    case TACHY_READ_IMAGES:
      return tachy_logs_start(&r->block, r->kind, options, r->most_rows, &r->walk, &r->rows, &r->more, error);
    case TACHY_READ_METRICS:
      return tachy_decode_metrics(&r->block, options, &r->rows, error);
    case TACHY_READ_SPANS:
      return tachy_decode_spans(&r->block, options, &r->rows, error);
    case TACHY_READ_ASYNC:
      return tachy_decode_async(&r->block, options, &r->rows, error);
    default:
      return tachy_decode_open_async(&r->block, options, &r->rows, error);
  }
}

tachy_status tachy_reader_open(tachy_read_kind kind, const void *head, uint64_t head_size, const void *body,
                               uint64_t body_size, const tachy_read_options *options, tachy_reader **reader,
                               tachy_read_error *error) {
  if (!options) options = &tachy_read_everything;
  tachy_reader *const r = calloc(1, sizeof *r);
  if (!r) return tachy_read_no_memory(error);
  r->kind = kind;
  r->most_rows = options->whole ? UINT64_MAX : tachy_is_log_kind(kind) ? SLICE_LOGS : SLICE_ROWS;
  r->most_text = options->whole ? UINT64_MAX : SLICE_TEXT;
  tachy_status status = tachy_block_open(&r->block, head, head_size, body, body_size, error);
  if (!status) status = decode(r, options, error);
  if (status) {
    tachy_reader_free(r);
  } else {
    *reader = r;
  }
  return status;
}

void tachy_reader_free(tachy_reader *reader) {
  if (!reader) return;
  tachy_logs_end(reader->walk);
  tachy_rows_free(&reader->rows);
  tachy_block_close(&reader->block);
  free(reader);
}

tachy_status tachy_reader_next(tachy_reader *reader, struct ArrowSchema *schema, struct ArrowArray *array, int *more,
                               tachy_read_error *error) {
  tachy_reader *const r = reader;
  if (r->at == r->rows.count && r->more) {
    r->at = 0;
    const tachy_status status = tachy_logs_next(r->walk, &r->rows, &r->more, error);
    if (status) return status;
  }
  uint64_t count = r->rows.count - r->at;
  if (count > r->most_rows) count = r->most_rows;
  tachy_arrow arrow = {0};
  const tachy_status status =
      tachy_arrow_rows(&arrow, r->kind, &r->block, &r->rows, r->at, &count, r->most_text, error);
  if (status) {
    tachy_arrow_free(&arrow);
    return status;
  }
  r->at += count;
  *more = r->more || r->at < r->rows.count;
  *schema = arrow.schema;
  *array = arrow.array;
  return TACHY_OK;
}
