/* Columns that are functions of a row's site or property set. */
#include <stdlib.h>
#include <string.h>

#include "arrow.h"
#include "error.h"

static const char seconds[] = "seconds";

static uint32_t string_of(const tachy_site_row *site, tachy_site_text which) {
  switch (which) {
    case TACHY_SITE_TEXT_NAME:
      return site->name;
    case TACHY_SITE_TEXT_TARGET:
      return site->target;
    case TACHY_SITE_TEXT_FILE:
      return site->file;
    default:
      return site->unit;
  }
}

static int is_seconds(const tachy_site_row *site, tachy_site_text which) {
  return which == TACHY_SITE_TEXT_UNIT && (site->kind == TACHY_SITE_METRIC_TICKS || site->kind == TACHY_SITE_FRAME);
}

/* Dictionary index of every site's text, in `of_site`; each string is looked up once. 0 when memory is short. */
static int fill_dictionary(tachy_dictionary *dictionary, const tachy_block *block, tachy_site_text which,
                           int32_t *of_site) {
  int32_t *of_string = malloc(((size_t)block->string_count + 1) * sizeof *of_string);
  if (!of_string) return 0;
  int good = 1;
  for (uint32_t i = 0; i < block->string_count; i++) of_string[i] = -1;
  for (uint32_t i = 0; i < block->site_count && good; i++) {
    const tachy_site_row *site = &block->sites[i];
    if (is_seconds(site, which)) {
      good = tachy_dictionary_add(dictionary, seconds, sizeof seconds - 1, &of_site[i]);
      continue;
    }
    const uint32_t string = string_of(site, which);
    const tachy_text *text = &block->strings[string];
    if (of_string[string] < 0) good = tachy_dictionary_add(dictionary, text->bytes, text->size, &of_string[string]);
    of_site[i] = of_string[string];
  }
  free(of_string);
  return good;
}

void tachy_arrow_site_text(tachy_arrow *arrow, const char *name, const tachy_block *block, const uint32_t *sites,
                           tachy_site_text which) {
  const uint64_t count = (uint64_t)arrow->length;
  tachy_dictionary dictionary = {0};
  int32_t *of_site = malloc(((size_t)block->site_count + 1) * sizeof *of_site);
  int32_t *indices = malloc((count + 1) * sizeof *indices);
  if (!of_site || !indices || !fill_dictionary(&dictionary, block, which, of_site)) {
    arrow->failed = 1;
  } else {
    for (uint64_t i = 0; i < count; i++) indices[i] = of_site[sites[i]];
  }
  free(of_site);
  tachy_arrow_dictionary(arrow, name, indices, &dictionary);
}

void tachy_arrow_site_line(tachy_arrow *arrow, const tachy_block *block, const uint32_t *sites) {
  const uint64_t count = (uint64_t)arrow->length;
  uint32_t *lines = malloc((count + 1) * sizeof *lines);
  for (uint64_t i = 0; lines && i < count; i++) lines[i] = block->sites[sites[i]].line;
  tachy_arrow_fixed(arrow, "line", "I", lines);
}

void tachy_arrow_site_hash(tachy_arrow *arrow, const tachy_block *block, const uint32_t *sites) {
  const uint64_t count = (uint64_t)arrow->length;
  uint32_t *hashes = malloc((count + 1) * sizeof *hashes);
  for (uint64_t i = 0; hashes && i < count; i++) hashes[i] = block->sites[sites[i]].hash;
  tachy_arrow_fixed(arrow, "hash", "I", hashes);
}

/* Dictionary index of the set's JSON text; `of_set` remembers. */
static tachy_status add_set(tachy_dictionary *dictionary, const tachy_block *block, uint32_t set, tachy_buffer *json,
                            int32_t *index, tachy_read_error *error) {
  json->size = 0;
  tachy_status status = TACHY_OK;
  if (set == TACHY_NO_SET) {
    if (!tachy_buffer_append(json, "{}", 2)) return tachy_read_no_memory(error);
  } else {
    status = tachy_set_json(block, set, json, error);
  }
  if (status) return status;
  if (dictionary->bytes.size + json->size > INT32_MAX) {
    return tachy_read_fail(error, "a block's properties are longer than 2 GiB");
  }
  if (!tachy_dictionary_add(dictionary, json->bytes, json->size, index)) return tachy_read_no_memory(error);
  return TACHY_OK;
}

/* As JSON text: every byte of a set may have to be escaped, but few are. */
static uint64_t set_size(const tachy_block *block, uint32_t set) {
  uint64_t size = 2;
  for (uint64_t i = block->set_first[set]; i < block->set_first[set + 1]; i++) {
    size += block->strings[block->set_keys[i]].size + block->strings[block->set_values[i]].size + 6;
  }
  return size;
}

tachy_status tachy_arrow_sets_fit(const tachy_block *block, const uint32_t *sets, uint64_t *count, uint64_t most,
                                  tachy_read_error *error) {
  uint8_t *const seen = calloc((size_t)block->set_count + 1, 1);
  if (!seen) return tachy_read_no_memory(error);
  uint64_t size = 0;
  for (uint64_t i = 0; i < *count; i++) {
    if (sets[i] == TACHY_NO_SET || seen[sets[i]]) continue;
    seen[sets[i]] = 1;
    size += set_size(block, sets[i]);
    if (size > most && i) *count = i; /* ends the loop */
  }
  free(seen);
  return TACHY_OK;
}

tachy_status tachy_arrow_properties(tachy_arrow *arrow, const tachy_block *block, const uint32_t *sets,
                                    tachy_read_error *error) {
  const uint64_t count = (uint64_t)arrow->length;
  const size_t set_count = (size_t)block->set_count + 1; /* the last one stands for no set */
  tachy_dictionary dictionary = {0};
  tachy_buffer json = {0};
  int32_t *of_set = malloc(set_count * sizeof *of_set);
  int32_t *indices = malloc((count + 1) * sizeof *indices);
  tachy_status status = of_set && indices ? TACHY_OK : tachy_read_no_memory(error);
  for (size_t i = 0; !status && i < set_count; i++) of_set[i] = -1;
  for (uint64_t i = 0; !status && i < count; i++) {
    int32_t *index = &of_set[sets[i] == TACHY_NO_SET ? block->set_count : sets[i]];
    if (*index < 0) status = add_set(&dictionary, block, sets[i], &json, index, error);
    indices[i] = *index;
  }
  free(of_set);
  tachy_buffer_free(&json);
  if (status) {
    free(indices);
    tachy_dictionary_free(&dictionary);
    return status;
  }
  tachy_arrow_dictionary(arrow, "properties", indices, &dictionary);
  return TACHY_OK;
}
