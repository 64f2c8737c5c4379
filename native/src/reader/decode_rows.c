/* Rows: which columns each kind has, and their memory; what logs and metrics have in each row. */
#include "decode_rows.h"

#include <stdlib.h>

#include "error.h"

const tachy_row_filter tachy_read_everything = {INT64_MIN, INT64_MAX, NULL, 0};

enum { LOGS = 1 << TACHY_READ_LOGS, METRICS = 1 << TACHY_READ_METRICS, SPANS = 1 << TACHY_READ_SPANS };
enum { ASYNC = 1 << TACHY_READ_ASYNC, OPEN_ASYNC = 1 << TACHY_READ_OPEN_ASYNC };
enum { ALL_SPANS = SPANS | ASYNC | OPEN_ASYNC, ALL = LOGS | METRICS | ALL_SPANS };
enum { PER_ROW, PER_ARGUMENT, PER_GAP, PER_THREAD, PER_OPEN_START, PER_OPEN_END, PER_COUNT };

#define COLUMN(field, per, kinds) \
  { offsetof(tachy_rows, field), sizeof *((tachy_rows *)0)->field, per, kinds }

static const struct {
  size_t offset;
  size_t size; /* of an element */
  int per;
  int kinds;
} columns[] = {
    COLUMN(thread, PER_ROW, ALL),
    COLUMN(site, PER_ROW, ALL),
    COLUMN(set, PER_ROW, LOGS | METRICS),
    COLUMN(depth, PER_ROW, ALL_SPANS),
    COLUMN(kind, PER_ROW, ASYNC),
    COLUMN(utc, PER_ROW, ALL),
    COLUMN(end_utc, PER_ROW, SPANS),
    COLUMN(id, PER_ROW, ALL_SPANS),
    COLUMN(parent, PER_ROW, ALL_SPANS),
    COLUMN(bits, PER_ROW, METRICS),
    COLUMN(owner, PER_ROW, ALL_SPANS),
    COLUMN(arg_first, PER_ROW, LOGS),
    COLUMN(args, PER_ARGUMENT, LOGS),
    COLUMN(gaps, PER_GAP, LOGS | METRICS | SPANS),
    COLUMN(thread_first, PER_THREAD, SPANS),
    COLUMN(open_start, PER_OPEN_START, SPANS),
    COLUMN(open_end, PER_OPEN_END, SPANS),
    COLUMN(open_start_first, PER_THREAD, SPANS),
    COLUMN(open_end_first, PER_THREAD, SPANS),
    COLUMN(self, PER_ROW, 0), /* made by tachy_decode_span_times */
};
enum { COLUMNS = sizeof columns / sizeof *columns };

tachy_status tachy_rows_allocate(tachy_rows *rows, tachy_read_kind kind, const tachy_block *block, uint64_t count,
                                 tachy_read_error *error) {
  const tachy_raw_column *const raw = block->columns;
  const uint64_t arguments =
      raw[TACHY_COLUMN_LOG_INT].count + raw[TACHY_COLUMN_LOG_F64].count + raw[TACHY_COLUMN_LOG_TEXT_SIZE].count;
  const uint64_t most = count * TACHY_LOG_ARGS_MAX;
  const uint64_t counts[PER_COUNT] = {[PER_ROW] = count,
                                      [PER_ARGUMENT] = arguments < most ? arguments : most,
                                      [PER_GAP] = raw[TACHY_COLUMN_GAP_COUNT].count,
                                      [PER_THREAD] = block->thread_count,
                                      [PER_OPEN_START] = raw[TACHY_COLUMN_OPEN_START_SITE].count,
                                      [PER_OPEN_END] = raw[TACHY_COLUMN_OPEN_END_SITE].count};
  memset(rows, 0, sizeof *rows);
  for (int i = 0; i < COLUMNS; i++) {
    if (!(columns[i].kinds & 1 << kind)) continue;
    if (columns[i].offset == offsetof(tachy_rows, owner) && !block->value_count) continue;
    void *const memory = malloc((counts[columns[i].per] + 1) * columns[i].size);
    if (!memory) return tachy_read_no_memory(error);
    memcpy((char *)rows + columns[i].offset, &memory, sizeof memory);
  }
  return TACHY_OK;
}

void tachy_rows_free(tachy_rows *rows) {
  for (int i = 0; i < COLUMNS; i++) {
    void *memory;
    memcpy(&memory, (const char *)rows + columns[i].offset, sizeof memory);
    free(memory);
  }
  memset(rows, 0, sizeof *rows);
}

static void enter_thread(tachy_row_walk *w, uint32_t thread) {
  w->thread = thread;
  w->left = w->block->threads[thread].rows;
  w->ticks = w->block->threads[thread].base_ticks;
}

tachy_status tachy_row_start(tachy_row_walk *walk, const tachy_block *block, uint8_t cls,
                             const tachy_row_filter *filter, tachy_read_error *error) {
  if (block->header.cls != cls) {
    return tachy_read_fail(error, "this is not a block of %s", cls == TACHY_CLASS_LOG ? "logs" : "metrics");
  }
  *walk = (tachy_row_walk){.block = block,
                           .filter = *filter,
                           .gap_count = tachy_uint_start(&block->columns[TACHY_COLUMN_GAP_COUNT]),
                           .line = block->clock.lines[0]};
  if (block->thread_count) enter_thread(walk, 0);
  return tachy_uints_start(walk->main, block, TACHY_COLUMN_ROW_SITE, 3, block->rows, "row", error);
}

tachy_status tachy_row_next(tachy_row_walk *walk, tachy_rows *rows, int *found, tachy_read_error *error) {
  tachy_row_walk *const w = walk;
  const tachy_block *const block = w->block;
  *found = 0;
  for (;;) {
    while (w->left == 0) {
      if (w->thread + 1 >= block->thread_count) {
        if (!tachy_uint_ok(&w->gap_count)) return tachy_read_fail(error, "there are more gap counts than gap rows");
        return tachy_uints_end(w->main, 3, "row", error);
      }
      enter_thread(w, w->thread + 1);
    }
    w->left--;
    const int thread_wanted = tachy_thread_wanted(&w->filter, w->thread);
    const uint64_t site = tachy_uint_take(&w->main[0]);
    const uint64_t delta = tachy_uint_take(&w->main[1]);
    const uint64_t set = tachy_uint_take(&w->main[2]);
    if (site == 0) {
      const uint64_t lost = tachy_uint_next(&w->gap_count);
      if (w->gap_count.bad) return tachy_read_fail(error, "a gap row has no count");
      if (thread_wanted && rows) {
        const int64_t utc = tachy_clock_follow(&block->clock, &w->line, w->ticks);
        rows->gaps[rows->gap_count++] = (tachy_gap){rows->count, lost, w->thread, 0, utc};
      }
      continue;
    }
    if (site > block->site_count || set > block->set_count) {
      return tachy_read_fail(error, "a row names a site or a property set that is not there");
    }
    w->ticks += delta;
    w->utc = tachy_clock_follow(&block->clock, &w->line, w->ticks);
    w->site = (uint32_t)site - 1u;
    w->set = set ? (uint32_t)set - 1u : block->set_count;
    w->wanted = thread_wanted && w->utc >= w->filter.begin_utc && w->utc <= w->filter.end_utc;
    *found = 1;
    return TACHY_OK;
  }
}
