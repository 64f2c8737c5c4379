/* Reads JSON without recursion: however deep it is, the stack is not. */
#include <stdlib.h>

#include "../base/hash.h"
#include "../reader/text.h"
#include "document.h"

enum { FEW_MEMBERS = 8 }; /* which are compared with each other */

typedef struct parser {
  const uint8_t *at;
  const uint8_t *end;
  uint32_t size;
  tachy_json_document *document;
} parser;

static int skip_blanks(parser *p) {
  while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r')) p->at++;
  return p->at < p->end;
}

static int take(parser *p, uint8_t wanted) {
  if (p->at == p->end || *p->at != wanted) return 0;
  p->at++;
  return 1;
}

/* Strings ---------------------------------------------------------------------------------------------------------- */

/* Four digits. UINT32_MAX: there are none. */
static uint32_t hexadecimal(parser *p) {
  uint32_t value = 0;
  if (p->end - p->at < 4) return UINT32_MAX;
  for (int i = 0; i < 4; i++) {
    const uint8_t c = *p->at++;
    const uint8_t letter = c | 0x20u;
    if (c >= '0' && c <= '9') {
      value = value << 4 | (uint32_t)(c - '0');
    } else if (letter >= 'a' && letter <= 'f') {
      value = value << 4 | (uint32_t)(letter - 'a' + 10);
    } else {
      return UINT32_MAX;
    }
  }
  return value;
}

/* What stands behind \u. A half of a pair without the other is U+FFFD. */
static int unescape_unicode(parser *p, tachy_bytes *out) {
  uint32_t c = hexadecimal(p);
  if (c == UINT32_MAX) return 0;
  if (c >= 0xD800u && c < 0xDC00u && p->end - p->at >= 6 && p->at[0] == '\\' && p->at[1] == 'u') {
    const uint8_t *const behind = p->at;
    p->at += 2;
    const uint32_t low = hexadecimal(p);
    if (low == UINT32_MAX) return 0;
    if (low >= 0xDC00u && low < 0xE000u) {
      c = 0x10000u + ((c - 0xD800u) << 10) + (low - 0xDC00u);
    } else {
      p->at = behind;
    }
  }
  out->size += tachy_utf8_put(out->bytes + out->size, c >= 0xD800u && c < 0xE000u ? 0xFFFDu : c);
  return 1;
}

/* A string that has escapes, from the first of them on. */
static tachy_json_outcome unescape(parser *p, const uint8_t *begin, const uint8_t **text, uint32_t *size) {
  static const char escapes[] = "\"\\/bfnrt", characters[] = "\"\\/\b\f\n\r\t";
  tachy_bytes *const out = &p->document->unescaped;
  /* For the whole text at once, so that it does not move: no character takes more bytes than its escape. */
  if (!tachy_bytes_reserve(out, p->size - out->size)) return TACHY_JSON_NO_MEMORY;
  const uint64_t first = out->size;
  tachy_bytes_put(out, begin, (uint64_t)(p->at - begin));
  while (p->at < p->end && *p->at >= 0x20) {
    const uint8_t c = *p->at++;
    if (c == '"') {
      *text = out->bytes + first;
      *size = (uint32_t)(out->size - first);
      return TACHY_JSON_READ;
    }
    if (c != '\\') {
      out->bytes[out->size++] = c;
      continue;
    }
    if (p->at == p->end) break;
    const char escape = (char)*p->at++;
    const char *const known = memchr(escapes, escape, sizeof escapes - 1);
    if (known) {
      out->bytes[out->size++] = (uint8_t)characters[known - escapes];
    } else if (escape != 'u' || !unescape_unicode(p, out)) {
      break;
    }
  }
  return TACHY_JSON_IS_NONE;
}

static tachy_json_outcome string(parser *p, const uint8_t **text, uint32_t *size) {
  if (!take(p, '"')) return TACHY_JSON_IS_NONE;
  const uint8_t *const begin = p->at;
  while (p->at < p->end && *p->at != '"' && *p->at != '\\' && *p->at >= 0x20) p->at++;
  if (p->at == p->end) return TACHY_JSON_IS_NONE;
  if (*p->at != '"') return unescape(p, begin, text, size);
  *text = begin;
  *size = (uint32_t)(p->at++ - begin);
  return TACHY_JSON_READ;
}

/* Values ----------------------------------------------------------------------------------------------------------- */

static int digits(parser *p) {
  const uint8_t *const begin = p->at;
  while (p->at < p->end && *p->at >= '0' && *p->at <= '9') p->at++;
  return p->at > begin;
}

static int number(parser *p) {
  (void)take(p, '-');
  if (!take(p, '0') && !digits(p)) return 0;
  if (take(p, '.') && !digits(p)) return 0;
  if (p->at < p->end && (*p->at | 0x20) == 'e') {
    p->at++;
    if (!take(p, '-')) (void)take(p, '+');
    return digits(p);
  }
  return 1;
}

static int word(parser *p, const char *wanted, uint32_t size) {
  if ((uint64_t)(p->end - p->at) < size || memcmp(p->at, wanted, size) != 0) return 0;
  p->at += size;
  return 1;
}

/* A value that has nothing in it. */
static tachy_json_outcome scalar(parser *p, tachy_json_value *value) {
  const uint8_t *const begin = p->at;
  if (*begin == '"') {
    value->type = TACHY_JSON_STRING;
    return string(p, &value->text, &value->size);
  }
  if (word(p, "true", 4)) {
    value->type = TACHY_JSON_TRUE;
  } else if (word(p, "false", 5)) {
    value->type = TACHY_JSON_FALSE;
  } else if (word(p, "null", 4)) {
    value->type = TACHY_JSON_NULL;
  } else if (number(p)) {
    value->type = TACHY_JSON_NUMBER;
  } else {
    return TACHY_JSON_IS_NONE;
  }
  value->text = begin;
  value->size = (uint32_t)(p->at - begin);
  return TACHY_JSON_READ;
}

/* Of an object with many members: by the hashes of their names. 0: no memory. */
static int keep_last_of_many(tachy_json_value *values, uint32_t object) {
  tachy_map latest = {0};
  const uint32_t end = values[object].end;
  uint32_t i = object + 1;
  for (int added; i < end; i = values[i].end) {
    const uint64_t hash = tachy_hash(values[i].key, values[i].key_size);
    uint32_t *const at = tachy_map_at(&latest, (uint64_t)(uintptr_t)values, hash, &added);
    if (!at) break;
    tachy_json_value *const before = values + *at;
    if (!added && tachy_json_same(before->key, before->key_size, values[i].key, values[i].key_size)) before->gone = 1;
    *at = i;
  }
  tachy_map_free(&latest);
  return i == end;
}

/* Of members with one name the last one counts. */
static int keep_last(tachy_json_value *values, uint32_t object, uint32_t members) {
  if (members > FEW_MEMBERS) return keep_last_of_many(values, object);
  for (uint32_t i = object + 1; i < values[object].end; i = values[i].end) {
    for (uint32_t j = values[i].end; j < values[object].end && !values[i].gone; j = values[j].end) {
      values[i].gone = (uint8_t)tachy_json_same(values[i].key, values[i].key_size, values[j].key, values[j].key_size);
    }
  }
  return 1;
}

/* The innermost array or object ends here. */
static tachy_json_outcome close(tachy_json_document *d) {
  const uint32_t ended = d->around.items[--d->around.count];
  tachy_json_value *const value = d->values.items + ended;
  const uint32_t members = value->size;
  value->end = (uint32_t)d->values.count;
  value->size = 0;
  if (value->type == TACHY_JSON_ARRAY || keep_last(d->values.items, ended, members)) return TACHY_JSON_READ;
  return TACHY_JSON_NO_MEMORY;
}

/* A value, or the beginning of one that has others in it, behind the name that it may have. */
static tachy_json_outcome begin(parser *p) {
  tachy_json_document *const d = p->document;
  tachy_json_value *const value = tachy_list_add(&d->values, sizeof *value);
  if (!value) return TACHY_JSON_NO_MEMORY;
  tachy_json_value *const outer = d->around.count ? d->values.items + d->around.items[d->around.count - 1] : NULL;
  if (outer && outer->type == TACHY_JSON_OBJECT) {
    outer->size++; /* counts its members, until it is closed */
    const tachy_json_outcome named = string(p, &value->key, &value->key_size);
    if (named != TACHY_JSON_READ) return named;
    if (!skip_blanks(p) || !take(p, ':')) return TACHY_JSON_IS_NONE;
    if (!skip_blanks(p)) return TACHY_JSON_IS_NONE;
  }
  value->end = (uint32_t)d->values.count;
  if (*p->at != '[' && *p->at != '{') return scalar(p, value);
  value->type = *p->at++ == '[' ? TACHY_JSON_ARRAY : TACHY_JSON_OBJECT;
  uint32_t *const inside = tachy_list_add(&d->around, sizeof *inside);
  if (!inside) return TACHY_JSON_NO_MEMORY;
  *inside = (uint32_t)d->values.count - 1;
  return TACHY_JSON_READ;
}

static uint8_t closing(const tachy_json_document *d) {
  return d->values.items[d->around.items[d->around.count - 1]].type == TACHY_JSON_ARRAY ? ']' : '}';
}

tachy_json_outcome tachy_json_parse(tachy_json_document *document, const uint8_t *text, uint32_t size) {
  tachy_json_document *const d = document;
  parser p = {text, text + size, size, d};
  d->values.count = d->around.count = 0;
  d->unescaped.size = 0;
  do {
    if (!skip_blanks(&p)) return TACHY_JSON_IS_NONE;
    const uint64_t depth = d->around.count;
    tachy_json_outcome outcome = begin(&p);
    int empty = d->around.count > depth; /* it has begun, so it may end at once */
    while (outcome == TACHY_JSON_READ && d->around.count && skip_blanks(&p) && take(&p, closing(d))) {
      outcome = close(d);
      empty = 0;
    }
    if (outcome != TACHY_JSON_READ) return outcome;
    if (!empty && d->around.count && !take(&p, ',')) return TACHY_JSON_IS_NONE;
  } while (d->around.count);
  return skip_blanks(&p) ? TACHY_JSON_IS_NONE : TACHY_JSON_READ;
}

void tachy_json_free(tachy_json_document *document) {
  free(document->values.items);
  free(document->around.items);
  tachy_bytes_free(&document->unescaped);
}
