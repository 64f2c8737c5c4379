/* The body of a block. */
#include "columns.h"

enum { HEADS_ROOM = sizeof(tachy_body_header) + TACHY_COLUMNS_MAX * sizeof(tachy_column) };

void tachy_columns_begin(tachy_columns *c, uint64_t size) {
  c->count = 0;
  c->bytes = (tachy_bytes){NULL, 0, 0};
  c->failed = !tachy_bytes_reserve(&c->bytes, HEADS_ROOM + size);
  if (!c->failed) c->bytes.size = HEADS_ROOM;
}

uint8_t *tachy_columns_open(tachy_columns *c, tachy_column_id id, uint16_t encoding, uint64_t count, uint64_t size) {
  if (count == 0 || c->failed) return NULL;
  const uint64_t padded = tachy_pad8(size);
  if (c->count == TACHY_COLUMNS_MAX || !tachy_bytes_reserve(&c->bytes, padded)) {
    c->failed = 1;
    return NULL;
  }
  c->heads[c->count++] = (tachy_column){(uint16_t)id, encoding, 0, count, size};
  uint8_t *const at = c->bytes.bytes + c->bytes.size;
  c->bytes.size += padded;
  memset(at + size, 0, padded - size);
  return at;
}

void tachy_columns_add(tachy_columns *c, int first, tachy_plane *planes, unsigned count) {
  for (unsigned k = 0; k < count; k++) {
    tachy_plane *const plane = &planes[k];
    uint8_t *const at = tachy_columns_open(c, (tachy_column_id)(first + (int)k), TACHY_ENCODING_UINT, plane->low.size,
                                           plane->low.size + plane->high.size);
    if (at) tachy_bytes_copy(tachy_bytes_copy(at, &plane->low), &plane->high);
    tachy_plane_free(plane);
  }
}

void tachy_columns_buffer(tachy_columns *c, tachy_column_id id, uint16_t encoding, tachy_bytes *buffer) {
  const uint64_t count = encoding == TACHY_ENCODING_F64 ? buffer->size / 8 : buffer->size;
  uint8_t *const at = tachy_columns_open(c, id, encoding, count, buffer->size);
  if (at) tachy_bytes_copy(at, buffer);
  tachy_bytes_free(buffer);
}

void tachy_columns_points(tachy_columns *c, tachy_column_id id, tachy_clock_pair after, const tachy_clock_pair *points,
                          uint64_t count) {
  tachy_plane planes[2] = {{{0}, {0}}};
  for (uint64_t i = 0; i < count; i++) {
    const uint64_t values[2] = {after.ticks - points[i].ticks, (uint64_t)after.utc - (uint64_t)points[i].utc};
    tachy_columns_row(c, planes, 2, values);
    after = points[i];
  }
  tachy_columns_add(c, (int)id, planes, 2);
}

void *tachy_columns_finish(tachy_columns *c, uint8_t **body, uint64_t *size) {
  if (c->failed) {
    tachy_bytes_free(&c->bytes);
    return NULL;
  }
  const tachy_body_header head = {c->count, 0};
  const uint64_t heads = c->count * sizeof *c->heads;
  void *const smaller = tachy_os_resize(c->bytes.bytes, c->bytes.size);
  uint8_t *const memory = smaller ? smaller : c->bytes.bytes;
  *body = memory + (HEADS_ROOM - sizeof head - heads);
  *size = c->bytes.size - HEADS_ROOM + sizeof head + heads;
  memcpy(*body, &head, sizeof head);
  memcpy(*body + sizeof head, c->heads, heads);
  return memory;
}
