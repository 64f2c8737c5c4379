/* The body of a block. */
#include "columns.h"

#include <tachy/compiler.h>

enum { HEADS_ROOM = sizeof(tachy_body_header) + TACHY_COLUMNS_MAX * sizeof(tachy_column) };

void tachy_columns_begin(tachy_columns *c, uint64_t size) {
  c->count = 0;
  c->bytes = (tachy_bytes){NULL, 0, 0};
  c->failed = !tachy_bytes_reserve(&c->bytes, HEADS_ROOM + size);
  if (!c->failed) c->bytes.size = HEADS_ROOM;
}

/* Makes the last column longer: where its new bytes go, or NULL. Leaves room for its padding. */
static uint8_t *extend(tachy_columns *c, uint64_t size) {
  if (c->failed || !tachy_bytes_reserve(&c->bytes, tachy_pad8(size + 7))) {
    c->failed = 1;
    return NULL;
  }
  uint8_t *const at = c->bytes.bytes + c->bytes.size;
  c->bytes.size += size;
  c->heads[c->count - 1].size += size;
  return at;
}

static void pad(tachy_columns *c) {
  const uint64_t padded = tachy_pad8(c->bytes.size);
  memset(c->bytes.bytes + c->bytes.size, 0, padded - c->bytes.size);
  c->bytes.size = padded;
}

uint8_t *tachy_columns_open(tachy_columns *c, tachy_column_id id, uint16_t encoding, uint64_t count, uint64_t size) {
  if (count == 0 || c->failed) return NULL;
  if (c->count == TACHY_COLUMNS_MAX) {
    c->failed = 1;
    return NULL;
  }
  pad(c);
  c->heads[c->count++] = (tachy_column){(uint16_t)id, encoding, 0, count, 0};
  return extend(c, size);
}

static uint64_t high_count(const tachy_plane *plane) { return plane->high.size / sizeof(uint32_t); }

/* Takes the lowest byte off each value that the plane's bytes do not hold, and says in a byte what is left of it.
 * Leaves those in the plane for which that is too small. */
static void split(tachy_plane *plane, uint8_t *lowest, uint8_t *above) {
  uint32_t *const high = (uint32_t *)(void *)plane->high.bytes;
  const uint64_t count = high_count(plane);
  const uint64_t *wide = (const uint64_t *)(const void *)plane->wide.bytes;
  plane->high.size = plane->wide.size = 0; /* what is left is never written over what has not been read */
  uint64_t left = 0;
  for (uint64_t i = 0; i < count; i++) {
    const uint64_t value = TACHY_UNLIKELY(high[i] == UINT32_MAX) ? *wide++ : high[i];
    const uint64_t rest = value >> 8;
    lowest[i] = (uint8_t)value;
    above[i] = rest < 255 ? (uint8_t)rest : 255;
    high[left] = rest < UINT32_MAX ? (uint32_t)rest : UINT32_MAX; /* without a branch on the sizes of times */
    left += rest >= 255;
    if (TACHY_UNLIKELY(rest >= UINT32_MAX)) tachy_bytes_put(&plane->wide, &rest, sizeof rest);
  }
  plane->high.size = left * sizeof *high;
}

void tachy_columns_plane(tachy_columns *c, tachy_column_id id, tachy_plane *planes) {
  uint64_t count = 0, high = 0;
  for (const tachy_plane *p = planes; p; p = p->next) {
    count += p->low.size;
    high += high_count(p);
  }
  uint8_t *at = tachy_columns_open(c, id, TACHY_ENCODING_UINT, count, count);
  for (const tachy_plane *p = planes; p && at; p = p->next) at = tachy_bytes_copy(at, &p->low);
  while (high && (at = extend(c, 2 * high)) != NULL) {
    uint8_t *above = at + high;
    high = 0;
    for (tachy_plane *p = planes; p; p = p->next) {
      const uint64_t values = high_count(p);
      split(p, at, above);
      at += values;
      above += values;
      high += high_count(p);
    }
  }
}

void tachy_columns_add(tachy_columns *c, int first, tachy_plane *planes, unsigned count) {
  for (unsigned k = 0; k < count; k++) {
    tachy_columns_plane(c, (tachy_column_id)(first + (int)k), &planes[k]);
    tachy_plane_free(&planes[k]);
  }
}

void tachy_columns_doubles(uint8_t *at, uint64_t count, const tachy_bytes *doubles) {
  for (uint64_t i = 0; i < doubles->size / sizeof(uint64_t); i++) {
    uint64_t bits;
    memcpy(&bits, doubles->bytes + i * sizeof bits, sizeof bits);
    for (unsigned k = 0; k < sizeof bits; k++) at[k * count + i] = (uint8_t)(bits >> 8 * k);
  }
}

void tachy_columns_buffer(tachy_columns *c, tachy_column_id id, uint16_t encoding, tachy_bytes *buffer) {
  const int doubles = encoding == TACHY_ENCODING_F64;
  const uint64_t count = doubles ? buffer->size / sizeof(uint64_t) : buffer->size;
  uint8_t *const at = tachy_columns_open(c, id, encoding, count, buffer->size);
  if (at && doubles) tachy_columns_doubles(at, count, buffer);
  if (at && !doubles) tachy_bytes_copy(at, buffer);
  tachy_bytes_free(buffer);
}

void tachy_columns_points(tachy_columns *c, tachy_column_id id, tachy_clock_pair after, const tachy_clock_pair *points,
                          uint64_t count) {
  tachy_plane planes[2] = {0};
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
  pad(c);
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
