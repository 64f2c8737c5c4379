/* Identities that nobody stores: derived from the process id, as docs/format.md says under "Identities". */
#include <string.h>
#include <tachy/reader.h>

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
