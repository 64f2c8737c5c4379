/* Values on spans: the lists that they are held in, those of threads' spans, and the columns of all. */
#include "span_values.h"

#include "../base/text.h"
#include "columns.h"
#include "open_async.h"

enum { TEXT_SLOT = 256 };

_Static_assert(TACHY_VALUE_TEXT_MAX < TEXT_SLOT, "a text fits");

/* Lists ------------------------------------------------------------------------------------------------------------ */

static tachy_value *node_at(const tachy_values *v, uint32_t number) {
  return (tachy_value *)(void *)v->nodes.bytes + (number - 1);
}

static const uint8_t *text_of(const tachy_values *values, const tachy_value *value) {
  return values->texts.bytes + (uint64_t)(value->text - 1) * TEXT_SLOT;
}

/* Free texts are chained by their first bytes. */
static uint32_t take_text(tachy_values *v) {
  uint32_t number = v->free_text;
  if (number) {
    memcpy(&v->free_text, v->texts.bytes + (uint64_t)(number - 1) * TEXT_SLOT, sizeof v->free_text);
    return number;
  }
  if (!tachy_bytes_reserve(&v->texts, TEXT_SLOT)) return 0;
  v->texts.size += TEXT_SLOT;
  return (uint32_t)(v->texts.size / TEXT_SLOT);
}

static void free_text(tachy_values *v, uint32_t number) {
  if (!number) return;
  memcpy(v->texts.bytes + (uint64_t)(number - 1) * TEXT_SLOT, &v->free_text, sizeof v->free_text);
  v->free_text = number;
}

static uint32_t take_node(tachy_values *v) {
  const uint32_t number = v->free_node;
  if (number) {
    v->free_node = node_at(v, number)->next;
    return number;
  }
  if (!tachy_bytes_reserve(&v->nodes, sizeof(tachy_value))) return 0;
  v->nodes.size += sizeof(tachy_value);
  return (uint32_t)(v->nodes.size / sizeof(tachy_value));
}

/* Flows of one key do not replace each other. */
static int is_same(const tachy_value *value, const tachy_value *given) {
  if (value->site != given->site) return 0;
  return given->type != TACHY_VALUE_FLOW || value->type != TACHY_VALUE_FLOW || value->bits == given->bits;
}

/* A new value at the end of the list; 0: no memory. `last`: the one that is there now, or 0. */
static uint32_t append(tachy_values *v, tachy_value_list *list, uint32_t last, uint32_t site) {
  const uint32_t added = take_node(v);
  if (!added) return 0;
  *node_at(v, added) = (tachy_value){0, 0, site, 0, 0};
  if (last) {
    node_at(v, last)->next = added;
  } else {
    list->first = added;
  }
  list->count++;
  return added;
}

int tachy_values_put(tachy_values *v, tachy_value_list *list, const tachy_value *given, const uint8_t *text) {
  uint32_t last = 0;
  uint32_t at = list->first;
  while (at && !is_same(node_at(v, at), given)) {
    last = at;
    at = node_at(v, at)->next;
  }
  if (!at && list->count == TACHY_SPAN_VALUES_MAX) return 0;
  uint32_t slot = at ? node_at(v, at)->text : 0;
  if (given->type == TACHY_VALUE_TEXT && !slot) {
    slot = take_text(v);
    if (!slot) return 0;
  }
  if (!at) at = append(v, list, last, given->site);
  if (!at) {
    free_text(v, slot);
    return 0;
  }
  tachy_value *const value = node_at(v, at);
  value->type = given->type;
  value->bits = given->bits;
  value->text = slot;
  if (given->type == TACHY_VALUE_TEXT) {
    uint8_t *const copy = v->texts.bytes + (uint64_t)(slot - 1) * TEXT_SLOT;
    memcpy(copy, text, given->bits);
    tachy_text_clean(copy, given->bits);
  }
  return 1;
}

void tachy_values_drop(tachy_values *v, tachy_value_list *list) {
  for (uint32_t at = list->first; at;) {
    tachy_value *const value = node_at(v, at);
    const uint32_t next = value->next;
    free_text(v, value->text);
    value->next = v->free_node;
    v->free_node = at;
    at = next;
  }
  *list = (tachy_value_list){0, 0};
}

/* Spans of threads ------------------------------------------------------------------------------------------------- */

/* NULL: no memory. */
static tachy_value_list *list_at(tachy_stream *s, uint32_t depth) {
  tachy_span_values *const own = &s->values;
  if (depth >= own->room) {
    uint32_t room = own->room ? own->room : 8;
    while (room <= depth) room *= 2;
    tachy_value_list *const open = tachy_os_resize(own->open, room * sizeof *open);
    if (!open) return NULL;
    memset(open + own->room, 0, (room - own->room) * sizeof *open);
    own->open = open;
    own->room = room;
  }
  if (depth >= own->levels) own->levels = depth + 1;
  return &own->open[depth];
}

/* owner: a depth, of a thread's span; without a stream the id of an async one. 0: no memory, or it has too many. */
static int put(tachy_values *v, tachy_stream *s, uint64_t owner, const tachy_value *value, const uint8_t *text) {
  if (!s) return tachy_async_values_put(v, owner, value, text);
  tachy_value_list *const list = owner < TACHY_DEPTH_MAX ? list_at(s, (uint32_t)owner) : NULL;
  return list && tachy_values_put(v, list, value, text);
}

void tachy_values_read(tachy_channel *channel, tachy_stream *s, const tachy_value_record *record) {
  const uint32_t word = (uint32_t)record->control;
  const tachy_value value = {record->bits, 0, word & TACHY_SITE_MAX, tachy_value_type_of(record), 0};
  int ok;
  if (record->control < TACHY_CONTROL_VALUE) {
    const tachy_async_value_record *const async = (const tachy_async_value_record *)(const void *)record;
    ok = put(&channel->values, NULL, async->id, &value, (const uint8_t *)(async + 1));
  } else {
    ok = put(&channel->values, s, word >> TACHY_DEPTH_SHIFT, &value, (const uint8_t *)(record + 1));
  }
  channel->values.lost += !ok;
}

void tachy_values_forget(tachy_stream *s, uint32_t depth) {
  tachy_span_values *const own = &s->values;
  for (uint32_t d = depth; d < own->levels; d++) tachy_values_drop(own->all, &own->open[d]);
  if (depth < own->levels) own->levels = depth;
}

void tachy_values_drop_from(tachy_stream *s, uint32_t depth) {
  for (uint32_t d = depth; d < s->values.levels; d++) s->values.all->lost += s->values.open[d].count;
  tachy_values_forget(s, depth);
}

void tachy_values_end(tachy_stream *s, uint32_t depth) {
  tachy_span_values *const own = &s->values;
  tachy_values_drop_from(s, depth + 1); /* none, unless records were lost without a gap */
  const tachy_row_values row = {s->planes[TACHY_PLANE_SITE].low.size - 1, own->open[depth]};
  if (row.list.count && tachy_bytes_append(&own->rows, &row, sizeof row)) {
    own->open[depth] = (tachy_value_list){0, 0};
  }
  tachy_values_drop_from(s, depth);
}

void tachy_values_next_block(tachy_stream *s) {
  tachy_row_values *const rows = (tachy_row_values *)(void *)s->values.rows.bytes;
  const uint64_t count = s->values.rows.size / sizeof *rows;
  for (uint64_t i = 0; i < count; i++) tachy_values_drop(s->values.all, &rows[i].list);
  s->values.rows.size = 0;
}

void tachy_values_free_stream(tachy_stream *s) {
  tachy_values_next_block(s);
  tachy_values_drop_from(s, 0);
  tachy_bytes_free(&s->values.rows);
  tachy_os_release(s->values.open);
}

void tachy_values_free(tachy_values *v) {
  tachy_bytes_free(&v->nodes);
  tachy_bytes_free(&v->texts);
  tachy_os_release(v->asyncs.entries);
}

/* Columns ---------------------------------------------------------------------------------------------------------- */

typedef struct writer {
  tachy_channel *channel;
  tachy_columns *columns;
  tachy_plane heads[3]; /* owners, sites, types */
  tachy_plane integers, sizes;
  tachy_bytes floats, text;
  uint64_t owner; /* of the value before */
} writer;

static int write_bits(writer *w, const tachy_value *value) {
  switch (value->type) {
    case TACHY_VALUE_F64:
      return tachy_bytes_append(&w->floats, &value->bits, sizeof value->bits);
    case TACHY_VALUE_TEXT:
      return tachy_plane_append(&w->sizes, value->bits) &&
             tachy_bytes_append(&w->text, text_of(&w->channel->values, value), value->bits);
    case TACHY_VALUE_I64:
      return tachy_plane_append(&w->integers, tachy_zigzag((int64_t)value->bits));
    default:
      return tachy_plane_append(&w->integers, value->bits);
  }
}

static void write_list(writer *w, uint64_t owner, const tachy_value_list *list) {
  for (uint32_t at = list->first; at;) {
    const tachy_value *const value = node_at(&w->channel->values, at);
    const uint32_t position = tachy_index_position(&w->channel->tables.sites, value->site);
    const uint64_t head[3] = {owner - w->owner, position - 1, value->type};
    tachy_columns_row(w->columns, w->heads, 3, head);
    if (!position || !write_bits(w, value)) w->columns->failed = 1;
    w->owner = owner;
    at = value->next;
  }
}

/* Rows, then spans that are open at the end: returns how many owners they are. */
static uint64_t write_threads(writer *w) {
  uint64_t base = 0;
  for (const tachy_stream *s = w->channel->streams; s; s = s->next) {
    const tachy_row_values *const rows = (const tachy_row_values *)(const void *)s->values.rows.bytes;
    for (uint64_t i = 0; i < s->values.rows.size / sizeof *rows; i++) {
      write_list(w, base + rows[i].row, &rows[i].list);
    }
    base += s->rows;
  }
  for (const tachy_stream *s = w->channel->streams; s; s = s->next) {
    for (uint32_t k = 0; k < s->at_end && k < s->values.levels; k++) write_list(w, base + k, &s->values.open[k]);
    base += s->at_end;
  }
  return base;
}

/* Rows, then spans that are open at the block's start. */
static void write_asyncs(writer *w, uint64_t base) {
  const tachy_values *const v = &w->channel->values;
  if (v->asyncs.count == 0) return;
  for (const tachy_stream *s = w->channel->streams; s; s = s->next) {
    const tachy_async_record *const rows = (const tachy_async_record *)(const void *)s->raw.bytes;
    for (uint64_t i = 0; i < s->async_rows; i++) {
      const tachy_async_values *const of = tachy_async_values_of(v, rows[i].id);
      if (of && of->ended == (rows[i].control == TACHY_CONTROL_ASYNC_END)) write_list(w, base + i, &of->list);
    }
    base += s->async_rows;
  }
  const tachy_bytes *const before = &w->channel->asyncs.before;
  const tachy_open_async *const open = (const tachy_open_async *)(const void *)before->bytes;
  for (uint64_t i = 0; i < before->size / sizeof *open; i++) {
    const tachy_async_values *const of = tachy_async_values_of(v, open[i].id);
    if (of && !of->ended) write_list(w, base + i, &of->list);
  }
}

void tachy_values_columns(tachy_columns *c, tachy_channel *channel) {
  writer w = {.channel = channel, .columns = c};
  write_asyncs(&w, write_threads(&w));
  tachy_columns_add(c, TACHY_COLUMN_SPAN_VALUE_OWNER, w.heads, 3);
  tachy_columns_add(c, TACHY_COLUMN_SPAN_VALUE_INT, &w.integers, 1);
  tachy_columns_buffer(c, TACHY_COLUMN_SPAN_VALUE_F64, TACHY_ENCODING_F64, &w.floats);
  tachy_columns_add(c, TACHY_COLUMN_SPAN_VALUE_TEXT_SIZE, &w.sizes, 1);
  tachy_columns_buffer(c, TACHY_COLUMN_SPAN_VALUE_TEXT_BYTES, TACHY_ENCODING_BYTES, &w.text);
}

/* The session file ------------------------------------------------------------------------------------------------- */

typedef struct saved_value {
  uint64_t owner; /* depth, or id */
  uint64_t bits;
  uint32_t site;
  uint32_t type;
} saved_value;

static int save(tachy_bytes *out, const tachy_values *v, const tachy_value_list *list, uint64_t owner) {
  static const uint8_t zeros[8] = {0};
  for (uint32_t at = list->first; at; at = node_at(v, at)->next) {
    const tachy_value *const value = node_at(v, at);
    const saved_value saved = {owner, value->bits, value->site, value->type};
    if (!tachy_bytes_append(out, &saved, sizeof saved)) return 0;
    if (value->type != TACHY_VALUE_TEXT) continue;
    if (!tachy_bytes_append(out, text_of(v, value), value->bits) ||
        !tachy_bytes_append(out, zeros, tachy_pad8(value->bits) - value->bits)) {
      return 0;
    }
  }
  return 1;
}

int tachy_values_save(tachy_bytes *out, const tachy_values *v, const tachy_stream *s) {
  for (uint32_t k = 0; s && k < s->values.levels; k++) {
    if (!save(out, v, &s->values.open[k], k)) return 0;
  }
  for (uint64_t i = 0; !s && i < v->asyncs.capacity; i++) {
    const tachy_async_values *const of = tachy_async_values_at(v, i);
    if (of->id && !save(out, v, &of->list, of->id)) return 0;
  }
  return 1;
}

int tachy_values_load(tachy_values *v, tachy_stream *s, const uint8_t *bytes, uint64_t size) {
  const uint8_t *at = bytes;
  for (uint64_t left = size; left > 0;) {
    saved_value saved;
    if (left < sizeof saved) return 0;
    memcpy(&saved, at, sizeof saved);
    at += sizeof saved;
    left -= sizeof saved;
    if (saved.type < TACHY_VALUE_I64 || saved.type > TACHY_VALUE_BOOL || !saved.site || saved.site > TACHY_SITE_MAX) {
      return 0;
    }
    const int is_text = saved.type == TACHY_VALUE_TEXT;
    if (is_text && saved.bits > TACHY_VALUE_TEXT_MAX) return 0;
    const uint64_t text = is_text ? tachy_pad8(saved.bits) : 0;
    const tachy_value value = {saved.bits, 0, saved.site, saved.type, 0};
    if (text > left || !put(v, s, saved.owner, &value, at)) return 0;
    at += text;
    left -= text;
  }
  return 1;
}
