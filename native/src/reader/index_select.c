/* Finds blocks in the packed indexes of many segments (docs/format.md, "Segments"). */
#include <stdlib.h>
#include <string.h>

#include "arrow.h"
#include "error.h"
#include "ids.h"
#include "index.h"
#include "lists.h"

typedef struct block_row {
  uint8_t block_id[16];
  uint8_t process_id[16];
  int32_t segment;
  int32_t cls;
  int32_t codec;
  uint32_t thread_count;
  uint64_t first_thread; /* of those that are wanted: index into the selection's threads */
  int64_t sequence, sequences;
  int64_t offset, size, header_size, raw_size, stored_size;
  int64_t begin_time, end_time, begin_ticks, end_ticks;
  int64_t events, dropped, hash, streams;
} block_row;

typedef struct thread_row {
  uint8_t stream_id[16];
  int64_t thread, position, before, events, first;
  int64_t begin_time, end_time, begin_ticks, end_ticks;
} thread_row;

typedef struct selection {
  const tachy_index_filter *filter;
  TACHY_LIST(block_row) blocks;
  TACHY_LIST(thread_row) threads;
} selection;

typedef struct walk { /* through one index */
  const uint8_t *at;
  const uint8_t *end;
  int64_t base_utc;
  int bad;
} walk;

static uint64_t take_number(walk *w) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && w->at < w->end; shift += 7) {
    const uint8_t byte = *w->at++;
    value |= (uint64_t)(byte & 0x7Fu) << shift;
    if (byte < 0x80u) return value;
  }
  w->bad = 1;
  return 0;
}

static uint64_t take_step(walk *w, uint64_t from) { return from + (uint64_t)tachy_unzigzag(take_number(w)); }

static void take_bytes(walk *w, void *out, uint64_t size) {
  if ((uint64_t)(w->end - w->at) < size) {
    w->bad = 1;
    memset(out, 0, size);
    return;
  }
  memcpy(out, w->at, size);
  w->at += size;
}

static int compare_ids(const void *a, const void *b) { return memcmp(a, b, 16); }

static int among(const uint8_t *ids, uint64_t count, const uint8_t id[16]) {
  return !ids || (count && bsearch(id, ids, (size_t)count, 16, compare_ids));
}

/* The threads of a block; those that are wanted as rows are kept. Whether one of its streams is wanted. */
static int take_threads(walk *w, selection *s, block_row *row) {
  const tachy_index_filter *const f = s->filter;
  int wanted = !f->stream_ids;
  int64_t before = 0;
  row->first_thread = s->threads.count;
  row->thread_count = 0;
  for (int64_t i = 0; i < row->streams && !w->bad; i++) {
    thread_row t = {.position = i, .before = before};
    t.thread = (int64_t)take_number(w);
    t.events = (int64_t)take_number(w);
    t.first = (int64_t)take_number(w);
    t.begin_ticks = (int64_t)take_step(w, (uint64_t)row->begin_ticks);
    t.end_ticks = (int64_t)take_step(w, (uint64_t)row->end_ticks);
    t.begin_time = (int64_t)take_step(w, (uint64_t)row->begin_time);
    t.end_time = (int64_t)take_step(w, (uint64_t)row->end_time);
    before = (int64_t)((uint64_t)before + (uint64_t)t.events);
    if (!f->threads && !f->stream_ids) continue;
    tachy_stream_id(row->process_id, (uint8_t)row->cls, (uint32_t)t.thread, t.stream_id);
    if (!among(f->stream_ids, f->stream_count, t.stream_id)) continue;
    wanted = 1;
    if (!f->threads || t.end_time < f->begin_utc || t.begin_time > f->end_utc) continue;
    thread_row *const kept = tachy_list_add(&s->threads, sizeof *kept);
    if (!kept) return -1;
    *kept = t;
    row->thread_count++;
  }
  return wanted;
}

/* One block; it is kept if it is wanted. */
static tachy_status take_block(walk *w, selection *s, const uint8_t process_id[16], int32_t segment,
                               uint64_t *last_ticks, tachy_read_error *error) {
  const tachy_index_filter *const f = s->filter;
  block_row row = {.segment = segment};
  uint8_t kinds = 0;
  memcpy(row.process_id, process_id, 16);
  take_bytes(w, &kinds, 1);
  row.cls = kinds & 0x0F;
  row.codec = kinds >> 4;
  take_bytes(w, &row.hash, sizeof row.hash);
  row.sequence = (int64_t)take_number(w);
  row.sequences = (int64_t)(take_number(w) + 1);
  row.offset = (int64_t)take_number(w);
  row.header_size = (int64_t)take_number(w);
  row.raw_size = (int64_t)take_number(w);
  row.stored_size = (int64_t)take_number(w);
  row.size = (int64_t)tachy_pad8((uint64_t)row.header_size + (uint64_t)row.stored_size);
  row.begin_time = (int64_t)take_step(w, (uint64_t)w->base_utc);
  row.end_time = (int64_t)take_step(w, (uint64_t)row.begin_time);
  row.begin_ticks = (int64_t)take_step(w, *last_ticks);
  row.end_ticks = (int64_t)take_step(w, (uint64_t)row.begin_ticks);
  *last_ticks = (uint64_t)row.end_ticks;
  row.events = (int64_t)take_number(w);
  row.dropped = (int64_t)take_number(w);
  row.streams = (int64_t)take_number(w);
  tachy_block_id(process_id, (uint8_t)row.cls, (uint64_t)row.sequence, row.block_id);
  const int there = take_threads(w, s, &row);
  if (there < 0) return tachy_read_no_memory(error);
  if (!there || (f->cls && f->cls != (uint32_t)row.cls) || row.end_time < f->begin_utc || row.begin_time > f->end_utc ||
      !among(f->block_ids, f->block_count, row.block_id) || (f->threads && !row.thread_count)) {
    s->threads.count = row.first_thread;
    return TACHY_OK;
  }
  block_row *const kept = tachy_list_add(&s->blocks, sizeof *kept);
  if (!kept) return tachy_read_no_memory(error);
  *kept = row;
  return TACHY_OK;
}

/* Processes that are not wanted are passed without looking at their blocks. */
static tachy_status take_process(walk *w, selection *s, int32_t segment, tachy_read_error *error) {
  uint8_t process_id[16];
  take_bytes(w, process_id, sizeof process_id);
  const uint64_t count = take_number(w);
  const uint64_t size = take_number(w);
  if (w->bad || size > (uint64_t)(w->end - w->at)) {
    w->bad = 1;
    return TACHY_OK;
  }
  walk inner = {w->at, w->at + size, w->base_utc, 0};
  w->at += size;
  if (!among(s->filter->process_ids, s->filter->process_count, process_id)) return TACHY_OK;
  uint64_t last_ticks = 0;
  tachy_status status = TACHY_OK;
  for (uint64_t i = 0; i < count && !inner.bad && !status; i++)
    status = take_block(&inner, s, process_id, segment, &last_ticks, error);
  w->bad = inner.bad || (!status && inner.at != inner.end);
  return status;
}

static tachy_status take_index(selection *s, const uint8_t *bytes, uint64_t size, int32_t segment,
                               tachy_read_error *error) {
  walk w = {bytes, bytes + size, 0, size < TACHY_INDEX_HEAD || bytes[0] != TACHY_INDEX_VERSION};
  if (!w.bad) memcpy(&w.base_utc, bytes + 1, sizeof w.base_utc);
  if (!w.bad) w.at += TACHY_INDEX_HEAD;
  tachy_status status = TACHY_OK;
  while (!w.bad && !status && w.at < w.end) status = take_process(&w, s, segment, error);
  if (status) return status;
  return w.bad ? tachy_read_fail(error, "the index of a segment is damaged") : TACHY_OK;
}

static int compare_rows(const void *a, const void *b) {
  const block_row *const x = a;
  const block_row *const y = b;
  const int process = memcmp(x->process_id, y->process_id, sizeof x->process_id);
  if (process) return process;
  if (x->cls != y->cls) return x->cls < y->cls ? -1 : 1;
  if (x->sequence != y->sequence) return x->sequence < y->sequence ? -1 : 1;
  if (x->sequences != y->sequences) return x->sequences > y->sequences ? -1 : 1;
  return (x->segment < y->segment) - (x->segment > y->segment); /* the last one first */
}

/* Whether the events of `row` are those of a part of `whole`, which does not begin later. */
static int is_part(const block_row *row, const block_row *whole) {
  return row->cls == whole->cls && !memcmp(row->process_id, whole->process_id, sizeof row->process_id) &&
         (uint64_t)row->sequence + (uint64_t)row->sequences <= (uint64_t)whole->sequence + (uint64_t)whole->sequences;
}

/* In order, each sequence number once. */
static void arrange(selection *s) {
  block_row *const rows = s->blocks.items;
  if (s->blocks.count) qsort(rows, (size_t)s->blocks.count, sizeof *rows, compare_rows);
  uint64_t kept = 0;
  for (uint64_t i = 0; i < s->blocks.count; i++) {
    if (kept && is_part(&rows[i], &rows[kept - 1])) continue;
    rows[kept++] = rows[i];
  }
  s->blocks.count = s->filter->limit && s->filter->limit < kept ? s->filter->limit : kept;
}

/* Selection -> Arrow ----------------------------------------------------------------------------------------------- */

typedef struct column {
  const char *name;
  const char *format;
  size_t offset; /* in a row */
  size_t size;
} column;

#define NUMBER(type, name, field) \
  { name, sizeof(((type *)0)->field) == 4 ? "i" : "l", offsetof(type, field), sizeof(((type *)0)->field) }
#define IDENTITY(type, name, field) \
  { name, "w:16", offsetof(type, field), 16 }

static const column block_columns[] = {
    NUMBER(block_row, "segment", segment),
    IDENTITY(block_row, "block_id", block_id),
    IDENTITY(block_row, "process_id", process_id),
    NUMBER(block_row, "class", cls),
    NUMBER(block_row, "codec", codec),
    NUMBER(block_row, "sequence", sequence),
    NUMBER(block_row, "sequences", sequences),
    NUMBER(block_row, "offset", offset),
    NUMBER(block_row, "size", size),
    NUMBER(block_row, "header_size", header_size),
    NUMBER(block_row, "raw_size", raw_size),
    NUMBER(block_row, "stored_size", stored_size),
    NUMBER(block_row, "begin_time", begin_time),
    NUMBER(block_row, "end_time", end_time),
    NUMBER(block_row, "begin_ticks", begin_ticks),
    NUMBER(block_row, "end_ticks", end_ticks),
    NUMBER(block_row, "events", events),
    NUMBER(block_row, "dropped", dropped),
    NUMBER(block_row, "hash", hash),
    NUMBER(block_row, "streams", streams),
};
static const column thread_columns[] = {
    NUMBER(thread_row, "thread", thread),
    IDENTITY(thread_row, "stream_id", stream_id),
    NUMBER(thread_row, "position", position),
    NUMBER(thread_row, "before", before),
    NUMBER(thread_row, "stream_events", events),
    NUMBER(thread_row, "first", first),
    NUMBER(thread_row, "stream_begin_time", begin_time),
    NUMBER(thread_row, "stream_end_time", end_time),
    NUMBER(thread_row, "stream_begin_ticks", begin_ticks),
    NUMBER(thread_row, "stream_end_ticks", end_ticks),
};
enum { BLOCK_COLUMNS = sizeof block_columns / sizeof *block_columns };
enum { THREAD_COLUMNS = sizeof thread_columns / sizeof *thread_columns };

/* Identities as text. The bytes are taken over. */
static tachy_status add_texts(tachy_arrow *arrow, int64_t at, const char *name, uint8_t *ids, tachy_read_error *error) {
  const uint64_t length = (uint64_t)arrow->array.length;
  int32_t *const offsets = length <= INT32_MAX / TACHY_ID_TEXT ? malloc((size_t)(length + 1) * sizeof *offsets) : NULL;
  char *const text = malloc((size_t)length * TACHY_ID_TEXT + 1);
  for (uint64_t i = 0; offsets && text && i <= length; i++) {
    offsets[i] = (int32_t)(i * TACHY_ID_TEXT);
    if (i < length) tachy_id_text(ids + i * 16, text + i * TACHY_ID_TEXT);
  }
  free(ids);
  if (offsets && text) return tachy_arrow_column(arrow, at, name, "u", offsets, text, error);
  free(offsets);
  free(text);
  return tachy_read_no_memory(error);
}

/* A column of the blocks, or, where there are rows for threads, of each of these. */
static tachy_status add_column(const selection *s, tachy_arrow *arrow, int64_t at, const column *c, int of_thread,
                               tachy_read_error *error) {
  uint8_t *const out = malloc((size_t)arrow->array.length * c->size + 1);
  if (!out) return tachy_read_no_memory(error);
  uint8_t *to = out;
  for (uint64_t i = 0; i < s->blocks.count; i++) {
    const block_row *const block = &s->blocks.items[i];
    const uint64_t copies = s->filter->threads ? block->thread_count : 1;
    for (uint64_t j = 0; j < copies; j++, to += c->size) {
      const void *const row = of_thread ? (const void *)&s->threads.items[block->first_thread + j] : block;
      memcpy(to, (const uint8_t *)row + c->offset, c->size);
    }
  }
  if (s->filter->threads && c->size == 16) return add_texts(arrow, at, c->name, out, error);
  return tachy_arrow_column(arrow, at, c->name, c->format, out, NULL, error);
}

static tachy_status as_arrow(const selection *s, tachy_arrow *arrow, tachy_read_error *error) {
  uint64_t length = s->blocks.count;
  if (s->filter->threads) {
    length = 0;
    for (uint64_t i = 0; i < s->blocks.count; i++) length += s->blocks.items[i].thread_count;
  }
  const int64_t columns = s->filter->threads ? BLOCK_COLUMNS + THREAD_COLUMNS : BLOCK_COLUMNS;
  tachy_status status = tachy_arrow_start(arrow, length, columns, error);
  for (int64_t i = 0; i < columns && !status; i++) {
    const int of_thread = i >= BLOCK_COLUMNS;
    const column *const c = of_thread ? &thread_columns[i - BLOCK_COLUMNS] : &block_columns[i];
    status = add_column(s, arrow, i, c, of_thread, error);
  }
  return status;
}

tachy_status tachy_index_select(uint64_t count, const void *const *indexes, const uint64_t *sizes,
                                const tachy_index_filter *filter, struct ArrowSchema *schema, struct ArrowArray *array,
                                tachy_read_error *error) {
  selection s = {.filter = filter};
  tachy_arrow arrow = {0};
  tachy_status status = TACHY_OK;
  for (uint64_t i = 0; i < count && !status; i++) status = take_index(&s, indexes[i], sizes[i], (int32_t)i, error);
  if (!status) {
    arrange(&s);
    status = as_arrow(&s, &arrow, error);
  }
  free(s.blocks.items);
  free(s.threads.items);
  if (status) {
    tachy_arrow_free(&arrow);
    return status;
  }
  *schema = arrow.schema;
  *array = arrow.array;
  return TACHY_OK;
}
