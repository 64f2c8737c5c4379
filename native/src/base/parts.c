/* Where a body's planes end. */
#include <string.h>
#include <tachy/tachy.h>

#include "columns.h"

enum { PART_MIN = 1024 /* bytes that are worth codes of their own, which have to be said */, COUNTED_AT_ONCE = 128 };

typedef struct parts {
  uint64_t *ends;
  uint32_t count;
  uint32_t room;
  uint64_t last;
} parts;

static void end_at(parts *p, uint64_t at) {
  if (at < p->last + PART_MIN || p->count + 1 >= p->room) return;
  p->ends[p->count++] = p->last = at;
}

/* Of fewer than 256 bytes, so that a byte counts them, sixteen at a time; in all compilers' ordinary builds if `count`
 * is a constant. */
TACHY_INLINE uint64_t count_few(const uint8_t *bytes, uint64_t count) {
  uint8_t full = 0;
  for (uint64_t i = 0; i < count; i++) full = (uint8_t)(full + (bytes[i] == 255u));
  return full;
}

uint64_t tachy_count_full(const uint8_t *bytes, uint64_t count) {
  const uint8_t *const end = bytes + count;
  const uint8_t *at = memchr(bytes, 255, (size_t)count); /* most columns have none */
  uint64_t full = 0;
  if (!at) return 0;
  for (; end - at >= COUNTED_AT_ONCE; at += COUNTED_AT_ONCE) full += count_few(at, COUNTED_AT_ONCE);
  return full + count_few(at, (uint64_t)(end - at));
}

/* Planes of a column that lies at `at`; what is not as docs/format.md says has none from there on. */
static void divide(parts *p, const uint8_t *body, uint64_t at, const tachy_column *column) {
  const uint64_t end = at + column->size;
  uint64_t count = column->count;
  if (column->encoding == TACHY_ENCODING_F64 && count <= column->size / sizeof(uint64_t)) {
    for (; count && count <= end - at; at += count) end_at(p, at + count);
  }
  while (column->encoding == TACHY_ENCODING_UINT && count && count <= end - at) {
    end_at(p, at + count);
    const uint64_t full = tachy_count_full(body + at, count);
    at += count;
    if (full > end - at) break;
    end_at(p, at += full);
    count = full;
  }
  end_at(p, end);
}

uint32_t tachy_body_parts(const void *body, uint64_t size, uint64_t *ends, uint32_t room) {
  const uint8_t *const bytes = body;
  parts p = {ends, 0, room, 0};
  tachy_body_header head = {0, 0};
  if (size >= sizeof head) memcpy(&head, bytes, sizeof head);
  uint64_t at = sizeof head + head.column_count * (uint64_t)sizeof(tachy_column);
  if (at <= size) end_at(&p, at);
  for (uint32_t i = 0; i < head.column_count && at <= size; i++) {
    tachy_column column;
    memcpy(&column, bytes + sizeof head + i * sizeof column, sizeof column);
    if (column.size > size - at) break;
    divide(&p, bytes, at, &column);
    at = tachy_pad8(at + column.size);
  }
  if (p.count == 0 || p.last < size) ends[p.count++] = size;
  return p.count;
}
