/* Writes protocol buffer messages into a growing buffer: what protozero does, in the little that a trace needs.
 *
 * Lengths of nested messages are patched when the message is closed, so nothing is measured twice; the buffer knows
 * which are open. One that cannot grow remembers that and drops what follows; the caller looks at `failed` once, at the
 * end. Zero it before the first use.
 */
#ifndef TACHY_PERFETTO_PROTO_H
#define TACHY_PERFETTO_PROTO_H

#include <stdint.h>
#include <string.h>

#define PROTO_TEXT_MAX 1024u     /* bytes of a name; what is longer is cut at a character */
#define PROTO_MESSAGE_MAX 16384u /* bytes of a log message */
#define PROTO_NESTED_RESERVE 4u  /* bytes that an open message keeps for its length */
#define PROTO_NESTED_LIMIT (1u << 28)
#define PROTO_DEPTH_MAX 8u

typedef enum proto_failure { PROTO_OK = 0, PROTO_NO_MEMORY = 1, PROTO_TOO_LARGE = 2 } proto_failure;

typedef struct proto_buffer {
  uint8_t *bytes;
  uint64_t size;
  uint64_t capacity;
  proto_failure failed;
  uint32_t depth;
  uint64_t open[PROTO_DEPTH_MAX]; /* where the messages that are open begin */
} proto_buffer;

void proto_free(proto_buffer *b);

/* Makes room for `more` bytes and returns where they go, or NULL (then `failed` is set). Cold: callers test first. */
uint8_t *proto_grow(proto_buffer *b, uint64_t more);

static inline uint8_t *proto_room(proto_buffer *b, uint64_t more) {
  if (b->capacity - b->size >= more && !b->failed) return b->bytes + b->size;
  return proto_grow(b, more);
}

static inline uint8_t *proto_put_varint(uint8_t *at, uint64_t v) {
  while (v >= 128) {
    *at++ = (uint8_t)(v | 128);
    v >>= 7;
  }
  *at++ = (uint8_t)v;
  return at;
}

/* Fields. Numbers here are below 2048, so a tag takes at most 2 bytes. */
static inline void proto_varint(proto_buffer *b, uint32_t field, uint64_t v) {
  uint8_t *const start = proto_room(b, 12);
  if (!start) return;
  uint8_t *at = proto_put_varint(start, (uint64_t)field << 3);
  at = proto_put_varint(at, v);
  b->size += (uint64_t)(at - start);
}

static inline void proto_fixed64(proto_buffer *b, uint32_t field, uint64_t v) {
  uint8_t *const start = proto_room(b, 10);
  if (!start) return;
  uint8_t *at = proto_put_varint(start, ((uint64_t)field << 3) | 1);
  memcpy(at, &v, 8);
  b->size += (uint64_t)(at + 8 - start);
}

static inline void proto_double(proto_buffer *b, uint32_t field, double v) {
  uint64_t bits;
  memcpy(&bits, &v, 8);
  proto_fixed64(b, field, bits);
}

/* A string field: at most `max` bytes of `text`, which is UTF-8, cut at a character. */
void proto_text(proto_buffer *b, uint32_t field, const void *text, uint64_t size, uint64_t max);

static inline void proto_literal(proto_buffer *b, uint32_t field, const char *text) {
  proto_text(b, field, text, strlen(text), PROTO_TEXT_MAX);
}

/* Opens a nested message; closes the innermost that is open. */
void proto_open(proto_buffer *b, uint32_t field);
void proto_close(proto_buffer *b);

#endif
