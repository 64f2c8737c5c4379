/* Values on spans: which row of the block, or which open span, has which. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cursor.h"
#include "error.h"
#include "text.h"

#define JSON_MAX (UINT64_C(1) << 28) /* bytes of one span's keys and texts, which are made as a whole */

tachy_status tachy_block_read_values(tachy_block *block, tachy_read_error *error) {
  static const char what[] = "value on a span";
  const uint64_t count = block->columns[TACHY_COLUMN_SPAN_VALUE_OWNER].count;
  const uint64_t owners = tachy_owner_of_open_async(block, 0) + block->columns[TACHY_COLUMN_OPEN_ASYNC_ID].count;
  tachy_uint_cursor columns[3];
  const tachy_status status = tachy_uints_start(columns, block, TACHY_COLUMN_SPAN_VALUE_OWNER, 3, count, what, error);
  if (status) return status;
  tachy_typed_cursor typed = tachy_typed_start(block, TACHY_COLUMN_SPAN_VALUE_INT);
  block->value_count = count;
  block->values = malloc((size_t)count * sizeof *block->values + 1);
  if (!block->values) return tachy_read_no_memory(error);
  uint64_t owner = 0;
  uint64_t of_owner = 0;
  for (uint64_t i = 0; i < count; i++) {
    const uint64_t step = tachy_uint_take(&columns[0]);
    const uint64_t site = tachy_uint_take(&columns[1]);
    const uint64_t type = tachy_uint_take(&columns[2]);
    of_owner = step ? 1 : of_owner + 1;
    if (step >= owners - owner || site >= block->site_count || type < TACHY_VALUE_I64 || type > TACHY_VALUE_BOOL ||
        of_owner > TACHY_SPAN_VALUES_MAX) {
      return tachy_read_fail(error, "a value on a span is malformed");
    }
    owner += step;
    block->values[i] = (tachy_value){.owner = owner, .site = (uint32_t)site, .type = (uint32_t)type};
    if (!tachy_typed_take(&typed, &block->values[i])) return tachy_read_fail(error, "a value on a span is not there");
  }
  if (!tachy_typed_ok(&typed)) return tachy_read_fail(error, "the values on spans do not use up their columns");
  return tachy_uints_end(columns, 3, what, error);
}

tachy_value_range tachy_values_of(const tachy_block *block, uint64_t owner) {
  uint64_t low = 0;
  uint64_t high = block->value_count;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (block->values[middle].owner < owner) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  uint64_t end = low;
  while (end < block->value_count && block->values[end].owner == owner) end++;
  return (tachy_value_range){block->values + low, end - low};
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
