/* tachy_merge: how many blocks become one, and that one. */
#include "merge.h"

#include <stdlib.h>

#include "../base/hash.h"
#include "../reader/head.h"

struct tachy_merged {
  uint8_t *head;
  uint64_t head_size;
  void *memory; /* of the body */
  uint8_t *body;
  uint64_t body_size;
};

void tachy_merged_free(tachy_merged *merged) {
  if (!merged) return;
  free(merged->head);
  tachy_os_release(merged->memory);
  free(merged);
}

void *tachy_merged_head(const tachy_merged *merged, uint64_t *size) {
  *size = merged->head_size;
  return merged->head;
}

const void *tachy_merged_body(const tachy_merged *merged, uint64_t *size) {
  *size = merged->body_size;
  return merged->body;
}

void tachy_block_seal(void *head, tachy_codec codec, const void *stored, uint64_t stored_size) {
  tachy_block_header h;
  memcpy(&h, head, sizeof h);
  h.codec = (uint8_t)codec;
  h.stored_size = stored_size;
  h.body_hash = tachy_hash(stored, stored_size);
  h.header_hash = 0;
  memcpy(head, &h, sizeof h);
  h.header_hash = tachy_hash(head, h.header_size);
  memcpy(head, &h, sizeof h);
}

/* What one attempt has made of the sources; their blocks stay open. */
static void forget(merge *m) {
  for (uint64_t i = 0; i < m->count; i++) {
    merge_source *const source = &m->sources[i];
    const tachy_block block = source->block;
    free(source->sites);
    free(source->sets);
    free(source->metrics.last);
    free(source->open_start);
    free(source->open_end);
    free(source->open_start_first);
    free(source->open_end_first);
    free(source->asyncs);
    free(source->async_first);
    tachy_rows_free(&source->open_async);
    *source = (merge_source){.block = block};
  }
  tachy_plane *const planes[] = {
      &m->main[0],         &m->main[1],        &m->main[2],     &m->main[3],         &m->gaps,
      &m->types,           &m->typed.integers, &m->typed.sizes, &m->values.heads[0], &m->values.heads[1],
      &m->values.heads[2], &m->scales,         &m->singles};
  for (size_t i = 0; i < sizeof planes / sizeof *planes; i++) tachy_plane_free(planes[i]);
  tachy_bytes_free(&m->typed.floats);
  tachy_bytes_free(&m->typed.text);
  tachy_dictionary_free(&m->tables.strings);
  tachy_dictionary_free(&m->tables.sites);
  tachy_dictionary_free(&m->tables.sets);
  free(m->entries);
  free(m->runs);
  free(m->threads);
  free(m->points);
  free(m->metrics);
  *m = (merge){.sources = m->sources, .opened = m->opened, .count = m->count, .good = m->good, .failed = m->failed};
}

static void prepare(merge *m, int is_span) {
  merge_threads(m);
  merge_clock(m);
  if (!m->failed) merge_unite(m);
  for (uint64_t i = 0; i < m->count && !m->failed; i++) {
    if (is_span) {
      merge_spans_start(m, i);
      merge_asyncs_start(m, i);
    } else {
      merge_rows_start(m, i);
    }
  }
  if (is_span || m->failed) return;
  m->metrics = calloc((size_t)m->tables.sites.count + 1, sizeof *m->metrics);
  if (!m->metrics) m->failed = 1;
}

static void put_columns(merge *m, int is_span, tachy_columns *c) {
  for (uint32_t t = 0; t < m->thread_count && !m->failed; t++) {
    (is_span ? merge_spans : merge_rows)(m, m->runs[t], &m->threads[t]);
  }
  for (uint64_t i = 0; i < m->good && !m->failed; i++) (is_span ? merge_spans_end : merge_rows_end)(m, i);
  if (m->good < m->count || m->failed) return;
  if (!is_span) {
    merge_rows_columns(m, c);
  } else {
    merge_spans_columns(m, c);
    merge_asyncs(m, c);
    merge_values_columns(m, c);
  }
  merge_clock_columns(m, c);
  merge_tables_columns(m, c);
}

/* Makes the block of all sources, or says in m->good how many of them can be one. */
static void attempt(merge *m, tachy_merged *out) {
  const int is_span = m->sources[0].block.header.cls == TACHY_CLASS_SPAN;
  tachy_columns columns;
  uint64_t expected = 0;
  for (uint64_t i = 0; i < m->count; i++) expected += m->sources[i].block.header.raw_size;
  tachy_columns_begin(&columns, expected);
  m->good = m->count;
  prepare(m, is_span);
  if (!m->failed) put_columns(m, is_span, &columns);
  columns.failed |= m->failed || m->good < m->count;
  const int whole = !columns.failed;
  out->memory = tachy_columns_finish(&columns, &out->body, &out->body_size);
  out->head = out->memory ? (uint8_t *)merge_head(m, out->body_size) : NULL;
  if (!out->head && (whole || m->failed)) m->failed = 1;
}

static void discard(tachy_merged *out) {
  free(out->head);
  tachy_os_release(out->memory);
  *out = (tachy_merged){0};
}

/* A head that readers refuse (its counts do not fit, its body is too large) is for fewer blocks. */
static int fits(const merge *m, const tachy_merged *out, const tachy_merge_limits *limits) {
  tachy_block_header header;
  tachy_read_error ignored;
  memcpy(&header, out->head, sizeof header);
  return m->good == m->count && out->body_size <= limits->raw_bytes &&
         tachy_head_check(out->head, header.header_size, &header, &ignored) == TACHY_OK;
}

/* The first block as it is. 0: no memory. */
static int copy(const void *head, const void *body, tachy_merged *out) {
  tachy_block_header header;
  memcpy(&header, head, sizeof header);
  out->head = malloc(header.header_size);
  out->memory = out->body = tachy_os_allocate(header.raw_size + 1);
  if (!out->head || !out->body) return 0;
  header.codec = TACHY_CODEC_NONE;
  header.stored_size = out->body_size = header.raw_size;
  memcpy(out->head, head, header.header_size);
  memcpy(out->head, &header, sizeof header);
  if (header.raw_size) memcpy(out->body, body, header.raw_size);
  return 1;
}

tachy_status tachy_merge(const tachy_blocks *blocks, uint64_t first, const tachy_merge_limits *limits,
                         tachy_merged **merged, uint64_t *used, tachy_read_error *error) {
  *merged = NULL;
  *used = 0;
  if (first >= blocks->count) return tachy_read_fail(error, "there is nothing to merge");
  tachy_merged *const out = calloc(1, sizeof *out);
  merge m = {0};
  tachy_status status = out ? TACHY_OK : tachy_read_no_memory(error);
  if (!status) m.count = merge_open(&m, blocks, first, limits, &status, error);
  while (!status && m.count > 1) {
    attempt(&m, out);
    const int done = out->head && fits(&m, out, limits);
    const uint64_t fewer = m.good < m.count ? m.good : m.count / 2;
    forget(&m);
    if (m.failed) status = tachy_read_no_memory(error);
    if (done && !status) break;
    discard(out);
    m.count = fewer > 1 ? fewer : 1;
  }
  if (!status && m.count == 1 && !copy(blocks->heads[first], blocks->bodies[first], out))
    status = tachy_read_no_memory(error);
  for (uint64_t i = 0; i < m.opened; i++) tachy_block_close(&m.sources[i].block);
  free(m.sources);
  if (status) {
    tachy_merged_free(out);
    return status;
  }
  tachy_block_header header;
  memcpy(&header, out->head, sizeof header);
  out->head_size = header.header_size;
  *merged = out;
  *used = m.count;
  return TACHY_OK;
}
