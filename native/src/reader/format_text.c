/* A log row's message: C's printf, over arguments that know their own types.
 *
 * Numbers go through snprintf one conversion at a time, with a specification that is rebuilt here from what was parsed,
 * so nothing of a format that came from outside is ever a format to C. Width and precision are cut at FIELD_MAX. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "text.h"

#define FIELD_MAX 500u
#define NUMBER_MAX 1024 /* sign, 309 digits, point and FIELD_MAX decimals fit */

typedef struct conversion {
  char flags[8]; /* each of "-+ #0" at most once, terminated */
  int width;     /* -1: none */
  int precision; /* -1: none */
  char length;   /* 'H' for hh, 'h', 'l' for everything of 64 bits, 0 */
  int wide;      /* an l was there: %lc, %ls */
  char kind;     /* the conversion's letter */
} conversion;

static const char *parse_number(const char *p, const char *end, int *value) {
  uint32_t number = 0;
  for (; p < end && *p >= '0' && *p <= '9'; p++) {
    number = number * 10u + (uint32_t)(*p - '0');
    if (number > FIELD_MAX) number = FIELD_MAX;
  }
  *value = (int)number;
  return p;
}

static const char *parse_length(const char *p, const char *end, conversion *c) {
  for (; p < end; p++) {
    switch (*p) {
      case 'h':
        c->length = c->length == 'h' ? 'H' : 'h';
        break;
      case 'l':
        c->wide = 1;
        c->length = 'l';
        break;
      case 'j':
      case 'z':
      case 't':
      case 'q':
        c->length = 'l';
        break;
      case 'L':
        break;
      default:
        return p;
    }
  }
  return p;
}

/* What follows a '%'; returns where it ends, or NULL when it is not a conversion. */
static const char *parse(const char *p, const char *end, conversion *c) {
  static const char flags[] = "-+ #0";
  *c = (conversion){.width = -1, .precision = -1};
  for (size_t n = 0; p < end && *p && strchr(flags, *p); p++) {
    if (!strchr(c->flags, *p)) c->flags[n++] = *p;
  }
  if (p < end && *p >= '1' && *p <= '9') p = parse_number(p, end, &c->width);
  if (p < end && *p == '.') p = parse_number(p + 1, end, &c->precision);
  p = parse_length(p, end, c);
  if (p == end || *p == '\0' || !strchr("diouxXcsfFeEgGaAp", *p)) return NULL;
  c->kind = *p;
  return p + 1;
}

#define SPECIFICATION_MAX 64

/* A specification for one snprintf: flags, width, precision, then `tail` (length and letter). */
static void specification(const conversion *c, const char *tail, char out[SPECIFICATION_MAX]) {
  char flags[sizeof c->flags];
  char width[16] = "";
  char precision[16] = "";
  size_t n = 0;
  const int decimal = strchr("diu", tail[strlen(tail) - 1]) != NULL;
  for (const char *f = c->flags; *f; f++) {
    if (*f != '#' || !decimal) flags[n++] = *f; /* with those it is undefined */
  }
  flags[n] = '\0';
  if (c->width >= 0) snprintf(width, sizeof width, "%d", c->width);
  if (c->precision >= 0) snprintf(precision, sizeof precision, ".%d", c->precision);
  snprintf(out, SPECIFICATION_MAX, "%%%s%s%s%s", flags, width, precision, tail);
}

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#endif

static int put_signed(tachy_buffer *out, const conversion *c, int64_t value) {
  char format[SPECIFICATION_MAX];
  char text[NUMBER_MAX];
  if (c->kind == 'd' || c->kind == 'i') {
    if (c->length == 'H') value = (int8_t)value;
    if (c->length == 'h') value = (int16_t)value;
  }
  specification(c, PRId64, format);
  return tachy_buffer_append(out, text, (uint64_t)snprintf(text, sizeof text, format, value));
}

static int put_unsigned(tachy_buffer *out, const conversion *c, uint64_t value) {
  static const char *const tails[] = {PRIo64, PRIx64, PRIX64};
  char format[SPECIFICATION_MAX];
  char text[NUMBER_MAX];
  if (c->length == 'H') value = (uint8_t)value;
  if (c->length == 'h') value = (uint16_t)value;
  const char *tail = c->kind == 'o' ? tails[0] : c->kind == 'x' ? tails[1] : c->kind == 'X' ? tails[2] : PRIu64;
  specification(c, tail, format);
  return tachy_buffer_append(out, text, (uint64_t)snprintf(text, sizeof text, format, value));
}

static int put_double(tachy_buffer *out, const conversion *c, double value) {
  char format[SPECIFICATION_MAX];
  char text[NUMBER_MAX];
  const char tail[2] = {strchr("fFeEgGaA", c->kind) ? c->kind : 'g', 0};
  specification(c, tail, format);
  return tachy_buffer_append(out, text, (uint64_t)snprintf(text, sizeof text, format, value));
}

#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

static int put_padding(tachy_buffer *out, uint64_t count) {
  static const char spaces[] = "                                ";
  for (uint64_t part; count > 0; count -= part) {
    part = count < sizeof spaces - 1 ? count : sizeof spaces - 1;
    if (!tachy_buffer_append(out, spaces, part)) return 0;
  }
  return 1;
}

/* %s and everything that is printed as text: precision cuts, width pads, both in bytes as in C. */
static int put_text(tachy_buffer *out, const conversion *c, const char *bytes, uint64_t size) {
  if (c->precision >= 0 && size > (uint64_t)c->precision && c->kind == 's') size = (uint64_t)c->precision;
  const uint64_t padding = c->width >= 0 && (uint64_t)c->width > size ? (uint64_t)c->width - size : 0;
  const int left = strchr(c->flags, '-') != NULL;
  return (left || put_padding(out, padding)) && tachy_buffer_append(out, bytes, size) &&
         (!left || put_padding(out, padding));
}

static int put_pointer(tachy_buffer *out, const conversion *c, uint64_t value) {
  char text[24];
  const int size = value ? snprintf(text, sizeof text, "0x%" PRIx64, value) : snprintf(text, sizeof text, "(nil)");
  conversion plain = *c;
  plain.precision = -1;
  return put_text(out, &plain, text, (uint64_t)size);
}

/* %c is a byte, %lc a code point. */
static int put_character(tachy_buffer *out, const conversion *c, uint64_t value) {
  uint8_t text[4] = {(uint8_t)value};
  uint64_t size = 1;
  if (c->wide)
    size = tachy_utf8_put(text, value > 0x10FFFFu ? 0xFFFDu : (uint32_t)value); /* surrogates: repaired with the rest */
  return put_text(out, c, (const char *)text, size);
}

/* An unsigned conversion of a negative int shows 32 bits, as C does; a wider value all of them. */
static uint64_t as_unsigned(const conversion *c, int64_t value) {
  return c->length == 0 && value < 0 && value >= INT32_MIN ? (uint32_t)value : (uint64_t)value;
}

static int put_arg(tachy_buffer *out, const conversion *c, const tachy_value *arg) {
  double number;
  switch (arg->type) {
    case TACHY_ARG_TEXT:
      return put_text(out, c, arg->text, arg->bits);
    case TACHY_ARG_F64:
      memcpy(&number, &arg->bits, sizeof number);
      return put_double(out, c, number);
    case TACHY_ARG_POINTER:
      if (strchr("diouxX", c->kind)) return put_unsigned(out, c, arg->bits);
      return put_pointer(out, c, arg->bits);
    default:
      break;
  }
  conversion plain = *c;
  switch (c->kind) {
    case 'c':
      return put_character(out, c, arg->bits);
    case 'p':
      return put_pointer(out, c, arg->bits);
    case 'o':
    case 'u':
    case 'x':
    case 'X':
      return put_unsigned(out, c, arg->type == TACHY_ARG_I64 ? as_unsigned(c, (int64_t)arg->bits) : arg->bits);
    case 'd':
    case 'i':
      break;
    default:
      plain.precision = -1;
      break; /* an integer for %s or %f is printed as the integer that it is */
  }
  return arg->type == TACHY_ARG_I64 ? put_signed(out, &plain, (int64_t)arg->bits)
                                    : put_unsigned(out, &plain, arg->bits);
}

/* The commonest case, without snprintf. */
static int put_plain_decimal(tachy_buffer *out, uint64_t magnitude, int negative) {
  char text[24];
  size_t at = sizeof text;
  do {
    text[--at] = (char)('0' + magnitude % 10u);
  } while (magnitude /= 10u);
  if (negative) text[--at] = '-';
  return tachy_buffer_append(out, text + at, sizeof text - at);
}

static int put_conversion(tachy_buffer *out, const conversion *c, const tachy_value *arg) {
  const int plain = c->width < 0 && c->precision < 0 && !c->flags[0] && (c->length == 0 || c->length == 'l');
  if (plain && arg->type == TACHY_ARG_I64 && (c->kind == 'd' || c->kind == 'i')) {
    const int negative = (int64_t)arg->bits < 0;
    return put_plain_decimal(out, negative ? 0 - arg->bits : arg->bits, negative);
  }
  return put_arg(out, c, arg);
}

static int format_message(const tachy_text *format, const tachy_value *args, uint64_t count, tachy_buffer *out) {
  const char *p = format->bytes;
  const char *const end = p + format->size;
  uint64_t next = 0;
  while (p < end) {
    const char *percent = memchr(p, '%', (size_t)(end - p));
    const char *stop = percent ? percent : end;
    if (!tachy_buffer_append(out, p, (uint64_t)(stop - p))) return 0;
    if (!percent) break;
    conversion c;
    p = percent + 1;
    const char *after = p < end && *p == '%' ? p + 1 : parse(p, end, &c);
    int good = 1;
    if (!after) { /* not a conversion: as it stands */
      good = tachy_buffer_append(out, "%", 1);
    } else if (*p == '%') {
      good = tachy_buffer_append(out, "%", 1);
      p = after;
    } else {
      good = next < count ? put_conversion(out, &c, &args[next]) : tachy_buffer_append(out, "<missing>", 9);
      next++;
      p = after;
    }
    if (!good) return 0;
  }
  return 1;
}

tachy_status tachy_log_message(const tachy_block *block, const tachy_rows *rows, uint64_t row, tachy_buffer *out,
                               tachy_read_error *error) {
  static const tachy_text any[2] = {{"%s", 2}, {"", 0}};
  const uint64_t start = out->size;
  const tachy_value *args = rows->args + rows->arg_first[row];
  const uint64_t count = rows->arg_first[row + 1] - rows->arg_first[row];
  const tachy_text *format = &block->strings[block->sites[rows->site[row]].name];
  if (format->size == 0) format = count ? &any[0] : &any[1];
  if (!format_message(format, args, count, out) || !tachy_buffer_repair(out, start)) return tachy_read_no_memory(error);
  return TACHY_OK;
}
