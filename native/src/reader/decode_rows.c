/* Main rows of logs and metrics: site, time, property set, gaps. */
#include "decode_rows.h"

#include <stdlib.h>

#include "error.h"

tachy_gap *tachy_row_gaps(const tachy_block *block) {
  return malloc((block->columns[TACHY_COLUMN_GAP_COUNT].count + 1) * sizeof(tachy_gap));
}

static void enter_thread(tachy_row_walk *w, uint32_t thread) {
  w->thread = thread;
  w->left = w->block->threads[thread].rows;
  w->ticks = w->block->threads[thread].base_ticks;
}

tachy_status tachy_row_start(tachy_row_walk *walk, const tachy_block *block, uint8_t cls,
                             const tachy_read_options *options, tachy_read_error *error) {
  static const tachy_read_options everything = {INT64_MIN, INT64_MAX, -1, 0};
  if (block->header.cls != cls) {
    return tachy_read_fail(error, "this is not a block of %s", cls == TACHY_CLASS_LOG ? "logs" : "metrics");
  }
  if (block->columns[TACHY_COLUMN_ROW_TIME].count != block->rows ||
      block->columns[TACHY_COLUMN_ROW_SET].count != block->rows) {
    return tachy_read_fail(error, "the columns of the rows differ in length");
  }
  *walk = (tachy_row_walk){.block = block,
                           .options = options ? *options : everything,
                           .site = tachy_uint_start(&block->columns[TACHY_COLUMN_ROW_SITE]),
                           .time = tachy_uint_start(&block->columns[TACHY_COLUMN_ROW_TIME]),
                           .set = tachy_uint_start(&block->columns[TACHY_COLUMN_ROW_SET]),
                           .gap_count = tachy_uint_start(&block->columns[TACHY_COLUMN_GAP_COUNT])};
  if (block->thread_count) enter_thread(walk, 0);
  return TACHY_OK;
}

static tachy_status finish(const tachy_row_walk *w, tachy_read_error *error) {
  if (tachy_uint_ok(&w->site) && tachy_uint_ok(&w->time) && tachy_uint_ok(&w->set) && tachy_uint_ok(&w->gap_count)) {
    return TACHY_OK;
  }
  return tachy_read_fail(error, "a column of the rows is malformed");
}

tachy_status tachy_row_next(tachy_row_walk *walk, tachy_gap *gaps, uint64_t *gap_count, uint64_t at, int *found,
                            tachy_read_error *error) {
  tachy_row_walk *const w = walk;
  const tachy_block *const block = w->block;
  *found = 0;
  for (;;) {
    while (w->left == 0) {
      if (w->thread + 1 >= block->thread_count) return finish(w, error);
      enter_thread(w, w->thread + 1);
    }
    w->left--;
    const int thread_wanted = w->options.thread < 0 || block->threads[w->thread].number == w->options.thread;
    const uint64_t site = tachy_uint_take(&w->site);
    const uint64_t delta = tachy_uint_take(&w->time);
    const uint64_t set = tachy_uint_take(&w->set);
    if (site == 0) {
      const uint64_t lost = tachy_uint_next(&w->gap_count);
      if (w->gap_count.bad) return tachy_read_fail(error, "a gap row has no count");
      if (thread_wanted) {
        const int64_t utc = tachy_ticks_to_utc(&block->clock, w->ticks);
        gaps[(*gap_count)++] = (tachy_gap){at, lost, w->thread, 0, utc};
      }
      continue;
    }
    if (site > block->site_count || set > block->set_count) {
      return tachy_read_fail(error, "a row names a site or a property set that is not there");
    }
    w->ticks += delta;
    w->utc = tachy_ticks_to_utc(&block->clock, w->ticks);
    w->row_site = (uint32_t)site - 1u;
    w->row_set = set ? (uint32_t)set - 1u : TACHY_NO_SET;
    w->wanted = thread_wanted && w->utc >= w->options.begin_utc && w->utc <= w->options.end_utc;
    *found = 1;
    return TACHY_OK;
  }
}
