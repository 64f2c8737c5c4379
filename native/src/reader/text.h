/* UTF-8 and JSON text in growing buffers; texts of Arrow. */
#ifndef TACHY_READER_TEXT_H
#define TACHY_READER_TEXT_H

#include "decode.h"

/* 1 when all bytes are below 128. */
int tachy_text_is_ascii(const char *bytes, uint64_t size);

/* 1 when the bytes are UTF-8 (no surrogates, nothing overlong). */
int tachy_text_is_utf8(const char *bytes, uint64_t size);

/* Appends the bytes; every maximal part that is not UTF-8 becomes U+FFFD. 0 when memory is short. */
int tachy_buffer_append_utf8(tachy_buffer *buffer, const char *bytes, uint64_t size);

/* Makes what was appended after `start` valid UTF-8 in the same way. 0 when memory is short. */
int tachy_buffer_repair(tachy_buffer *buffer, uint64_t start);

/* Appends a JSON string with its quotes; the bytes are UTF-8. 0 when memory is short. */
int tachy_buffer_append_json(tachy_buffer *buffer, const char *bytes, uint64_t size);

/* Writes a character of up to U+10FFFF; returns how many bytes it has, 4 at most. */
static inline uint64_t tachy_utf8_put(uint8_t *at, uint32_t c) {
  static const uint8_t leads[] = {0, 0, 0xC0u, 0xE0u, 0xF0u};
  const uint64_t size = c < 0x80u ? 1 : c < 0x800u ? 2 : c < 0x10000u ? 3 : 4;
  for (uint64_t i = size - 1; i > 0; i--, c >>= 6) at[i] = (uint8_t)(0x80u | (c & 0x3Fu));
  at[0] = (uint8_t)(leads[size] | c);
  return size;
}

/* `at` counts from the buffers' begin, as `first` does. */
static inline int tachy_texts_is_null(const tachy_texts *texts, uint64_t at) {
  return texts->valid && !(texts->valid[at >> 3] >> (at & 7) & 1);
}

#endif
