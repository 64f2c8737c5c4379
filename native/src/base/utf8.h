/* RFC 3629: which bytes are a character. */
#ifndef TACHY_SRC_BASE_UTF8_H
#define TACHY_SRC_BASE_UTF8_H

#include <stdint.h>

/* One step of its table: *length bytes are a character (returns 1), or the longest part of one that cannot go on
 * (returns 0). There is a byte at least. */
static inline int tachy_utf8_step(const uint8_t *p, const uint8_t *end, uint64_t *length) {
  const uint8_t lead = p[0];
  *length = 1;
  if (lead < 0x80u) return 1;
  if (lead < 0xC2u || lead > 0xF4u) return 0;
  const uint64_t need = lead < 0xE0u ? 2 : lead < 0xF0u ? 3 : 4;
  uint8_t low = lead == 0xE0u ? 0xA0u : lead == 0xF0u ? 0x90u : 0x80u;
  uint8_t high = lead == 0xEDu ? 0x9Fu : lead == 0xF4u ? 0x8Fu : 0xBFu;
  for (uint64_t i = 1; i < need; i++) {
    if (p + i >= end || p[i] < low || p[i] > high) return 0;
    low = 0x80u;
    high = 0xBFu;
    *length = i + 1;
  }
  return 1;
}

#endif
