/* Where a body's planes end. */
#include <tachy/tachy.h>

#include "columns.h"

enum {
  PART_MIN = 1024, /* bytes that are worth codes of their own, which have to be said */
  VALUE_BYTES = sizeof(uint64_t)
};

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

/* Planes of a column that lies at `at`, as far as it is as docs/format.md says. */
static void divide(parts *p, const uint8_t *body, uint64_t at, const tachy_column *column) {
  const uint64_t end = at + column->size;
  uint64_t count = column->count;
  if (column->encoding == TACHY_ENCODING_F64 && count == column->size / VALUE_BYTES) {
    for (unsigned level = 0; level < VALUE_BYTES; level++) end_at(p, at += count);
  }
  for (unsigned level = 0; column->encoding == TACHY_ENCODING_UINT && level < VALUE_BYTES; level++) {
    if (count == 0 || count > end - at) break;
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
