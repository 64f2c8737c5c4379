/* Images: each is a run of logs of the target "tachy.image", in a stream of their own, which readers join again
 * (docs/format.md, "Images").
 *
 * All parts have one time, and are written under one lock: who looks for images of a time finds all blocks that hold
 * parts of them, however they were cut. */
#include <string.h>

#include "../../base/entries.h"
#include "../../base/inside.h"
#include "../../base/text.h"
#include "late.h"
#include "writer.h"

enum {
  IMAGE_PART = 5700, /* bytes of an image in a log: eight such logs fill a chunk */
  IMAGE_PART_TEXT = IMAGE_PART / 3 * 4,
  IMAGE_NAME_MAX = 255,
  IMAGE_FORMAT_MAX = 63,
  IMAGE_HEAD_MAX = 4 * 21 + IMAGE_FORMAT_MAX + 1 + IMAGE_NAME_MAX + 1
};

static char *put_number(char *at, uint64_t number) {
  char digits[20];
  unsigned count = 0;
  do {
    digits[count++] = (char)('0' + number % 10);
    number /= 10;
  } while (number);
  while (count) *at++ = digits[--count];
  *at++ = ' ';
  return at;
}

/* A text of one line. A format has no spaces either. */
static char *put_line(char *at, const char *text, uint64_t limit, char space) {
  const tachy_fit fit = tachy_text_fit(text, strlen(text), limit);
  const uint64_t size = tachy_text_put(at, text, &fit);
  for (uint64_t i = 0; i < size; i++) {
    if ((uint8_t)at[i] < ' ' || at[i] == ' ') at[i] = space;
  }
  return at + size;
}

static char *put_base64(char *at, const uint8_t *bytes, size_t size) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < size; i += 3) {
    const size_t here = size - i < 3 ? size - i : 3;
    const uint32_t word = (uint32_t)bytes[i] << 16 | (here > 1 ? (uint32_t)bytes[i + 1] << 8 : 0u) |
                          (here > 2 ? (uint32_t)bytes[i + 2] : 0u);
    at[0] = digits[word >> 18];
    at[1] = digits[word >> 12 & 63u];
    at[2] = here > 1 ? digits[word >> 6 & 63u] : '=';
    at[3] = here > 2 ? digits[word & 63u] : '=';
    at += 4;
  }
  return at;
}

void tachy_own_image(const char *name, const char *format, const void *bytes, size_t size) {
  TACHY_DEFINE_LOG(site, TACHY_IMAGE_TARGET, TACHY_LEVEL_INFO, "");
  static uint64_t next_number; /* under the lock */
  const int32_t id = tachy_site_on_(&site);
  if (id <= 0 || tachy_own_forking() || !TACHY_LOAD(&tachy_running) || !bytes || !size) return;
  if (size > TACHY_IMAGE_MAX || tachy_inside()) {
    tachy_inside_drop(TACHY_CLASS_LOG);
    return;
  }
  const uint64_t parts = (size + IMAGE_PART - 1) / IMAGE_PART;
  uint64_t ticks = tachy_ticks();
  tachy_slot *const slot = tachy_late_lock_images(&ticks);
  const uint64_t number = ++next_number;
  for (uint64_t part = 0; slot && part < parts; part++) {
    char text[IMAGE_HEAD_MAX + IMAGE_PART_TEXT];
    char *at = put_number(text, number);
    at = put_number(at, part);
    at = put_number(at, parts);
    at = put_number(at, size);
    at = put_line(at, format ? format : "", IMAGE_FORMAT_MAX, '_');
    *at++ = ' ';
    at = put_line(at, name ? name : "", IMAGE_NAME_MAX, ' ');
    *at++ = '\n';
    const size_t begin = (size_t)part * IMAGE_PART;
    at = put_base64(at, (const uint8_t *)bytes + begin, size - begin < IMAGE_PART ? size - begin : IMAGE_PART);
    tachy_log_write(slot, (uint32_t)id, 0, ticks, text, (uint64_t)(at - text));
  }
  tachy_late_unlock();
}
