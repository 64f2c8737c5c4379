/* UTF-8 and UUID text. */
#include "text.h"

#include <string.h>

#include "../os/os.h"
#include "utf8.h"

void tachy_text_clean(uint8_t *text, uint64_t size) {
  uint64_t i = 0;
  while (i < size) {
    uint64_t word;
    if (size >= sizeof word) { /* the last word overlaps what has been seen */
      const uint64_t at = size - i >= sizeof word ? i : size - sizeof word;
      memcpy(&word, text + at, sizeof word);
      if ((word & TACHY_TEXT_HIGH) == 0) {
        i = at + sizeof word;
        continue;
      }
    }
    uint64_t length;
    if (!tachy_utf8_step(text + i, text + size, &length)) {
      text[i] = '?';
      length = 1;
    }
    i += length;
  }
}

uint64_t tachy_text_limit(const char *text, uint64_t size, uint64_t limit) {
  if (size <= limit) return size;
  uint64_t kept = limit;
  while (kept > 0 && limit - kept < 4 && ((uint8_t)text[kept] & 0xC0) == 0x80) kept--;
  return kept;
}

tachy_fit tachy_text_fit(const char *text, uint64_t size, uint64_t limit) {
  static const char front[] = "\xE2\x80\xA6 [of ";
  static const char back[] = " bytes]";
  tachy_fit fit = {size, 0, {0}};
  if (size <= limit) return fit;
  char digits[20];
  unsigned count = 0;
  for (uint64_t rest = size; rest; rest /= 10) digits[sizeof digits - ++count] = (char)('0' + rest % 10);
  const uint64_t mark = sizeof front - 1 + count + sizeof back - 1;
  if (mark < limit) {
    memcpy(fit.mark, front, sizeof front - 1);
    memcpy(fit.mark + sizeof front - 1, digits + sizeof digits - count, count);
    memcpy(fit.mark + sizeof front - 1 + count, back, sizeof back - 1);
    fit.mark_size = mark;
  }
  fit.kept = tachy_text_limit(text, size, limit - fit.mark_size);
  return fit;
}

uint64_t tachy_text_put(void *to, const char *text, const tachy_fit *fit) {
  if (fit->kept) memcpy(to, text, fit->kept);
  if (fit->mark_size) memcpy((char *)to + fit->kept, fit->mark, fit->mark_size);
  return fit->kept + fit->mark_size;
}

void tachy_uuid_print(const uint8_t *id, char *text) {
  static const char digits[] = "0123456789abcdef";
  for (unsigned i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *text++ = '-';
    *text++ = digits[id[i] >> 4];
    *text++ = digits[id[i] & 15];
  }
  *text = 0;
}

static int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

int tachy_uuid_parse(const char *text, uint8_t *id) {
  for (unsigned i = 0; i < 16; i++) {
    if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-') return 0;
    const int high = digit(text[0]);
    if (high < 0) return 0;
    const int low = digit(text[1]);
    if (low < 0) return 0;
    id[i] = (uint8_t)(high << 4 | low);
    text += 2;
  }
  return *text == 0;
}

static int random_uuid(uint8_t *id, unsigned version) {
  if (!tachy_os_random(id, 16)) return 0;
  id[6] = (uint8_t)((id[6] & 0x0F) | version << 4);
  id[8] = (uint8_t)((id[8] & 0x3F) | 0x80);
  return 1;
}

int tachy_uuid_random(uint8_t *id) { return random_uuid(id, 4); }

int tachy_uuid_of_time(uint8_t *id, int64_t utc) {
  if (!random_uuid(id, 7)) return 0;
  const uint64_t milliseconds = utc > 0 ? (uint64_t)utc / 1000000 : 0;
  for (unsigned i = 0; i < 6; i++) id[i] = (uint8_t)(milliseconds >> (40 - 8 * i));
  return 1;
}
