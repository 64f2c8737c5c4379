/* Span rows: the walk of docs/format.md ("Span rows") over all blocks at once.
 *
 * Of a span that began and ended in one block, only what counts from the row before differs, and only in the thread's
 * first row there. One that crosses a border becomes a row like any other: its begin is that of the stack at the
 * border, its children are those of all blocks. Its id, which rows do not say, must come out as what it was. */
#include <stdlib.h>

#include "../reader/decode_rows.h"
#include "merge.h"

enum { SITE, DEPTH, LEAD, TAIL, COLUMNS };

typedef struct level {
  uint64_t size;  /* size[d] */
  uint64_t begin; /* child[d] */
  int known;      /* whether child[d] is */
} level;

typedef struct walk { /* of a thread, as the merged rows have it */
  uint64_t last;
  uint64_t ended;
  uint64_t depth;   /* of the row before */
  uint64_t open;    /* spans that were open before the first row, and still are */
  uint64_t deepest; /* no level below it is in use */
  level levels[TACHY_DEPTH_MAX + 1];
} walk;

typedef struct part { /* the rows of one source */
  merge_source *source;
  const tachy_block_thread *thread;
  const tachy_open_row *open_start;
  uint64_t last;  /* as the source counts */
  uint64_t depth; /* the same */
  uint64_t open;  /* spans that were open at its start, and still are */
  int is_first;   /* of the thread: what is open there is open before the merged rows, too */
} part;

static tachy_status allocate_open(const tachy_block *block, uint32_t id, tachy_open_row **rows, uint64_t **first) {
  *rows = malloc(((size_t)block->columns[id].count + 1) * sizeof **rows);
  *first = calloc((size_t)block->thread_count + 1, sizeof **first);
  return *rows && *first ? TACHY_OK : TACHY_ERROR_MEMORY;
}

void merge_spans_start(merge *m, uint64_t at) {
  static const uint32_t start = TACHY_COLUMN_OPEN_START_SITE, end = TACHY_COLUMN_OPEN_END_SITE;
  merge_source *const source = &m->sources[at];
  const tachy_block *const block = &source->block;
  tachy_read_error ignored;
  source->main[SITE] = tachy_uint_start(&block->columns[TACHY_COLUMN_ROW_SITE]);
  source->gaps = tachy_uint_start(&block->columns[TACHY_COLUMN_GAP_COUNT]);
  tachy_status status = allocate_open(block, start, &source->open_start, &source->open_start_first);
  if (!status) status = allocate_open(block, end, &source->open_end, &source->open_end_first);
  if (!status) {
    status = tachy_uints_start(source->main + DEPTH, block, TACHY_COLUMN_SPAN_DEPTH, COLUMNS - DEPTH, block->rows,
                               "row", &ignored);
  }
  if (!status) status = tachy_decode_open(block, start, source->open_start, source->open_start_first, &ignored);
  if (!status) status = tachy_decode_open(block, end, source->open_end, source->open_end_first, &ignored);
  if (status == TACHY_ERROR_MEMORY) m->failed = 1;
  if (status == TACHY_ERROR_FORMAT) merge_refuse(m, at);
}

void merge_spans_end(merge *m, uint64_t at) {
  const merge_source *const source = &m->sources[at];
  tachy_read_error ignored;
  if (tachy_uints_end(source->main, COLUMNS, "row", &ignored) || !tachy_uint_ok(&source->gaps)) merge_refuse(m, at);
}

/* A lost span that was open at the start is known to have been open until then: the merged block could not say so. */
static int put_gap(merge *m, part *p, walk *w) {
  const uint64_t depth = p->depth;
  const uint64_t count = tachy_uint_next(&p->source->gaps);
  (void)tachy_uint_take(&p->source->main[LEAD]);
  (void)tachy_uint_take(&p->source->main[TAIL]);
  if (p->source->gaps.bad || (depth < p->open && !p->is_first)) return 0;
  if (depth < p->open) p->open = depth;
  level *const own = &w->levels[depth];
  if (depth > w->deepest) w->deepest = depth;
  own->size += count;
  for (uint64_t d = depth + 1; d <= w->deepest; d++) {
    level *const below = &w->levels[d];
    own->size += below->size;
    if (!own->known && below->known) {
      own->known = 1;
      own->begin = below->begin;
    }
    *below = (level){0, 0, 0};
  }
  w->ended += count;
  if (depth < w->open) w->open = depth;
  merge_put(m, &m->main[SITE], 0);
  merge_put(m, &m->main[DEPTH], tachy_zigzag((int64_t)(depth - w->depth)));
  merge_put(m, &m->main[LEAD], 0);
  merge_put(m, &m->main[TAIL], 0);
  merge_put(m, &m->gaps, count);
  w->depth = depth;
  return 1;
}

/* The begin of a span that was open at the source's start. 0: the merged block would say something else of it. */
static int begin_of_open(const merge *m, const part *p, const walk *w, uint64_t *begin) {
  const tachy_open_row *const entry = &p->open_start[p->depth];
  *begin = entry->begin_ticks;
  if (p->is_first) return 1;
  if (p->depth + 1 != p->open) return 0; /* what it enclosed is gone without a row */
  return p->depth < w->open || (w->ended + 1 + p->depth - w->levels[p->depth + 1].size == entry->id &&
                                tachy_ticks_to_utc(&m->clock, *begin) == entry->begin_utc);
}

/* A row. 0: something is malformed, or the merged block could not say it. */
static int put_span(merge *m, part *p, walk *w, uint64_t site) {
  const uint64_t depth = p->depth;
  uint64_t lead = tachy_uint_take(&p->source->main[LEAD]);
  uint64_t tail = tachy_uint_take(&p->source->main[TAIL]);
  level *const own = &w->levels[depth];
  level *const below = own + 1;
  uint64_t begin, end;
  if (TACHY_UNLIKELY(depth < p->open)) {
    if (!begin_of_open(m, p, w, &begin)) return 0;
    end = p->last + tail;
    p->open = depth;
  } else {
    begin = below->known ? below->begin - lead : p->last + lead;
    end = (below->known ? p->last : begin) + tail;
    if (!merge_dates_alike(m, p->source, begin)) return 0;
  }
  if (!merge_dates_alike(m, p->source, end)) return 0;
  if (TACHY_UNLIKELY(depth < w->open)) {
    lead = 0;
    tail = end - w->last;
    w->open = depth;
  } else {
    lead = below->known ? below->begin - begin : begin - w->last;
    tail = end - (below->known ? w->last : begin);
  }
  merge_put(m, &m->main[SITE], p->source->sites[site - 1] + UINT64_C(1));
  merge_put(m, &m->main[DEPTH], tachy_zigzag((int64_t)(depth - w->depth)));
  merge_put(m, &m->main[LEAD], lead);
  merge_put(m, &m->main[TAIL], tail);
  own->size += 1 + below->size;
  if (!own->known) own->begin = begin;
  own->known = 1;
  *below = (level){0, 0, 0};
  if (depth > w->deepest) w->deepest = depth;
  w->depth = depth;
  w->last = p->last = end;
  w->ended++;
  return 1;
}

static void put_values_of_row(merge *m, merge_source *source) {
  const tachy_block *const block = &source->block;
  const uint64_t first = source->value;
  while (source->value < block->value_count && block->values[source->value].owner == source->row) source->value++;
  if (source->value == first) return;
  merge_values_put(m, source, m->row, (tachy_value_range){block->values + first, source->value - first});
}

static int put_rows(merge *m, part *p, walk *w) {
  merge_source *const source = p->source;
  for (uint64_t left = p->thread->rows; left > 0; left--) {
    const uint64_t site = tachy_uint_take(&source->main[SITE]);
    p->depth += (uint64_t)tachy_unzigzag(tachy_uint_take(&source->main[DEPTH]));
    if (p->depth >= TACHY_DEPTH_MAX || site > source->block.site_count) return 0;
    if (site == 0 ? !put_gap(m, p, w) : !put_span(m, p, w, site)) return 0;
    put_values_of_row(m, source);
    source->row++;
    m->row++;
  }
  return 1;
}

static int same_open(const merge_source *a, const tachy_open_row *x, const merge_source *b, const tachy_open_row *y) {
  return x->id == y->id && x->begin_ticks == y->begin_ticks && x->begin_utc == y->begin_utc &&
         a->sites[x->site] == b->sites[y->site];
}

/* Whether what a source has open at its end was open at its start, as far as no row says that it has ended. */
static int keeps_open(const part *p) {
  const merge_source *const source = p->source;
  const tachy_open_row *const ends = source->open_end + source->open_end_first[p->thread - source->block.threads];
  if (p->open > p->thread->open_at_end) return 0;
  for (uint64_t k = 0; k < p->open; k++) {
    if (!same_open(source, &ends[k], source, &p->open_start[k])) return 0;
  }
  return 1;
}

/* Whether a source goes on where the one before has ended: with the same spans open, in the same state. */
static int goes_on(const part *before, const part *next, const walk *w) {
  const merge_source *const a = before->source, *const b = next->source;
  const uint32_t open = before->thread->open_at_end;
  if (open != next->thread->open_at_start || next->thread->first != w->ended || w->depth > open) return 0;
  for (uint64_t d = open + UINT64_C(1); d <= w->deepest; d++) {
    if (w->levels[d].size || w->levels[d].known) return 0;
  }
  const tachy_open_row *const ends = a->open_end + a->open_end_first[before->thread - a->block.threads];
  for (uint32_t k = 0; k < open; k++) {
    if (!same_open(a, &ends[k], b, &next->open_start[k])) return 0;
  }
  return 1;
}

/* A thread that a block does not list has nothing open there. */
static void put_thread(merge *m, merge_run run, walk *w) {
  part before = {0};
  uint64_t next = 0; /* the source that would go on with what is open */
  for (uint64_t i = 0; i < run.count && run.entries[i].source < m->good; i++) {
    const uint32_t at = run.entries[i].source, t = run.entries[i].thread;
    merge_source *const source = &m->sources[at];
    const tachy_block_thread *const thread = &source->block.threads[t];
    const int is_first = i == 0;
    part p = {source,
              thread,
              source->open_start + source->open_start_first[t],
              thread->base_ticks,
              thread->open_at_start,
              thread->open_at_start,
              is_first};
    if (is_first ? at > 0 && thread->open_at_start > 0 : !goes_on(&before, &p, w)) merge_refuse(m, at);
    if (!is_first && at != next && before.thread->open_at_end > 0) merge_refuse(m, next);
    if (at >= m->good) return;
    if (!put_rows(m, &p, w) || !keeps_open(&p)) {
      merge_refuse(m, at);
      return;
    }
    before = p;
    next = at + UINT64_C(1);
  }
  if (before.thread && before.thread->open_at_end > 0 && next < m->count) merge_refuse(m, next);
}

void merge_spans(merge *m, merge_run run, const tachy_block_thread *into) {
  walk *const w = calloc(1, sizeof *w);
  if (!w) {
    m->failed = 1;
    return;
  }
  w->last = into->base_ticks;
  w->ended = into->first;
  w->depth = w->open = into->open_at_start;
  put_thread(m, run, w);
  free(w);
}

static void put_open(tachy_columns *c, const merge_source *source, tachy_column_id id, const tachy_open_row *rows) {
  tachy_plane planes[4] = {0};
  for (uint64_t i = 0; i < source->block.columns[id].count; i++) {
    const uint64_t values[4] = {source->sites[rows[i].site], rows[i].begin_ticks, (uint64_t)rows[i].begin_utc,
                                rows[i].id};
    tachy_columns_row(c, planes, 4, values);
  }
  tachy_columns_add(c, (int)id, planes, 4);
}

void merge_spans_columns(merge *m, tachy_columns *c) {
  const merge_source *const first = &m->sources[0], *const last = &m->sources[m->count - 1];
  tachy_columns_add(c, TACHY_COLUMN_GAP_COUNT, &m->gaps, 1);
  tachy_columns_add(c, TACHY_COLUMN_ROW_SITE, &m->main[SITE], 1);
  tachy_columns_add(c, TACHY_COLUMN_SPAN_DEPTH, &m->main[DEPTH], COLUMNS - DEPTH);
  put_open(c, first, TACHY_COLUMN_OPEN_START_SITE, first->open_start);
  put_open(c, last, TACHY_COLUMN_OPEN_END_SITE, last->open_end);
}
