/* Arrow C data interface: arrays and schemas that own their memory, each on its own, as the interface asks. */
#include "arrow.h"

#include <stdlib.h>
#include <string.h>

#include "../base/hash.h"
#include "error.h"

/* Schemas: names and formats are literals, so only the children are memory. */
static void release_schema(struct ArrowSchema *schema) {
  for (int64_t i = 0; i < schema->n_children; i++) {
    if (schema->children[i]->release) schema->children[i]->release(schema->children[i]);
    free(schema->children[i]);
  }
  free(schema->children);
  if (schema->dictionary && schema->dictionary->release) schema->dictionary->release(schema->dictionary);
  free(schema->dictionary);
  schema->release = NULL;
}

static void release_array(struct ArrowArray *array) {
  for (int64_t i = 0; i < array->n_buffers; i++) free((void *)(uintptr_t)array->buffers[i]);
  free((void *)array->buffers);
  for (int64_t i = 0; i < array->n_children; i++) {
    if (array->children[i]->release) array->children[i]->release(array->children[i]);
    free(array->children[i]);
  }
  free(array->children);
  if (array->dictionary && array->dictionary->release) array->dictionary->release(array->dictionary);
  free(array->dictionary);
  array->release = NULL;
}

/* Fills both. Buffers are taken over; the first one of an array, the validity bitmap, is always absent. */
static tachy_status fill(struct ArrowSchema *schema, struct ArrowArray *array, const char *name, const char *format,
                         int64_t length, void *first, char *bytes, tachy_read_error *error) {
  const int64_t buffers = format[0] == '+' ? 1 : format[0] == 'u' ? 3 : 2;
  *schema = (struct ArrowSchema){.format = format, .name = name, .release = release_schema};
  *array = (struct ArrowArray){.length = length, .n_buffers = buffers, .release = release_array};
  array->buffers = calloc(3, sizeof *array->buffers);
  if (!array->buffers) {
    array->n_buffers = 0;
    free(first);
    free(bytes);
    return tachy_read_no_memory(error);
  }
  array->buffers[1] = first;
  array->buffers[2] = bytes;
  return first || buffers == 1 ? TACHY_OK : tachy_read_no_memory(error);
}

tachy_status tachy_arrow_start(tachy_arrow *arrow, uint64_t length, int64_t columns, tachy_read_error *error) {
  struct ArrowSchema *const schema = &arrow->schema;
  struct ArrowArray *const array = &arrow->array;
  tachy_status status = fill(schema, array, "", "+s", (int64_t)length, NULL, NULL, error);
  schema->children = calloc((size_t)columns + 1, sizeof *schema->children);
  array->children = calloc((size_t)columns + 1, sizeof *array->children);
  if (!schema->children || !array->children) return tachy_read_no_memory(error);
  for (int64_t i = 0; i < columns && !status; i++) {
    schema->children[i] = calloc(1, sizeof **schema->children);
    array->children[i] = calloc(1, sizeof **array->children);
    schema->n_children = array->n_children = i + 1;
    if (!schema->children[i] || !array->children[i]) status = tachy_read_no_memory(error);
  }
  return status;
}

void tachy_arrow_free(tachy_arrow *arrow) {
  if (arrow->schema.release) arrow->schema.release(&arrow->schema);
  if (arrow->array.release) arrow->array.release(&arrow->array);
}

tachy_status tachy_arrow_column(tachy_arrow *arrow, int64_t at, const char *name, const char *format, void *first,
                                char *bytes, tachy_read_error *error) {
  return fill(arrow->schema.children[at], arrow->array.children[at], name, format, arrow->array.length, first, bytes,
              error);
}

static int grow_dictionary(tachy_dictionary *d) {
  const uint32_t capacity = d->capacity ? d->capacity * 2 : 64;
  int32_t *offsets = realloc(d->offsets, ((size_t)capacity + 1) * sizeof *offsets);
  if (!offsets) return 0;
  d->offsets = offsets;
  if (!d->capacity) offsets[0] = 0;
  const uint32_t slots = capacity * 2;
  uint32_t *table = calloc(slots, sizeof *table);
  if (!table) return 0;
  for (uint32_t i = 0; i < d->count; i++) {
    const uint64_t size = (uint64_t)(d->offsets[i + 1] - d->offsets[i]);
    uint64_t slot = tachy_hash(d->bytes.bytes + d->offsets[i], size);
    while (table[slot & (slots - 1)]) slot++;
    table[slot & (slots - 1)] = i + 1;
  }
  free(d->table);
  d->table = table;
  d->slots = slots;
  d->capacity = capacity;
  return 1;
}

tachy_status tachy_dictionary_add(tachy_dictionary *dictionary, const char *bytes, uint64_t size, uint32_t *index,
                                  tachy_read_error *error) {
  tachy_dictionary *const d = dictionary;
  if (d->count == d->capacity && !grow_dictionary(d)) return tachy_read_no_memory(error);
  uint64_t slot = tachy_hash(bytes, size);
  for (; d->table[slot & (d->slots - 1)]; slot++) {
    const uint32_t found = d->table[slot & (d->slots - 1)] - 1;
    const uint64_t start = (uint64_t)d->offsets[found];
    if ((uint64_t)d->offsets[found + 1] - start == size && memcmp(d->bytes.bytes + start, bytes, size) == 0) {
      *index = found;
      return TACHY_OK;
    }
  }
  if (d->count == INT32_MAX || size > INT32_MAX - d->bytes.size) {
    return tachy_read_fail(error, "the different texts of a column are longer than 2 GiB");
  }
  if (!tachy_buffer_append(&d->bytes, bytes, size)) return tachy_read_no_memory(error);
  *index = d->count++;
  d->offsets[d->count] = (int32_t)d->bytes.size;
  d->table[slot & (d->slots - 1)] = d->count;
  return TACHY_OK;
}

void tachy_dictionary_free(tachy_dictionary *dictionary) {
  free(dictionary->offsets);
  free(dictionary->table);
  tachy_buffer_free(&dictionary->bytes);
  memset(dictionary, 0, sizeof *dictionary);
}

tachy_status tachy_arrow_dictionary(tachy_arrow *arrow, int64_t at, const char *name, uint32_t *indices,
                                    tachy_dictionary *dictionary, tachy_read_error *error) {
  tachy_dictionary *const d = dictionary;
  struct ArrowSchema *const schema = arrow->schema.children[at];
  struct ArrowArray *const array = arrow->array.children[at];
  tachy_status status = tachy_arrow_column(arrow, at, name, "i", indices, NULL, error);
  schema->dictionary = calloc(1, sizeof *schema->dictionary);
  array->dictionary = calloc(1, sizeof *array->dictionary);
  if (status || !schema->dictionary || !array->dictionary || (!d->offsets && !grow_dictionary(d))) {
    tachy_dictionary_free(d);
    return tachy_read_no_memory(error);
  }
  status = fill(schema->dictionary, array->dictionary, "", "u", d->count, d->offsets, d->bytes.bytes, error);
  d->offsets = NULL;
  d->bytes.bytes = NULL;
  tachy_dictionary_free(d);
  return status;
}
