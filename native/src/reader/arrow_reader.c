/* Many blocks -> record batches of bounded size, one after the other. */
#include <stdlib.h>
#include <string.h>

#include "arrow.h"
#include "error.h"

#define LOGS_DECODED (UINT64_C(1) << 17)  /* at a time: an argument takes 32 bytes, and a log has up to 8 */
#define TEXT_OF_BATCH (UINT64_C(1) << 24) /* of messages, and of properties */

struct tachy_reader {
  tachy_blocks blocks;
  uint64_t next; /* the block that is open, or comes next */
  tachy_read_options options;
  uint64_t most_rows;
  uint64_t most_text;
  tachy_batch batch;
  int open;
  tachy_block block;
  uint8_t *threads; /* of the block: whether they are wanted */
  tachy_rows rows;
  uint64_t at; /* the first of the decoded rows that is in no batch yet */
  int more;    /* logs: whether rows follow the decoded ones */
  tachy_log_walk *walk;
};

static int by_bytes(const void *a, const void *b) { return memcmp(a, b, 16); }

/* Which threads of the block have wanted streams, and how many. */
static tachy_status choose_threads(tachy_reader *r, tachy_row_filter *filter, uint32_t *wanted,
                                   tachy_read_error *error) {
  const tachy_block_header *const h = &r->block.header;
  *wanted = r->block.thread_count;
  if (!r->options.stream_ids) return TACHY_OK;
  free(r->threads);
  filter->threads = r->threads = calloc((size_t)r->block.thread_count + 1, 1);
  if (!r->threads) return tachy_read_no_memory(error);
  *wanted = 0;
  for (uint32_t t = 0; t < r->block.thread_count; t++) {
    uint8_t id[16];
    tachy_stream_id(h->process_id, h->cls, r->block.threads[t].number, id);
    r->threads[t] = bsearch(id, r->options.stream_ids, (size_t)r->options.stream_count, 16, by_bytes) != NULL;
    *wanted += r->threads[t];
  }
  return TACHY_OK;
}

static tachy_status decode(tachy_reader *r, const tachy_row_filter *filter, tachy_read_error *error) {
  switch (r->options.kind) {
    case TACHY_READ_LOGS:
    case TACHY_READ_IMAGES:
      return tachy_logs_start(&r->block, r->options.kind, filter, r->most_rows ? LOGS_DECODED : UINT64_MAX, &r->walk,
                              &r->rows, &r->more, error);
    case TACHY_READ_METRICS:
      return tachy_decode_metrics(&r->block, filter, &r->rows, error);
    case TACHY_READ_SPANS:
      return tachy_decode_spans(&r->block, filter, &r->rows, error);
    case TACHY_READ_SPAN_TIMES:
      return tachy_decode_span_times(&r->block, filter, &r->rows, error);
    case TACHY_READ_ASYNC:
      return tachy_decode_async(&r->block, filter, &r->rows, error);
    default:
      return tachy_decode_open_async(&r->block, filter, &r->rows, error);
  }
}

static void close_block(tachy_reader *r) {
  tachy_logs_end(r->walk);
  tachy_rows_free(&r->rows);
  tachy_block_close(&r->block);
  r->walk = NULL;
  r->at = 0;
  r->more = r->open = 0;
}

/* A block that lies in the range as a whole is not held to it, row by row; but it may owe time to spans of before. */
static tachy_status open_block(tachy_reader *r, tachy_read_error *error) {
  const tachy_blocks *const b = &r->blocks;
  tachy_status status = tachy_block_open(&r->block, b->heads[r->next], b->head_sizes[r->next], b->bodies[r->next],
                                         b->body_sizes[r->next], error);
  if (status) return status;
  r->open = 1;
  const tachy_block_header *const h = &r->block.header;
  tachy_row_filter filter = {r->options.begin_utc, r->options.end_utc, NULL,
                             r->options.open_end && r->options.open_end[r->next]};
  const int row_by_row = filter.open_end || r->options.kind == TACHY_READ_SPAN_TIMES;
  if (filter.begin_utc <= h->begin_utc && !row_by_row) filter.begin_utc = INT64_MIN;
  if (filter.end_utc >= h->end_utc && !row_by_row) filter.end_utc = INT64_MAX;
  uint32_t wanted = 0;
  status = choose_threads(r, &filter, &wanted, error);
  if (!status && r->batch.hashes) status = tachy_block_hash_sites(&r->block, error);
  return status || !wanted ? status : decode(r, &filter, error);
}

tachy_status tachy_reader_open(const tachy_blocks *blocks, const tachy_read_options *options, tachy_reader **reader,
                               tachy_read_error *error) {
  tachy_reader *const r = calloc(1, sizeof *r);
  if (!r) return tachy_read_no_memory(error);
  r->blocks = *blocks;
  r->options = *options;
  r->most_rows = options->rows ? options->rows : UINT64_MAX;
  r->most_text = options->rows ? TEXT_OF_BATCH : UINT64_MAX;
  const tachy_status status =
      tachy_batch_start(&r->batch, options->kind, options->column_count, options->columns, error);
  if (status) {
    tachy_reader_free(r);
  } else {
    *reader = r;
  }
  return status;
}

void tachy_reader_free(tachy_reader *reader) {
  if (!reader) return;
  close_block(reader);
  free(reader->threads);
  tachy_batch_free(&reader->batch);
  free(reader);
}

/* Adds rows of blocks until the batch is full, or there are no more. */
static tachy_status fill(tachy_reader *r, tachy_read_error *error) {
  while (r->next < r->blocks.count) {
    if (!r->blocks.bodies[r->next]) {
      r->next++;
      continue;
    }
    tachy_status status = r->open ? TACHY_OK : open_block(r, error);
    if (!status && r->at == r->rows.count && r->more) {
      r->at = 0;
      status = tachy_logs_next(r->walk, &r->rows, &r->more, error);
    }
    const uint64_t left = r->rows.count - r->at;
    tachy_rows_part part = {&r->block, &r->rows, r->at, left, (uint32_t)r->next};
    if (!status && left) status = tachy_batch_add(&r->batch, &part, r->most_rows, r->most_text, error);
    if (status) return status;
    r->at += part.count;
    if (part.count < left) return TACHY_OK;
    if (r->more) continue;
    close_block(r);
    r->next++;
    if (r->batch.count == r->most_rows) return TACHY_OK;
  }
  return TACHY_OK;
}

tachy_status tachy_reader_next(tachy_reader *reader, struct ArrowSchema *schema, struct ArrowArray *array,
                               uint64_t *block, int *more, tachy_read_error *error) {
  tachy_reader *const r = reader;
  tachy_status status = fill(r, error);
  if (status) {
    close_block(r);
    *block = r->next++;
    return status;
  }
  tachy_arrow arrow = {0};
  status = tachy_batch_take(&r->batch, &arrow, error);
  if (status) {
    tachy_arrow_free(&arrow);
    return status;
  }
  *more = r->next < r->blocks.count;
  *schema = arrow.schema;
  *array = arrow.array;
  return TACHY_OK;
}
