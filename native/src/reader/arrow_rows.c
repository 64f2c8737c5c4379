/* Rows -> Arrow: the columns of each kind, as include/tachy/reader.h lists them, and how each is made. */
#include <stdlib.h>
#include <string.h>

#include "arrow.h"
#include "error.h"

typedef struct batch {
  const tachy_block *block;
  tachy_rows *rows;
  uint64_t first;
  uint64_t count;
  tachy_buffer messages; /* of logs */
  int32_t *message_offsets;
  tachy_arrow *arrow;
} batch;

typedef struct column {
  const char *name;
  const char *format; /* Arrow's; of a dictionary's indices */
  tachy_status (*add)(batch *b, const struct column *column, int64_t at, tachy_read_error *error);
  size_t offset; /* of a field: see add_field, add_of_site, add_text_of_site */
  size_t width;
} column;

/* What a kind's rows hold; given up where the batch is all of them, a part is copied. */
static tachy_status add_field(batch *b, const column *column, int64_t at, tachy_read_error *error) {
  void *values;
  char *const field = (char *)b->rows + column->offset;
  memcpy(&values, field, sizeof values);
  if (b->count == b->rows->count) {
    memset(field, 0, sizeof values);
    return tachy_arrow_column(b->arrow, at, column->name, column->format, values, NULL, error);
  }
  void *const part = malloc(b->count * column->width + 1);
  if (part) memcpy(part, (const char *)values + b->first * column->width, b->count * column->width);
  return tachy_arrow_column(b->arrow, at, column->name, column->format, part, NULL, error);
}

/* For each row what its site has in `of_sites`. NULL: no memory. */
static uint32_t *gather(const batch *b, const uint32_t *of_sites) {
  const uint32_t *const sites = b->rows->site + b->first;
  uint32_t *const out = malloc((b->count + 1) * sizeof *out);
  for (uint64_t i = 0; out && i < b->count; i++) out[i] = of_sites[sites[i]];
  return out;
}

static uint32_t field_of(const tachy_site_row *site, const column *column) {
  uint32_t field;
  memcpy(&field, (const char *)site + column->offset, sizeof field);
  return field;
}

/* A number of a row's site. */
static tachy_status add_of_site(batch *b, const column *column, int64_t at, tachy_read_error *error) {
  uint32_t *const of_sites = malloc(((size_t)b->block->site_count + 1) * sizeof *of_sites);
  for (uint32_t i = 0; of_sites && i < b->block->site_count; i++) {
    of_sites[i] = field_of(&b->block->sites[i], column);
  }
  uint32_t *const values = of_sites ? gather(b, of_sites) : NULL;
  free(of_sites);
  return tachy_arrow_column(b->arrow, at, column->name, column->format, values, NULL, error);
}

/* A text of a row's site: a dictionary of those of all sites. Each string is looked up once. */
static tachy_status add_text_of_site(batch *b, const column *column, int64_t at, tachy_read_error *error) {
  const tachy_block *const block = b->block;
  tachy_dictionary dictionary = {0};
  uint32_t *const of_sites = malloc(((size_t)block->site_count + 1) * sizeof *of_sites);
  uint32_t *const of_strings = calloc((size_t)block->string_count + 1, sizeof *of_strings); /* from 1 */
  tachy_status status = of_sites && of_strings ? TACHY_OK : tachy_read_no_memory(error);
  for (uint32_t i = 0; i < block->site_count && !status; i++) {
    const uint32_t string = field_of(&block->sites[i], column);
    const tachy_text text = block->strings[string];
    if (!of_strings[string]) {
      status = tachy_dictionary_add(&dictionary, text.bytes, text.size, &of_strings[string], error);
      of_strings[string]++;
    }
    of_sites[i] = of_strings[string] - 1;
  }
  uint32_t *const indices = status ? NULL : gather(b, of_sites);
  free(of_sites);
  free(of_strings);
  if (status) {
    tachy_dictionary_free(&dictionary);
    return status;
  }
  return tachy_arrow_dictionary(b->arrow, at, column->name, indices, &dictionary, error);
}

static tachy_status add_duration(batch *b, const column *column, int64_t at, tachy_read_error *error) {
  const int64_t *const begin = b->rows->utc + b->first;
  const int64_t *const end = b->rows->end_utc + b->first;
  int64_t *const durations = malloc((b->count + 1) * sizeof *durations);
  for (uint64_t i = 0; durations && i < b->count; i++) durations[i] = (int64_t)((uint64_t)end[i] - (uint64_t)begin[i]);
  return tachy_arrow_column(b->arrow, at, column->name, column->format, durations, NULL, error);
}

static tachy_status add_is_open(batch *b, const column *column, int64_t at, tachy_read_error *error) {
  const uint64_t closed = b->rows->closed > b->first ? b->rows->closed - b->first : 0;
  uint8_t *const bits = calloc(b->count / 8 + 1, 1);
  for (uint64_t i = closed; bits && i < b->count; i++) bits[i / 8] |= (uint8_t)(1u << i % 8);
  return tachy_arrow_column(b->arrow, at, column->name, column->format, bits, NULL, error);
}

static tachy_status add_event_type(batch *b, const column *column, int64_t at, tachy_read_error *error) {
  tachy_dictionary types = {0};
  uint32_t index = 0;
  tachy_status status = tachy_dictionary_add(&types, "begin", 5, &index, error);
  if (!status) status = tachy_dictionary_add(&types, "end", 3, &index, error);
  const uint8_t *const kinds = b->rows->kind + b->first;
  uint32_t *const indices = status ? NULL : malloc((b->count + 1) * sizeof *indices);
  for (uint64_t i = 0, count = b->count; indices && i < count; i++) indices[i] = kinds[i];
  return tachy_arrow_dictionary(b->arrow, at, column->name, indices, &types, error);
}

static tachy_status add_value(batch *b, const column *column, int64_t at, tachy_read_error *error) {
  const uint32_t *const sites = b->rows->site + b->first;
  const uint64_t *const bits = b->rows->bits + b->first;
  double *const values = malloc((b->count + 1) * sizeof *values);
  for (uint64_t i = 0, count = b->count; values && i < count; i++) {
    values[i] = tachy_metric_value(b->block->sites[sites[i]].kind, bits[i]);
  }
  return tachy_arrow_column(b->arrow, at, column->name, column->format, values, NULL, error);
}

/* Made before: they say how many rows the batch has. */
static tachy_status add_messages(batch *b, const column *column, int64_t at, tachy_read_error *error) {
  int32_t *const offsets = b->message_offsets;
  char *const bytes = b->messages.bytes;
  b->message_offsets = NULL;
  b->messages = (tachy_buffer){0};
  return tachy_arrow_column(b->arrow, at, column->name, column->format, offsets, bytes, error);
}

/* Properties: of logs and metrics their sets, of spans the values on them. */

static tachy_value_range values_of(const batch *b, uint64_t i) {
  return tachy_values_of(b->block, b->rows->owner[b->first + i]);
}

/* As JSON text: every byte of a set may have to be escaped, but few are. */
static uint64_t set_size(const tachy_block *block, uint32_t set) {
  uint64_t size = 2;
  for (uint64_t i = block->set_first[set]; i < block->set_first[set + 1]; i++) {
    size += block->strings[block->set_keys[i]].size + block->strings[block->set_values[i]].size + 6;
  }
  return size;
}

/* Lowers the count so that the properties of the batch have about `most` bytes, sets that come again not counted; to 1
 * at least. */
static tachy_status fit_properties(batch *b, uint64_t most, tachy_read_error *error) {
  const uint32_t *const sets = b->rows->set;
  uint64_t size = 0;
  for (uint64_t i = 0; b->rows->owner && i < b->count; i++) {
    const tachy_value_range range = values_of(b, i);
    if (range.count) size += tachy_values_size(b->block, range);
    if (size > most && i) b->count = i; /* ends the loop */
  }
  if (!sets) return TACHY_OK;
  uint8_t *const seen = calloc((size_t)b->block->set_count + 1, 1);
  if (!seen) return tachy_read_no_memory(error);
  for (uint64_t i = 0; i < b->count; i++) {
    const uint32_t set = sets[b->first + i];
    if (seen[set]) continue;
    seen[set] = 1;
    size += set_size(b->block, set);
    if (size > most && i) b->count = i;
  }
  free(seen);
  return TACHY_OK;
}

typedef struct properties {
  tachy_dictionary dictionary;
  tachy_buffer json;
  uint32_t *indices;
} properties;

static tachy_status add_set(const tachy_block *block, uint32_t set, properties *p, uint32_t *index,
                            tachy_read_error *error) {
  p->json.size = 0;
  const tachy_status status = tachy_set_json(block, set, &p->json, error);
  return status ? status : tachy_dictionary_add(&p->dictionary, p->json.bytes, p->json.size, index, error);
}

static tachy_status index_sets(const batch *b, properties *p, tachy_read_error *error) {
  const uint32_t *const sets = b->rows->set + b->first;
  const size_t count = (size_t)b->block->set_count + 1;
  uint32_t *const of_sets = malloc(count * sizeof *of_sets);
  if (!of_sets) return tachy_read_no_memory(error);
  memset(of_sets, 0xFF, count * sizeof *of_sets); /* UINT32_MAX: not made yet */
  tachy_status status = TACHY_OK;
  for (uint64_t i = 0; i < b->count && !status; i++) {
    uint32_t *const index = &of_sets[sets[i]];
    if (*index == UINT32_MAX) status = add_set(b->block, sets[i], p, index, error);
    p->indices[i] = *index;
  }
  free(of_sets);
  return status;
}

static tachy_status index_values(const batch *b, properties *p, tachy_read_error *error) {
  uint32_t none = 0;
  tachy_status status = tachy_dictionary_add(&p->dictionary, "{}", 2, &none, error);
  for (uint64_t i = 0; b->rows->owner && i < b->count && !status; i++) {
    const tachy_value_range range = values_of(b, i);
    if (!range.count) continue;
    p->json.size = 0;
    status = tachy_values_json(b->block, range, &p->json, error);
    if (status) break;
    status = tachy_dictionary_add(&p->dictionary, p->json.bytes, p->json.size, &p->indices[i], error);
  }
  return status;
}

static tachy_status add_properties(batch *b, const column *column, int64_t at, tachy_read_error *error) {
  properties p = {.indices = calloc(b->count + 1, sizeof *p.indices)};
  tachy_status status = p.indices ? TACHY_OK : tachy_read_no_memory(error);
  if (!status) status = b->rows->set ? index_sets(b, &p, error) : index_values(b, &p, error);
  tachy_buffer_free(&p.json);
  if (!status) return tachy_arrow_dictionary(b->arrow, at, column->name, p.indices, &p.dictionary, error);
  free(p.indices);
  tachy_dictionary_free(&p.dictionary);
  return status;
}

#define FIELD(name, format, field) \
  { name, format, add_field, offsetof(tachy_rows, field), sizeof *((tachy_rows *)0)->field }
#define OF_SITE(name, format, field) \
  { name, format, add_of_site, offsetof(tachy_site_row, field), 0 }
#define TEXT_OF_SITE(name, field) \
  { name, "i", add_text_of_site, offsetof(tachy_site_row, field), 0 }
#define MADE(name, format, add) \
  { name, format, add, 0, 0 }
#define UTC "tsn:UTC"

static const column logs[] = {FIELD("thread", "i", thread),   FIELD("time", UTC, utc),
                              TEXT_OF_SITE("target", target), OF_SITE("level", "i", level),
                              MADE("msg", "u", add_messages), MADE("properties", "i", add_properties),
                              TEXT_OF_SITE("filename", file), OF_SITE("line", "I", line)};
static const column metrics[] = {FIELD("thread", "i", thread),
                                 FIELD("time", UTC, utc),
                                 TEXT_OF_SITE("target", target),
                                 TEXT_OF_SITE("name", name),
                                 TEXT_OF_SITE("unit", unit),
                                 MADE("value", "g", add_value),
                                 MADE("properties", "i", add_properties),
                                 OF_SITE("kind", "I", kind)};
static const column spans[] = {FIELD("thread", "i", thread),      FIELD("id", "l", id),
                               FIELD("parent", "l", parent),      FIELD("depth", "I", depth),
                               OF_SITE("hash", "I", hash),        FIELD("begin", UTC, utc),
                               FIELD("end", UTC, end_utc),        MADE("duration", "l", add_duration),
                               TEXT_OF_SITE("name", name),        TEXT_OF_SITE("target", target),
                               TEXT_OF_SITE("filename", file),    OF_SITE("line", "I", line),
                               MADE("is_open", "b", add_is_open), MADE("properties", "i", add_properties)};
#define ASYNC_COLUMNS                                                                          \
  FIELD("span_id", "l", id), FIELD("parent_span_id", "l", parent), FIELD("depth", "I", depth), \
      OF_SITE("hash", "I", hash), TEXT_OF_SITE("name", name), TEXT_OF_SITE("filename", file),  \
      TEXT_OF_SITE("target", target), OF_SITE("line", "I", line), MADE("properties", "i", add_properties)
static const column async[] = {FIELD("thread", "i", thread), FIELD("time", UTC, utc),
                               MADE("event_type", "i", add_event_type), ASYNC_COLUMNS};
static const column open_async[] = {FIELD("thread_number", "I", thread), FIELD("begin", UTC, utc), ASYNC_COLUMNS};

static const struct {
  const column *columns;
  int64_t count;
} kinds[] = {[TACHY_READ_LOGS] = {logs, sizeof logs / sizeof *logs},
             [TACHY_READ_IMAGES] = {logs, sizeof logs / sizeof *logs},
             [TACHY_READ_METRICS] = {metrics, sizeof metrics / sizeof *metrics},
             [TACHY_READ_SPANS] = {spans, sizeof spans / sizeof *spans},
             [TACHY_READ_ASYNC] = {async, sizeof async / sizeof *async},
             [TACHY_READ_OPEN_ASYNC] = {open_async, sizeof open_async / sizeof *open_async}};

static tachy_status make_messages(batch *b, uint64_t most, tachy_read_error *error) {
  tachy_buffer *const messages = &b->messages;
  b->message_offsets = malloc((b->count + 1) * sizeof *b->message_offsets);
  if (!b->message_offsets) return tachy_read_no_memory(error);
  uint64_t i = 0;
  for (; i < b->count && (messages->size < most || !i); i++) {
    b->message_offsets[i] = (int32_t)messages->size;
    const tachy_status status = tachy_log_message(b->block, b->rows, b->first + i, messages, error);
    if (status) return status;
    if (messages->size > INT32_MAX) return tachy_read_fail(error, "a block's messages are longer than 2 GiB");
  }
  b->message_offsets[i] = (int32_t)messages->size;
  b->count = i;
  return TACHY_OK;
}

tachy_status tachy_arrow_rows(tachy_arrow *arrow, tachy_read_kind kind, const tachy_block *block, tachy_rows *rows,
                              uint64_t first, uint64_t *count, uint64_t most_text, tachy_read_error *error) {
  batch b = {.block = block, .rows = rows, .first = first, .count = *count, .arrow = arrow};
  tachy_status status = fit_properties(&b, most_text, error);
  if (!status && tachy_is_log_kind(kind)) status = make_messages(&b, most_text, error);
  if (!status) status = tachy_arrow_start(arrow, b.count, kinds[kind].count, error);
  for (int fields = 0; fields < 2; fields++) { /* what is made comes first: it reads the fields, which are given up */
    for (int64_t i = 0; i < kinds[kind].count && !status; i++) {
      const column *const c = &kinds[kind].columns[i];
      if ((c->add == add_field) == fields) status = c->add(&b, c, i, error);
    }
  }
  free(b.message_offsets);
  tachy_buffer_free(&b.messages);
  *count = b.count;
  return status;
}
