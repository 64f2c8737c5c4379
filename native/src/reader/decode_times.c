/* Span times: what each span of a block took and kept for itself, in numbers that add up over any blocks.
 *
 * A span's record is in the block in which it ended, and those of what it encloses may be in blocks before. So a block
 * takes from a span only what it sees end inside it: a span that ended here has its duration less that, one that is
 * open at the block's end is owed that, as a time below 0. The sum over a span's blocks is its own time. */
#include <stdlib.h>

#include "decode.h"
#include "error.h"

typedef struct inside {              /* of one thread */
  int64_t depth;                     /* took[0 … depth] are known, none: -1 */
  int64_t took[TACHY_DEPTH_MAX + 1]; /* by spans of that depth whose parent has not come yet */
} inside;

/* Sums wrap, as add_duration's differences do: no clock counts so far. */
static int64_t plus(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }

/* What was inside a span of this depth. Where the record between was lost, its children's time is the next one's. */
static int64_t take_below(inside *in, int64_t depth) {
  int64_t sum = 0;
  for (; in->depth > depth; in->depth--) sum = plus(sum, in->took[in->depth]);
  return sum;
}

static void give(inside *in, int64_t depth, int64_t took) {
  while (in->depth < depth) in->took[++in->depth] = 0;
  in->took[depth] = plus(in->took[depth], took);
}

static void pass_gaps(const tachy_rows *rows, uint32_t t, uint64_t row, uint64_t *gap, inside *in) {
  for (; *gap < rows->gap_count && rows->gaps[*gap].thread == t && rows->gaps[*gap].row <= row; ++*gap) {
    give(in, rows->gaps[*gap].depth, take_below(in, rows->gaps[*gap].depth));
  }
}

static void add_up(tachy_rows *rows, uint32_t t, uint64_t *gap, uint64_t *open_row, inside *in) {
  in->depth = -1;
  for (uint64_t i = rows->thread_first[t]; i < rows->thread_first[t + 1]; i++) {
    pass_gaps(rows, t, i, gap, in);
    const int64_t took = (int64_t)((uint64_t)rows->end_utc[i] - (uint64_t)rows->utc[i]);
    const int64_t below = take_below(in, rows->depth[i]);
    rows->self[i] = (int64_t)((uint64_t)took - (uint64_t)below);
    give(in, rows->depth[i], took);
  }
  pass_gaps(rows, t, rows->thread_first[t + 1], gap, in);
  const uint64_t open = rows->open_end_first[t + 1] - rows->open_end_first[t];
  for (uint64_t k = open; k-- > 0;) {
    rows->self[*open_row + k] = (int64_t)(0 - (uint64_t)take_below(in, (int64_t)k));
  }
  *open_row += open;
}

/* Keeps what began in the range, but for open spans that are owed nothing. */
static void keep(tachy_rows *rows, const tachy_row_filter *filter) {
  uint64_t kept = 0, closed = 0;
  for (uint64_t i = 0; i < rows->count; i++) {
    if (rows->utc[i] < filter->begin_utc || rows->utc[i] > filter->end_utc) continue;
    if (i >= rows->closed && !rows->self[i]) continue;
    closed += i < rows->closed;
    rows->thread[kept] = rows->thread[i];
    rows->site[kept] = rows->site[i];
    rows->utc[kept] = rows->utc[i];
    rows->end_utc[kept] = rows->end_utc[i];
    rows->self[kept] = rows->self[i];
    kept++;
  }
  rows->count = kept;
  rows->closed = closed;
}

tachy_status tachy_decode_span_times(const tachy_block *block, const tachy_row_filter *filter, tachy_rows *rows,
                                     tachy_read_error *error) {
  const tachy_row_filter all = {INT64_MIN, INT64_MAX, filter->threads, 1};
  const tachy_status status = tachy_decode_spans(block, &all, rows, error);
  if (status) return status;
  rows->self = malloc((rows->count + 1) * sizeof *rows->self);
  inside *const in = malloc(sizeof *in);
  if (!rows->self || !in) {
    free(in);
    return tachy_read_no_memory(error);
  }
  uint64_t gap = 0, open_row = rows->closed;
  for (uint32_t t = 0; t < block->thread_count; t++) {
    if (tachy_thread_wanted(filter, t)) add_up(rows, t, &gap, &open_row, in);
  }
  free(in);
  keep(rows, filter);
  return TACHY_OK;
}
