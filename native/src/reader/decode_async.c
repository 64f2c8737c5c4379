/* Async rows: begins and ends of spans that may cross threads; and those that are open at the block's start. */
#include <stdlib.h>
#include <string.h>

#include "cursor.h"
#include "error.h"

#define COLUMNS (TACHY_COLUMN_ASYNC_DEPTH - TACHY_COLUMN_ASYNC_KIND + 1)

static tachy_status allocate(const tachy_block *block, tachy_async_rows *rows, tachy_read_error *error) {
  const size_t n = (size_t)block->async_rows + 1;
  rows->thread = malloc(n * sizeof *rows->thread);
  rows->site = malloc(n * sizeof *rows->site);
  rows->depth = malloc(n * sizeof *rows->depth);
  rows->kind = malloc(n * sizeof *rows->kind);
  rows->utc = malloc(n * sizeof *rows->utc);
  rows->id = malloc(n * sizeof *rows->id);
  rows->parent = malloc(n * sizeof *rows->parent);
  const int valued = block->columns[TACHY_COLUMN_SPAN_VALUE_OWNER].count > 0;
  if (valued) rows->owner = malloc(n * sizeof *rows->owner);
  if (!rows->thread || !rows->site || !rows->depth || !rows->kind || !rows->utc || !rows->id || !rows->parent ||
      (valued && !rows->owner)) {
    return tachy_read_no_memory(error);
  }
  return TACHY_OK;
}

typedef struct span_end {
  uint64_t id;
  uint64_t owner;
} span_end;

static int by_id(const void *a, const void *b) {
  const uint64_t x = ((const span_end *)a)->id, y = ((const span_end *)b)->id;
  return x < y ? -1 : x > y;
}

/* A begin has the values of its end where that is in the block. */
static void join_begins(tachy_async_rows *rows, span_end *ends, uint64_t end_count) {
  if (end_count) qsort(ends, (size_t)end_count, sizeof *ends, by_id);
  for (uint64_t i = 0; i < rows->count; i++) {
    const span_end wanted = {rows->id[i], 0};
    const span_end *const found =
        rows->kind[i] || !end_count ? NULL : bsearch(&wanted, ends, (size_t)end_count, sizeof *ends, by_id);
    if (found) rows->owner[i] = found->owner;
  }
}

static tachy_status decode(const tachy_block *block, const tachy_read_options *options, tachy_async_rows *rows,
                           span_end *ends, tachy_read_error *error) {
  tachy_uint_cursor columns[COLUMNS];
  for (uint32_t i = 0; i < COLUMNS; i++) {
    const tachy_raw_column *column = &block->columns[TACHY_COLUMN_ASYNC_KIND + i];
    if (column->count != block->async_rows) {
      return tachy_read_fail(error, "the columns of the async rows differ in length");
    }
    columns[i] = tachy_uint_start(column);
  }
  uint64_t last_id = 0;
  uint64_t row = 0;
  uint64_t end_count = 0;
  for (uint32_t t = 0; t < block->thread_count; t++) {
    const tachy_block_thread *thread = &block->threads[t];
    const int wanted = options->thread < 0 || thread->number == options->thread;
    uint64_t ticks = thread->base_ticks;
    for (uint64_t left = thread->async_rows; left > 0; left--) {
      const uint64_t kind = tachy_uint_take(&columns[0]);
      ticks += (uint64_t)tachy_unzigzag(tachy_uint_take(&columns[1]));
      const uint64_t site = tachy_uint_take(&columns[2]);
      const uint64_t id = last_id + (uint64_t)tachy_unzigzag(tachy_uint_take(&columns[3]));
      const uint64_t parent = tachy_uint_take(&columns[4]);
      const uint64_t depth = tachy_uint_take(&columns[5]);
      last_id = id;
      if (kind > 1 || site >= block->site_count || depth > UINT32_MAX) {
        return tachy_read_fail(error, "an async row of thread %u is malformed", thread->number);
      }
      const uint64_t owner = tachy_owner_of_async(block, row++);
      if (ends && kind == 1) ends[end_count++] = (span_end){id, owner};
      const int64_t utc = tachy_ticks_to_utc(&block->clock, ticks);
      if (!wanted || utc < options->begin_utc || utc > options->end_utc) continue;
      const uint64_t i = rows->count++;
      rows->thread[i] = t;
      rows->site[i] = (uint32_t)site;
      rows->depth[i] = (uint32_t)depth;
      rows->kind[i] = (uint8_t)kind;
      rows->utc[i] = utc;
      rows->id[i] = id;
      rows->parent[i] = parent ? id - (uint64_t)tachy_unzigzag(parent - 1) : 0;
      if (rows->owner) rows->owner[i] = owner;
    }
  }
  if (ends) join_begins(rows, ends, end_count);
  for (uint32_t i = 0; i < COLUMNS; i++) {
    if (!tachy_uint_ok(&columns[i])) return tachy_read_fail(error, "a column of the async rows is malformed");
  }
  return TACHY_OK;
}

tachy_status tachy_decode_async(const tachy_block *block, const tachy_read_options *options, tachy_async_rows *rows,
                                tachy_read_error *error) {
  static const tachy_read_options everything = {INT64_MIN, INT64_MAX, -1, 0};
  memset(rows, 0, sizeof *rows);
  if (block->header.cls != TACHY_CLASS_SPAN) return tachy_read_fail(error, "this is not a block of spans");
  tachy_status status = allocate(block, rows, error);
  span_end *const ends = rows->owner ? malloc(((size_t)block->async_rows + 1) * sizeof *ends) : NULL;
  if (!status && rows->owner && !ends) status = tachy_read_no_memory(error);
  if (!status) status = decode(block, options ? options : &everything, rows, ends, error);
  free(ends);
  if (status) tachy_async_rows_free(rows);
  return status;
}

void tachy_async_rows_free(tachy_async_rows *rows) {
  free(rows->thread);
  free(rows->site);
  free(rows->depth);
  free(rows->kind);
  free(rows->utc);
  free(rows->id);
  free(rows->parent);
  free(rows->owner);
  memset(rows, 0, sizeof *rows);
}

/* Open at the start ------------------------------------------------------------------------------------------------ */

#define OPEN_COLUMNS (TACHY_COLUMN_OPEN_ASYNC_THREAD - TACHY_COLUMN_OPEN_ASYNC_ID + 1)

static tachy_status decode_open(const tachy_block *block, tachy_open_async_rows *rows, tachy_read_error *error) {
  tachy_uint_cursor columns[OPEN_COLUMNS];
  for (uint32_t i = 0; i < OPEN_COLUMNS; i++)
    columns[i] = tachy_uint_start(block->columns + TACHY_COLUMN_OPEN_ASYNC_ID + i);
  uint64_t id = 0;
  uint64_t utc = (uint64_t)block->header.utc0;
  for (uint64_t i = 0; i < rows->count; i++) {
    const uint64_t step = (uint64_t)tachy_unzigzag(tachy_uint_take(&columns[0]));
    const uint64_t parent = tachy_uint_take(&columns[1]);
    const uint64_t site = tachy_uint_take(&columns[2]);
    utc += (uint64_t)tachy_unzigzag(tachy_uint_take(&columns[3]));
    const uint64_t depth = tachy_uint_take(&columns[4]);
    const uint64_t thread = tachy_uint_take(&columns[5]);
    if (id + step <= id && i) return tachy_read_fail(error, "the open async spans are not in the order of their ids");
    id += step;
    if (site >= block->site_count || depth > UINT32_MAX || thread > UINT32_MAX) {
      return tachy_read_fail(error, "an open async span is malformed");
    }
    rows->thread[i] = (uint32_t)thread;
    rows->site[i] = (uint32_t)site;
    rows->depth[i] = (uint32_t)depth;
    rows->begin_utc[i] = (int64_t)utc;
    rows->id[i] = id;
    rows->parent[i] = parent ? id - (uint64_t)tachy_unzigzag(parent - 1) : 0;
  }
  for (uint32_t i = 0; i < OPEN_COLUMNS; i++) {
    if (!tachy_uint_ok(&columns[i])) return tachy_read_fail(error, "a column of the open async spans is malformed");
  }
  return TACHY_OK;
}

tachy_status tachy_decode_open_async(const tachy_block *block, tachy_open_async_rows *rows, tachy_read_error *error) {
  memset(rows, 0, sizeof *rows);
  if (block->header.cls != TACHY_CLASS_SPAN) return tachy_read_fail(error, "this is not a block of spans");
  rows->count = block->columns[TACHY_COLUMN_OPEN_ASYNC_ID].count;
  for (uint32_t i = 0; i < OPEN_COLUMNS; i++) {
    if (block->columns[TACHY_COLUMN_OPEN_ASYNC_ID + i].count != rows->count) {
      return tachy_read_fail(error, "the columns of the open async spans differ in length");
    }
  }
  const size_t n = (size_t)rows->count + 1;
  rows->thread = malloc(n * sizeof *rows->thread);
  rows->site = malloc(n * sizeof *rows->site);
  rows->depth = malloc(n * sizeof *rows->depth);
  rows->begin_utc = malloc(n * sizeof *rows->begin_utc);
  rows->id = malloc(n * sizeof *rows->id);
  rows->parent = malloc(n * sizeof *rows->parent);
  const int complete = rows->thread && rows->site && rows->depth && rows->begin_utc && rows->id && rows->parent;
  const tachy_status status = complete ? decode_open(block, rows, error) : tachy_read_no_memory(error);
  if (status) tachy_open_async_rows_free(rows);
  return status;
}

void tachy_open_async_rows_free(tachy_open_async_rows *rows) {
  free(rows->thread);
  free(rows->site);
  free(rows->depth);
  free(rows->begin_utc);
  free(rows->id);
  free(rows->parent);
  memset(rows, 0, sizeof *rows);
}
