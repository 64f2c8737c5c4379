/* Values on spans -> the column `properties`. */
#include <stdlib.h>

#include "arrow.h"
#include "error.h"

void tachy_arrow_values_fit(const tachy_block *block, const tachy_value_rows *values, const uint64_t *owners,
                            uint64_t *count, uint64_t most) {
  uint64_t size = 0;
  for (uint64_t i = 0; values->count && i < *count; i++) {
    const tachy_value_range range = tachy_values_of(values, owners[i]);
    if (range.count) size += tachy_values_size(block, range);
    if (size > most && i) *count = i; /* ends the loop */
  }
}

static tachy_status add_row(tachy_dictionary *dictionary, const tachy_block *block, tachy_value_range range,
                            tachy_buffer *json, int32_t *index, tachy_read_error *error) {
  json->size = 0;
  const tachy_status status = tachy_values_json(block, range, json, error);
  if (status) return status;
  if (dictionary->bytes.size + json->size > INT32_MAX) {
    return tachy_read_fail(error, "a block's properties are longer than 2 GiB");
  }
  return tachy_dictionary_add(dictionary, json->bytes, json->size, index) ? TACHY_OK : tachy_read_no_memory(error);
}

tachy_status tachy_arrow_values(tachy_arrow *arrow, const tachy_block *block, const tachy_value_rows *values,
                                const uint64_t *owners, tachy_read_error *error) {
  const uint64_t count = (uint64_t)arrow->length;
  tachy_dictionary dictionary = {0};
  tachy_buffer json = {0};
  int32_t none = 0;
  int32_t *const indices = calloc((size_t)count + 1, sizeof *indices);
  tachy_status status =
      indices && tachy_dictionary_add(&dictionary, "{}", 2, &none) ? TACHY_OK : tachy_read_no_memory(error);
  for (uint64_t i = 0; !status && values->count && i < count; i++) {
    const tachy_value_range range = tachy_values_of(values, owners[i]);
    if (range.count) status = add_row(&dictionary, block, range, &json, &indices[i], error);
  }
  tachy_buffer_free(&json);
  if (status) {
    free(indices);
    tachy_dictionary_free(&dictionary);
    return status;
  }
  tachy_arrow_dictionary(arrow, "properties", indices, &dictionary);
  return TACHY_OK;
}
