/* Opens a block: the head, where the columns lie in the body, and the tables (strings, sites, property sets). */
#include <stdlib.h>
#include <string.h>

#include "../base/hash.h"
#include "cursor.h"
#include "error.h"
#include "head.h"
#include "text.h"

#define HASHED_MAX (UINT64_C(1) << 32) /* bytes of sites' names: a second's work; a million sites have 4 KiB each */
#define SET_MAX (UINT64_C(1) << 28)    /* bytes of one property set, which is made as a whole */

/* 0 for an id that this version does not know. */
static uint32_t expected_encoding(uint32_t id) {
  if (id == TACHY_COLUMN_STRING_BYTES || id == TACHY_COLUMN_LOG_TEXT_BYTES ||
      id == TACHY_COLUMN_SPAN_VALUE_TEXT_BYTES) {
    return TACHY_ENCODING_BYTES;
  }
  if (id == TACHY_COLUMN_VALUE_F64 || id == TACHY_COLUMN_LOG_F64 || id == TACHY_COLUMN_SPAN_VALUE_F64) {
    return TACHY_ENCODING_F64;
  }
  const int known = (id >= TACHY_COLUMN_STRING_SIZE && id <= TACHY_COLUMN_CLOCK_INNER_UTC) ||
                    (id >= TACHY_COLUMN_ROW_SITE && id <= TACHY_COLUMN_VALUE_F32) ||
                    (id >= TACHY_COLUMN_SPAN_DEPTH && id <= TACHY_COLUMN_OPEN_END_ID) ||
                    (id >= TACHY_COLUMN_ASYNC_KIND && id <= TACHY_COLUMN_OPEN_ASYNC_THREAD) ||
                    (id >= TACHY_COLUMN_SPAN_VALUE_OWNER && id <= TACHY_COLUMN_SPAN_VALUE_TEXT_BYTES);
  return known ? TACHY_ENCODING_UINT : 0;
}

static int count_fits(const tachy_column *column) {
  if (column->encoding == TACHY_ENCODING_UINT) return column->count <= column->size;
  if (column->encoding == TACHY_ENCODING_F64) return column->size % 8 == 0 && column->count == column->size / 8;
  return column->count == column->size;
}

static tachy_status find_columns(tachy_block *block, const uint8_t *body, uint64_t size, tachy_read_error *error) {
  tachy_body_header h;
  if (size < sizeof h)
    return tachy_read_fail(error, "a block's body of %llu bytes has no header", (unsigned long long)size);
  memcpy(&h, body, sizeof h);
  if (h.column_count > (size - sizeof h) / sizeof(tachy_column)) {
    return tachy_read_fail(error, "a block's body is too short for its %u columns", h.column_count);
  }
  for (uint32_t i = 0; i < TACHY_COLUMN_COUNT; i++) block->columns[i].bytes = body;
  uint64_t offset = sizeof h + h.column_count * sizeof(tachy_column);
  uint8_t seen[TACHY_COLUMN_COUNT] = {0};
  for (uint32_t i = 0; i < h.column_count; i++) {
    tachy_column column;
    memcpy(&column, body + sizeof h + i * sizeof column, sizeof column);
    if (column.size > size - offset || tachy_pad8(column.size) > size - offset) {
      return tachy_read_fail(error, "column %u does not fit into its block's body", column.id);
    }
    const uint32_t encoding = column.id < TACHY_COLUMN_COUNT ? expected_encoding(column.id) : 0;
    if (encoding) {
      if (column.encoding != encoding || !count_fits(&column)) {
        return tachy_read_fail(error, "column %u has the wrong encoding or size", column.id);
      }
      if (seen[column.id]) return tachy_read_fail(error, "column %u is there twice", column.id);
      seen[column.id] = 1;
      const tachy_raw_column found = {body + offset, column.count, column.size};
      tachy_uint_cursor planes;
      if (encoding == TACHY_ENCODING_UINT && !tachy_uint_find(&planes, &found)) {
        return tachy_read_fail(error, "the planes of column %u do not add up to its size", column.id);
      }
      block->columns[column.id] = found;
    }
    offset += tachy_pad8(column.size);
  }
  if (offset != size) return tachy_read_fail(error, "a block's body has bytes after its last column");
  return TACHY_OK;
}

static tachy_status read_strings(tachy_block *block, const uint8_t *head, tachy_read_error *error) {
  const tachy_raw_column *sizes = &block->columns[TACHY_COLUMN_STRING_SIZE];
  const tachy_raw_column *bytes = &block->columns[TACHY_COLUMN_STRING_BYTES];
  block->string_count = (uint32_t)sizes->count; /* a body has at most 1 GiB */
  block->strings = malloc((sizes->count + 1 + block->thread_count) * sizeof *block->strings);
  if (!block->strings) return tachy_read_no_memory(error);
  tachy_uint_cursor cursor = tachy_uint_start(sizes);
  uint64_t offset = 0;
  for (uint32_t i = 0; i < block->string_count; i++) {
    const uint64_t size = tachy_uint_take(&cursor);
    if (size > bytes->size - offset) return tachy_read_fail(error, "a string lies outside of the string table");
    block->strings[i] = (tachy_text){(const char *)bytes->bytes + offset, size};
    offset += size;
  }
  if (!tachy_uint_ok(&cursor) || offset != bytes->size) {
    return tachy_read_fail(error, "the string table's sizes do not add up");
  }
  tachy_text *text = block->strings + block->string_count;
  *text++ = (tachy_text){"seconds", 7};
  block->thread_names = text;
  for (uint32_t i = 0; i < block->thread_count; i++) {
    *text++ = (tachy_text){(const char *)head + block->threads[i].name_offset, block->threads[i].name_size};
  }
  return TACHY_OK;
}

/* Strings and names that are not UTF-8 get repaired copies in block->fixed_text. */
static tachy_status repair_texts(tachy_block *block, tachy_read_error *error) {
  const uint64_t count = (uint64_t)block->string_count + 1 + block->thread_count;
  uint64_t invalid = 0;
  for (uint64_t i = 0; i < count; i++) {
    const tachy_text text = block->strings[i];
    if (!tachy_text_is_utf8(text.bytes, text.size)) invalid += text.size;
  }
  if (!invalid) return TACHY_OK;
  tachy_buffer fixed = {malloc(invalid * 3), 0, invalid * 3}; /* the most it can become: it will not move */
  if (!fixed.bytes) return tachy_read_no_memory(error);
  block->fixed_text = fixed.bytes;
  for (uint64_t i = 0; i < count; i++) {
    const tachy_text text = block->strings[i];
    if (tachy_text_is_utf8(text.bytes, text.size)) continue;
    const uint64_t start = fixed.size;
    if (!tachy_buffer_append_utf8(&fixed, text.bytes, text.size)) return tachy_read_no_memory(error);
    block->strings[i] = (tachy_text){fixed.bytes + start, fixed.size - start};
  }
  return TACHY_OK;
}

/* Low half of XXH64 over name, 0, target, 0, file, 0 and the line. */
static int hash_site(const tachy_block *block, tachy_site_row *site, tachy_buffer *scratch) {
  const uint32_t parts[3] = {site->name, site->target, site->file};
  scratch->size = 0;
  for (int i = 0; i < 3; i++) {
    const tachy_text *text = &block->strings[parts[i]];
    if (!tachy_buffer_append(scratch, text->bytes, text->size) || !tachy_buffer_append(scratch, "", 1)) return 0;
  }
  if (!tachy_buffer_append(scratch, &site->line, sizeof site->line)) return 0;
  site->hash = (uint32_t)tachy_hash(scratch->bytes, scratch->size);
  return 1;
}

static uint64_t limit_of(const tachy_block *block, uint32_t id) {
  switch (id) {
    case TACHY_COLUMN_SITE_ID:
      return (uint64_t)TACHY_SITE_MAX + 1;
    case TACHY_COLUMN_SITE_LINE:
      return (uint64_t)UINT32_MAX + 1;
    case TACHY_COLUMN_SITE_LEVEL:
      return (uint64_t)TACHY_LEVEL_TRACE + 1;
    case TACHY_COLUMN_SITE_KIND:
      return (uint64_t)TACHY_SITE_VALUE + 1;
    default:
      return block->string_count;
  }
}

/* The columns SITE_ID … SITE_KIND are the fields of a site in their order. */
enum { SITE_FIELDS = TACHY_COLUMN_SITE_KIND - TACHY_COLUMN_SITE_ID + 1 };
_Static_assert(offsetof(tachy_site_row, kind) == (SITE_FIELDS - 1) * sizeof(uint32_t), "a field for each column");

static tachy_status read_sites(tachy_block *block, tachy_read_error *error) {
  tachy_uint_cursor fields[SITE_FIELDS];
  block->site_count = (uint32_t)block->columns[TACHY_COLUMN_SITE_ID].count;
  const tachy_status status =
      tachy_uints_start(fields, block, TACHY_COLUMN_SITE_ID, SITE_FIELDS, block->site_count, "site", error);
  if (status) return status;
  block->sites = calloc((size_t)block->site_count + 1, sizeof *block->sites);
  if (!block->sites) return tachy_read_no_memory(error);
  for (uint32_t k = 0; k < SITE_FIELDS; k++) {
    const uint32_t id = TACHY_COLUMN_SITE_ID + k;
    for (uint32_t i = 0; i < block->site_count; i++) {
      const uint64_t value = tachy_uint_take(&fields[k]);
      if (value >= limit_of(block, id)) {
        return tachy_read_fail(error, "a value of the site table (column %u) is out of range", id);
      }
      ((uint32_t *)(void *)&block->sites[i])[k] = (uint32_t)value;
    }
  }
  for (uint32_t i = 0; i < block->site_count; i++) {
    tachy_site_row *const site = &block->sites[i];
    if (site->kind == TACHY_SITE_METRIC_TICKS || site->kind == TACHY_SITE_FRAME) site->unit = block->string_count;
  }
  return tachy_uints_end(fields, SITE_FIELDS, "site", error);
}

tachy_status tachy_block_hash_sites(tachy_block *block, tachy_read_error *error) {
  tachy_buffer scratch = {0};
  tachy_status status = TACHY_OK;
  uint64_t hashed = 0; /* many sites may name one long string: the work is bounded, not only the memory */
  for (uint32_t i = 0; i < block->site_count && !status; i++) {
    if (!hash_site(block, &block->sites[i], &scratch)) status = tachy_read_no_memory(error);
    hashed += scratch.size;
    if (hashed > HASHED_MAX) status = tachy_read_fail(error, "the names of a block's sites are too long");
  }
  tachy_buffer_free(&scratch);
  return status;
}

static tachy_status read_sets(tachy_block *block, tachy_read_error *error) {
  const tachy_raw_column *sizes = &block->columns[TACHY_COLUMN_SET_SIZE];
  const uint64_t pairs = block->columns[TACHY_COLUMN_SET_KEY].count;
  block->set_count = (uint32_t)sizes->count;
  block->set_first = malloc((sizes->count + 2) * sizeof *block->set_first);
  block->set_keys = malloc(pairs * sizeof *block->set_keys + 1);
  block->set_values = malloc(pairs * sizeof *block->set_values + 1);
  if (!block->set_first || !block->set_keys || !block->set_values) return tachy_read_no_memory(error);
  tachy_uint_cursor cursor = tachy_uint_start(sizes);
  uint64_t first = 0;
  for (uint32_t i = 0; i < block->set_count; i++) {
    block->set_first[i] = first;
    const uint64_t size = tachy_uint_take(&cursor);
    if (size > pairs - first) return tachy_read_fail(error, "a property set lies outside of the pairs");
    first += size;
  }
  block->set_first[block->set_count] = block->set_first[block->set_count + 1] = first;
  if (!tachy_uint_ok(&cursor) || first != pairs) {
    return tachy_read_fail(error, "the property sets' sizes do not add up");
  }
  tachy_uint_cursor strings[2];
  const tachy_status status = tachy_uints_start(strings, block, TACHY_COLUMN_SET_KEY, 2, pairs, "property", error);
  for (uint64_t i = 0; i < pairs && !status; i++) {
    const uint64_t key = tachy_uint_take(&strings[0]);
    const uint64_t value = tachy_uint_take(&strings[1]);
    if (key >= block->string_count || value >= block->string_count) {
      return tachy_read_fail(error, "a property names a string that is not there");
    }
    block->set_keys[i] = (uint32_t)key;
    block->set_values[i] = (uint32_t)value;
  }
  return status ? status : tachy_uints_end(strings, 2, "property", error);
}

/* Points that two columns have, each as far before the one after it as they say. */
static tachy_status read_points(tachy_block *block, uint32_t id, uint64_t most, tachy_clock_pair after,
                                tachy_read_error *error) {
  tachy_uint_cursor columns[2];
  const uint64_t count = block->columns[id].count;
  const tachy_status status = tachy_uints_start(columns, block, id, 2, count, "point of the clock", error);
  if (status) return status;
  if (count > most) {
    return tachy_read_fail(error, "a block's clock has more than %llu points", (unsigned long long)most);
  }
  for (uint64_t i = 0; i < count; i++) {
    after.ticks -= tachy_uint_take(&columns[0]);
    after.utc = (int64_t)((uint64_t)after.utc - tachy_uint_take(&columns[1]));
    block->points[block->point_count++] = after;
  }
  return tachy_uints_end(columns, 2, "point of the clock", error);
}

/* The points of the clock: inner ones, its start, the newest one of the block before, if there is one, and older ones.
 */
static tachy_status read_clock(tachy_block *block, tachy_read_error *error) {
  const tachy_block_header *const h = &block->header;
  const tachy_clock_pair start = {h->ticks0, h->utc0}, end = {h->ticks1, h->utc1};
  const tachy_clock_pair before = {h->before_ticks, h->before_utc};
  const uint64_t room =
      block->columns[TACHY_COLUMN_CLOCK_INNER_TICKS].count + block->columns[TACHY_COLUMN_CLOCK_TICKS].count + 2;
  const uint64_t most = (uint64_t)TACHY_CLOCK_INNER_MAX + TACHY_CLOCK_EARLIER_MAX + 2;
  block->points = malloc((room < most ? room : most) * sizeof *block->points);
  if (!block->points) return tachy_read_no_memory(error);
  tachy_status status = read_points(block, TACHY_COLUMN_CLOCK_INNER_TICKS, TACHY_CLOCK_INNER_MAX, end, error);
  if (status) return status;
  uint64_t after = end.ticks - start.ticks; /* ticks are modulo 2^64 */
  for (uint64_t i = 0; i < block->point_count; i++) {
    const uint64_t ticks = block->points[i].ticks - start.ticks;
    if (ticks == 0 || ticks >= after) {
      return tachy_read_fail(error, "the points of a block's clock do not ascend from its start to its end");
    }
    after = ticks;
  }
  block->points[block->point_count++] = start;
  uint64_t lines = block->point_count;
  block->points[block->point_count++] = before;
  status = read_points(block, TACHY_COLUMN_CLOCK_TICKS, TACHY_CLOCK_EARLIER_MAX, before, error);
  if ((int64_t)(start.ticks - before.ticks) > 0) lines = block->point_count;
  block->point_count = lines;
  block->clock = tachy_clock_from(end, block->points, lines, h->frequency);
  return status;
}

static tachy_status read_threads(tachy_block *block, const uint8_t *head, tachy_read_error *error) {
  block->thread_count = block->header.thread_count;
  block->threads = malloc(block->thread_count * sizeof *block->threads + 1);
  if (!block->threads) return tachy_read_no_memory(error);
  for (uint32_t i = 0; i < block->thread_count; i++) {
    block->threads[i] = tachy_head_thread(head, i);
    block->rows += block->threads[i].rows; /* each at most raw_size, which is at most 2^30: no overflow */
    block->async_rows += block->threads[i].async_rows;
  }
  const int is_span = block->header.cls == TACHY_CLASS_SPAN;
  if (block->rows != block->columns[TACHY_COLUMN_ROW_SITE].count ||
      block->async_rows != block->columns[TACHY_COLUMN_ASYNC_KIND].count || (block->async_rows && !is_span)) {
    return tachy_read_fail(error, "the threads' rows are not the rows of the body");
  }
  return TACHY_OK;
}

tachy_status tachy_block_open(tachy_block *block, const void *head, uint64_t head_size, const void *body,
                              uint64_t body_size, tachy_read_error *error) {
  memset(block, 0, sizeof *block);
  tachy_status status = tachy_head_check(head, head_size, &block->header, error);
  if (status) return status;
  if (body_size != block->header.raw_size) {
    return tachy_read_fail(error, "a body of %llu bytes was given for a block of %llu", (unsigned long long)body_size,
                           (unsigned long long)block->header.raw_size);
  }
  status = find_columns(block, body, body_size, error);
  if (!status) status = read_clock(block, error);
  if (!status) status = read_threads(block, head, error);
  if (!status) status = read_strings(block, head, error);
  if (!status) status = repair_texts(block, error);
  if (!status) status = read_sites(block, error);
  if (!status) status = read_sets(block, error);
  if (!status) status = tachy_block_read_values(block, error);
  if (status) tachy_block_close(block);
  return status;
}

void tachy_block_close(tachy_block *block) {
  free(block->threads);
  free(block->strings);
  free(block->sites);
  free(block->set_first);
  free(block->set_keys);
  free(block->set_values);
  free(block->values);
  free(block->points);
  free(block->fixed_text);
  memset(block, 0, sizeof *block);
}

tachy_status tachy_set_json(const tachy_block *block, uint32_t set, tachy_buffer *out, tachy_read_error *error) {
  uint64_t limit = SET_MAX;
  int good = tachy_buffer_append(out, "{", 1);
  for (uint64_t i = block->set_first[set]; good && i < block->set_first[set + 1]; i++) {
    const tachy_text *key = &block->strings[block->set_keys[i]];
    const tachy_text *value = &block->strings[block->set_values[i]];
    if (key->size + value->size > limit) return tachy_read_fail(error, "a block's properties are too long");
    limit -= key->size + value->size;
    if (i > block->set_first[set]) good = tachy_buffer_append(out, ",", 1);
    good = good && tachy_buffer_append_json(out, key->bytes, key->size) && tachy_buffer_append(out, ":", 1) &&
           tachy_buffer_append_json(out, value->bytes, value->size);
  }
  if (!good || !tachy_buffer_append(out, "}", 1)) return tachy_read_no_memory(error);
  return TACHY_OK;
}
