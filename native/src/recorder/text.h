/* UTF-8: what leaves the recorder is valid, whatever came in. */
#ifndef TACHY_SRC_RECORDER_TEXT_H
#define TACHY_SRC_RECORDER_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Replaces every byte that is not part of valid UTF-8 by '?'. */
void tachy_text_clean(uint8_t *text, uint64_t size);
/* The greatest size up to `limit` that does not cut a character. */
uint64_t tachy_text_cut(const char *text, uint64_t size, uint64_t limit);
/* 16 bytes <-> 36 characters and a terminator. parse: 0 when it is not a UUID. */
void tachy_uuid_print(const uint8_t *id, char *text);
int tachy_uuid_parse(const char *text, uint8_t *id);

#endif
