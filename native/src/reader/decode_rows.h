/* The main rows of logs and metrics: what both have in each row. */
#ifndef TACHY_READER_DECODE_ROWS_H
#define TACHY_READER_DECODE_ROWS_H

#include "cursor.h"

typedef struct tachy_row_walk {
  const tachy_block *block;
  tachy_read_options options;
  tachy_uint_cursor site;
  tachy_uint_cursor time;
  tachy_uint_cursor set;
  tachy_uint_cursor gap_count;
  uint32_t thread;   /* index */
  uint64_t left;     /* rows of this thread */
  uint64_t ticks;    /* of the row before, or base_ticks */
  int64_t utc;       /* of the row that tachy_row_next found, and so on: */
  uint32_t row_site; /* index into the sites */
  uint32_t row_set;  /* or TACHY_NO_SET */
  int wanted;        /* whether the options ask for it */
} tachy_row_walk;

/* Checks class and columns. */
tachy_status tachy_row_start(tachy_row_walk *walk, const tachy_block *block, uint8_t cls,
                             const tachy_read_options *options, tachy_read_error *error);

/* The next row that is not a gap; gaps on the way are appended to `gaps`, as standing before row `at`. *found is 0 at
 * the end, when everything has also been checked to be used up. */
tachy_status tachy_row_next(tachy_row_walk *walk, tachy_gap *gaps, uint64_t *gap_count, uint64_t at, int *found,
                            tachy_read_error *error);

/* Memory for the gaps. */
tachy_gap *tachy_row_gaps(const tachy_block *block);

#endif
