/* A libFuzzer target: one input through everything that the reader does with bytes from outside.
 *
 * An input is tried as a batch, as a block, and as a block whose sizes and hashes are put right first, so that what
 * lies behind the hashes is reached. What comes out is looked at: offsets, indices, UTF-8. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tachy/reader.h>

#include "../../native/src/reader/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                             \
  do {                                                                 \
    if (!(condition)) {                                                \
      fprintf(stderr, "fuzz_reader.c:%d: %s\n", __LINE__, #condition); \
      abort();                                                         \
    }                                                                  \
  } while (0)

static void look_at_text(const struct ArrowArray *array) {
  const int32_t *offsets = array->buffers[1];
  const char *bytes = array->buffers[2];
  REQUIRE(offsets[0] == 0);
  for (int64_t i = 0; i < array->length; i++) {
    REQUIRE(offsets[i] <= offsets[i + 1]);
    REQUIRE(tachy_text_is_utf8(bytes + offsets[i], (uint64_t)(offsets[i + 1] - offsets[i])));
  }
}

static uint64_t look_at_fixed(const char *format, const struct ArrowArray *array) {
  const int64_t width = strchr("lgt", format[0]) ? 8 : format[0] == 'C' ? 1 : 4;
  const uint64_t bytes = (uint64_t)(format[0] == 'b' ? (array->length + 7) / 8 : array->length * width);
  return bytes ? tachy_hash(array->buffers[1], bytes) : 0; /* reads every byte */
}

static uint64_t look_at(const struct ArrowSchema *schema, const struct ArrowArray *array) {
  uint64_t seen = 0;
  REQUIRE(schema->n_children == array->n_children);
  for (int64_t i = 0; i < array->n_children; i++) {
    const struct ArrowArray *column = array->children[i];
    REQUIRE(column->length == array->length);
    if (schema->children[i]->format[0] == 'u') {
      look_at_text(column);
      continue;
    }
    seen ^= look_at_fixed(schema->children[i]->format, column);
    if (!schema->children[i]->dictionary) continue;
    look_at_text(column->dictionary);
    const int32_t *indices = column->buffers[1];
    for (int64_t row = 0; row < column->length; row++) {
      REQUIRE(indices[row] >= 0 && indices[row] < column->dictionary->length);
    }
  }
  return seen;
}

static uint64_t add_up(const tachy_blocks *blocks) {
  tachy_calls *calls = tachy_calls_new(INT64_MIN, INT64_MAX, NULL, 0);
  tachy_read_error error = {""};
  struct ArrowSchema schema;
  struct ArrowArray array;
  uint64_t seen = 0;
  for (int again = 0; calls && again < 2; again++) (void)tachy_calls_add(calls, blocks, (uint64_t[]){0}, &error);
  if (calls && tachy_calls_batch(calls, &schema, &array, &error) == TACHY_OK) {
    seen = look_at(&schema, &array);
    schema.release(&schema);
    array.release(&array);
  }
  tachy_calls_free(calls);
  return seen;
}

/* Some options; the second ones have a stream that hardly any block has. */
static tachy_read_options options_of(int choice, tachy_read_kind kind) {
  static const uint8_t stream[16] = {1}, open_end[2] = {1, 1};
  static const char *const columns[] = {"block", "properties", "block_id", "name"};
  tachy_read_options o = {kind, INT64_MIN, INT64_MAX, 0, NULL, open_end, 0, NULL, 0};
  if (choice == 1) o.stream_count = 1, o.stream_ids = stream;
  if (choice == 2) o.begin_utc = 1750000000000001000, o.end_utc = 1750000000000003000, o.open_end = NULL, o.rows = 7;
  if (choice == 3 && kind != TACHY_READ_LOGS && kind != TACHY_READ_IMAGES) o.columns = columns, o.column_count = 4;
  return o;
}

/* 1: none of the blocks is malformed. */
static int read_kind(const tachy_blocks *blocks, const tachy_read_options *options, uint64_t *seen) {
  tachy_reader *reader = NULL;
  tachy_read_error error = {""};
  int more = tachy_reader_open(blocks, options, &reader, &error) == TACHY_OK, ok = 1;
  while (more) {
    struct ArrowSchema schema;
    struct ArrowArray array;
    uint64_t block = 0;
    const tachy_status status = tachy_reader_next(reader, &schema, &array, &block, &more, &error);
    if (status == TACHY_OK) {
      *seen ^= look_at(&schema, &array);
      REQUIRE(!options->rows || (uint64_t)array.length <= options->rows);
      schema.release(&schema);
      array.release(&array);
      continue;
    }
    REQUIRE(error.message[0] && memchr(error.message, 0, sizeof error.message) && block < blocks->count);
    ok = 0;
    if (status == TACHY_ERROR_MEMORY) break;
  }
  tachy_reader_free(reader);
  return ok;
}

static int is_readable(const uint8_t *head, uint64_t head_size, const uint8_t *body, uint64_t body_size) {
  static const int kinds[][3] = {
      {0}, {TACHY_READ_LOGS}, {TACHY_READ_METRICS}, {TACHY_READ_SPANS, TACHY_READ_ASYNC, TACHY_READ_OPEN_ASYNC}};
  const tachy_blocks blocks = {1, (const void *[]){head}, &head_size, (const void *[]){body}, &body_size};
  int ok = 1;
  uint64_t seen = 0;
  for (int i = 0; i < 3 && kinds[head[6]][i]; i++) {
    const tachy_read_options options = options_of(0, (tachy_read_kind)kinds[head[6]][i]);
    ok = ok && read_kind(&blocks, &options, &seen);
  }
  return ok;
}

/* The block, alone and with one that is passed over and itself again behind it. */
static uint64_t read_all(const uint8_t *head, uint64_t head_size, const uint8_t *body, uint64_t body_size) {
  tachy_blocks blocks = {1, (const void *[]){head, head, head}, (uint64_t[]){head_size, 0, head_size},
                         (const void *[]){body, NULL, body}, (uint64_t[]){body_size, 0, body_size}};
  static const uint8_t open_end[3] = {1, 0, 0};
  uint64_t seen = 0;
  for (int choice = 0; choice < 4; choice++) {
    blocks.count = choice == 3 ? 3 : 1;
    for (int kind = TACHY_READ_LOGS; kind <= TACHY_READ_SPAN_TIMES; kind++) {
      tachy_read_options options = options_of(choice, (tachy_read_kind)kind);
      if (options.open_end) options.open_end = open_end;
      (void)read_kind(&blocks, &options, &seen);
    }
  }
  blocks.count = 1;
  tachy_perfetto *trace = tachy_perfetto_new();
  tachy_read_error error;
  if (trace && tachy_perfetto_start(trace, head, head_size, body, body_size, &error) == TACHY_OK) {
    int more = 1;
    while (more) REQUIRE(tachy_perfetto_next(trace, &more, &error) == TACHY_OK);
    (void)tachy_perfetto_finish(trace, 1750000000000009000, &error);
    uint64_t size = 0;
    const void *bytes = tachy_perfetto_take(trace, &size);
    if (size) seen ^= tachy_hash(bytes, size);
  }
  tachy_perfetto_free(trace);
  return seen ^ add_up(&blocks);
}

/* Whatever comes out of merging can be read, and nothing is in it that is not in its parts. */
static void merge_two(const tachy_blocks *parts) {
  static const tachy_merge_limits limits = {1u << 24, 1u << 28, 4096};
  tachy_merged *merged = NULL;
  tachy_read_error error = {""};
  uint64_t used = 0;
  if (tachy_merge(parts, 0, &limits, &merged, &used, &error) == TACHY_OK) {
    tachy_block_header h, first, second;
    uint64_t head_size = 0, body_size = 0;
    uint8_t *const head = tachy_merged_head(merged, &head_size);
    const void *const body = tachy_merged_body(merged, &body_size);
    tachy_block_seal(head, TACHY_CODEC_NONE, body, body_size);
    REQUIRE(tachy_block_check(head, head_size, 0, NULL, &error) == TACHY_OK);
    memcpy(&h, head, sizeof h);
    memcpy(&first, parts->heads[0], sizeof first);
    if (used == 2) {
      memcpy(&second, parts->heads[1], sizeof second);
      REQUIRE(h.sequence == first.sequence && h.events == first.events + second.events);
      REQUIRE(is_readable(head, head_size, body, body_size));
    }
  }
  tachy_merged_free(merged);
}

/* The block, and itself once more as the one that follows it. */
static void merge_twice(const uint8_t *head, uint64_t head_size, const uint8_t *body, uint64_t body_size) {
  tachy_block_header h;
  memcpy(&h, head, sizeof h);
  uint8_t *next = malloc(head_size);
  if (!next) return;
  memcpy(next, head, head_size);
  tachy_block_header n = h;
  const uint64_t ticks = h.ticks1 - h.ticks0;
  n.sequence += h.sequences ? h.sequences : 1;
  n.before_ticks = h.ticks0;
  n.before_utc = h.utc0;
  n.ticks0 = h.ticks1;
  n.utc0 = h.utc1;
  n.ticks1 += ticks;
  n.utc1 = (int64_t)((uint64_t)n.utc0 + ((uint64_t)h.utc1 - (uint64_t)h.utc0));
  memcpy(next, &n, sizeof n);
  for (uint32_t i = 0; i < h.thread_count; i++) {
    tachy_block_thread thread;
    uint8_t *const at = next + sizeof h + i * sizeof thread;
    memcpy(&thread, at, sizeof thread);
    thread.first += thread.events - thread.async_rows + thread.dropped;
    thread.base_ticks += ticks;
    memcpy(at, &thread, sizeof thread);
  }
  merge_two(&(tachy_blocks){2, (const void *[]){head, next}, (uint64_t[]){head_size, head_size},
                            (const void *[]){body, body}, (uint64_t[]){body_size, body_size}});
  free(next);
}

/* A block that is not compressed at the start of the bytes, as number `at`. 0: there is none. */
static int part_at(const uint8_t *data, size_t size, const void **heads, tachy_blocks *parts, int at) {
  tachy_block_header h;
  if (size < sizeof h) return 0;
  memcpy(&h, data, sizeof h);
  if (h.header_size < sizeof h || h.header_size > size || h.raw_size > size - h.header_size) return 0;
  heads[at] = data;
  parts->head_sizes[at] = h.header_size;
  parts->bodies[at] = data + h.header_size;
  parts->body_sizes[at] = h.raw_size;
  return 1;
}

/* Two blocks, one behind the other. */
static void merge_pair(const uint8_t *data, size_t size) {
  const void *heads[2];
  tachy_blocks parts = {2, heads, (uint64_t[2]){0}, (const void *[2]){0}, (uint64_t[2]){0}};
  if (!part_at(data, size, heads, &parts, 0)) return;
  const uint64_t total = tachy_pad8(parts.head_sizes[0] + parts.body_sizes[0]);
  if (total < size && part_at(data + total, size - total, heads, &parts, 1)) merge_two(&parts);
}

/* JSON: everything in it, and what a test lets through that compares some of it with more of it. */
static void select_json(const uint8_t *data, size_t size) {
  static const uint8_t paths[] = {
      TACHY_JSON_DEEP | TACHY_JSON_ALL, 0, 0, 0, 0, TACHY_JSON_FILTER, 34, 0, 0, 0, TACHY_JSON_OR, 2, 0, 0, 0,
      /* .a <= $[-1] */
      TACHY_JSON_AT_MOST, TACHY_JSON_THIS, TACHY_JSON_NAME_IN_ANY_CASE, 1, 0, 0, 0, 'a', TACHY_JSON_END,
      TACHY_JSON_ROOT, TACHY_JSON_AT, 4, 0, 0, 0, 255, 255, 255, 255, TACHY_JSON_END,
      /* == "x" */
      TACHY_JSON_EQUAL, TACHY_JSON_THIS, TACHY_JSON_END, TACHY_JSON_LITERAL + TACHY_JSON_STRING, 1, 0, 0, 0, 'x',
      TACHY_JSON_END,
      /* the document itself */
      TACHY_JSON_END};
  const int32_t offsets[] = {0, (int32_t)size}, which[] = {(int32_t)sizeof paths - 1, 0};
  const tachy_texts text = {NULL, offsets, data, 0, 1};
  for (int part = 0; part < 2; part++) {
    const tachy_json_query query = {paths, which + part, 255, part ? 1000 : 1, part};
    tachy_read_error error = {""};
    struct ArrowSchema schema;
    struct ArrowArray array;
    int32_t lists[2];
    uint8_t valid;
    double number;
    if (tachy_json_select(&text, &query, lists, &valid, &schema, &array, &error) == TACHY_OK) {
      REQUIRE(lists[0] == 0 && lists[1] == array.length && array.length <= (valid ? query.most : 0));
      if (tachy_text_is_utf8((const char *)data, size)) (void)look_at(&schema, &array);
      schema.release(&schema);
      array.release(&array);
    }
    (void)tachy_json_numbers(&text, part, &number, &valid, &error);
  }
}

/* The sizes of an uncompressed block, and both hashes, as they should be. */
static void put_right(uint8_t *bytes, size_t size) {
  tachy_block_header h;
  memcpy(&h, bytes, sizeof h);
  h.magic = TACHY_BLOCK_MAGIC;
  h.version = TACHY_FORMAT_VERSION;
  h.codec = TACHY_CODEC_NONE;
  if (h.header_size > size) h.header_size = (uint32_t)(size & ~(size_t)7);
  h.raw_size = h.stored_size = (size - h.header_size) & ~(uint64_t)7;
  h.body_hash = tachy_hash(bytes + h.header_size, h.stored_size);
  h.header_hash = 0;
  memcpy(bytes, &h, sizeof h);
  h.header_hash = tachy_hash(bytes, h.header_size);
  memcpy(bytes, &h, sizeof h);
}

static void divide(const uint8_t *body, uint64_t size) {
  uint64_t ends[4];
  const uint32_t count = tachy_body_parts(body, size, ends, 4);
  REQUIRE(count > 0 && count <= 4 && ends[count - 1] == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  tachy_read_error error = {""};
  uint64_t total = 0;
  select_json(data, size);
  (void)tachy_batch_check(data, size, &error);
  (void)tachy_block_check(data, size, 1, &total, &error);
  merge_pair(data, size);
  if (size < sizeof(tachy_block_header)) return 0;
  uint8_t *copy = malloc(size); /* exactly as long as it is, so that one byte beyond it is noticed */
  if (!copy) return 0;
  memcpy(copy, data, size);
  divide(copy, size);
  put_right(copy, size);
  tachy_block_header h;
  memcpy(&h, copy, sizeof h);
  if (h.header_size >= sizeof h && tachy_block_check(copy, size, 1, &total, &error) == TACHY_OK) {
    volatile uint64_t seen = read_all(copy, h.header_size, copy + h.header_size, h.raw_size);
    (void)seen;
    merge_twice(copy, h.header_size, copy + h.header_size, h.raw_size);
    divide(copy + h.header_size, h.raw_size);
  }
  free(copy);
  return 0;
}
