/* UTF-8: what leaves the recorder is valid, whatever came in. */
#ifndef TACHY_SRC_BASE_TEXT_H
#define TACHY_SRC_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Replaces every byte that is not part of valid UTF-8 by '?'. */
void tachy_text_clean(uint8_t *text, uint64_t size);

#define TACHY_TEXT_HIGH UINT64_C(0x8080808080808080) /* none of these bits: eight characters of ASCII */

/* Copies a text and cleans the copy. Most are short, and ASCII: words that overlap, without a call. */
static inline void tachy_text_copy(uint8_t *to, const uint8_t *from, uint64_t size) {
  uint64_t words[4];
  if (size - 16 <= 16) {
    memcpy(&words[0], from, 16);
    memcpy(&words[2], from + size - 16, 16);
    memcpy(to, &words[0], 16);
    memcpy(to + size - 16, &words[2], 16);
    if (((words[0] | words[1] | words[2] | words[3]) & TACHY_TEXT_HIGH) == 0) return;
  } else if (size - 8 <= 8) {
    memcpy(&words[0], from, 8);
    memcpy(&words[1], from + size - 8, 8);
    memcpy(to, &words[0], 8);
    memcpy(to + size - 8, &words[1], 8);
    if (((words[0] | words[1]) & TACHY_TEXT_HIGH) == 0) return;
  } else if (size) {
    memcpy(to, from, size);
  }
  tachy_text_clean(to, size);
}

/* The greatest size up to `limit` that does not cut a character. */
uint64_t tachy_text_limit(const char *text, uint64_t size, uint64_t limit);
/* How a text lies in a field of `limit` bytes: `kept` bytes of it, and where that is not all the mark "… [of N bytes]"
 * behind them. A field that is too small for the mark has none. */
typedef struct tachy_fit {
  uint64_t kept;
  uint64_t mark_size;
  char mark[40];
} tachy_fit;
tachy_fit tachy_text_fit(const char *text, uint64_t size, uint64_t limit);
/* Writes it; returns kept + mark_size. */
uint64_t tachy_text_put(void *to, const char *text, const tachy_fit *fit);
/* 16 bytes <-> 36 characters and a terminator. parse: 0 when it is not a UUID. */
void tachy_uuid_print(const uint8_t *id, char *text);
int tachy_uuid_parse(const char *text, uint8_t *id);
/* A random one. 0: the system has no randomness. */
int tachy_uuid_random(uint8_t *id);
/* One that begins with the time (UUID version 7), so that those made one after the other sort in that order. 0: the
 * system has no randomness. */
int tachy_uuid_of_time(uint8_t *id, int64_t utc);

#endif
