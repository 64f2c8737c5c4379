/* Memory of rows, and the main rows of logs and metrics: what both have in each row. */
#ifndef TACHY_READER_DECODE_ROWS_H
#define TACHY_READER_DECODE_ROWS_H

#include "cursor.h"

/* Room for `count` rows in the columns of the kind, none of them filled. After a failure, too, they are to be freed. */
tachy_status tachy_rows_allocate(tachy_rows *rows, tachy_read_kind kind, const tachy_block *block, uint64_t count,
                                 tachy_read_error *error);

/* OPEN_START_* or OPEN_END_*, four columns from `id` on, which is that of the sites. out: as many rows as the column
 * has; first: thread_count + 1 of them, rows of thread t are out[first[t]] … out[first[t + 1] - 1]. */
tachy_status tachy_decode_open(const tachy_block *block, uint32_t id, tachy_open_row *out, uint64_t *first,
                               tachy_read_error *error);

typedef struct tachy_row_walk {
  const tachy_block *block;
  tachy_row_filter filter;
  tachy_uint_cursor main[3]; /* ROW_SITE, ROW_TIME, ROW_SET */
  tachy_uint_cursor gap_count;
  uint32_t thread;       /* index */
  uint64_t left;         /* rows of this thread */
  uint64_t ticks;        /* of the row before, or base_ticks */
  tachy_clock_line line; /* that dated the row which tachy_row_next found; and so on: */
  int64_t utc;
  uint32_t site;
  uint32_t set;
  int wanted; /* whether the filter leaves it */
} tachy_row_walk;

/* Checks class and columns. */
tachy_status tachy_row_start(tachy_row_walk *walk, const tachy_block *block, uint8_t cls,
                             const tachy_row_filter *filter, tachy_read_error *error);

/* The next row that is not a gap; gaps on the way are added to `rows` (NULL: to none). *found is 0 at the end, when
 * everything has also been checked to be used up. */
tachy_status tachy_row_next(tachy_row_walk *walk, tachy_rows *rows, int *found, tachy_read_error *error);

/* Adds the row that was found; returns its index. */
static inline uint64_t tachy_row_keep(const tachy_row_walk *walk, tachy_rows *rows) {
  const uint64_t i = rows->count++;
  rows->thread[i] = walk->thread;
  rows->site[i] = walk->site;
  rows->set[i] = walk->set;
  rows->utc[i] = walk->utc;
  return i;
}

#endif
