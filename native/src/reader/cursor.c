/* The planes of UINT columns: docs/format.md, "Body". */
#include "cursor.h"

#include "../base/columns.h"

int tachy_uint_find(tachy_uint_cursor *c, const tachy_raw_column *column) {
  const uint8_t *at = column->bytes;
  uint64_t count = column->count;
  uint64_t left = column->size;
  for (unsigned level = 0; count <= left; level++) {
    c->above[level] = at;
    const uint64_t full = tachy_count_full(at, count);
    at += count;
    left -= count;
    if (full == 0) return left == 0;
    if (level == TACHY_UINT_LEVELS || full > left) return 0;
    c->lowest[level] = at;
    at += full;
    left -= full;
    count = full;
  }
  return 0;
}

void tachy_uint_read(tachy_uint_cursor *c, unsigned level, uint64_t *out, uint64_t count) {
  const uint8_t *const above = c->above[level];
  const uint64_t full = tachy_count_full(above, count);
  c->above[level] += count;
  if (full == 0) {
    for (uint64_t i = 0; i < count; i++) out[i] = above[i];
    return;
  }
  const uint8_t *const lowest = c->lowest[level];
  c->lowest[level] += full;
  tachy_uint_read(c, level + 1, out, full);
  for (uint64_t i = 0; i < full; i++) out[i] = out[i] << 8 | lowest[i];
  if (full == count) return;
  for (uint64_t i = count, k = full; i-- > 0;) { /* to their places, without a branch on the sizes of times */
    const uint64_t is_full = above[i] == 255u;
    k -= is_full;
    out[i] = (above[i] & (is_full - 1)) | (out[k] & (0 - is_full));
  }
}

void tachy_uint_pass(tachy_uint_cursor *c, unsigned level, uint64_t count) {
  const uint64_t full = tachy_count_full(c->above[level], count);
  c->above[level] += count;
  if (full == 0) return;
  c->lowest[level] += full;
  tachy_uint_pass(c, level + 1, full);
}
