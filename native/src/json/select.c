/* Texts of an Arrow array in, what is in their JSON out. */
#include <stdio.h>
#include <stdlib.h>

#include "../reader/arrow.h"
#include "../reader/error.h"
#include "../reader/text.h"
#include "document.h"

typedef struct texts { /* of a column of format "u" */
  tachy_bytes bytes;
  TACHY_LIST(int32_t) offsets;
} texts;

static int begin_text(texts *t) {
  int32_t *const offset = tachy_list_add(&t->offsets, sizeof *offset);
  if (offset) *offset = (int32_t)t->bytes.size;
  return offset != NULL;
}

static tachy_status to_column(texts *t, tachy_arrow *arrow, int64_t at, const char *name, tachy_read_error *error) {
  if (!begin_text(t) || !tachy_bytes_reserve(&t->bytes, 1)) return tachy_read_no_memory(error);
  const tachy_status status = tachy_arrow_column(arrow, at, name, "u", t->offsets.items, (char *)t->bytes.bytes, error);
  *t = (texts){0};
  return status;
}

typedef struct answer {
  const tachy_json_query *query;
  tachy_json_document document;
  tachy_json_selection selection;
  texts keys;
  texts values;
} answer;

static int add_key(answer *a, const tachy_json_value *value, uint64_t number) {
  char digits[24];
  if (!begin_text(&a->keys)) return 0;
  if (value->key) return tachy_bytes_append(&a->keys.bytes, value->key, value->key_size);
  const int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
  return tachy_bytes_append(&a->keys.bytes, digits, (uint64_t)length);
}

static int add_value(answer *a, uint32_t number) {
  const tachy_json_value *const value = a->document.values.items + number;
  if (!begin_text(&a->values)) return 0;
  if (a->query->plain && value->type == TACHY_JSON_STRING) {
    return tachy_bytes_append(&a->values.bytes, value->text, value->size);
  }
  return tachy_json_write(&a->document, number, &a->values.bytes);
}

/* Of one text. */
static tachy_status answer_one(answer *a, const uint8_t *text, uint32_t size, const uint8_t *path, uint8_t *valid,
                               tachy_read_error *error) {
  const tachy_json_outcome outcome = tachy_json_parse(&a->document, text, size);
  if (outcome == TACHY_JSON_NO_MEMORY) return tachy_read_no_memory(error);
  if (outcome == TACHY_JSON_IS_NONE || !(a->query->roots >> a->document.values.items[0].type & 1)) return TACHY_OK;
  *valid = 1;
  uint64_t first;
  if (!tachy_json_follow(&a->selection, path, &first)) return tachy_read_no_memory(error);
  for (uint64_t i = first; i < a->selection.found.count && i - first < a->query->most; i++) {
    const uint32_t number = a->selection.found.items[i];
    if (!add_value(a, number) || !add_key(a, a->document.values.items + number, i - first)) {
      return tachy_read_no_memory(error);
    }
    if (a->values.bytes.size > INT32_MAX || a->keys.bytes.size > INT32_MAX || a->keys.offsets.count > INT32_MAX) {
      return tachy_read_fail(error, "what is found takes more than 2 GiB");
    }
  }
  a->selection.found.count = 0;
  return TACHY_OK;
}

tachy_status tachy_json_select(const tachy_texts *texts, const tachy_json_query *query, int32_t *lists, uint8_t *valid,
                               struct ArrowSchema *schema, struct ArrowArray *array, tachy_read_error *error) {
  answer a = {.query = query};
  a.selection.document = &a.document;
  tachy_status status = TACHY_OK;
  for (uint64_t i = 0; i < texts->count && !status; i++) {
    const uint64_t at = texts->first + i;
    const int32_t offset = texts->offsets[at];
    lists[i] = (int32_t)a.values.offsets.count;
    valid[i] = 0;
    if (tachy_texts_is_null(texts, at)) continue;
    const uint8_t *const path = query->paths + (query->which ? query->which[i] : 0);
    status = answer_one(&a, texts->bytes + offset, (uint32_t)(texts->offsets[at + 1] - offset), path, valid + i, error);
  }
  lists[texts->count] = (int32_t)a.values.offsets.count;
  tachy_arrow arrow = {0};
  if (!status) status = tachy_arrow_start(&arrow, a.values.offsets.count, 2, error);
  if (!status) status = to_column(&a.keys, &arrow, 0, "key", error);
  if (!status) status = to_column(&a.values, &arrow, 1, "value", error);
  if (status) {
    tachy_arrow_free(&arrow);
  } else {
    *schema = arrow.schema;
    *array = arrow.array;
  }
  tachy_json_free(&a.document);
  free(a.selection.found.items);
  tachy_bytes_free(&a.selection.scratch);
  free(a.keys.offsets.items);
  tachy_bytes_free(&a.keys.bytes);
  free(a.values.offsets.items);
  tachy_bytes_free(&a.values.bytes);
  return status;
}

tachy_status tachy_json_numbers(const tachy_texts *texts, int whole, void *numbers, uint8_t *valid,
                                tachy_read_error *error) {
  tachy_json_document document = {0};
  tachy_bytes scratch = {0};
  tachy_json_outcome outcome = TACHY_JSON_READ;
  for (uint64_t i = 0; i < texts->count && outcome != TACHY_JSON_NO_MEMORY; i++) {
    const uint64_t at = texts->first + i;
    const int32_t offset = texts->offsets[at];
    valid[i] = 0;
    if (tachy_texts_is_null(texts, at)) continue;
    outcome = tachy_json_parse(&document, texts->bytes + offset, (uint32_t)(texts->offsets[at + 1] - offset));
    const tachy_json_value *const value = document.values.items;
    if (outcome != TACHY_JSON_READ || value->type != TACHY_JSON_NUMBER) continue;
    if (whole) {
      valid[i] = (uint8_t)tachy_json_whole(value, &scratch, (int64_t *)numbers + i);
    } else {
      ((double *)numbers)[i] = tachy_json_double(value, &scratch);
      valid[i] = 1;
    }
    if (!scratch.bytes) outcome = TACHY_JSON_NO_MEMORY;
  }
  tachy_json_free(&document);
  tachy_bytes_free(&scratch);
  return outcome == TACHY_JSON_NO_MEMORY ? tachy_read_no_memory(error) : TACHY_OK;
}
