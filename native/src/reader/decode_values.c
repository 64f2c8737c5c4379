/* Values on spans: which row of the block, or which open span, has which. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cursor.h"
#include "error.h"
#include "text.h"

#define JSON_MAX (UINT64_C(1) << 28) /* bytes of one span's keys and texts, which are made as a whole */

typedef struct walk {
  tachy_uint_cursor owner;
  tachy_uint_cursor site;
  tachy_uint_cursor type;
  tachy_uint_cursor integer;
  tachy_uint_cursor size;
  const tachy_raw_column *floats;
  uint64_t next_float;
  const tachy_raw_column *text;
  uint64_t text_at;
} walk;

/* 0: it is not there. */
static int read_bits(walk *w, tachy_value *value) {
  switch (value->type) {
    case TACHY_VALUE_I64:
      value->bits = (uint64_t)tachy_unzigzag(tachy_uint_next(&w->integer));
      return 1;
    case TACHY_VALUE_F64:
      if (w->next_float == w->floats->count) return 0;
      memcpy(&value->bits, w->floats->bytes + 8 * w->next_float++, sizeof value->bits);
      return 1;
    case TACHY_VALUE_TEXT:
      value->bits = tachy_uint_next(&w->size);
      value->text = (const char *)w->text->bytes + w->text_at;
      if (value->bits > w->text->size - w->text_at) return 0;
      w->text_at += value->bits;
      return 1;
    default:
      value->bits = tachy_uint_next(&w->integer);
      return 1;
  }
}

static tachy_status read_values(const tachy_block *block, walk *w, tachy_value_rows *rows, tachy_read_error *error) {
  const uint64_t owners = block->rows + block->columns[TACHY_COLUMN_OPEN_END_SITE].count + block->async_rows +
                          block->columns[TACHY_COLUMN_OPEN_ASYNC_ID].count;
  uint64_t owner = 0;
  uint64_t of_owner = 0;
  for (uint64_t i = 0; i < rows->count; i++) {
    tachy_value *const value = &rows->values[i];
    const uint64_t step = tachy_uint_take(&w->owner);
    const uint64_t site = tachy_uint_take(&w->site);
    const uint64_t type = tachy_uint_take(&w->type);
    of_owner = step ? 1 : of_owner + 1;
    if (step >= owners - owner || site >= block->site_count || type < TACHY_VALUE_I64 || type > TACHY_VALUE_BOOL ||
        of_owner > TACHY_SPAN_VALUES_MAX) {
      return tachy_read_fail(error, "a value on a span is malformed");
    }
    owner += step;
    *value = (tachy_value){owner, 0, NULL, (uint32_t)site, (uint32_t)type};
    if (!read_bits(w, value)) return tachy_read_fail(error, "a value on a span is not there");
  }
  if (!tachy_uint_ok(&w->owner) || !tachy_uint_ok(&w->site) || !tachy_uint_ok(&w->type) ||
      !tachy_uint_ok(&w->integer) || !tachy_uint_ok(&w->size) || w->next_float != w->floats->count ||
      w->text_at != w->text->size) {
    return tachy_read_fail(error, "a column of the values on spans is malformed");
  }
  return TACHY_OK;
}

tachy_status tachy_decode_values(const tachy_block *block, tachy_value_rows *rows, tachy_read_error *error) {
  const tachy_raw_column *const columns = block->columns;
  memset(rows, 0, sizeof *rows);
  rows->count = columns[TACHY_COLUMN_SPAN_VALUE_OWNER].count;
  if (rows->count != columns[TACHY_COLUMN_SPAN_VALUE_SITE].count ||
      rows->count != columns[TACHY_COLUMN_SPAN_VALUE_TYPE].count) {
    return tachy_read_fail(error, "the columns of the values on spans differ in length");
  }
  walk w = {.owner = tachy_uint_start(&columns[TACHY_COLUMN_SPAN_VALUE_OWNER]),
            .site = tachy_uint_start(&columns[TACHY_COLUMN_SPAN_VALUE_SITE]),
            .type = tachy_uint_start(&columns[TACHY_COLUMN_SPAN_VALUE_TYPE]),
            .integer = tachy_uint_start(&columns[TACHY_COLUMN_SPAN_VALUE_INT]),
            .size = tachy_uint_start(&columns[TACHY_COLUMN_SPAN_VALUE_TEXT_SIZE]),
            .floats = &columns[TACHY_COLUMN_SPAN_VALUE_F64],
            .text = &columns[TACHY_COLUMN_SPAN_VALUE_TEXT_BYTES]};
  rows->values = malloc((size_t)rows->count * sizeof *rows->values + 1);
  const tachy_status status = rows->values ? read_values(block, &w, rows, error) : tachy_read_no_memory(error);
  if (status) tachy_value_rows_free(rows);
  return status;
}

void tachy_value_rows_free(tachy_value_rows *rows) {
  free(rows->values);
  memset(rows, 0, sizeof *rows);
}

tachy_value_range tachy_values_of(const tachy_value_rows *rows, uint64_t owner) {
  uint64_t low = 0;
  uint64_t high = rows->count;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (rows->values[middle].owner < owner) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  uint64_t end = low;
  while (end < rows->count && rows->values[end].owner == owner) end++;
  return (tachy_value_range){rows->values + low, end - low};
}

/* JSON ------------------------------------------------------------------------------------------------------------- */

/* The shortest of three precisions that reads back as the same number; what JSON has no number for is a text. */
static int append_float(tachy_buffer *out, uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  if (isnan(value)) return tachy_buffer_append(out, "\"NaN\"", 5);
  if (isinf(value))
    return value > 0 ? tachy_buffer_append(out, "\"Infinity\"", 10) : tachy_buffer_append(out, "\"-Infinity\"", 11);
  char text[40];
  int size = 0;
  for (int precision = 15; precision <= 17; precision++) {
    size = snprintf(text, sizeof text, "%.*g", precision, value);
    if (strtod(text, NULL) == value) break;
  }
  for (char *at = text; *at; at++) {
    if (*at == ',') *at = '.'; /* the program's locale */
  }
  return tachy_buffer_append(out, text, (uint64_t)size);
}

static int append_text(tachy_buffer *out, const char *text, uint64_t size) {
  if (tachy_text_is_utf8(text, size)) return tachy_buffer_append_json(out, text, size);
  tachy_buffer fixed = {0};
  const int ok = tachy_buffer_append_utf8(&fixed, text, size) && tachy_buffer_append_json(out, fixed.bytes, fixed.size);
  tachy_buffer_free(&fixed);
  return ok;
}

static int append_value(tachy_buffer *out, const tachy_value *value) {
  char text[24];
  switch (value->type) {
    case TACHY_VALUE_I64:
      return tachy_buffer_append(out, text, (uint64_t)snprintf(text, sizeof text, "%lld", (long long)value->bits));
    case TACHY_VALUE_F64:
      return append_float(out, value->bits);
    case TACHY_VALUE_TEXT:
      return append_text(out, value->text, value->bits);
    case TACHY_VALUE_BOOL:
      return value->bits ? tachy_buffer_append(out, "true", 4) : tachy_buffer_append(out, "false", 5);
    default:
      return tachy_buffer_append(out, text,
                                 (uint64_t)snprintf(text, sizeof text, "%llu", (unsigned long long)value->bits));
  }
}

int tachy_flow_counts(const tachy_block *block, tachy_value_range range, uint64_t i) {
  const tachy_value *const flow = &range.values[i];
  for (uint64_t k = 0; k < i; k++) {
    const tachy_value *const before = &range.values[k];
    if (before->type == TACHY_VALUE_FLOW && before->bits == flow->bits &&
        block->sites[before->site].name == block->sites[flow->site].name) {
      return 0;
    }
  }
  return flow->type == TACHY_VALUE_FLOW;
}

int tachy_value_counts(const tachy_block *block, tachy_value_range range, uint64_t i) {
  const uint32_t key = block->sites[range.values[i].site].name;
  for (uint64_t k = i + 1; k < range.count; k++) {
    if (block->sites[range.values[k].site].name == key) return 0;
  }
  return 1;
}

/* The last value of a key; or all the flows of it. */
static int append_key(const tachy_block *block, tachy_value_range range, uint64_t i, tachy_buffer *out) {
  const tachy_value *const last = &range.values[i];
  const uint32_t key = block->sites[last->site].name;
  uint64_t flows = 0;
  for (uint64_t k = 0; last->type == TACHY_VALUE_FLOW && k <= i; k++) {
    flows += block->sites[range.values[k].site].name == key && tachy_flow_counts(block, range, k);
  }
  const tachy_text name = block->strings[key];
  int ok = tachy_buffer_append_json(out, name.bytes, name.size) && tachy_buffer_append(out, ":", 1);
  if (flows < 2) return ok && append_value(out, last);
  const char *before = "[";
  for (uint64_t k = 0; ok && k <= i; k++) {
    if (block->sites[range.values[k].site].name != key || !tachy_flow_counts(block, range, k)) continue;
    ok = tachy_buffer_append(out, before, 1) && append_value(out, &range.values[k]);
    before = ",";
  }
  return ok && tachy_buffer_append(out, "]", 1);
}

uint64_t tachy_values_size(const tachy_block *block, tachy_value_range range) {
  uint64_t size = 2;
  for (uint64_t i = 0; i < range.count; i++) {
    const tachy_value *const value = &range.values[i];
    size += block->strings[block->sites[value->site].name].size + 28;
    if (value->type == TACHY_VALUE_TEXT) size += value->bits;
  }
  return size;
}

tachy_status tachy_values_json(const tachy_block *block, tachy_value_range range, tachy_buffer *out,
                               tachy_read_error *error) {
  if (tachy_values_size(block, range) > JSON_MAX) return tachy_read_fail(error, "the values on a span are too long");
  const char *before = "{";
  int ok = 1;
  for (uint64_t i = 0; ok && i < range.count; i++) {
    if (!tachy_value_counts(block, range, i)) continue;
    ok = tachy_buffer_append(out, before, 1) && append_key(block, range, i, out);
    before = ",";
  }
  if (range.count == 0) ok = tachy_buffer_append(out, "{", 1);
  return ok && tachy_buffer_append(out, "}", 1) ? TACHY_OK : tachy_read_no_memory(error);
}
