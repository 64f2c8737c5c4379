/* Formats whose formatting can wait for the reader: those of which C's printf makes the very text that Python's %
 * makes.
 *
 * Whatever is not certain (%r, a float for %s, a bool for %d, text beyond ASCII with a width …) is formatted by Python
 * at once, so this list may be short but never wrong: tests/pysdk/test_log_formats.py compares both texts. */
#include <math.h>
#include <string.h>

#include "tachy_python.h"

/* A reader refuses a block whose text is 256 times larger than the block: what is in the format only costs a byte. */
enum { FORMAT_MAX = 256, WIDTH_MAX = 64, PRECISION_MAX = 20, TEXTS_MAX = 1024 };

enum { DECIMAL = 1, UNSIGNED = 2, REAL = 3, TEXT = 4, TEXT_PADDED = 5 };

static const char *number(const char *p, int *value) {
  for (*value = 0; *p >= '0' && *p <= '9'; p++) {
    if (*value <= WIDTH_MAX) *value = *value * 10 + (*p - '0');
  }
  return p;
}

/* What follows a '%'. Returns where it ends and its kind, or NULL. */
static const char *conversion(const char *p, uint8_t *kind) {
  const char *const flags = p;
  while (*p && strchr("-0+ ", *p)) p++;
  const size_t flag_count = (size_t)(p - flags);
  int width = 0;
  int precision = -1;
  p = number(p, &width);
  if (*p == '.') p = number(p + 1, &precision);
  if (width > WIDTH_MAX || precision > PRECISION_MAX) return NULL;
  const size_t plain = strspn(flags, "-0");
  const size_t left = strspn(flags, "-");
  switch (*p) {
    case 'd':
    case 'i':
      *kind = DECIMAL;
      return precision < 0 ? p + 1 : NULL;
    case 'o':
    case 'x':
    case 'X': /* only Python gives it a sign */
      *kind = UNSIGNED;
      return precision < 0 && plain >= flag_count ? p + 1 : NULL;
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
      *kind = REAL;
      return p + 1;
    case 's':
      *kind = width > 0 ? TEXT_PADDED : TEXT;
      return precision < 0 && left >= flag_count ? p + 1 : NULL;
    default:
      return NULL;
  }
}

tpy_format tpy_read_format(PyObject *text) {
  static const tpy_format never = {0};
  tpy_format format = {0};
  Py_ssize_t size;
  const char *p = PyUnicode_AsUTF8AndSize(text, &size);
  if (p == NULL) PyErr_Clear();
  if (p == NULL || size > FORMAT_MAX || strlen(p) != (size_t)size) return never;
  while ((p = strchr(p, '%')) != NULL) {
    p++;
    if (*p == '%') {
      p++;
      continue;
    }
    if (format.count == TPY_FORMAT_ARGS) return never;
    p = conversion(p, &format.kinds[format.count++]);
    if (p == NULL) return never;
  }
  return format;
}

/* An int that fits; 0 for anything else. */
static int whole(PyObject *arg, uint64_t *word) {
  int overflow;
  if (!PyLong_CheckExact(arg)) return 0;
  *word = (uint64_t)PyLong_AsLongLongAndOverflow(arg, &overflow);
  return overflow == 0;
}

/* One argument as a word; its type, or TACHY_ARG_END when it is not what the conversion can wait with. */
static uint32_t take(uint8_t kind, PyObject *arg, uint64_t *word, uint32_t *size) {
  if (kind == REAL) {
    if (!PyFloat_CheckExact(arg)) return TACHY_ARG_END;
    const double value = PyFloat_AS_DOUBLE(arg);
    memcpy(word, &value, sizeof value);
    return isfinite(value) ? TACHY_ARG_F64 : TACHY_ARG_END;
  }
  if (kind < TEXT || !PyUnicode_CheckExact(arg)) {
    if (!whole(arg, word) || (kind == UNSIGNED && (int64_t)*word < 0)) return TACHY_ARG_END;
    return TACHY_ARG_I64;
  }
  if (kind == TEXT_PADDED && !PyUnicode_IS_ASCII(arg)) return TACHY_ARG_END; /* C counts bytes */
  Py_ssize_t bytes;
  const char *const text = PyUnicode_AsUTF8AndSize(arg, &bytes);
  if (text == NULL) PyErr_Clear();
  if (text == NULL || bytes > TEXTS_MAX) return TACHY_ARG_END;
  *word = (uint64_t)(uintptr_t)text;
  *size = (uint32_t)bytes;
  return TACHY_ARG_TEXT;
}

int tpy_put_format(tachy_site *site, const tpy_format *format, uint32_t set, PyObject *args) {
  uint64_t words[TPY_FORMAT_ARGS];
  uint32_t sizes[TPY_FORMAT_ARGS] = {0};
  uint32_t types = 0;
  uint32_t texts = 0;
  int any_text = 0;
  if (PyTuple_GET_SIZE(args) != format->count) return 0;
  for (unsigned i = 0; i < format->count; i++) {
    const uint32_t type = take(format->kinds[i], PyTuple_GET_ITEM(args, i), &words[i], &sizes[i]);
    if (type == TACHY_ARG_END) return 0;
    types |= type << (4 * i);
    texts += sizes[i];
    any_text |= type == TACHY_ARG_TEXT;
  }
  if (texts > TEXTS_MAX) return 0; /* the recorder cuts each text, Python's handler the whole */
  if (any_text) {
    tachy_log_args(site, set, types, words, sizes);
  } else {
    tachy_log_words(site, set, types, words, format->count);
  }
  return 1;
}
