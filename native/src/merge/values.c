/* Values of several types, and whose they are on spans. */
#include "merge.h"

static void append(merge *m, tachy_bytes *to, const void *bytes, uint64_t size) {
  if (!tachy_bytes_append(to, bytes, size)) m->failed = 1;
}

/* The types of a log's arguments begin as those of a span's values do; the rest are numbers as they are. */
void merge_typed_put(merge *m, merge_typed *typed, const tachy_value *value) {
  switch (value->type) {
    case TACHY_VALUE_F64:
      append(m, &typed->floats, &value->bits, sizeof value->bits);
      break;
    case TACHY_VALUE_TEXT:
      merge_put(m, &typed->sizes, value->bits);
      append(m, &typed->text, value->text, value->bits);
      break;
    case TACHY_VALUE_I64:
      merge_put(m, &typed->integers, tachy_zigzag((int64_t)value->bits));
      break;
    default:
      merge_put(m, &typed->integers, value->bits);
  }
}

void merge_typed_columns(tachy_columns *c, tachy_column_id first, merge_typed *typed) {
  tachy_columns_add(c, (int)first, &typed->integers, 1);
  tachy_columns_buffer(c, (tachy_column_id)(first + 1), TACHY_ENCODING_F64, &typed->floats);
  tachy_columns_add(c, (int)first + 2, &typed->sizes, 1);
  tachy_columns_buffer(c, (tachy_column_id)(first + 3), TACHY_ENCODING_BYTES, &typed->text);
}

void merge_values_put(merge *m, const merge_source *source, uint64_t owner, tachy_value_range range) {
  for (uint64_t i = 0; i < range.count; i++) {
    const tachy_value *const value = &range.values[i];
    merge_put(m, &m->values.heads[0], owner - m->values.owner);
    merge_put(m, &m->values.heads[1], source->sites[value->site]);
    merge_put(m, &m->values.heads[2], value->type);
    merge_typed_put(m, &m->typed, value);
    m->values.owner = owner;
  }
}

void merge_values_columns(merge *m, tachy_columns *c) {
  tachy_columns_add(c, TACHY_COLUMN_SPAN_VALUE_OWNER, m->values.heads, 3);
  merge_typed_columns(c, TACHY_COLUMN_SPAN_VALUE_INT, &m->typed);
}
