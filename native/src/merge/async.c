/* Async rows, and values on async spans. What a span was given is at its end; where that is not in the merged block, at
 * its begin, or in the table of what was open before the block: then it is what the last block has that knows the span.
 * A span that a later block calls open must have begun in an earlier one, or the merged block would not know it. */
#include <stdlib.h>

#include "../reader/decode_rows.h"
#include "merge.h"

enum { COLUMNS = 6 };

typedef struct span { /* as the blocks so far have it */
  tachy_value_range values;
  uint32_t source; /* whose values they are */
  uint32_t has_ended;
} span;

typedef struct spans {
  tachy_map by_id; /* id -> index into items, + 1 */
  TACHY_LIST(span) items;
} spans;

static uint64_t parent_of(uint64_t id, uint64_t coded) { return coded ? id - (uint64_t)tachy_unzigzag(coded - 1) : 0; }
static uint64_t parent_code(uint64_t id, uint64_t parent) {
  return parent ? 1 + tachy_zigzag((int64_t)(id - parent)) : 0;
}

/* The async rows of a block. 0: they are malformed, or the merged block would date them differently. */
static int read_asyncs(const merge *m, merge_source *source) {
  const tachy_block *const block = &source->block;
  tachy_uint_cursor columns[COLUMNS];
  tachy_read_error ignored;
  uint64_t id = 0;
  merge_async *to = source->asyncs;
  if (tachy_uints_start(columns, block, TACHY_COLUMN_ASYNC_KIND, COLUMNS, block->async_rows, "row", &ignored)) return 0;
  for (uint32_t t = 0; t < block->thread_count; t++) {
    uint64_t ticks = block->threads[t].base_ticks;
    for (uint64_t left = block->threads[t].async_rows; left > 0; left--) {
      const uint64_t kind = tachy_uint_take(&columns[0]);
      ticks += (uint64_t)tachy_unzigzag(tachy_uint_take(&columns[1]));
      const uint64_t site = tachy_uint_take(&columns[2]);
      id += (uint64_t)tachy_unzigzag(tachy_uint_take(&columns[3]));
      const uint64_t parent = tachy_uint_take(&columns[4]);
      const uint64_t depth = tachy_uint_take(&columns[5]);
      if (kind > 1 || site >= block->site_count || depth > UINT32_MAX || !merge_dates_alike(m, source, ticks)) return 0;
      *to++ = (merge_async){ticks, id, parent_of(id, parent), source->sites[site], (uint32_t)depth, (uint32_t)kind};
    }
    source->async_first[t + 1] = (uint64_t)(to - source->asyncs);
  }
  return tachy_uints_end(columns, COLUMNS, "row", &ignored) == TACHY_OK;
}

void merge_asyncs_start(merge *m, uint64_t at) {
  merge_source *const source = &m->sources[at];
  const tachy_block *const block = &source->block;
  tachy_read_error ignored;
  source->asyncs = malloc(((size_t)block->async_rows + 1) * sizeof *source->asyncs);
  source->async_first = calloc((size_t)block->thread_count + 1, sizeof *source->async_first);
  if (!source->asyncs || !source->async_first) {
    m->failed = 1;
    return;
  }
  if (!read_asyncs(m, source)) merge_refuse(m, at);
  const tachy_status status = tachy_decode_open_async(block, &tachy_read_everything, &source->open_async, &ignored);
  if (status == TACHY_ERROR_MEMORY) m->failed = 1;
  if (status == TACHY_ERROR_FORMAT) merge_refuse(m, at);
}

/* NULL: no memory. *added: it was not known. */
static span *span_of(merge *m, spans *all, uint64_t id, int *added) {
  uint32_t *const index = tachy_map_at(&all->by_id, (uint64_t)(uintptr_t)m, id, added);
  if (index && *added && tachy_list_add(&all->items, sizeof *all->items.items)) *index = (uint32_t)all->items.count;
  if (index && *index) return &all->items.items[*index - 1];
  m->failed = 1;
  return NULL;
}

static void give(span *of, const merge_source *source, uint32_t at, uint64_t owner) {
  const tachy_value_range range = tachy_values_of(&source->block, owner);
  if (!range.count) return;
  of->values = range;
  of->source = at;
}

/* Adds what a source says of spans. */
static void follow(merge *m, spans *all, uint32_t at) {
  const merge_source *const source = &m->sources[at];
  int added = 0;
  for (uint64_t i = 0; i < source->open_async.count; i++) {
    span *const of = span_of(m, all, source->open_async.id[i], &added);
    if (!of) return;
    if (added && at > 0) merge_refuse(m, at);
    give(of, source, at, tachy_owner_of_open_async(&source->block, i));
  }
  for (uint64_t i = 0; i < source->block.async_rows; i++) {
    span *const of = span_of(m, all, source->asyncs[i].id, &added);
    if (!of) return;
    if (source->asyncs[i].is_end) {
      of->has_ended = 1;
    } else {
      give(of, source, at, tachy_owner_of_async(&source->block, i));
    }
  }
}

/* What a span that has not ended was given; the first time only. */
static void put_open_values(merge *m, spans *all, uint64_t id, uint64_t owner) {
  int added;
  span *const of = span_of(m, all, id, &added);
  if (!of || of->has_ended || !of->values.count) return;
  merge_values_put(m, &m->sources[of->source], owner, of->values);
  of->values.count = 0;
}

static void put_rows(merge *m, spans *all, uint64_t owner, tachy_columns *c) {
  tachy_plane planes[COLUMNS] = {0};
  uint64_t last_id = 0;
  for (uint32_t t = 0; t < m->thread_count; t++) {
    uint64_t last = m->threads[t].base_ticks;
    for (uint64_t e = 0; e < m->runs[t].count; e++) {
      const merge_entry *const entry = &m->runs[t].entries[e];
      const merge_source *const source = &m->sources[entry->source];
      for (uint64_t i = source->async_first[entry->thread]; i < source->async_first[entry->thread + 1]; i++) {
        const merge_async *const row = &source->asyncs[i];
        const uint64_t values[COLUMNS] = {row->is_end,
                                          tachy_zigzag((int64_t)(row->ticks - last)),
                                          row->site,
                                          tachy_zigzag((int64_t)(row->id - last_id)),
                                          parent_code(row->id, row->parent),
                                          row->depth};
        tachy_columns_row(c, planes, COLUMNS, values);
        if (row->is_end) {
          merge_values_put(m, source, owner, tachy_values_of(&source->block, tachy_owner_of_async(&source->block, i)));
        } else {
          put_open_values(m, all, row->id, owner);
        }
        last = row->ticks;
        last_id = row->id;
        owner++;
      }
    }
  }
  tachy_columns_add(c, TACHY_COLUMN_ASYNC_KIND, planes, COLUMNS);
  const merge_source *const first = &m->sources[0];
  for (uint64_t i = 0; i < first->open_async.count; i++) put_open_values(m, all, first->open_async.id[i], owner + i);
}

/* Those of the first block: what was open before the merged one. */
static void put_open(merge *m, tachy_columns *c) {
  const merge_source *const first = &m->sources[0];
  const tachy_rows *const rows = &first->open_async;
  tachy_plane planes[COLUMNS] = {0};
  uint64_t last_id = 0;
  uint64_t last_utc = (uint64_t)first->block.header.utc0;
  for (uint64_t i = 0; i < rows->count; i++) {
    const uint64_t values[COLUMNS] = {tachy_zigzag((int64_t)(rows->id[i] - last_id)),
                                      parent_code(rows->id[i], rows->parent[i]),
                                      first->sites[rows->site[i]],
                                      tachy_zigzag((int64_t)((uint64_t)rows->utc[i] - last_utc)),
                                      rows->depth[i],
                                      rows->thread[i]};
    tachy_columns_row(c, planes, COLUMNS, values);
    last_id = rows->id[i];
    last_utc = (uint64_t)rows->utc[i];
  }
  tachy_columns_add(c, TACHY_COLUMN_OPEN_ASYNC_ID, planes, COLUMNS);
}

void merge_asyncs(merge *m, tachy_columns *c) {
  spans all = {0};
  const merge_source *const last = &m->sources[m->count - 1];
  const uint64_t open = last->block.columns[TACHY_COLUMN_OPEN_END_SITE].count;
  for (uint64_t at = 0; at < m->count && at < m->good && !m->failed; at++) follow(m, &all, (uint32_t)at);
  if (m->good == m->count && !m->failed) {
    for (uint64_t k = 0; k < open; k++) {
      merge_values_put(m, last, m->row + k, tachy_values_of(&last->block, tachy_owner_of_open(&last->block, k)));
    }
    put_rows(m, &all, m->row + open, c);
    put_open(m, c);
  }
  tachy_map_free(&all.by_id);
  free(all.items.items);
}
