/* The planes of UINT columns: docs/format.md, "Body". */
#include "cursor.h"

/* How many of the bytes are 255. */
static uint64_t count_full(const uint8_t *bytes, uint64_t count) {
  const uint8_t *const first = memchr(bytes, 255, (size_t)count); /* most columns have none */
  if (!first) return 0;
  uint64_t full = 0;
  count -= (uint64_t)(first - bytes);
  bytes = first;
  while (count > 0) {
    const uint64_t some = count < 255 ? count : 255; /* so that a byte counts them, sixteen at a time */
    uint8_t of_some = 0;
    for (uint64_t i = 0; i < some; i++) of_some = (uint8_t)(of_some + (bytes[i] == 255u));
    full += of_some;
    bytes += some;
    count -= some;
  }
  return full;
}

int tachy_uint_find(tachy_uint_cursor *c, const tachy_raw_column *column) {
  const uint8_t *at = column->bytes;
  uint64_t count = column->count;
  uint64_t left = column->size;
  for (unsigned level = 0; count <= left; level++) {
    c->above[level] = at;
    const uint64_t full = count_full(at, count);
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
  const uint64_t full = count_full(above, count);
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
  const uint64_t full = count_full(c->above[level], count);
  c->above[level] += count;
  if (full == 0) return;
  c->lowest[level] += full;
  tachy_uint_pass(c, level + 1, full);
}
