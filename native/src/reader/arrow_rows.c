/* Rows -> Arrow: the columns of each kind, as include/tachy/reader.h lists them, and how each is made. */
#include <stdlib.h>
#include <string.h>

#include "arrow.h"
#include "error.h"
#include "ids.h"

typedef struct column {
  const char *name;
  const char *format; /* Arrow's; of a dictionary's indices */
  tachy_status (*add)(tachy_batch *b, tachy_batch_column *c, const tachy_rows_part *part, tachy_read_error *error);
  size_t offset; /* of a field: see add_field, add_of_site, add_text_of_site */
  size_t width;  /* bytes of a row; 0: a bit */
} column;

struct tachy_batch_column {
  const column *is;
  char *values; /* of rows; of messages their ends */
  tachy_dictionary texts;
};

/* Where the values of the added rows go. */
static void *room_of(const tachy_batch *b, const tachy_batch_column *c) { return c->values + b->count * c->is->width; }

/* What a kind's rows hold. */
static tachy_status add_field(tachy_batch *b, tachy_batch_column *c, const tachy_rows_part *part,
                              tachy_read_error *error) {
  (void)error;
  const char *values;
  memcpy(&values, (const char *)part->rows + c->is->offset, sizeof values);
  if (part->count) memcpy(room_of(b, c), values + part->first * c->is->width, part->count * c->is->width);
  return TACHY_OK;
}

static uint32_t field_of(const tachy_site_row *site, const column *column) {
  uint32_t field;
  memcpy(&field, (const char *)site + column->offset, sizeof field);
  return field;
}

/* A number of a row's site. */
static tachy_status add_of_site(tachy_batch *b, tachy_batch_column *c, const tachy_rows_part *part,
                                tachy_read_error *error) {
  (void)error;
  const uint32_t *const sites = part->rows->site + part->first;
  uint32_t *const out = room_of(b, c);
  for (uint64_t i = 0; i < part->count; i++) out[i] = field_of(&part->block->sites[sites[i]], c->is);
  return TACHY_OK;
}

static tachy_status add_block(tachy_batch *b, tachy_batch_column *c, const tachy_rows_part *part,
                              tachy_read_error *error) {
  (void)error;
  uint32_t *const out = room_of(b, c);
  for (uint64_t i = 0; i < part->count; i++) out[i] = part->number;
  return TACHY_OK;
}

static tachy_status add_duration(tachy_batch *b, tachy_batch_column *c, const tachy_rows_part *part,
                                 tachy_read_error *error) {
  (void)error;
  const int64_t *const begin = part->rows->utc + part->first;
  const int64_t *const end = part->rows->end_utc + part->first;
  int64_t *const out = room_of(b, c);
  for (uint64_t i = 0; i < part->count; i++) out[i] = (int64_t)((uint64_t)end[i] - (uint64_t)begin[i]);
  return TACHY_OK;
}

static tachy_status add_is_open(tachy_batch *b, tachy_batch_column *c, const tachy_rows_part *part,
                                tachy_read_error *error) {
  (void)error;
  uint8_t *const bits = (uint8_t *)c->values;
  const uint64_t closed = part->rows->closed > part->first ? part->rows->closed - part->first : 0;
  for (uint64_t i = closed; i < part->count; i++) {
    bits[(b->count + i) / 8] |= (uint8_t)(1u << (b->count + i) % 8);
  }
  return TACHY_OK;
}

static tachy_status add_calls(tachy_batch *b, tachy_batch_column *c, const tachy_rows_part *part,
                              tachy_read_error *error) {
  (void)error;
  int64_t *const out = room_of(b, c);
  for (uint64_t i = 0; i < part->count; i++) out[i] = part->first + i < part->rows->closed;
  return TACHY_OK;
}

/* The duration of what has ended. */
static tachy_status add_total(tachy_batch *b, tachy_batch_column *c, const tachy_rows_part *part,
                              tachy_read_error *error) {
  const tachy_status status = add_duration(b, c, part, error);
  int64_t *const out = room_of(b, c);
  const uint64_t closed = part->rows->closed > part->first ? part->rows->closed - part->first : 0;
  for (uint64_t i = closed; i < part->count; i++) out[i] = 0;
  return status;
}

static tachy_status add_value(tachy_batch *b, tachy_batch_column *c, const tachy_rows_part *part,
                              tachy_read_error *error) {
  (void)error;
  const uint32_t *const sites = part->rows->site + part->first;
  const uint64_t *const bits = part->rows->bits + part->first;
  double *const out = room_of(b, c);
  for (uint64_t i = 0; i < part->count; i++) {
    out[i] = tachy_metric_value(part->block->sites[sites[i]].kind, bits[i]);
  }
  return TACHY_OK;
}

/* Made before: they say how many rows there are. */
static tachy_status add_messages(tachy_batch *b, tachy_batch_column *c, const tachy_rows_part *part,
                                 tachy_read_error *error) {
  (void)b;
  (void)c;
  (void)part;
  (void)error;
  return TACHY_OK;
}

/* Texts. What of a block is in a column's dictionary already is known by its index + 1; 0: not yet. */

static uint32_t *nothing_known(tachy_batch *b, uint64_t count, tachy_read_error *error) {
  if (count > b->known_room) {
    free(b->known);
    b->known = malloc(count * sizeof *b->known);
    b->known_room = b->known ? count : 0;
    if (!b->known) {
      (void)tachy_read_no_memory(error);
      return NULL;
    }
  }
  memset(b->known, 0, count * sizeof *b->known);
  return b->known;
}

static tachy_status learn(tachy_batch_column *c, tachy_text text, uint32_t *known, tachy_read_error *error) {
  const tachy_status status = tachy_dictionary_add(&c->texts, text.bytes, text.size, known, error);
  if (!status) ++*known;
  return status;
}

/* A text of a row's site. Each string is looked up once, however many sites have it. */
static tachy_status add_text_of_site(tachy_batch *b, tachy_batch_column *c, const tachy_rows_part *part,
                                     tachy_read_error *error) {
  const tachy_block *const block = part->block;
  const uint32_t *const sites = part->rows->site + part->first;
  uint32_t *const out = room_of(b, c);
  uint32_t *const of_sites = nothing_known(b, (uint64_t)block->site_count + block->string_count + 1, error);
  if (!of_sites) return TACHY_ERROR_MEMORY;
  uint32_t *const of_strings = of_sites + block->site_count;
  for (uint64_t i = 0; i < part->count; i++) {
    uint32_t *const known = &of_sites[sites[i]];
    if (!*known) {
      const uint32_t string = field_of(&block->sites[sites[i]], c->is);
      const tachy_status status =
          of_strings[string] ? TACHY_OK : learn(c, block->strings[string], &of_strings[string], error);
      if (status) return status;
      *known = of_strings[string];
    }
    out[i] = *known - 1;
  }
  return TACHY_OK;
}

/* The name of a row's thread, or (with an offset) the stream. */
static tachy_status add_of_thread(tachy_batch *b, tachy_batch_column *c, const tachy_rows_part *part,
                                  tachy_read_error *error) {
  const tachy_block *const block = part->block;
  const uint32_t *const threads = part->rows->thread + part->first;
  uint32_t *const out = room_of(b, c);
  uint32_t *const of_threads = nothing_known(b, block->thread_count + UINT64_C(1), error);
  if (!of_threads) return TACHY_ERROR_MEMORY;
  for (uint64_t i = 0; i < part->count; i++) {
    uint32_t *const known = &of_threads[threads[i]];
    if (!*known) {
      uint8_t id[16];
      char text[TACHY_ID_TEXT];
      tachy_stream_id(block->header.process_id, block->header.cls, block->threads[threads[i]].number, id);
      tachy_id_text(id, text);
      const tachy_text stream = {text, sizeof text};
      const tachy_status status = learn(c, c->is->offset ? stream : block->thread_names[threads[i]], known, error);
      if (status) return status;
    }
    out[i] = *known - 1;
  }
  return TACHY_OK;
}

static tachy_status add_event_type(tachy_batch *b, tachy_batch_column *c, const tachy_rows_part *part,
                                   tachy_read_error *error) {
  uint32_t index = 0;
  tachy_status status = tachy_dictionary_add(&c->texts, "begin", 5, &index, error);
  if (!status) status = tachy_dictionary_add(&c->texts, "end", 3, &index, error);
  uint32_t *const out = room_of(b, c);
  for (uint64_t i = 0; i < part->count; i++) out[i] = part->rows->kind[part->first + i];
  return status;
}

/* The identity of the block itself. */
static tachy_status add_block_id(tachy_batch *b, tachy_batch_column *c, const tachy_rows_part *part,
                                 tachy_read_error *error) {
  const tachy_block_header *const h = &part->block->header;
  uint8_t id[16];
  char text[TACHY_ID_TEXT];
  uint32_t index = 0;
  tachy_block_id(h->process_id, h->cls, h->sequence, id);
  tachy_id_text(id, text);
  const tachy_status status = tachy_dictionary_add(&c->texts, text, sizeof text, &index, error);
  uint32_t *const out = room_of(b, c);
  for (uint64_t i = 0; i < part->count; i++) out[i] = index;
  return status;
}

/* Properties: of logs and metrics their sets, of spans the values on them. */

static tachy_value_range values_of(const tachy_rows_part *part, uint64_t i) {
  return tachy_values_of(part->block, part->rows->owner[part->first + i]);
}

static tachy_text made(const tachy_batch *b) { return (tachy_text){b->json.bytes, b->json.size}; }

static tachy_status add_sets(tachy_batch *b, tachy_batch_column *c, const tachy_rows_part *part,
                             tachy_read_error *error) {
  const uint32_t *const sets = part->rows->set + part->first;
  uint32_t *const out = room_of(b, c);
  uint32_t *const of_sets = nothing_known(b, (uint64_t)part->block->set_count + 1, error);
  if (!of_sets) return TACHY_ERROR_MEMORY;
  for (uint64_t i = 0; i < part->count; i++) {
    uint32_t *const known = &of_sets[sets[i]];
    if (!*known) {
      b->json.size = 0;
      tachy_status status = tachy_set_json(part->block, sets[i], &b->json, error);
      if (!status) status = learn(c, made(b), known, error);
      if (status) return status;
    }
    out[i] = *known - 1;
  }
  return TACHY_OK;
}

static tachy_status add_values(tachy_batch *b, tachy_batch_column *c, const tachy_rows_part *part,
                               tachy_read_error *error) {
  uint32_t *const out = room_of(b, c);
  uint32_t none = 0;
  tachy_status status = tachy_dictionary_add(&c->texts, "{}", 2, &none, error);
  for (uint64_t i = 0; i < part->count && !status; i++) {
    out[i] = none;
    const tachy_value_range range = part->rows->owner ? values_of(part, i) : (tachy_value_range){NULL, 0};
    if (!range.count) continue;
    b->json.size = 0;
    status = tachy_values_json(part->block, range, &b->json, error);
    if (!status) status = tachy_dictionary_add(&c->texts, b->json.bytes, b->json.size, &out[i], error);
  }
  return status;
}

static tachy_status add_properties(tachy_batch *b, tachy_batch_column *c, const tachy_rows_part *part,
                                   tachy_read_error *error) {
  return (part->rows->set ? add_sets : add_values)(b, c, part, error);
}

/* As JSON text: every byte of a set may have to be escaped, but few are. */
static uint64_t set_size(const tachy_block *block, uint32_t set) {
  uint64_t size = 2;
  for (uint64_t i = block->set_first[set]; i < block->set_first[set + 1]; i++) {
    size += block->strings[block->set_keys[i]].size + block->strings[block->set_values[i]].size + 6;
  }
  return size;
}

/* Lowers the count so that the properties of the rows have about `most` bytes, sets that come again not counted. */
static tachy_status fit_properties(tachy_batch *b, tachy_rows_part *part, uint64_t most, tachy_read_error *error) {
  const uint32_t *const sets = part->rows->set;
  uint8_t *const seen = sets ? (uint8_t *)nothing_known(b, (uint64_t)part->block->set_count / 4 + 1, error) : NULL;
  if (sets && !seen) return TACHY_ERROR_MEMORY;
  uint64_t size = 0;
  for (uint64_t i = 0; i < part->count && (sets || part->rows->owner); i++) {
    if (!sets) {
      const tachy_value_range range = values_of(part, i);
      if (range.count) size += tachy_values_size(part->block, range);
    } else if (!seen[sets[part->first + i]]) {
      seen[sets[part->first + i]] = 1;
      size += set_size(part->block, sets[part->first + i]);
    }
    if (size > most && (i || b->count)) part->count = i; /* ends the loop */
  }
  return TACHY_OK;
}

/* Lowers the count so that the messages of the batch have about `most` bytes. */
static tachy_status make_messages(tachy_batch *b, tachy_batch_column *c, tachy_rows_part *part, uint64_t most,
                                  tachy_read_error *error) {
  int32_t *const offsets = (int32_t *)(void *)c->values + b->count;
  uint64_t i = 0;
  for (; i < part->count && (b->messages.size < most || !(i || b->count)); i++) {
    offsets[i] = (int32_t)b->messages.size;
    const tachy_status status = tachy_log_message(part->block, part->rows, part->first + i, &b->messages, error);
    if (status) return status;
    if (b->messages.size > INT32_MAX) return tachy_read_fail(error, "a block's messages are longer than 2 GiB");
  }
  offsets[i] = (int32_t)b->messages.size;
  part->count = i;
  return TACHY_OK;
}

#define FIELD(name, format, field) \
  { name, format, add_field, offsetof(tachy_rows, field), sizeof *((tachy_rows *)0)->field }
#define OF_SITE(name, format, field) \
  { name, format, add_of_site, offsetof(tachy_site_row, field), 4 }
#define TEXT_OF_SITE(name, field) \
  { name, "i", add_text_of_site, offsetof(tachy_site_row, field), 4 }
#define MADE(name, format, add, width) \
  { name, format, add, 0, width }
#define PROPERTIES MADE("properties", "i", add_properties, 4)
#define UTC "tsn:UTC"

static const column logs[] = {FIELD("thread", "i", thread),      FIELD("time", UTC, utc),
                              TEXT_OF_SITE("target", target),    OF_SITE("level", "i", level),
                              MADE("msg", "u", add_messages, 4), PROPERTIES,
                              TEXT_OF_SITE("filename", file),    OF_SITE("line", "I", line)};
static const column metrics[] = {FIELD("thread", "i", thread),
                                 FIELD("time", UTC, utc),
                                 TEXT_OF_SITE("target", target),
                                 TEXT_OF_SITE("name", name),
                                 TEXT_OF_SITE("unit", unit),
                                 MADE("value", "g", add_value, 8),
                                 PROPERTIES,
                                 OF_SITE("kind", "I", kind)};
static const column spans[] = {FIELD("thread", "i", thread),         FIELD("id", "l", id),
                               FIELD("parent", "l", parent),         FIELD("depth", "I", depth),
                               OF_SITE("hash", "I", hash),           FIELD("begin", UTC, utc),
                               FIELD("end", UTC, end_utc),           MADE("duration", "l", add_duration, 8),
                               TEXT_OF_SITE("name", name),           TEXT_OF_SITE("target", target),
                               TEXT_OF_SITE("filename", file),       OF_SITE("line", "I", line),
                               MADE("is_open", "b", add_is_open, 0), PROPERTIES};
static const column span_times[] = {
    FIELD("thread", "i", thread),     FIELD("time", UTC, utc),          TEXT_OF_SITE("name", name),
    TEXT_OF_SITE("target", target),   TEXT_OF_SITE("filename", file),   OF_SITE("line", "I", line),
    MADE("calls", "l", add_calls, 8), MADE("total", "l", add_total, 8), FIELD("self", "l", self)};
#define ASYNC_COLUMNS                                                                          \
  FIELD("span_id", "l", id), FIELD("parent_span_id", "l", parent), FIELD("depth", "I", depth), \
      OF_SITE("hash", "I", hash), TEXT_OF_SITE("name", name), TEXT_OF_SITE("filename", file),  \
      TEXT_OF_SITE("target", target), OF_SITE("line", "I", line), PROPERTIES
static const column async[] = {FIELD("thread", "i", thread), FIELD("time", UTC, utc),
                               MADE("event_type", "i", add_event_type, 4), ASYNC_COLUMNS};
static const column open_async[] = {FIELD("thread_number", "I", thread), FIELD("begin", UTC, utc), ASYNC_COLUMNS};
static const column any[] = {MADE("block", "i", add_block, 4),
                             MADE("block_id", "i", add_block_id, 4),
                             MADE("thread_name", "i", add_of_thread, 4),
                             {"stream_id", "i", add_of_thread, 1, 4}};

#define COUNT(columns) (int64_t)(sizeof(columns) / sizeof *(columns))

static const struct {
  const column *columns;
  int64_t count;
  int64_t any; /* columns of any kind that it has */
} kinds[] = {[TACHY_READ_LOGS] = {logs, COUNT(logs), COUNT(any)},
             [TACHY_READ_IMAGES] = {logs, COUNT(logs), COUNT(any)},
             [TACHY_READ_METRICS] = {metrics, COUNT(metrics), COUNT(any)},
             [TACHY_READ_SPANS] = {spans, COUNT(spans), COUNT(any)},
             [TACHY_READ_SPAN_TIMES] = {span_times, COUNT(span_times), COUNT(any)},
             [TACHY_READ_ASYNC] = {async, COUNT(async), COUNT(any)},
             [TACHY_READ_OPEN_ASYNC] = {open_async, COUNT(open_async), 2}};

static const column *find(const column *columns, int64_t count, const char *name) {
  for (int64_t i = 0; i < count; i++) {
    if (strcmp(columns[i].name, name) == 0) return &columns[i];
  }
  return NULL;
}

tachy_status tachy_batch_start(tachy_batch *batch, tachy_read_kind kind, uint64_t column_count,
                               const char *const *columns, tachy_read_error *error) {
  const int64_t count = columns ? (int64_t)column_count : kinds[kind].count;
  batch->columns = calloc((size_t)count + 1, sizeof *batch->columns);
  if (!batch->columns) return tachy_read_no_memory(error);
  for (int64_t i = 0; i < count; i++) {
    const column *is = columns ? find(kinds[kind].columns, kinds[kind].count, columns[i]) : &kinds[kind].columns[i];
    if (!is) is = find(any, kinds[kind].any, columns[i]);
    if (!is) return tachy_read_fail(error, "there is no column %s", columns[i]);
    batch->columns[i].is = is;
    batch->hashes |= is->add == add_of_site && is->offset == offsetof(tachy_site_row, hash);
    batch->column_count = i + 1;
  }
  return TACHY_OK;
}

void tachy_batch_free(tachy_batch *batch) {
  for (int64_t i = 0; i < batch->column_count; i++) {
    free(batch->columns[i].values);
    tachy_dictionary_free(&batch->columns[i].texts);
  }
  free(batch->columns);
  free(batch->known);
  tachy_buffer_free(&batch->messages);
  tachy_buffer_free(&batch->json);
  memset(batch, 0, sizeof *batch);
}

static size_t bytes_of(const column *is, uint64_t rows) {
  return is->width ? (size_t)(rows + 1) * is->width : (size_t)(rows / 8 + 1);
}

/* Room for so many rows in each column; bits are 0. Rows go when it becomes less. */
static tachy_status resize(tachy_batch *b, uint64_t rows, tachy_read_error *error) {
  for (int64_t i = 0; i < b->column_count; i++) {
    tachy_batch_column *const c = &b->columns[i];
    const size_t had = c->values ? bytes_of(c->is, b->capacity) : 0, size = bytes_of(c->is, rows);
    char *const values = realloc(c->values, size);
    if (!values) return tachy_read_no_memory(error);
    if (!c->is->width && size > had) memset(values + had, 0, size - had);
    c->values = values;
  }
  b->capacity = rows;
  return TACHY_OK;
}

/* Of rows that were not added, after all. */
static void forget_bits(tachy_batch *b, uint64_t end) {
  for (int64_t i = 0; i < b->column_count; i++) {
    if (b->columns[i].is->width || end > b->capacity) continue;
    for (uint64_t row = b->count; row < end; row++) b->columns[i].values[row / 8] &= (char)~(1u << row % 8);
  }
}

tachy_status tachy_batch_add(tachy_batch *batch, tachy_rows_part *part, uint64_t most, uint64_t most_text,
                             tachy_read_error *error) {
  tachy_batch *const b = batch;
  tachy_status status = TACHY_OK;
  const uint64_t messages = b->messages.size;
  if (part->count > most - b->count) part->count = most - b->count;
  const uint64_t needed = b->count + part->count;
  if (needed > b->capacity || !b->capacity) {
    const uint64_t twice = b->capacity * 2 < most ? b->capacity * 2 : most;
    status = resize(b, needed > twice ? needed : twice, error);
  }
  for (int64_t i = 0; i < b->column_count && !status; i++) {
    tachy_batch_column *const c = &b->columns[i];
    const uint64_t text = c->is->add == add_properties ? c->texts.bytes.size : 0;
    if (c->is->add == add_properties) status = fit_properties(b, part, most_text > text ? most_text - text : 0, error);
    if (!status && c->is->add == add_messages) status = make_messages(b, c, part, most_text, error);
  }
  for (int64_t i = 0; i < b->column_count && !status; i++) {
    status = b->columns[i].is->add(b, &b->columns[i], part, error);
  }
  if (status) {
    b->messages.size = messages;
    forget_bits(b, needed);
  } else {
    b->count += part->count;
  }
  return status;
}

/* Gives a column's values to the batch that is handed over. */
static tachy_status take_column(tachy_batch *b, int64_t at, tachy_arrow *arrow, tachy_read_error *error) {
  tachy_batch_column *const c = &b->columns[at];
  void *const values = c->values;
  char *bytes = NULL;
  c->values = NULL;
  if (c->is->add == add_messages) {
    if (!b->count) *(int32_t *)values = 0;
    bytes = b->messages.bytes;
    b->messages = (tachy_buffer){0};
  }
  const int is_text = c->is->add == add_text_of_site || c->is->add == add_of_thread || c->is->add == add_event_type ||
                      c->is->add == add_block_id || c->is->add == add_properties;
  if (is_text) return tachy_arrow_dictionary(arrow, at, c->is->name, values, &c->texts, error);
  return tachy_arrow_column(arrow, at, c->is->name, c->is->format, values, bytes, error);
}

tachy_status tachy_batch_take(tachy_batch *batch, tachy_arrow *arrow, tachy_read_error *error) {
  tachy_batch *const b = batch;
  tachy_status status = TACHY_OK;
  if (!b->capacity || b->capacity - b->count > b->count / 4) status = resize(b, b->count, error);
  if (!status) status = tachy_arrow_start(arrow, b->count, b->column_count, error);
  for (int64_t i = 0; i < b->column_count && !status; i++) status = take_column(b, i, arrow, error);
  b->count = b->capacity = 0;
  return status;
}
