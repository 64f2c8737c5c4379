/* From streams to a finished block: header, thread table, the columns that need all threads. */
#include "block.h"

#include "columns.h"
#include "open_async.h"

enum { LARGE = 4 << 20 };

static int listed(const tachy_channel *channel, const tachy_stream *s) {
  return s->rows || s->async_rows || (channel->cls == TACHY_CLASS_SPAN && s->depth > 0);
}

/* Spans that are open at the end: those that were open at the start and did not end keep what they had; the others are
 * numbered and dated here, once for all blocks to come. */
static void number_open(const tachy_channel *channel, tachy_stream *s, const tachy_block_clock *clock) {
  uint64_t ended = 0; /* inside the entry, since it began */
  for (uint32_t k = s->depth; k-- > s->open;) {
    tachy_open_row *const row = &s->ends[k];
    ended += s->levels[k + 1].size;
    row->id = s->total + k + 1 - ended;
  }
  for (uint32_t k = 0; k < s->depth; k++) {
    tachy_open_row *const row = &s->ends[k];
    if (k < s->open) {
      *row = s->opens[k];
      continue;
    }
    if (tachy_is_stale(channel, row->ticks)) row->ticks = tachy_stream_now(channel, s);
    /* the order that a clock running backwards would break: inside the parent, around the first child */
    if (row->ticks > s->levels[k + 1].child) row->ticks = s->levels[k + 1].child;
    if (k > 0 && row->ticks < s->ends[k - 1].ticks) row->ticks = s->ends[k - 1].ticks;
    row->utc = tachy_ticks_to_utc(clock, row->ticks);
  }
  s->at_end = s->depth;
}

static void number_all_open(const tachy_channel *channel, const tachy_block_clock *clock) {
  for (tachy_stream *s = channel->streams; s; s = s->next) number_open(channel, s, clock);
}

static void add_open(tachy_columns *c, tachy_channel *channel, int at_end) {
  tachy_plane planes[4] = {0};
  for (const tachy_stream *s = channel->streams; s; s = s->next) {
    if (!listed(channel, s)) continue;
    const uint32_t count = at_end ? s->at_end : s->at_start;
    const tachy_open_row *const rows = at_end ? s->ends : s->opens;
    for (uint32_t k = 0; k < count; k++) {
      const uint32_t position = tachy_index_position(&channel->tables.sites, rows[k].site);
      const uint64_t values[4] = {position - 1, rows[k].ticks, (uint64_t)rows[k].utc, rows[k].id};
      if (!position) c->failed = 1;
      tachy_columns_row(c, planes, 4, values);
    }
  }
  tachy_columns_add(c, at_end ? TACHY_COLUMN_OPEN_END_SITE : TACHY_COLUMN_OPEN_START_SITE, planes, 4);
}

/* Async rows alone give the thread a base, too. */
static void base_async(tachy_channel *channel) {
  for (tachy_stream *s = channel->streams; s; s = s->next) {
    const tachy_async_record *const records = (const tachy_async_record *)(const void *)s->raw.bytes;
    if (s->async_rows && s->base == TACHY_NO_TICKS) s->base = records[0].ticks;
  }
}

static void add_async(tachy_columns *c, tachy_channel *channel) {
  tachy_plane planes[6] = {0};
  uint64_t last_id = 0;
  for (const tachy_stream *s = channel->streams; s; s = s->next) {
    const tachy_async_record *const records = (const tachy_async_record *)(const void *)s->raw.bytes;
    uint64_t last = s->base;
    for (uint64_t i = 0; i < s->async_rows; i++) {
      const tachy_async_record *const r = &records[i];
      const uint32_t position = tachy_index_position(&channel->tables.sites, r->site);
      const uint64_t values[6] = {
          r->control == TACHY_CONTROL_ASYNC_END,    tachy_zigzag((int64_t)(r->ticks - last)), position - 1,
          tachy_zigzag((int64_t)(r->id - last_id)), tachy_parent_code(r->id, r->parent),      r->depth};
      if (!position) c->failed = 1;
      tachy_columns_row(c, planes, 6, values);
      last = r->ticks;
      last_id = r->id;
    }
  }
  tachy_columns_add(c, TACHY_COLUMN_ASYNC_KIND, planes, 6);
}

typedef struct site_value {
  uint64_t last;
  uint64_t is_float;
} site_value;

static void add_values(tachy_columns *c, tachy_channel *channel) {
  tachy_plane integers = {0};
  tachy_bytes floats = {0};
  tachy_bytes by_site = {0};
  const uint32_t count = tachy_index_count(&channel->tables.sites);
  if (!tachy_bytes_reserve(&by_site, count * sizeof(site_value))) {
    c->failed = 1;
    return;
  }
  site_value *const sites = (site_value *)(void *)by_site.bytes;
  for (uint32_t i = 0; i < count; i++) {
    const tachy_site_entry *const entry =
        tachy_names_site(channel->names, tachy_index_number(&channel->tables.sites, i));
    sites[i] = (site_value){0, entry->kind == TACHY_SITE_METRIC_F64};
  }
  for (const tachy_stream *s = channel->streams; s; s = s->next) {
    const tachy_raw_metric *const raw = (const tachy_raw_metric *)(const void *)s->raw.bytes;
    for (uint64_t i = 0; i < s->raw.size / sizeof *raw; i++) {
      site_value *const site = &sites[raw[i].position - 1];
      const int ok = site->is_float ? tachy_bytes_append(&floats, &raw[i].value, sizeof raw[i].value)
                                    : tachy_plane_append(&integers, tachy_zigzag((int64_t)(raw[i].value - site->last)));
      site->last = raw[i].value;
      if (!ok) c->failed = 1;
    }
  }
  tachy_columns_add(c, TACHY_COLUMN_VALUE_INT, &integers, 1);
  tachy_columns_buffer(c, TACHY_COLUMN_VALUE_F64, TACHY_ENCODING_F64, &floats);
  tachy_bytes_free(&by_site);
}

static void add_rows(tachy_columns *c, tachy_channel *channel) {
  tachy_stream *const streams = channel->streams;
  tachy_columns_planes(c, TACHY_COLUMN_GAP_COUNT, streams, TACHY_PLANE_GAP);
  tachy_columns_planes(c, TACHY_COLUMN_ROW_SITE, streams, TACHY_PLANE_SITE);
  if (channel->cls == TACHY_CLASS_SPAN) {
    tachy_columns_planes(c, TACHY_COLUMN_SPAN_DEPTH, streams, TACHY_PLANE_DEPTH);
    tachy_columns_planes(c, TACHY_COLUMN_SPAN_LEAD, streams, TACHY_PLANE_LEAD);
    tachy_columns_planes(c, TACHY_COLUMN_SPAN_TAIL, streams, TACHY_PLANE_TAIL);
    add_open(c, channel, 0);
    add_open(c, channel, 1);
    add_async(c, channel);
    tachy_open_async_columns(c, channel);
    tachy_values_columns(c, channel);
    return;
  }
  tachy_columns_planes(c, TACHY_COLUMN_ROW_TIME, streams, TACHY_PLANE_LEAD);
  tachy_columns_planes(c, TACHY_COLUMN_ROW_SET, streams, TACHY_PLANE_SET);
  if (channel->cls == TACHY_CLASS_METRIC) {
    add_values(c, channel);
    return;
  }
  tachy_columns_planes(c, TACHY_COLUMN_LOG_TYPES, streams, TACHY_PLANE_TYPES);
  tachy_columns_planes(c, TACHY_COLUMN_LOG_INT, streams, TACHY_PLANE_INT);
  tachy_columns_floats(c, TACHY_COLUMN_LOG_F64, streams);
  tachy_columns_planes(c, TACHY_COLUMN_LOG_TEXT_SIZE, streams, TACHY_PLANE_TEXT_SIZE);
  tachy_columns_text(c, TACHY_COLUMN_LOG_TEXT_BYTES, streams);
}

static void put_clock(tachy_block_header *head, const tachy_channel *channel, tachy_clock_pair to) {
  head->before_ticks = channel->past.before.ticks;
  head->before_utc = channel->past.before.utc;
  head->ticks0 = channel->from.ticks;
  head->utc0 = channel->from.utc;
  head->ticks1 = to.ticks;
  head->utc1 = to.utc;
  head->frequency = channel->frequency;
}

/* The points of a block's clock, the newest first: inner ones, its start, the newest of the block before, earlier ones.
 */
typedef struct clock_points {
  tachy_clock_pair all[TACHY_BENDS_MAX + 2 + TACHY_CLOCK_EARLIER_MAX];
  uint64_t inner;
  uint64_t count;
} clock_points;

static tachy_block_clock clock_of(const tachy_channel *channel, tachy_clock_pair to, clock_points *points) {
  const tachy_past *const past = &channel->past;
  points->count = points->inner = tachy_bends_between(channel->bends, channel->from, to, points->all);
  points->all[points->count++] = channel->from;
  if ((int64_t)(channel->from.ticks - past->before.ticks) > 0) {
    points->all[points->count++] = past->before;
    if (past->count) memcpy(points->all + points->count, past->earlier, past->count * sizeof *past->earlier);
    points->count += past->count;
  }
  return tachy_clock_from(to, points->all, points->count, channel->frequency);
}

/* earlier: what dates events from before the newest point of the block before. */
static void add_clock(tachy_columns *c, const tachy_channel *channel, tachy_clock_pair to, const clock_points *points,
                      uint64_t begin_ticks) {
  const tachy_past *const past = &channel->past;
  tachy_columns_points(c, TACHY_COLUMN_CLOCK_INNER_TICKS, to, points->all, points->inner);
  tachy_columns_points(c, TACHY_COLUMN_CLOCK_TICKS, past->before, past->earlier, tachy_past_needed(past, begin_ticks));
}

/* Header, thread table, names. Fills in everything but what depends on the body. NULL: no memory. */
static tachy_block_header *make_head(const tachy_channel *channel, const uint8_t *process_id, tachy_clock_pair to,
                                     const tachy_block_clock *clock) {
  uint64_t names = 0;
  uint32_t count = 0;
  for (const tachy_stream *s = channel->streams; s; s = s->next) {
    if (!listed(channel, s)) continue;
    count++;
    names += s->name_size;
  }
  const uint64_t fixed = sizeof(tachy_block_header) + count * sizeof(tachy_block_thread);
  const uint64_t size = tachy_pad8(fixed + names);
  tachy_block_header *const head = tachy_os_allocate(size);
  if (!head) return NULL;
  memset(head, 0, size);
  head->magic = TACHY_BLOCK_MAGIC;
  head->version = TACHY_FORMAT_VERSION;
  head->cls = (uint8_t)channel->cls;
  head->header_size = (uint32_t)size;
  head->thread_count = count;
  memcpy(head->process_id, process_id, sizeof head->process_id);
  head->sequence = channel->sequence;
  put_clock(head, channel, to);
  head->begin_ticks = UINT64_MAX;
  tachy_block_thread *thread = (tachy_block_thread *)(void *)(head + 1);
  uint64_t name_offset = fixed;
  int64_t begin_utc = INT64_MAX;
  for (tachy_stream *s = channel->streams; s; s = s->next) {
    if (!listed(channel, s)) continue;
    thread->number = s->number;
    thread->name_size = s->name_size;
    thread->name_offset = name_offset;
    memcpy((uint8_t *)head + name_offset, s->name, s->name_size);
    name_offset += s->name_size;
    thread->os_id = s->os_id;
    thread->rows = s->rows;
    thread->async_rows = s->async_rows;
    thread->events = s->rows - s->gap_rows + s->async_rows;
    thread->dropped = s->dropped;
    thread->first = s->first;
    thread->base_ticks = s->base == TACHY_NO_TICKS ? to.ticks : s->base;
    thread->open_at_start = s->at_start;
    thread->open_at_end = s->at_end;
    /* without an event there is no time but the interval's end */
    thread->begin_ticks = thread->events ? s->begin_ticks : to.ticks;
    thread->end_ticks = thread->events ? s->end_ticks : to.ticks;
    thread->begin_utc = tachy_ticks_to_utc(clock, thread->begin_ticks);
    if (s->begin_utc < thread->begin_utc) thread->begin_utc = s->begin_utc;
    thread->end_utc = tachy_ticks_to_utc(clock, thread->end_ticks);
    if (thread->events && thread->begin_utc < begin_utc) begin_utc = thread->begin_utc;
    head->events += thread->events;
    head->dropped += thread->dropped;
    if (thread->events && thread->begin_ticks < head->begin_ticks) head->begin_ticks = thread->begin_ticks;
    if (thread->events && thread->end_ticks > head->end_ticks) head->end_ticks = thread->end_ticks;
    thread++;
  }
  if (head->events == 0) head->begin_ticks = head->end_ticks = to.ticks;
  head->begin_utc = head->events ? begin_utc : tachy_ticks_to_utc(clock, head->begin_ticks);
  head->end_utc = tachy_ticks_to_utc(clock, head->end_ticks);
  return head;
}

static int has_rows(const tachy_channel *channel, int open_too) {
  int rows = open_too && channel->asyncs.table.count > 0;
  for (const tachy_stream *s = channel->streams; s; s = s->next) {
    rows |= s->rows || s->async_rows || s->depth > s->open || (open_too && s->depth > 0);
  }
  return rows;
}

/* Bytes of all columns, about. */
static uint64_t size_of(const tachy_channel *channel) {
  uint64_t size = 0;
  for (const tachy_stream *s = channel->streams; s; s = s->next) {
    size += s->floats.size + s->text.size + s->raw.size;
    for (unsigned i = 0; i < TACHY_PLANES; i++) size += s->planes[i].low.size + s->planes[i].high.size;
  }
  return size;
}

void tachy_block_forget(tachy_channel *channel, tachy_clock_pair to) {
  clock_points points;
  const tachy_block_clock clock = clock_of(channel, to, &points);
  tachy_open_async_put_back(channel);
  tachy_open_async_follow(channel, &clock, to.ticks, 0);
  number_all_open(channel, &clock);
}

tachy_block *tachy_block_make(tachy_channel *channel, const uint8_t process_id[16], tachy_clock_pair to, int last,
                              int open_too, int *failed) {
  int broken = 0;
  tachy_streams_sort(channel);
  for (const tachy_stream *s = channel->streams; s; s = s->next) broken |= s->broken;
  *failed = 0;
  if (!has_rows(channel, open_too)) return NULL;
  clock_points points;
  const tachy_block_clock clock = clock_of(channel, to, &points);
  if (channel->cls == TACHY_CLASS_SPAN) {
    tachy_open_async_follow(channel, &clock, to.ticks, last);
    if (!has_rows(channel, open_too)) {
      tachy_open_async_resume(channel);
      return NULL;
    }
    base_async(channel);
    number_all_open(channel, &clock);
  }
  tachy_block *const block = tachy_os_allocate(sizeof *block);
  tachy_block_header *const head = make_head(channel, process_id, to, &clock);
  tachy_columns columns;
  const uint64_t expected = size_of(channel);
  tachy_columns_begin(&columns, expected);
  /* fresh memory each time: a third of what a block of texts cost were page faults */
  if (expected >= LARGE && !columns.failed) tachy_os_prefer_large_pages(columns.bytes.bytes, expected);
  columns.failed |= broken || !block || !head;
  add_rows(&columns, channel);
  if (head) add_clock(&columns, channel, to, &points, head->begin_ticks);
  tachy_columns_tables(&columns, &channel->tables, channel->names);
  uint64_t size;
  uint8_t *body;
  void *const memory = tachy_columns_finish(&columns, &body, &size);
  if (!memory) {
    *failed = 1;
    tachy_os_release(head);
    tachy_os_release(block);
    return NULL;
  }
  head->raw_size = head->stored_size = size;
  *block = (tachy_block){NULL, head, body, memory};
  return block;
}

void tachy_blocks_free(tachy_block *block) {
  while (block) {
    tachy_block *const next = block->next;
    tachy_os_release(block->head);
    tachy_os_release(block->memory);
    tachy_os_release(block);
    block = next;
  }
}
