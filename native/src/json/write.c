/* Values as text again, and numbers as such. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "document.h"

static int put_string(const uint8_t *text, uint32_t size, tachy_bytes *out) {
  static const char hex[] = "0123456789abcdef", escapes[] = "btn?fr"; /* of the characters from 8 to 13 */
  const uint8_t *const end = text + size;
  if (!tachy_bytes_append(out, "\"", 1)) return 0;
  for (const uint8_t *from = text; text <= end; text++) {
    const uint8_t c = text < end ? *text : '"';
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    if (!tachy_bytes_append(out, from, (uint64_t)(text - from))) return 0;
    from = text + 1;
    uint8_t escaped[] = {'\\', c, '0', '0', (uint8_t)('0' + (c >> 4)), (uint8_t)hex[c & 15]};
    uint64_t length = 2;
    if (c < 0x20) {
      const int is_short = c >= '\b' && c <= '\r' && c != '\v';
      escaped[1] = is_short ? (uint8_t)escapes[c - '\b'] : 'u';
      length = is_short ? 2 : 6;
    }
    if (text < end && !tachy_bytes_append(out, escaped, length)) return 0;
  }
  return tachy_bytes_append(out, "\"", 1);
}

/* Those that end before value `next`. */
static int put_ends(tachy_json_document *d, uint32_t next, tachy_bytes *out) {
  for (; d->around.count; d->around.count--) {
    const tachy_json_value *const inner = d->values.items + d->around.items[d->around.count - 1];
    if (inner->end > next) break;
    if (!tachy_bytes_append(out, inner->type == TACHY_JSON_ARRAY ? "]" : "}", 1)) return 0;
  }
  return 1;
}

int tachy_json_write(tachy_json_document *document, uint32_t value, tachy_bytes *out) {
  tachy_json_document *const d = document;
  const uint32_t end = d->values.items[value].end;
  int first = 1; /* nothing comes before the next one in its array or object */
  d->around.count = 0;
  for (uint32_t i = value; i < end;) {
    const tachy_json_value *const v = d->values.items + i;
    if (v->gone && i != value) {
      i = v->end;
      continue;
    }
    const uint64_t depth = d->around.count;
    if (!put_ends(d, i, out)) return 0;
    if (!(first && d->around.count == depth) && !tachy_bytes_append(out, ",", 1)) return 0;
    const int named =
        d->around.count && d->values.items[d->around.items[d->around.count - 1]].type == TACHY_JSON_OBJECT;
    if (named && !(put_string(v->key, v->key_size, out) && tachy_bytes_append(out, ":", 1))) return 0;
    first = v->type == TACHY_JSON_ARRAY || v->type == TACHY_JSON_OBJECT;
    if (first) {
      uint32_t *const inside = tachy_list_add(&d->around, sizeof *inside);
      if (!inside || !tachy_bytes_append(out, v->type == TACHY_JSON_ARRAY ? "[" : "{", 1)) return 0;
      *inside = i;
    } else if (v->type == TACHY_JSON_STRING) {
      if (!put_string(v->text, v->size, out)) return 0;
    } else if (!tachy_bytes_append(out, v->text, v->size)) {
      return 0;
    }
    i++;
  }
  return put_ends(d, end, out);
}

/* The digits, terminated. */
static const char *digits(const tachy_json_value *number, tachy_bytes *scratch) {
  scratch->size = 0;
  if (!tachy_bytes_append(scratch, number->text, number->size) || !tachy_bytes_append(scratch, "", 1)) return NULL;
  return (const char *)scratch->bytes;
}

double tachy_json_double(const tachy_json_value *number, tachy_bytes *scratch) {
  const char *const text = digits(number, scratch);
  return text ? strtod(text, NULL) : NAN;
}

int tachy_json_whole(const tachy_json_value *number, tachy_bytes *scratch, int64_t *whole) {
  const char *const text = digits(number, scratch);
  if (!text) return 0;
  char *end;
  errno = 0;
  const long long exact = strtoll(text, &end, 10);
  if (!*end) {
    *whole = exact;
    return errno == 0;
  }
  const double value = strtod(text, NULL);
  if (!(value >= -9223372036854775808.0 && value < 9223372036854775808.0) || value != floor(value)) return 0;
  *whole = (int64_t)value;
  return 1;
}
