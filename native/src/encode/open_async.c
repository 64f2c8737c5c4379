/* The table of open async spans.
 *
 * A cut reads the threads one after the other, so the end of a span may be met before its begin: in the same block
 * (ENDED entries stand for ends without begins while a block is followed), or while the begin is still in a chunk that
 * has not been read. Such an end is held back until its begin has been read. For values of its span it waits until all
 * that was recorded before the end has been read: what has not come by then was lost. */
#include "open_async.h"

#include <stdlib.h>

#define OPEN_MAX 65536u /* kept from block to block */

enum { SPAN_OPEN, SPAN_FRESH, SPAN_ENDED }; /* FRESH: began in this block */

static tachy_open_async *find(const tachy_open_asyncs *a, uint64_t id) {
  return (tachy_open_async *)tachy_by_id_find(&a->table, sizeof(tachy_open_async), id);
}

static void take_out(tachy_open_asyncs *a, tachy_open_async *span) {
  tachy_by_id_remove(&a->table, sizeof *span, span);
}

static void follow(tachy_open_asyncs *a, const tachy_stream *s, const tachy_async_record *r,
                   const tachy_block_clock *clock) {
  const int is_end = r->control == TACHY_CONTROL_ASYNC_END;
  int is_new;
  tachy_open_async *const span = (tachy_open_async *)tachy_by_id_add(&a->table, sizeof *span, r->id, &is_new);
  if (!span) {
    a->untracked += !is_end;
    return;
  }
  if (!is_new) {
    if (is_end == (span->state != SPAN_ENDED)) take_out(a, span);
    return;
  }
  *span = (tachy_open_async){.id = r->id,
                             .parent = r->parent,
                             .utc = tachy_ticks_to_utc(clock, r->ticks),
                             .site = r->site,
                             .depth = r->depth,
                             .thread = s->number,
                             .state = is_end ? SPAN_ENDED : SPAN_FRESH};
}

/* Whether the begin of a span, of which only the end has been met, is still to come. A thread that has recorded nothing
 * else has no stream yet, as one that is gone has none any more: an end waits once for it. */
static int begins_later(const tachy_channel *channel, uint64_t id, int has_waited) {
  const tachy_stream *const s = tachy_stream_find(channel, (uint32_t)(id >> TACHY_ASYNC_SHIFT));
  return s ? (id & TACHY_ASYNC_COUNT) > s->begun : !has_waited;
}

static int comes_early(const tachy_channel *channel, const tachy_async_record *end, int has_waited) {
  const tachy_open_async *const span = find(&channel->asyncs, end->id);
  return span && span->state == SPAN_ENDED && begins_later(channel, end->id, has_waited);
}

static int lacks_values(const tachy_channel *channel, const tachy_async_record *end, int has_waited) {
  const tachy_async_values *const met = end->values ? tachy_async_values_of(&channel->values, end->id) : NULL;
  (void)has_waited;
  return end->values > (met ? met->met : 0) && end->ticks >= channel->from.ticks;
}

/* The ends that are to wait leave the stream's rows. */
static void hold_ends(tachy_channel *channel, tachy_stream *s,
                      int (*waits)(const tachy_channel *channel, const tachy_async_record *end, int has_waited)) {
  tachy_async_record *const records = (tachy_async_record *)(void *)s->raw.bytes;
  uint64_t kept = 0;
  for (uint64_t i = 0; i < s->async_rows; i++) {
    const tachy_async_record record = records[i];
    if (record.control == TACHY_CONTROL_ASYNC_END && waits(channel, &record, i < s->resumed) &&
        tachy_bytes_append(&s->held, &record, sizeof record)) {
      continue;
    }
    records[kept++] = record;
  }
  channel->events -= s->async_rows - kept;
  s->async_rows = kept;
  s->raw.size = kept * sizeof *records;
}

/* Drops the spans that have ended, and new ones beyond OPEN_MAX: those that blocks have named already stay. */
static void drop_ended(tachy_open_asyncs *a) {
  for (unsigned round = 0; round < 2; round++) {
    for (uint64_t i = 0; i < a->table.capacity;) {
      tachy_open_async *const span = tachy_open_async_at(a, i);
      const int surplus = round == 1 && span->state == SPAN_FRESH && a->table.count > OPEN_MAX;
      if (!span->id || (span->state != SPAN_ENDED && !surplus)) {
        i++;
        continue;
      }
      a->untracked += (uint64_t)surplus;
      take_out(a, span); /* another may have moved here: look again */
    }
  }
  for (uint64_t i = 0; i < a->table.capacity; i++) tachy_open_async_at(a, i)->state = SPAN_OPEN;
}

static int by_id(const void *a, const void *b) {
  const tachy_open_async *const x = a, *const y = b;
  return x->id < y->id ? -1 : x->id > y->id;
}

/* What is open before the block is followed. */
static void remember(tachy_open_asyncs *a) {
  a->before.size = 0;
  for (uint64_t i = 0; i < a->table.capacity; i++) {
    const tachy_open_async *const span = tachy_open_async_at(a, i);
    if (span->id && !tachy_bytes_append(&a->before, span, sizeof *span)) {
      a->failed = 1;
      return;
    }
  }
  const size_t count = a->before.size / sizeof(tachy_open_async);
  if (count) qsort(a->before.bytes, count, sizeof(tachy_open_async), by_id);
}

void tachy_open_async_follow(tachy_channel *channel, const tachy_block_clock *clock, uint64_t until, int last) {
  tachy_open_asyncs *const a = &channel->asyncs;
  a->failed = 0;
  remember(a);
  for (tachy_stream *s = channel->streams; s && !last; s = s->next) hold_ends(channel, s, lacks_values);
  for (const tachy_stream *s = channel->streams; s; s = s->next) {
    const tachy_async_record *const records = (const tachy_async_record *)(const void *)s->raw.bytes;
    for (uint64_t i = 0; i < s->async_rows; i++) follow(a, s, &records[i], clock);
  }
  for (tachy_stream *s = channel->streams; s; s = s->next) {
    if (s->async_rows && !last) hold_ends(channel, s, comes_early);
    const tachy_async_record *const records = (const tachy_async_record *)(const void *)s->raw.bytes;
    for (uint64_t i = 0; i < s->async_rows; i++) tachy_stream_extend(s, records[i].ticks, records[i].ticks);
  }
  drop_ended(a);
  tachy_async_values_follow(channel, until);
}

void tachy_open_async_resume(tachy_channel *channel) {
  for (tachy_stream *s = channel->streams; s; s = s->next) {
    const uint64_t count = s->held.size / sizeof(tachy_async_record);
    s->resumed = count;
    if (!count) continue;
    if (tachy_bytes_append(&s->raw, s->held.bytes, s->held.size)) {
      s->async_rows += count;
      channel->events += count;
    } else {
      s->resumed = 0;
      s->dropped += count; /* they were counted as recorded when they were read */
      channel->lost += count;
    }
    s->held.size = 0;
  }
}

void tachy_open_async_put_back(tachy_channel *channel) {
  for (tachy_stream *s = channel->streams; s; s = s->next) {
    const uint64_t size = s->resumed * sizeof(tachy_async_record);
    if (!size || !tachy_bytes_append(&s->held, s->raw.bytes, size)) continue;
    memmove(s->raw.bytes, s->raw.bytes + size, s->raw.size - size);
    s->raw.size -= size;
    s->async_rows -= s->resumed;
    channel->events -= s->resumed;
    s->resumed = 0;
  }
}

void tachy_open_async_columns(tachy_columns *c, tachy_channel *channel) {
  const tachy_open_asyncs *const a = &channel->asyncs;
  const tachy_open_async *const rows = (const tachy_open_async *)(const void *)a->before.bytes;
  tachy_plane planes[6] = {0};
  uint64_t last_id = 0;
  int64_t last_utc = channel->from.utc;
  if (a->failed) c->failed = 1;
  for (uint64_t i = 0; i < a->before.size / sizeof *rows; i++) {
    const tachy_open_async *const r = &rows[i];
    const uint32_t position = tachy_index_position(&channel->tables.sites, r->site);
    const uint64_t values[6] = {tachy_zigzag((int64_t)(r->id - last_id)),
                                tachy_parent_code(r->id, r->parent),
                                position - 1,
                                tachy_zigzag((int64_t)((uint64_t)r->utc - (uint64_t)last_utc)),
                                r->depth,
                                r->thread};
    if (!position) c->failed = 1;
    tachy_columns_row(c, planes, 6, values);
    last_id = r->id;
    last_utc = r->utc;
  }
  tachy_columns_add(c, TACHY_COLUMN_OPEN_ASYNC_ID, planes, 6);
}

int tachy_open_async_add(tachy_open_asyncs *a, const tachy_open_async *open) {
  int is_new;
  tachy_open_async *const span = (tachy_open_async *)tachy_by_id_add(&a->table, sizeof *span, open->id, &is_new);
  if (!span) return 0;
  *span = *open;
  span->state = SPAN_OPEN;
  return 1;
}

void tachy_open_async_free(tachy_open_asyncs *a) {
  tachy_os_release(a->table.entries);
  tachy_bytes_free(&a->before);
}
