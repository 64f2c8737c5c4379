/* The main rows of logs and metrics: times, sites and property sets, and arguments or values. */
#include "merge.h"

enum { SITE, TIME, SET, COLUMNS };

typedef struct thread_rows { /* as far as they have been written */
  uint64_t ticks;            /* of the row before, or base_ticks */
  uint64_t total;            /* events of the stream, recorded or lost */
} thread_rows;

void merge_rows_start(merge *m, uint64_t at) {
  merge_source *const source = &m->sources[at];
  const tachy_block *const block = &source->block;
  tachy_read_error ignored;
  if (tachy_uints_start(source->main, block, TACHY_COLUMN_ROW_SITE, COLUMNS, block->rows, "row", &ignored)) {
    merge_refuse(m, at);
  }
  source->gaps = tachy_uint_start(&block->columns[TACHY_COLUMN_GAP_COUNT]);
  source->types = tachy_uint_start(&block->columns[TACHY_COLUMN_LOG_TYPES]);
  source->args = tachy_typed_start(block, TACHY_COLUMN_LOG_INT);
  if (block->header.cls == TACHY_CLASS_METRIC) merge_metrics_start(m, source);
}

void merge_rows_end(merge *m, uint64_t at) {
  const merge_source *const source = &m->sources[at];
  tachy_read_error ignored;
  int ok = tachy_uints_end(source->main, COLUMNS, "row", &ignored) == TACHY_OK && tachy_uint_ok(&source->gaps);
  if (source->block.header.cls == TACHY_CLASS_LOG) {
    ok = ok && tachy_uint_ok(&source->types) && tachy_typed_ok(&source->args);
  } else {
    ok = ok && tachy_metric_ok(&source->metrics);
  }
  if (!ok) merge_refuse(m, at);
}

/* The arguments of a log. 0: they are malformed. */
static int put_args(merge *m, merge_source *source) {
  const uint64_t types = tachy_uint_next(&source->types);
  if (source->types.bad || types > UINT32_MAX) return 0;
  merge_put(m, &m->types, types);
  for (uint32_t rest = (uint32_t)types; rest; rest >>= 4) {
    tachy_value value = {.type = rest & 15u};
    if (value.type < TACHY_ARG_I64 || value.type > TACHY_ARG_POINTER || !tachy_typed_take(&source->args, &value)) {
      return 0;
    }
    merge_typed_put(m, &m->typed, &value);
  }
  return 1;
}

/* A thread's rows of one source. 0: something is malformed, or cannot be said. */
static int put_rows(merge *m, merge_source *source, const tachy_block_thread *thread, thread_rows *to) {
  const tachy_block *const block = &source->block;
  const int is_log = block->header.cls == TACHY_CLASS_LOG;
  uint64_t ticks = thread->base_ticks;
  for (uint64_t left = thread->rows; left > 0; left--) {
    const uint64_t site = tachy_uint_take(&source->main[SITE]);
    const uint64_t delta = tachy_uint_take(&source->main[TIME]);
    const uint64_t set = tachy_uint_take(&source->main[SET]);
    if (site == 0) {
      const uint64_t lost = tachy_uint_next(&source->gaps);
      if (source->gaps.bad) return 0;
      for (int k = 0; k < COLUMNS; k++) merge_put(m, &m->main[k], 0);
      merge_put(m, &m->gaps, lost);
      to->total += lost;
      continue;
    }
    ticks += delta;
    if (site > block->site_count || set > block->set_count || !merge_dates_alike(m, source, ticks)) return 0;
    merge_put(m, &m->main[SITE], source->sites[site - 1] + UINT64_C(1));
    merge_put(m, &m->main[TIME], ticks - to->ticks);
    merge_put(m, &m->main[SET], source->sets[set]);
    if (!(is_log ? put_args(m, source) : merge_metrics_put(m, source, (uint32_t)site - 1))) return 0;
    to->ticks = ticks;
    to->total++;
  }
  return 1;
}

void merge_rows(merge *m, merge_run run, const tachy_block_thread *into) {
  thread_rows to = {into->base_ticks, into->first};
  for (uint64_t i = 0; i < run.count && run.entries[i].source < m->good; i++) {
    merge_source *const source = &m->sources[run.entries[i].source];
    const tachy_block_thread *const thread = &source->block.threads[run.entries[i].thread];
    if (thread->first != to.total || !put_rows(m, source, thread, &to)) merge_refuse(m, run.entries[i].source);
  }
}

void merge_rows_columns(merge *m, tachy_columns *c) {
  tachy_columns_add(c, TACHY_COLUMN_GAP_COUNT, &m->gaps, 1);
  tachy_columns_add(c, TACHY_COLUMN_ROW_SITE, m->main, COLUMNS);
  if (m->sources[0].block.header.cls == TACHY_CLASS_LOG) {
    tachy_columns_add(c, TACHY_COLUMN_LOG_TYPES, &m->types, 1);
    merge_typed_columns(c, TACHY_COLUMN_LOG_INT, &m->typed);
  } else {
    merge_metrics_columns(m, c);
  }
}
