/* Async rows: begins and ends of spans that may cross threads; and those that are open at the block's start. */
#include <stdlib.h>

#include "decode_rows.h"
#include "error.h"

enum { COLUMNS = 6 }; /* both have so many */

static uint64_t parent_of(uint64_t id, uint64_t coded) { return coded ? id - (uint64_t)tachy_unzigzag(coded - 1) : 0; }

typedef struct span_end {
  uint64_t id;
  uint64_t owner;
} span_end;

static int by_id(const void *a, const void *b) {
  const uint64_t x = ((const span_end *)a)->id, y = ((const span_end *)b)->id;
  return x < y ? -1 : x > y;
}

/* A begin has the values of its end where that is in the block. */
static void join_begins(tachy_rows *rows, span_end *ends, uint64_t end_count) {
  if (end_count) qsort(ends, (size_t)end_count, sizeof *ends, by_id);
  for (uint64_t i = 0; i < rows->count; i++) {
    const span_end wanted = {rows->id[i], 0};
    const span_end *const found =
        rows->kind[i] || !end_count ? NULL : bsearch(&wanted, ends, (size_t)end_count, sizeof *ends, by_id);
    if (found) rows->owner[i] = found->owner;
  }
}

/* `ends`: room for those of all rows, or NULL where there are no values. */
static tachy_status decode(const tachy_block *block, const tachy_row_filter *filter, tachy_rows *rows, span_end *ends,
                           tachy_read_error *error) {
  tachy_uint_cursor columns[COLUMNS];
  const tachy_status status =
      tachy_uints_start(columns, block, TACHY_COLUMN_ASYNC_KIND, COLUMNS, block->async_rows, "async row", error);
  if (status) return status;
  tachy_clock_line line = block->clock.lines[0];
  uint64_t last_id = 0;
  uint64_t row = 0;
  uint64_t end_count = 0;
  for (uint32_t t = 0; t < block->thread_count; t++) {
    const tachy_block_thread *thread = &block->threads[t];
    const int wanted = tachy_thread_wanted(filter, t);
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
      const int64_t utc = tachy_clock_follow(&block->clock, &line, ticks);
      if (!wanted || utc < filter->begin_utc || utc > filter->end_utc) continue;
      const uint64_t i = rows->count++;
      rows->thread[i] = t;
      rows->site[i] = (uint32_t)site;
      rows->depth[i] = (uint32_t)depth;
      rows->kind[i] = (uint8_t)kind;
      rows->utc[i] = utc;
      rows->id[i] = id;
      rows->parent[i] = parent_of(id, parent);
      if (rows->owner) rows->owner[i] = owner;
    }
  }
  if (ends) join_begins(rows, ends, end_count);
  return tachy_uints_end(columns, COLUMNS, "async row", error);
}

tachy_status tachy_decode_async(const tachy_block *block, const tachy_row_filter *filter, tachy_rows *rows,
                                tachy_read_error *error) {
  if (block->header.cls != TACHY_CLASS_SPAN) return tachy_read_fail(error, "this is not a block of spans");
  tachy_status status = tachy_rows_allocate(rows, TACHY_READ_ASYNC, block, block->async_rows, error);
  span_end *const ends = rows->owner ? malloc(((size_t)block->async_rows + 1) * sizeof *ends) : NULL;
  if (!status && rows->owner && !ends) status = tachy_read_no_memory(error);
  if (!status) status = decode(block, filter, rows, ends, error);
  free(ends);
  return status;
}

tachy_status tachy_decode_open_async(const tachy_block *block, const tachy_row_filter *filter, tachy_rows *rows,
                                     tachy_read_error *error) {
  (void)filter;
  if (block->header.cls != TACHY_CLASS_SPAN) return tachy_read_fail(error, "this is not a block of spans");
  static const char what[] = "open async span";
  const uint64_t count = block->columns[TACHY_COLUMN_OPEN_ASYNC_ID].count;
  tachy_uint_cursor columns[COLUMNS];
  tachy_status status = tachy_uints_start(columns, block, TACHY_COLUMN_OPEN_ASYNC_ID, COLUMNS, count, what, error);
  if (!status) status = tachy_rows_allocate(rows, TACHY_READ_OPEN_ASYNC, block, count, error);
  if (status) return status;
  uint64_t id = 0;
  uint64_t utc = (uint64_t)block->header.utc0;
  for (uint64_t i = 0; i < count; i++) {
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
    rows->utc[i] = (int64_t)utc;
    rows->id[i] = id;
    rows->parent[i] = parent_of(id, parent);
    if (rows->owner) rows->owner[i] = tachy_owner_of_open_async(block, i);
  }
  rows->count = count;
  return tachy_uints_end(columns, COLUMNS, what, error);
}
