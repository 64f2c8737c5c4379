/* Many blocks of one process and class -> one: what the files of this room share.
 *
 * Rows go over one by one, thread after thread, out of all blocks at once; what refers to something by its index in a
 * block (sites, property sets, owners of values) is numbered anew, what counts from the row before counts from the row
 * that is before it now. Whatever a block says that the merged one could not say is a reason to end before that block:
 * tachy_merge then merges the ones before it. So a row out of a merged block is what it was out of its own.
 */
#ifndef TACHY_SRC_MERGE_MERGE_H
#define TACHY_SRC_MERGE_MERGE_H

#include "../base/columns.h"
#include "../reader/arrow.h"
#include "../reader/cursor.h"
#include "../reader/error.h"
#include "../reader/lists.h"
#include "../reader/metric_values.h"

typedef struct merge_async { /* an async row */
  uint64_t ticks;
  uint64_t id;
  uint64_t parent;
  uint32_t site; /* index into the united sites */
  uint32_t depth;
  uint32_t is_end;
} merge_async;

typedef struct merge_source { /* one of the blocks, and how far it has been read */
  tachy_block block;
  uint32_t *sites;           /* where the block's sites are among the united ones */
  uint32_t *sets;            /* what ROW_SET says for what it said in the block, 0 for none */
  uint64_t late;             /* ticks from which on the merged clock dates differently */
  uint64_t old;              /* ticks before which it may */
  tachy_uint_cursor main[4]; /* ROW_SITE; and ROW_TIME, ROW_SET or SPAN_DEPTH, SPAN_LEAD, SPAN_TAIL */
  tachy_uint_cursor gaps;
  uint64_t row;   /* of the block's main rows, the next one */
  uint64_t value; /* of the block's values */
  /* logs */
  tachy_uint_cursor types;
  tachy_typed_cursor args;
  /* metrics */
  tachy_metric_cursor metrics;
  /* spans */
  tachy_open_row *open_start;
  tachy_open_row *open_end;
  uint64_t *open_start_first;
  uint64_t *open_end_first;
  merge_async *asyncs;
  uint64_t *async_first; /* thread_count + 1 */
  tachy_rows open_async;
} merge_source;

typedef struct merge_entry { /* a thread in one of the blocks */
  uint32_t number;
  uint32_t source;
  uint32_t thread; /* index into the block's threads */
} merge_entry;

typedef struct merge_run { /* a thread in all of them, in their order */
  const merge_entry *entries;
  uint64_t count;
} merge_run;

typedef struct merge_tables {
  tachy_dictionary strings;
  tachy_dictionary sites; /* of the numbers of a site in the order of its columns */
  tachy_dictionary sets;  /* of pairs of indices into the strings */
} merge_tables;

typedef struct merge_values { /* on spans, on their way into the columns */
  tachy_plane heads[3];       /* owners, sites, types */
  uint64_t owner;             /* of the value before */
} merge_values;

typedef struct merge_typed { /* values of several types: arguments of logs, values on spans */
  tachy_plane integers;
  tachy_bytes floats;
  tachy_plane sizes;
  tachy_bytes text;
} merge_typed;

typedef struct merge_metric { /* a site of metrics */
  uint64_t last;              /* the integer before */
  uint8_t digits;             /* of float sites: behind the point */
  uint8_t failed;             /* and how little hope there is for the next one */
} merge_metric;

typedef struct merge {
  merge_source *sources;
  uint64_t opened; /* of sources */
  uint64_t room;   /* for sources */
  uint64_t count;  /* of sources that are being merged */
  uint64_t good;   /* so many of them can be, as far as has been seen */
  int failed;      /* memory is short */
  merge_tables tables;
  merge_entry *entries; /* by number, then source */
  uint64_t entry_count;
  merge_run *runs;
  uint32_t thread_count;
  tachy_block_thread *threads; /* as they will be in the head */
  tachy_clock_pair *points;    /* of the clock, but for its end: the newest first */
  uint64_t inner_count;        /* of points: behind them come the start, the start of the block before, … */
  uint64_t point_count;
  tachy_block_clock clock;
  uint64_t row; /* main rows so far */
  tachy_plane main[4];
  tachy_plane gaps;
  tachy_plane types;
  merge_typed typed;
  merge_values values;
  merge_metric *metrics; /* by united site */
  tachy_plane scales;
  tachy_plane singles;
} merge;

/* The block `source` cannot be merged with those before it. Returns 0. */
static inline int merge_refuse(merge *m, uint64_t source) {
  if (source < m->good) m->good = source;
  return 0;
}

static inline void merge_put(merge *m, tachy_plane *plane, uint64_t value) {
  if (!tachy_plane_append(plane, value)) m->failed = 1;
}

/* 0: the merged block would date these ticks of the source differently. */
int merge_dates_old_alike(const merge *m, const merge_source *source, uint64_t ticks);
static inline int merge_dates_alike(const merge *m, const merge_source *source, uint64_t ticks) {
  if (TACHY_UNLIKELY((int64_t)(ticks - source->late) >= 0)) return 0;
  return !TACHY_UNLIKELY((int64_t)(ticks - source->old) < 0) || merge_dates_old_alike(m, source, ticks);
}

/* chain.c: which blocks follow each other; the clock. */
uint64_t merge_open(merge *m, const tachy_blocks *blocks, uint64_t first, const tachy_merge_limits *limits,
                    tachy_status *status, tachy_read_error *error);
void merge_clock(merge *m);
void merge_clock_columns(merge *m, tachy_columns *columns);

/* tables.c: sites, strings and property sets without duplicates. */
void merge_unite(merge *m);
void merge_tables_columns(merge *m, tachy_columns *columns);

/* rows.c, spans.c: the main rows of a thread, which will be `into` in the head. */
void merge_rows(merge *m, merge_run run, const tachy_block_thread *into);
void merge_spans(merge *m, merge_run run, const tachy_block_thread *into);
/* Memory and cursors of a source, and whether all of it has been read. */
void merge_rows_start(merge *m, uint64_t source);
void merge_rows_end(merge *m, uint64_t source);
void merge_spans_start(merge *m, uint64_t source);
void merge_spans_end(merge *m, uint64_t source);
void merge_rows_columns(merge *m, tachy_columns *columns);
void merge_spans_columns(merge *m, tachy_columns *columns);

/* async.c: async rows, and what is open. After the main rows. */
void merge_asyncs_start(merge *m, uint64_t source);
void merge_asyncs(merge *m, tachy_columns *columns);

/* metrics.c; 0: a value is malformed. */
void merge_metrics_start(merge *m, merge_source *source);
int merge_metrics_put(merge *m, merge_source *source, uint32_t site);
void merge_metrics_columns(merge *m, tachy_columns *columns);

/* values.c */
void merge_typed_put(merge *m, merge_typed *typed, const tachy_value *value);
void merge_typed_columns(tachy_columns *columns, tachy_column_id first, merge_typed *typed);
void merge_values_put(merge *m, const merge_source *source, uint64_t owner, tachy_value_range range);
void merge_values_columns(merge *m, tachy_columns *columns);

/* head.c: threads and header. */
void merge_threads(merge *m);
/* NULL: no memory. */
tachy_block_header *merge_head(const merge *m, uint64_t body_size);

#endif
