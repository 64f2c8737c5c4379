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
  if (schema->dictionary) {
    if (schema->dictionary->release) schema->dictionary->release(schema->dictionary);
    free(schema->dictionary);
  }
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
  if (array->dictionary) {
    if (array->dictionary->release) array->dictionary->release(array->dictionary);
    free(array->dictionary);
  }
  array->release = NULL;
}

static void fill_schema(struct ArrowSchema *schema, const char *name, const char *format) {
  *schema = (struct ArrowSchema){.format = format, .name = name, .release = release_schema};
}

/* Buffers are taken over: buffers[0] is the validity bitmap, always absent here. 0 when memory is short. */
static int fill_array(struct ArrowArray *array, int64_t length, void *first, void *second, int64_t n_buffers) {
  *array = (struct ArrowArray){.length = length, .n_buffers = n_buffers, .release = release_array};
  array->buffers = calloc((size_t)n_buffers, sizeof *array->buffers);
  if (!array->buffers) {
    free(first);
    free(second);
    array->release = NULL;
    return 0;
  }
  if (n_buffers > 1) array->buffers[1] = first;
  if (n_buffers > 2) array->buffers[2] = second;
  return 1;
}

int tachy_arrow_start(tachy_arrow *arrow, uint64_t length) {
  memset(arrow, 0, sizeof *arrow);
  arrow->length = (int64_t)length;
  fill_schema(&arrow->schema, "", "+s");
  arrow->schema.children = calloc(TACHY_ARROW_COLUMNS_MAX, sizeof *arrow->schema.children);
  const int filled = fill_array(&arrow->array, arrow->length, NULL, NULL, 1);
  arrow->array.children = calloc(TACHY_ARROW_COLUMNS_MAX, sizeof *arrow->array.children);
  if (arrow->schema.children && arrow->array.children && filled) return 1;
  tachy_arrow_free(arrow);
  return 0;
}

void tachy_arrow_free(tachy_arrow *arrow) {
  if (arrow->schema.release) arrow->schema.release(&arrow->schema);
  if (arrow->array.release) {
    arrow->array.release(&arrow->array);
  } else {
    free(arrow->array.children);
  }
  memset(arrow, 0, sizeof *arrow);
}

/* A new child; its array is not filled yet. NULL when memory is short. */
static struct ArrowArray *add_child(tachy_arrow *arrow, const char *name, const char *format) {
  struct ArrowSchema *schema = malloc(sizeof *schema);
  struct ArrowArray *array = calloc(1, sizeof *array);
  if (!schema || !array || arrow->schema.n_children == TACHY_ARROW_COLUMNS_MAX) {
    free(schema);
    free(array);
    arrow->failed = 1;
    return NULL;
  }
  fill_schema(schema, name, format);
  arrow->schema.children[arrow->schema.n_children++] = schema;
  arrow->array.children[arrow->array.n_children++] = array;
  return array;
}

void tachy_arrow_fixed(tachy_arrow *arrow, const char *name, const char *format, void *values) {
  struct ArrowArray *array = values ? add_child(arrow, name, format) : NULL;
  if (!array) {
    free(values);
    arrow->failed = 1;
  } else if (!fill_array(array, arrow->length, values, NULL, 2)) {
    arrow->failed = 1;
  }
}

void tachy_arrow_part(tachy_arrow *arrow, const char *name, const char *format, tachy_arrow_window window,
                      void **values, size_t width) {
  const size_t size = (size_t)arrow->length * width;
  void *part = *values;
  if (window.first == 0 && (uint64_t)arrow->length == window.total) {
    *values = NULL;
  } else {
    part = malloc(size + 1);
    if (part) memcpy(part, (const uint8_t *)*values + window.first * width, size);
  }
  tachy_arrow_fixed(arrow, name, format, part);
}

void tachy_arrow_text(tachy_arrow *arrow, const char *name, int32_t *offsets, char *bytes) {
  struct ArrowArray *array = offsets ? add_child(arrow, name, "u") : NULL;
  if (!array) {
    free(offsets);
    free(bytes);
    arrow->failed = 1;
  } else if (!fill_array(array, arrow->length, offsets, bytes, 3)) {
    arrow->failed = 1;
  }
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

int tachy_dictionary_add(tachy_dictionary *dictionary, const char *bytes, uint64_t size, int32_t *index) {
  tachy_dictionary *const d = dictionary;
  if (d->count == d->capacity && !grow_dictionary(d)) return 0;
  uint64_t slot = tachy_hash(bytes, size);
  for (; d->table[slot & (d->slots - 1)]; slot++) {
    const uint32_t found = d->table[slot & (d->slots - 1)] - 1;
    const uint64_t start = (uint64_t)d->offsets[found];
    if ((uint64_t)d->offsets[found + 1] - start == size && memcmp(d->bytes.bytes + start, bytes, size) == 0) {
      *index = (int32_t)found;
      return 1;
    }
  }
  if (d->count == INT32_MAX || size > INT32_MAX - d->bytes.size) return 0;
  if (!tachy_buffer_append(&d->bytes, bytes, size)) return 0;
  *index = (int32_t)d->count++;
  d->offsets[d->count] = (int32_t)d->bytes.size;
  d->table[slot & (d->slots - 1)] = d->count;
  return 1;
}

void tachy_dictionary_free(tachy_dictionary *dictionary) {
  free(dictionary->offsets);
  free(dictionary->table);
  tachy_buffer_free(&dictionary->bytes);
  memset(dictionary, 0, sizeof *dictionary);
}

void tachy_arrow_dictionary(tachy_arrow *arrow, const char *name, int32_t *indices, tachy_dictionary *dictionary) {
  if (!dictionary->offsets && !grow_dictionary(dictionary)) arrow->failed = 1; /* an empty one has offsets, too */
  struct ArrowArray *array = indices && dictionary->offsets ? add_child(arrow, name, "i") : NULL;
  if (!array) {
    free(indices);
    tachy_dictionary_free(dictionary);
    arrow->failed = 1;
    return;
  }
  struct ArrowSchema *schema = arrow->schema.children[arrow->schema.n_children - 1];
  if (!fill_array(array, arrow->length, indices, NULL, 2)) arrow->failed = 1;
  schema->dictionary = malloc(sizeof *schema->dictionary);
  array->dictionary = calloc(1, sizeof *array->dictionary);
  if (!schema->dictionary || !array->dictionary) {
    tachy_dictionary_free(dictionary);
    arrow->failed = 1;
    return;
  }
  fill_schema(schema->dictionary, "", "u");
  if (!fill_array(array->dictionary, dictionary->count, dictionary->offsets, dictionary->bytes.bytes, 3)) {
    arrow->failed = 1;
  }
  dictionary->offsets = NULL;
  memset(&dictionary->bytes, 0, sizeof dictionary->bytes);
  tachy_dictionary_free(dictionary);
}

tachy_status tachy_arrow_export(tachy_arrow *arrow, struct ArrowSchema *schema, struct ArrowArray *array,
                                tachy_read_error *error) {
  if (arrow->failed) {
    tachy_arrow_free(arrow);
    return tachy_read_no_memory(error);
  }
  *schema = arrow->schema;
  *array = arrow->array;
  memset(arrow, 0, sizeof *arrow);
  return TACHY_OK;
}
