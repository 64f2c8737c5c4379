/* Span rows: the walk of docs/format.md ("Span rows"), forward for begins, ends and ids, backward for parents.
 *
 * Rows between two gaps are decoded in chunks that stay in the first-level cache: the four columns are widened, then
 * one loop without a branch on the data's shape (trees are irregular; mispredicted branches were half of the time)
 * turns them into begins, ends and ids, then ticks become UTC. Parents come from a second walk, backward, in which the
 * last row seen at depth d - 1 is the parent. */
#include <stdlib.h>

#include "decode_rows.h"
#include "error.h"

#define CHUNK 512u

typedef struct level { /* of depth d: */
  uint64_t size;       /* size[d] */
  uint64_t begin;      /* child[d] */
  uint64_t known;      /* whether child[d] is */
} level;

enum { DEPTH, LEAD, TAIL, MAIN_COLUMNS };

typedef struct walk {
  const tachy_block *block;
  tachy_rows *rows;
  tachy_uint_cursor site;
  tachy_uint_cursor main[MAIN_COLUMNS]; /* SPAN_DEPTH, SPAN_LEAD, SPAN_TAIL */
  tachy_uint_cursor gap_count;
  uint64_t row;                     /* of the block, the next one */
  const tachy_open_row *open_start; /* of this thread */
  uint64_t last;
  uint64_t ended;
  int64_t depth;
  int64_t open;
  int64_t deepest;                   /* no level below it, but for one more, has been zeroed */
  level levels[TACHY_DEPTH_MAX + 1]; /* by depth; one more, so that the deepest has a depth below it */
  uint32_t reopened_count;           /* rows that were open at the start: their UTC is not the block's clock's to say */
  struct {
    uint64_t row;
    int64_t utc;
  } reopened[TACHY_DEPTH_MAX];
} walk;

/* Sites of the next `count` rows, none of which is a gap. 0 when one is not in the table. */
static int read_sites(walk *w, uint32_t *out, uint64_t count) {
  const uint8_t *plane = w->site.above[0];
  uint32_t largest = 0;
  for (uint64_t i = 0; i < count; i++) {
    const uint32_t value = plane[i];
    out[i] = value - 1u;
    largest = value > largest ? value : largest;
  }
  if (largest < 255u) {
    w->site.above[0] += count;
    return largest <= w->block->site_count;
  }
  uint64_t sites[CHUNK];
  tachy_uint_take_many(&w->site, sites, count);
  for (uint64_t i = 0; i < count; i++) {
    if (sites[i] > w->block->site_count) return 0;
    out[i] = (uint32_t)sites[i] - 1u;
  }
  return 1;
}

static void to_utc(const tachy_block *block, const uint64_t *ticks, int64_t *utc, uint64_t count) {
  tachy_clock_line line = block->clock.lines[0];
  for (uint64_t i = 0; i < count; i++) utc[i] = tachy_clock_follow(&block->clock, &line, ticks[i]);
}

/* Levels down to `depth`, and the one below it, are in use from now on. */
static void deepen(walk *w, uint64_t depth) {
  if (depth <= (uint64_t)w->deepest) return;
  memset(w->levels + w->deepest + 2, 0, (depth - (uint64_t)w->deepest) * sizeof *w->levels);
  w->deepest = (int64_t)depth;
}

/* Depths of the next `count` rows. 0 when one is out of range. */
static int read_depths(walk *w, uint32_t *out, uint64_t count) {
  uint64_t deltas[CHUNK];
  tachy_uint_take_many(&w->main[DEPTH], deltas, count);
  uint64_t depth = (uint64_t)w->depth;
  uint64_t deepest = (uint64_t)w->deepest;
  for (uint64_t i = 0; i < count; i++) {
    depth += (uint64_t)tachy_unzigzag(deltas[i]);
    out[i] = (uint32_t)depth;
    deepest = depth > deepest ? depth : deepest;
  }
  w->depth = (int64_t)depth;
  if (deepest >= TACHY_DEPTH_MAX) return 0; /* a depth below 0 is a very large one here */
  deepen(w, deepest);
  return 1;
}

/* The row at [at] was open at the start: what the walk took for it does not count. */
static void reopen(walk *w, uint64_t at, uint32_t depth, uint64_t last, uint64_t tail, uint64_t *begin, uint64_t *end,
                   uint64_t *id) {
  const tachy_open_row *const entry = &w->open_start[depth];
  *begin = entry->begin_ticks;
  *end = last + tail;
  *id = entry->id;
  w->open = depth; /* it falls with every such row, so there are at most 1024 */
  w->reopened[w->reopened_count].row = at;
  w->reopened[w->reopened_count++].utc = entry->begin_utc;
}

/* Decodes a chunk of rows without a gap to rows [at, at + count). 0 when a depth is out of range. */
static int walk_chunk(walk *w, uint64_t at, uint64_t count) {
  uint32_t *const depths = w->rows->depth + at;
  uint64_t *const ids = w->rows->id + at;
  uint64_t leads[CHUNK]; /* and then the begins */
  uint64_t tails[CHUNK]; /* and then the ends */
  if (!read_depths(w, depths, count)) return 0;
  tachy_uint_take_many(&w->main[LEAD], leads, count);
  tachy_uint_take_many(&w->main[TAIL], tails, count);
  uint64_t last = w->last;
  uint64_t ended = w->ended;
  for (uint64_t i = 0; i < count; i++) {
    const uint32_t depth = depths[i];
    level *const own = &w->levels[depth];
    level *const below = own + 1;
    const uint64_t inside = below->size;
    const uint64_t parent = 0 - below->known; /* all ones, or none: a compiler would rather branch */
    uint64_t begin = ((below->begin - leads[i]) & parent) | ((last + leads[i]) & ~parent);
    uint64_t end = ((last & parent) | (begin & ~parent)) + tails[i];
    ids[i] = ++ended + depth - inside;
    if (TACHY_UNLIKELY(depth < w->open)) reopen(w, at + i, depth, last, tails[i], &begin, &end, &ids[i]);
    own->begin = (own->begin & (0 - own->known)) | (begin & (own->known - 1));
    own->known = 1;
    own->size += 1 + inside;
    below->size = 0;
    below->known = 0;
    last = end;
    leads[i] = begin;
    tails[i] = end;
  }
  w->last = last;
  w->ended = ended;
  to_utc(w->block, leads, w->rows->utc + at, count);
  to_utc(w->block, tails, w->rows->end_utc + at, count);
  return 1;
}

/* Takes a gap row, which stands before row `at`. 0 when its depth is out of range. */
static int walk_gap(walk *w, uint64_t at, uint32_t thread) {
  const uint64_t count = tachy_uint_next(&w->gap_count);
  w->depth = (int64_t)((uint64_t)w->depth + (uint64_t)tachy_unzigzag(tachy_uint_take(&w->main[DEPTH])));
  if ((uint64_t)w->depth >= TACHY_DEPTH_MAX) return 0;
  (void)tachy_uint_take(&w->site);
  (void)tachy_uint_take(&w->main[LEAD]);
  (void)tachy_uint_take(&w->main[TAIL]);
  deepen(w, (uint64_t)w->depth);
  level *const own = &w->levels[w->depth];
  own->size += count;
  for (int64_t depth = w->depth + 1; depth <= w->deepest; depth++) {
    level *const below = &w->levels[depth];
    own->size += below->size;
    if (!own->known && below->known) { /* the shallowest that is known */
      own->known = 1;
      own->begin = below->begin;
    }
    below->size = 0;
    below->known = 0;
  }
  w->deepest = w->depth;
  w->ended += count;
  if (w->open > w->depth) w->open = w->depth;
  w->rows->gaps[w->rows->gap_count++] =
      (tachy_gap){at, count, thread, (uint32_t)w->depth, tachy_ticks_to_utc(&w->block->clock, w->last)};
  return 1;
}

/* Parents of rows [first, end) of one thread, whose gaps begin at `gap`. */
static void find_parents(const tachy_rows *rows, uint64_t first, uint64_t end, uint64_t gap,
                         const tachy_open_row *open_end, uint32_t open_count) {
  uint64_t parents[TACHY_DEPTH_MAX + 1]; /* of a row at depth d: parents[d] */
  uint64_t valid = open_count;           /* parents[0 … valid] are known */
  parents[0] = 0;
  for (uint32_t i = 0; i < open_count; i++) parents[i + 1] = open_end[i].id;
  uint64_t next_gap = rows->gap_count;
  while (end > first || next_gap > gap) {
    const uint64_t start = next_gap > gap ? rows->gaps[next_gap - 1].row : first;
    for (uint64_t i = end; i > start; i--) {
      const uint64_t depth = rows->depth[i - 1];
      if (TACHY_UNLIKELY(depth > valid)) {
        for (uint64_t d = valid + 1; d <= depth; d++) parents[d] = TACHY_PARENT_LOST;
      }
      rows->parent[i - 1] = parents[depth];
      parents[depth + 1] = rows->id[i - 1];
      valid = depth + 1;
    }
    end = start;
    if (next_gap > gap) {
      next_gap--;
      if (valid > rows->gaps[next_gap].depth) valid = rows->gaps[next_gap].depth;
    }
  }
}

/* Keeps of rows [first, end) those that overlap the range; returns the new end. */
static uint64_t keep_range(tachy_rows *rows, uint64_t first, uint64_t end, uint64_t gap,
                           const tachy_row_filter *filter) {
  uint64_t kept = first;
  for (uint64_t i = first; i < end; i++) {
    for (; gap < rows->gap_count && rows->gaps[gap].row == i; gap++) rows->gaps[gap].row = kept;
    if (rows->utc[i] > filter->end_utc || rows->end_utc[i] < filter->begin_utc) continue;
    rows->site[kept] = rows->site[i];
    rows->depth[kept] = rows->depth[i];
    rows->id[kept] = rows->id[i];
    rows->parent[kept] = rows->parent[i];
    rows->utc[kept] = rows->utc[i];
    rows->end_utc[kept] = rows->end_utc[i];
    if (rows->owner) rows->owner[kept] = rows->owner[i];
    kept++;
  }
  for (; gap < rows->gap_count; gap++) rows->gaps[gap].row = kept;
  return kept;
}

static tachy_status walk_thread(walk *w, uint32_t t, const tachy_row_filter *filter, tachy_read_error *error) {
  const tachy_block_thread *thread = &w->block->threads[t];
  tachy_rows *rows = w->rows;
  const uint64_t first = rows->count;
  const uint64_t first_gap = rows->gap_count;
  uint64_t at = first;
  w->open_start = rows->open_start + rows->open_start_first[t];
  w->last = thread->base_ticks;
  w->ended = thread->first;
  w->depth = w->open = thread->open_at_start;
  w->deepest = 0;
  memset(w->levels, 0, 2 * sizeof *w->levels);
  w->reopened_count = 0;
  for (uint64_t left = thread->rows; left > 0;) {
    const uint8_t *plane = w->site.above[0];
    const uint8_t *gap = memchr(plane, 0, (size_t)left);
    const uint64_t count = gap ? (uint64_t)(gap - plane) : left;
    const uint64_t run = at + count;
    for (uint64_t part; at < run; at += part) {
      part = run - at < CHUNK ? run - at : CHUNK;
      if (!read_sites(w, rows->site + at, part)) {
        return tachy_read_fail(error, "a span of thread %u names a site that is not there", thread->number);
      }
      if (!walk_chunk(w, at, part)) {
        return tachy_read_fail(error, "a span of thread %u is deeper than %u", thread->number, TACHY_DEPTH_MAX - 1);
      }
      for (uint64_t i = 0; rows->owner && i < part; i++) rows->owner[at + i] = w->row + i;
      w->row += part;
    }
    left -= count;
    if (!gap) continue;
    if (rows->gap_count == w->block->columns[TACHY_COLUMN_GAP_COUNT].count || !walk_gap(w, at, t)) {
      return tachy_read_fail(error, "a gap of thread %u is malformed", thread->number);
    }
    left--;
    w->row++;
  }
  find_parents(rows, first, at, first_gap, rows->open_end + rows->open_end_first[t], thread->open_at_end);
  for (uint32_t i = 0; i < w->reopened_count; i++) rows->utc[w->reopened[i].row] = w->reopened[i].utc;
  if (filter->begin_utc != INT64_MIN || filter->end_utc != INT64_MAX) {
    at = keep_range(rows, first, at, first_gap, filter);
  }
  for (uint64_t i = first; i < at; i++) rows->thread[i] = t;
  rows->count = at;
  return TACHY_OK;
}

static void skip_thread(walk *w, uint64_t count) {
  for (const uint8_t *p = w->site.above[0], *end = p + count; p < end && (p = memchr(p, 0, (size_t)(end - p))); p++) {
    (void)tachy_uint_next(&w->gap_count);
  }
  w->row += count;
  tachy_uint_skip(&w->site, count);
  tachy_uint_skip(&w->main[DEPTH], count);
  tachy_uint_skip(&w->main[LEAD], count);
  tachy_uint_skip(&w->main[TAIL], count);
}

tachy_status tachy_decode_open(const tachy_block *block, uint32_t id, tachy_open_row *out, uint64_t *first,
                               tachy_read_error *error) {
  const int at_end = id == TACHY_COLUMN_OPEN_END_SITE;
  first[0] = 0;
  for (uint32_t t = 0; t < block->thread_count; t++) {
    first[t + 1] = first[t] + (at_end ? block->threads[t].open_at_end : block->threads[t].open_at_start);
  }
  tachy_uint_cursor columns[4];
  const tachy_status status = tachy_uints_start(columns, block, id, 4, first[block->thread_count], "open span", error);
  if (status) return status;
  for (uint32_t t = 0; t < block->thread_count; t++) {
    for (uint64_t at = first[t]; at < first[t + 1]; at++) {
      const uint64_t site = tachy_uint_take(&columns[0]);
      if (site >= block->site_count) return tachy_read_fail(error, "an open span names a site that is not there");
      out[at].site = (uint32_t)site;
      out[at].begin_ticks = tachy_uint_take(&columns[1]);
      out[at].begin_utc = (int64_t)tachy_uint_take(&columns[2]);
      out[at].id = tachy_uint_take(&columns[3]);
      out[at].depth = (uint32_t)(at - first[t]);
    }
  }
  return tachy_uints_end(columns, 4, "open span", error);
}

static tachy_status walk_block(walk *w, const tachy_row_filter *filter, tachy_read_error *error) {
  const tachy_block *block = w->block;
  w->site = tachy_uint_start(&block->columns[TACHY_COLUMN_ROW_SITE]);
  w->gap_count = tachy_uint_start(&block->columns[TACHY_COLUMN_GAP_COUNT]);
  tachy_status status =
      tachy_uints_start(w->main, block, TACHY_COLUMN_SPAN_DEPTH, MAIN_COLUMNS, block->rows, "row", error);
  for (uint32_t t = 0; t < block->thread_count && !status; t++) {
    w->rows->thread_first[t] = w->rows->count;
    if (!tachy_thread_wanted(filter, t)) {
      skip_thread(w, block->threads[t].rows);
    } else {
      status = walk_thread(w, t, filter, error);
    }
  }
  w->rows->thread_first[block->thread_count] = w->rows->closed = w->rows->count;
  if (status) return status;
  if (!tachy_uint_ok(&w->site) || !tachy_uint_ok(&w->gap_count)) {
    return tachy_read_fail(error, "a column of the span rows is malformed");
  }
  return tachy_uints_end(w->main, MAIN_COLUMNS, "row", error);
}

/* Adds the spans that are open at the block's end, as if they ended there. */
static void append_open(const tachy_block *block, const tachy_row_filter *filter, tachy_rows *rows) {
  for (uint32_t t = 0; t < block->thread_count; t++) {
    if (!tachy_thread_wanted(filter, t)) continue;
    for (uint64_t k = rows->open_end_first[t]; k < rows->open_end_first[t + 1]; k++) {
      const tachy_open_row *const open = rows->open_end + k;
      const int64_t end = open->begin_utc > block->header.end_utc ? open->begin_utc : block->header.end_utc;
      if (open->begin_utc > filter->end_utc || end < filter->begin_utc) continue;
      const uint64_t i = rows->count++;
      rows->thread[i] = t;
      rows->site[i] = open->site;
      rows->depth[i] = open->depth;
      rows->id[i] = open->id;
      rows->parent[i] = open->depth ? open[-1].id : 0;
      rows->utc[i] = open->begin_utc;
      rows->end_utc[i] = end;
      if (rows->owner) rows->owner[i] = tachy_owner_of_open(block, k);
    }
  }
}

tachy_status tachy_decode_spans(const tachy_block *block, const tachy_row_filter *filter, tachy_rows *rows,
                                tachy_read_error *error) {
  if (block->header.cls != TACHY_CLASS_SPAN) return tachy_read_fail(error, "this is not a block of spans");
  uint64_t count = filter->open_end ? block->columns[TACHY_COLUMN_OPEN_END_SITE].count : 0;
  for (uint32_t t = 0; t < block->thread_count; t++) {
    if (tachy_thread_wanted(filter, t)) count += block->threads[t].rows;
  }
  tachy_status status = tachy_rows_allocate(rows, TACHY_READ_SPANS, block, count, error);
  if (status) return status;
  status = tachy_decode_open(block, TACHY_COLUMN_OPEN_START_SITE, rows->open_start, rows->open_start_first, error);
  if (!status) {
    status = tachy_decode_open(block, TACHY_COLUMN_OPEN_END_SITE, rows->open_end, rows->open_end_first, error);
  }
  if (status) return status;
  walk *const w = malloc(sizeof *w); /* 40 KB, of which most blocks need a little */
  if (!w) return tachy_read_no_memory(error);
  w->block = block;
  w->rows = rows;
  w->row = 0;
  status = walk_block(w, filter, error);
  free(w);
  if (!status && filter->open_end) append_open(block, filter, rows);
  return status;
}
