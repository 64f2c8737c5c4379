/* The table of open async spans: open addressing by id, backward shifts instead of tombstones.
 *
 * A cut reads the threads one after the other, so the end of a span may be met before its begin: in the same block
 * (ENDED entries stand for ends without begins while a block is followed), or while the begin is still in a chunk that
 * has not been read. Such an end is held back until its begin has been read. For values of its span it waits until all
 * that was recorded before the end has been read: what has not come by then was lost. */
#include "open_async.h"

#include <stdlib.h>

#define OPEN_MAX 65536u /* kept from block to block */

enum { SPAN_FREE = 0, SPAN_OPEN, SPAN_FRESH, SPAN_ENDED }; /* FRESH: began in this block */

static uint64_t home_of(const tachy_open_asyncs *a, uint64_t id) { return tachy_mix64(id) & (a->capacity - 1); }

/* The id's entry, or the free one where it belongs. */
static uint64_t find(const tachy_open_asyncs *a, uint64_t id) {
  uint64_t at = home_of(a, id);
  while (a->entries[at].state != SPAN_FREE && a->entries[at].id != id) at = (at + 1) & (a->capacity - 1);
  return at;
}

static void take_out(tachy_open_asyncs *a, uint64_t at) {
  const uint64_t mask = a->capacity - 1;
  uint64_t hole = at;
  for (uint64_t i = (at + 1) & mask; a->entries[i].state != SPAN_FREE; i = (i + 1) & mask) {
    if (((i - home_of(a, a->entries[i].id)) & mask) < ((i - hole) & mask)) continue;
    a->entries[hole] = a->entries[i];
    hole = i;
  }
  a->entries[hole].state = SPAN_FREE;
  a->count--;
}

/* Room for one more. 0: no memory, nothing changed. */
static int reserve(tachy_open_asyncs *a) {
  if (a->count + 1 <= a->capacity / 2) return 1;
  tachy_open_asyncs grown = *a;
  grown.capacity = a->capacity ? a->capacity * 2 : 64;
  const size_t size = grown.capacity * sizeof *grown.entries;
  grown.entries = tachy_os_allocate(size);
  if (!grown.entries) return 0;
  memset(grown.entries, 0, size);
  for (uint64_t i = 0; i < a->capacity; i++) {
    if (a->entries[i].state != SPAN_FREE) grown.entries[find(&grown, a->entries[i].id)] = a->entries[i];
  }
  tachy_os_release(a->entries);
  *a = grown;
  return 1;
}

static void follow(tachy_open_asyncs *a, const tachy_stream *s, const tachy_async_record *r,
                   const tachy_block_clock *clock) {
  const int is_end = r->control == TACHY_CONTROL_ASYNC_END;
  if (!reserve(a)) {
    a->untracked += !is_end;
    return;
  }
  const uint64_t at = find(a, r->id);
  const uint32_t state = a->entries[at].state;
  if (state != SPAN_FREE) {
    if (is_end == (state != SPAN_ENDED)) take_out(a, at);
    return;
  }
  a->entries[at] = (tachy_open_async){.id = r->id,
                                      .parent = r->parent,
                                      .utc = tachy_ticks_to_utc(clock, r->ticks),
                                      .site = r->site,
                                      .depth = r->depth,
                                      .thread = s->number,
                                      .state = is_end ? SPAN_ENDED : SPAN_FRESH};
  a->count++;
}

/* Whether the begin of a span, of which only the end has been met, is still to come. A thread that has recorded nothing
 * else has no stream yet, as one that is gone has none any more: an end waits once for it. */
static int begins_later(const tachy_channel *channel, uint64_t id, int has_waited) {
  const tachy_stream *const s = tachy_stream_find(channel, (uint32_t)(id >> TACHY_ASYNC_SHIFT));
  return s ? (id & TACHY_ASYNC_COUNT) > s->begun : !has_waited;
}

static int comes_early(const tachy_channel *channel, const tachy_async_record *end, int has_waited) {
  const tachy_open_asyncs *const a = &channel->asyncs;
  return a->capacity && a->entries[find(a, end->id)].state == SPAN_ENDED && begins_later(channel, end->id, has_waited);
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
    for (uint64_t i = 0; i < a->capacity;) {
      const uint32_t state = a->entries[i].state;
      const int surplus = round == 1 && state == SPAN_FRESH && a->count > OPEN_MAX;
      if (state != SPAN_ENDED && !surplus) {
        i++;
        continue;
      }
      a->untracked += (uint64_t)surplus;
      take_out(a, i); /* another may have moved here: look again */
    }
  }
  for (uint64_t i = 0; i < a->capacity; i++) {
    if (a->entries[i].state == SPAN_FRESH) a->entries[i].state = SPAN_OPEN;
  }
}

static int by_id(const void *a, const void *b) {
  const tachy_open_async *const x = a, *const y = b;
  return x->id < y->id ? -1 : x->id > y->id;
}

/* What is open before the block is followed. */
static void remember(tachy_open_asyncs *a) {
  a->before.size = 0;
  for (uint64_t i = 0; i < a->capacity; i++) {
    if (a->entries[i].state == SPAN_FREE) continue;
    if (!tachy_bytes_append(&a->before, &a->entries[i], sizeof *a->entries)) {
      a->failed = 1;
      return;
    }
  }
  const size_t count = a->before.size / sizeof *a->entries;
  if (count) qsort(a->before.bytes, count, sizeof *a->entries, by_id);
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
  tachy_plane planes[6] = {{{0}, {0}}};
  uint64_t last_id = 0;
  int64_t last_utc = channel->from.utc;
  if (a->failed) c->failed = 1;
  for (uint64_t i = 0; i < a->before.size / sizeof *rows; i++) {
    const tachy_open_async *const r = &rows[i];
    const uint32_t position = tachy_index_position(&channel->tables.sites, r->site);
    const uint64_t values[6] = {tachy_zigzag((int64_t)(r->id - last_id)),
                                r->parent ? 1 + tachy_zigzag((int64_t)(r->id - r->parent)) : 0,
                                position - 1,
                                tachy_zigzag((int64_t)((uint64_t)r->utc - (uint64_t)last_utc)),
                                r->depth,
                                r->thread};
    for (unsigned k = 0; k < 6; k++) {
      if (!position || !tachy_plane_append(&planes[k], values[k])) c->failed = 1;
    }
    last_id = r->id;
    last_utc = r->utc;
  }
  for (unsigned k = 0; k < 6; k++) {
    tachy_columns_plane(c, (tachy_column_id)(TACHY_COLUMN_OPEN_ASYNC_ID + k), &planes[k]);
    tachy_plane_free(&planes[k]);
  }
}

int tachy_open_async_add(tachy_open_asyncs *a, const tachy_open_async *open) {
  if (!reserve(a)) return 0;
  const uint64_t at = find(a, open->id);
  if (a->entries[at].state == SPAN_FREE) a->count++;
  a->entries[at] = *open;
  a->entries[at].state = SPAN_OPEN;
  return 1;
}

void tachy_open_async_free(tachy_open_asyncs *a) {
  tachy_os_release(a->entries);
  tachy_bytes_free(&a->before);
}
