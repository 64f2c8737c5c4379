/* The parts of the protocol buffer writer that are not on the hot path: growth, nesting, text. */
#include "perfetto_proto.h"

#include <stdlib.h>

void proto_free(proto_buffer *b) {
  free(b->bytes);
  memset(b, 0, sizeof *b);
}

uint8_t *proto_grow(proto_buffer *b, uint64_t more) {
  if (b->failed) return NULL;
  const uint64_t need = b->size + more;
  if (need > b->capacity) {
    uint64_t capacity = b->capacity ? b->capacity : 4096;
    while (capacity < need) capacity += capacity / 2;
    uint8_t *const bytes = capacity <= SIZE_MAX ? realloc(b->bytes, (size_t)capacity) : NULL;
    if (!bytes) {
      b->failed = PROTO_NO_MEMORY;
      return NULL;
    }
    b->bytes = bytes;
    b->capacity = capacity;
  }
  return b->bytes + b->size;
}

void proto_open(proto_buffer *b, uint32_t field) {
  uint8_t *const start = proto_room(b, 3 + PROTO_NESTED_RESERVE);
  if (start) {
    uint8_t *const at = proto_put_varint(start, ((uint64_t)field << 3) | 2);
    b->size += (uint64_t)(at - start) + PROTO_NESTED_RESERVE;
  }
  b->open[b->depth++] = b->size;
}

void proto_close(proto_buffer *b) {
  const uint64_t opened = b->open[--b->depth];
  if (b->failed) return;
  const uint64_t size = b->size - opened;
  if (size >= PROTO_NESTED_LIMIT) {
    b->failed = PROTO_TOO_LARGE;
    return;
  }
  uint8_t *const body = b->bytes + opened;
  uint8_t *const length = body - PROTO_NESTED_RESERVE;
  uint8_t *const end = proto_put_varint(length, size);
  memmove(end, body, (size_t)size);
  b->size -= (uint64_t)(body - end);
}

void proto_text(proto_buffer *b, uint32_t field, const void *text, uint64_t size, uint64_t max) {
  const uint8_t *const s = text;
  if (size > max) { /* step back to where a character begins */
    size = max;
    for (int i = 0; i < 3 && size > 0 && (s[size] & 0xC0) == 0x80; i++) size--;
  }
  uint8_t *const start = proto_room(b, size + 12);
  if (!start) return;
  uint8_t *at = proto_put_varint(start, ((uint64_t)field << 3) | 2);
  at = proto_put_varint(at, size);
  if (size) memcpy(at, s, (size_t)size);
  b->size += (uint64_t)(at - start) + size;
}
