/* Text that leaves the reader is valid UTF-8: consumers of Arrow (Rust's, above all) rely on it without looking. */
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/utf8.h"

int tachy_buffer_append(tachy_buffer *buffer, const void *bytes, uint64_t size) {
  if (!buffer->bytes || size > buffer->capacity - buffer->size) {
    uint64_t capacity = buffer->capacity * 2 > 256 ? buffer->capacity * 2 : 256;
    if (capacity < buffer->size + size) capacity = buffer->size + size;
    char *grown = realloc(buffer->bytes, capacity);
    if (!grown) return 0;
    buffer->bytes = grown;
    buffer->capacity = capacity;
  }
  if (size) memcpy(buffer->bytes + buffer->size, bytes, size);
  buffer->size += size;
  return 1;
}

void tachy_buffer_free(tachy_buffer *buffer) {
  free(buffer->bytes);
  memset(buffer, 0, sizeof *buffer);
}

int tachy_text_is_ascii(const char *bytes, uint64_t size) {
  uint64_t i = 0;
  uint64_t high = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t word;
    memcpy(&word, bytes + i, sizeof word);
    high |= word;
  }
  for (; i < size; i++) high |= (uint8_t)bytes[i];
  return (high & UINT64_C(0x8080808080808080)) == 0;
}

int tachy_text_is_utf8(const char *bytes, uint64_t size) {
  if (tachy_text_is_ascii(bytes, size)) return 1;
  const uint8_t *p = (const uint8_t *)bytes;
  const uint8_t *end = p + size;
  uint64_t length = 0;
  for (; p < end; p += length) {
    if (!tachy_utf8_step(p, end, &length)) return 0;
  }
  return 1;
}

int tachy_buffer_append_utf8(tachy_buffer *buffer, const char *bytes, uint64_t size) {
  const uint8_t *p = (const uint8_t *)bytes;
  const uint8_t *end = p + size;
  const uint8_t *good = p; /* what waits to be copied */
  uint64_t length = 0;
  for (; p < end; p += length) {
    if (tachy_utf8_step(p, end, &length)) continue;
    if (!tachy_buffer_append(buffer, good, (uint64_t)(p - good))) return 0;
    if (!tachy_buffer_append(buffer, "\xEF\xBF\xBD", 3)) return 0;
    good = p + length;
  }
  return tachy_buffer_append(buffer, good, (uint64_t)(end - good));
}

int tachy_buffer_repair(tachy_buffer *buffer, uint64_t start) {
  if (tachy_text_is_utf8(buffer->bytes + start, buffer->size - start)) return 1;
  tachy_buffer fixed = {0};
  const int done = tachy_buffer_append_utf8(&fixed, buffer->bytes + start, buffer->size - start);
  buffer->size = start;
  const int copied = done && tachy_buffer_append(buffer, fixed.bytes, fixed.size);
  tachy_buffer_free(&fixed);
  return copied;
}

int tachy_buffer_append_json(tachy_buffer *buffer, const char *bytes, uint64_t size) {
  if (!tachy_buffer_append(buffer, "\"", 1)) return 0;
  uint64_t good = 0; /* what waits to be copied begins here */
  for (uint64_t i = 0; i < size; i++) {
    const uint8_t byte = (uint8_t)bytes[i];
    if (byte >= 0x20u && byte != '"' && byte != '\\') continue;
    char escape[8];
    const int length = byte == '"' || byte == '\\' ? snprintf(escape, sizeof escape, "\\%c", byte)
                                                   : snprintf(escape, sizeof escape, "\\u%04x", byte);
    if (!tachy_buffer_append(buffer, bytes + good, i - good)) return 0;
    if (!tachy_buffer_append(buffer, escape, (uint64_t)length)) return 0;
    good = i + 1;
  }
  return tachy_buffer_append(buffer, bytes + good, size - good) && tachy_buffer_append(buffer, "\"", 1);
}
