/* Identities that nobody stores: derived from the process id, as docs/format.md says under "Identities". */
#include "ids.h"

#include <string.h>
#include <tachy/reader.h>

void tachy_id_text(const uint8_t id[16], char text[TACHY_ID_TEXT]) {
  static const char digits[] = "0123456789abcdef";
  for (int i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *text++ = '-';
    *text++ = digits[id[i] >> 4];
    *text++ = digits[id[i] & 15];
  }
}

static void derive(const uint8_t process_id[16], uint64_t n, uint8_t id[16]) {
  uint64_t words[2];
  memcpy(words, process_id, sizeof words);
  words[0] ^= tachy_mix64(n);
  words[1] ^= tachy_mix64(n + UINT64_C(0x9E3779B97F4A7C15));
  memcpy(id, words, sizeof words);
  id[6] = (uint8_t)((id[6] & 0x0Fu) | 0x80u); /* version 8 */
  id[8] = (uint8_t)((id[8] & 0x3Fu) | 0x80u); /* variant 10 */
}

void tachy_block_id(const uint8_t process_id[16], uint8_t cls, uint64_t sequence, uint8_t id[16]) {
  derive(process_id, (uint64_t)cls << 56 | sequence, id);
}

void tachy_stream_id(const uint8_t process_id[16], uint8_t cls, uint32_t thread, uint8_t id[16]) {
  derive(process_id, (uint64_t)cls << 56 | UINT64_C(1) << 55 | thread, id);
}
