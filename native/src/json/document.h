/* JSON (RFC 8259) as a list of its values, each before those that are in it, and what a path selects of them.
 *
 * A document is read again and again with the same memory. Zero it before the first use. */
#ifndef TACHY_JSON_DOCUMENT_H
#define TACHY_JSON_DOCUMENT_H

#include <tachy/reader.h>

#include "../base/buffer.h"
#include "../reader/lists.h"

typedef struct tachy_json_value {
  const uint8_t *key;  /* its name, where it is a member of an object; UTF-8, as the text is */
  const uint8_t *text; /* a string's characters, or as what a number is written */
  uint32_t key_size;
  uint32_t size;
  uint32_t end; /* number of the value behind it and all that is in it */
  uint8_t type; /* tachy_json_type */
  uint8_t gone; /* a later member of its object has the same name */
} tachy_json_value;

typedef struct tachy_json_document {
  TACHY_LIST(tachy_json_value) values;
  TACHY_LIST(uint32_t) around; /* those that have begun and not ended, while it is read or written */
  tachy_bytes unescaped;       /* characters of strings and names that are not as the text has them */
} tachy_json_document;

typedef enum tachy_json_outcome { TACHY_JSON_NO_MEMORY = -1, TACHY_JSON_IS_NONE, TACHY_JSON_READ } tachy_json_outcome;

/* Reads a text, which must outlive the document, as must memory of `unescaped` until the next call. */
tachy_json_outcome tachy_json_parse(tachy_json_document *document, const uint8_t *text, uint32_t size);
void tachy_json_free(tachy_json_document *document);

/* Appends a value without needless blanks. 0: no memory. */
int tachy_json_write(tachy_json_document *document, uint32_t value, tachy_bytes *out);

/* A number as a double; as an integer, if it is whole and fits (else returns 0). `scratch` is for its digits; NULL
 * inside: no memory. */
double tachy_json_double(const tachy_json_value *number, tachy_bytes *scratch);
int tachy_json_whole(const tachy_json_value *number, tachy_bytes *scratch, int64_t *whole);

typedef struct tachy_json_selection { /* zero it before the first use */
  tachy_json_document *document;
  TACHY_LIST(uint32_t) found; /* numbers of values */
  tachy_bytes scratch;
} tachy_json_selection;

/* Puts what the path (reader.h) selects of the whole document behind what was found before, from *first on; 0: no
 * memory. */
int tachy_json_follow(tachy_json_selection *selection, const uint8_t *path, uint64_t *first);

static inline int tachy_json_same(const uint8_t *a, uint32_t a_size, const uint8_t *b, uint32_t b_size) {
  return a_size == b_size && (!a_size || memcmp(a, b, a_size) == 0);
}

#endif
