/* Span rows -> Arrow. */
#include <stdlib.h>
#include <string.h>

#include "arrow.h"
#include "error.h"

static int overlaps(const tachy_read_options *options, int64_t begin, int64_t end) {
  return begin <= options->end_utc && end >= options->begin_utc;
}

/* values = realloc(values, …), or 0. */
#define GROW(values, count) \
  ((grown = realloc((values), ((count) + 1) * sizeof *(values))) != NULL ? ((values) = grown, 1) : 0)

int tachy_append_open(const tachy_block *block, const tachy_read_options *options, tachy_span_rows *rows) {
  const uint64_t most = rows->count + rows->open_end_first[block->thread_count];
  void *grown = NULL;
  if (!GROW(rows->thread, most) || !GROW(rows->site, most) || !GROW(rows->depth, most) || !GROW(rows->id, most) ||
      !GROW(rows->parent, most) || !GROW(rows->begin_utc, most) || !GROW(rows->end_utc, most) ||
      (rows->owner && !GROW(rows->owner, most))) {
    return 0;
  }
  for (uint32_t t = 0; t < block->thread_count; t++) {
    if (options->thread >= 0 && block->threads[t].number != options->thread) continue;
    const tachy_open_row *const open = rows->open_end + rows->open_end_first[t];
    for (uint32_t depth = 0; depth < block->threads[t].open_at_end; depth++) {
      const int64_t begin = open[depth].begin_utc;
      const int64_t end = begin > block->header.end_utc ? begin : block->header.end_utc;
      if (!overlaps(options, begin, end)) continue;
      const uint64_t i = rows->count++;
      rows->thread[i] = t;
      rows->site[i] = open[depth].site;
      rows->depth[i] = depth;
      rows->id[i] = open[depth].id;
      rows->parent[i] = depth ? open[depth - 1].id : 0;
      rows->begin_utc[i] = begin;
      rows->end_utc[i] = end;
      if (rows->owner) rows->owner[i] = tachy_owner_of_open(block, rows->open_end_first[t] + depth);
    }
  }
  return 1;
}

tachy_status tachy_arrow_spans(const tachy_block *block, tachy_span_rows *rows, const tachy_value_rows *values,
                               uint64_t closed, uint64_t first, uint64_t *fitting, uint64_t most_text,
                               tachy_arrow *arrow, tachy_read_error *error) {
  const uint64_t *const owners = rows->owner ? rows->owner + first : NULL;
  tachy_arrow_values_fit(block, values, owners, fitting, most_text);
  const uint64_t count = *fitting;
  if (!tachy_arrow_start(arrow, count)) return tachy_read_no_memory(error);
  const uint32_t *const sites = rows->site + first;
  const tachy_arrow_window window = {first, rows->count};
  int64_t *durations = malloc((count + 1) * sizeof *durations);
  uint8_t *is_open = calloc(count / 8 + 1, 1);
  for (uint64_t i = 0; durations && i < count; i++) {
    durations[i] = (int64_t)((uint64_t)rows->end_utc[first + i] - (uint64_t)rows->begin_utc[first + i]);
  }
  for (uint64_t i = closed > first ? closed - first : 0; is_open && i < count; i++) {
    is_open[i / 8] |= (uint8_t)(1u << i % 8);
  }
  TACHY_ARROW_GIVE(arrow, "thread", "i", window, rows->thread);
  TACHY_ARROW_GIVE(arrow, "id", "l", window, rows->id);
  TACHY_ARROW_GIVE(arrow, "parent", "l", window, rows->parent);
  TACHY_ARROW_GIVE(arrow, "depth", "I", window, rows->depth);
  tachy_arrow_site_hash(arrow, block, sites);
  TACHY_ARROW_GIVE(arrow, "begin", "tsn:UTC", window, rows->begin_utc);
  TACHY_ARROW_GIVE(arrow, "end", "tsn:UTC", window, rows->end_utc);
  tachy_arrow_fixed(arrow, "duration", "l", durations);
  tachy_arrow_site_text(arrow, "name", block, sites, TACHY_SITE_TEXT_NAME);
  tachy_arrow_site_text(arrow, "target", block, sites, TACHY_SITE_TEXT_TARGET);
  tachy_arrow_site_text(arrow, "filename", block, sites, TACHY_SITE_TEXT_FILE);
  tachy_arrow_site_line(arrow, block, sites);
  tachy_arrow_fixed(arrow, "is_open", "b", is_open);
  return tachy_arrow_values(arrow, block, values, owners, error);
}

/* The column `event_type`; `kinds` are its indices. */
static void add_event_type(tachy_arrow *arrow, const uint8_t *kinds) {
  const uint64_t count = (uint64_t)arrow->length;
  tachy_dictionary dictionary = {0};
  int32_t unused = 0;
  int32_t *indices = malloc((count + 1) * sizeof *indices);
  for (uint64_t i = 0; indices && i < count; i++) indices[i] = kinds[i];
  if (!tachy_dictionary_add(&dictionary, "begin", 5, &unused) ||
      !tachy_dictionary_add(&dictionary, "end", 3, &unused)) {
    arrow->failed = 1;
  }
  tachy_arrow_dictionary(arrow, "event_type", indices, &dictionary);
}

tachy_status tachy_arrow_async(const tachy_block *block, tachy_async_rows *rows, const tachy_value_rows *values,
                               uint64_t first, uint64_t *count, uint64_t most_text, tachy_arrow *arrow,
                               tachy_read_error *error) {
  const uint64_t *const owners = rows->owner ? rows->owner + first : NULL;
  tachy_arrow_values_fit(block, values, owners, count, most_text);
  if (!tachy_arrow_start(arrow, *count)) return tachy_read_no_memory(error);
  const uint32_t *const sites = rows->site + first;
  const tachy_arrow_window window = {first, rows->count};
  TACHY_ARROW_GIVE(arrow, "thread", "i", window, rows->thread);
  TACHY_ARROW_GIVE(arrow, "time", "tsn:UTC", window, rows->utc);
  add_event_type(arrow, rows->kind + first);
  TACHY_ARROW_GIVE(arrow, "span_id", "l", window, rows->id);
  TACHY_ARROW_GIVE(arrow, "parent_span_id", "l", window, rows->parent);
  TACHY_ARROW_GIVE(arrow, "depth", "I", window, rows->depth);
  tachy_arrow_site_hash(arrow, block, sites);
  tachy_arrow_site_text(arrow, "name", block, sites, TACHY_SITE_TEXT_NAME);
  tachy_arrow_site_text(arrow, "filename", block, sites, TACHY_SITE_TEXT_FILE);
  tachy_arrow_site_text(arrow, "target", block, sites, TACHY_SITE_TEXT_TARGET);
  tachy_arrow_site_line(arrow, block, sites);
  return tachy_arrow_values(arrow, block, values, owners, error);
}

/* The owners of the async spans that are open at the block's start. NULL: no memory. */
static uint64_t *open_owners(const tachy_block *block, uint64_t count) {
  uint64_t *const owners = malloc(((size_t)count + 1) * sizeof *owners);
  for (uint64_t i = 0; owners && i < count; i++) owners[i] = tachy_owner_of_open_async(block, i);
  return owners;
}

tachy_status tachy_read_open_async(const void *head, uint64_t head_size, const void *body, uint64_t body_size,
                                   struct ArrowSchema *schema, struct ArrowArray *array, tachy_read_error *error) {
  tachy_block block;
  tachy_open_async_rows rows;
  tachy_arrow arrow;
  tachy_value_rows values = {0};
  tachy_status status = tachy_block_open(&block, head, head_size, body, body_size, error);
  if (status) return status;
  status = tachy_decode_open_async(&block, &rows, error);
  if (!status) {
    status = tachy_decode_values(&block, &values, error);
    uint64_t *const owners = open_owners(&block, rows.count);
    if (!status && (!owners || !tachy_arrow_start(&arrow, rows.count))) {
      status = tachy_read_no_memory(error);
    } else if (!status) {
      const tachy_arrow_window all = {0, rows.count};
      TACHY_ARROW_GIVE(&arrow, "thread_number", "I", all, rows.thread);
      TACHY_ARROW_GIVE(&arrow, "begin", "tsn:UTC", all, rows.begin_utc);
      TACHY_ARROW_GIVE(&arrow, "span_id", "l", all, rows.id);
      TACHY_ARROW_GIVE(&arrow, "parent_span_id", "l", all, rows.parent);
      TACHY_ARROW_GIVE(&arrow, "depth", "I", all, rows.depth);
      tachy_arrow_site_hash(&arrow, &block, rows.site);
      tachy_arrow_site_text(&arrow, "name", &block, rows.site, TACHY_SITE_TEXT_NAME);
      tachy_arrow_site_text(&arrow, "filename", &block, rows.site, TACHY_SITE_TEXT_FILE);
      tachy_arrow_site_text(&arrow, "target", &block, rows.site, TACHY_SITE_TEXT_TARGET);
      tachy_arrow_site_line(&arrow, &block, rows.site);
      status = tachy_arrow_values(&arrow, &block, &values, owners, error);
      if (status) {
        tachy_arrow_free(&arrow);
      } else {
        status = tachy_arrow_export(&arrow, schema, array, error);
      }
    }
    free(owners);
    tachy_value_rows_free(&values);
    tachy_open_async_rows_free(&rows);
  }
  tachy_block_close(&block);
  return status;
}
