/* The flight recorder's tape: a code, then LEB128 numbers, each against what came before.
 *
 * The code of a span whose depth and site were seen lately is their place in a table of 240; both sides keep the same
 * table, so it is never stored. Every chunk begins with an empty one. */
#include "reel.h"

#include "../pool/session_file.h"

enum {
  CODE_WORD = TACHY_REEL_WORDS, /* a span with its word */
  CODE_ASYNC_BEGIN,
  CODE_ASYNC_END,
  CODE_GAP,
  ENTRY_MAX = 64,
  FEED_WORDS = 512
};

static inline uint32_t place_of(uint32_t word) { return (word * 2654435761u >> 16) * TACHY_REEL_WORDS >> 16; }

static inline uint8_t *put_number(uint8_t *at, uint64_t v) {
  while (v >= 128) {
    *at++ = (uint8_t)(v | 128);
    v >>= 7;
  }
  *at++ = (uint8_t)v;
  return at;
}

static inline const uint8_t *get_number(const uint8_t *at, uint64_t *v) {
  uint64_t value = *at & 127u;
  for (unsigned shift = 7; *at++ & 128; shift += 7) value |= (uint64_t)(*at & 127u) << (shift & 63u);
  *v = value;
  return at;
}

tachy_reel *tachy_reel_make(tachy_reels *all, const tachy_stream *stream) {
  tachy_reel *const reel = tachy_os_allocate(sizeof *reel);
  if (!reel) return NULL;
  memset(reel, 0, sizeof *reel);
  reel->all = all;
  reel->stream = stream;
  reel->position = stream->position;
  reel->lost_depth = reel->shallowest = TACHY_NO_DEPTH;
  all->bytes += sizeof *reel;
  return reel;
}

/* In the session file while it has room. */
static tachy_reel_chunk *take_chunk(tachy_reels *all) {
  tachy_reel_chunk *chunk = all->free;
  if (chunk) {
    all->free = chunk->next;
    return chunk;
  }
  if (all->memory && all->used + sizeof *chunk <= all->size &&
      tachy_session_file_back_reels(all->used + sizeof *chunk)) {
    chunk = (tachy_reel_chunk *)(void *)(all->memory + all->used);
    all->used += sizeof *chunk;
    chunk->in_file = 1;
    return chunk;
  }
  chunk = tachy_os_allocate(sizeof *chunk);
  if (chunk) chunk->in_file = 0;
  return chunk;
}

static void free_chunk(tachy_reel *reel, tachy_reel_chunk *chunk) {
  reel->all->bytes -= sizeof *chunk;
  if (!chunk->in_file) {
    tachy_os_release(chunk);
    return;
  }
  TACHY_STORE_RELEASE(&chunk->number, 0);
  chunk->next = reel->all->free;
  reel->all->free = chunk;
}

void tachy_reel_free(tachy_reel *reel) {
  if (!reel) return;
  for (tachy_reel_chunk *chunk = reel->first; chunk;) {
    tachy_reel_chunk *const next = chunk->next;
    free_chunk(reel, chunk);
    chunk = next;
  }
  reel->all->bytes -= sizeof *reel;
  reel->all->events -= reel->events;
  tachy_os_release(reel);
}

/* What is in the last chunk counts, should the process die. */
static inline void publish(const tachy_reel *reel) {
  tachy_reel_chunk *const last = reel->last;
  if (last) TACHY_STORE_RELEASE(&last->done, (reel->position - last->position) << 32 | last->size);
}

static int grow(tachy_reel *reel) {
  tachy_reel_chunk *const last = reel->last;
  tachy_reel_chunk *const chunk = take_chunk(reel->all);
  if (!chunk) return 0;
  publish(reel);
  chunk->next = NULL;
  chunk->until = chunk->since = reel->writer.key;
  chunk->position = reel->position;
  chunk->ordinal = last ? last->ordinal + 1 : 0;
  chunk->os_id = reel->stream->os_id;
  chunk->size = 0;
  chunk->done = 0;
  chunk->name_size = reel->stream->slot ? tachy_slot_name(reel->stream->slot, chunk->name) : 0;
  TACHY_STORE_RELEASE(&chunk->number, reel->stream->number);
  reel->writer = (tachy_reel_state){.end = 0, .key = reel->writer.key, .id = 0, .words = {0}};
  reel->all->bytes += sizeof *chunk;
  if (last) {
    last->next = chunk;
  } else {
    reel->first = chunk;
    reel->reader.chunk = chunk;
  }
  reel->last = chunk;
  return 1;
}

/* Where the next entry goes, or NULL without memory. */
static inline uint8_t *room(tachy_reel *reel) {
  const tachy_reel_chunk *const last = reel->last;
  if (TACHY_UNLIKELY(!last || sizeof last->bytes - last->size < ENTRY_MAX)) {
    if (!grow(reel)) return NULL;
  }
  return reel->last->bytes + reel->last->size;
}

static inline void wrote(tachy_reel *reel, const uint8_t *end, uint64_t key, uint32_t depth) {
  tachy_reel_chunk *const last = reel->last;
  last->size = (uint32_t)(end - last->bytes);
  if (key > reel->writer.key) reel->writer.key = key;
  last->until = reel->writer.key;
  if (depth < reel->shallowest) reel->shallowest = depth;
}

static void lose(tachy_reel *reel, uint64_t count, uint32_t depth) {
  reel->lost += count;
  if (depth < reel->lost_depth) reel->lost_depth = depth;
  if (depth < reel->shallowest) reel->shallowest = depth;
}

static int put_gap(tachy_reel *reel, uint64_t count, uint32_t depth) {
  uint8_t *at = room(reel);
  if (!at) return 0;
  *at++ = CODE_GAP;
  at = put_number(at, count);
  at = put_number(at, depth);
  wrote(reel, at, 0, depth);
  return 1;
}

/* The gap that lack of memory has left, before whatever comes next. 0: there is still none. */
static int catch_up(tachy_reel *reel) {
  if (!put_gap(reel, reel->lost, reel->lost_depth)) return 0;
  reel->lost = 0;
  reel->lost_depth = TACHY_NO_DEPTH;
  return 1;
}

void tachy_reel_gap(tachy_reel *reel, uint64_t count, uint32_t depth) {
  if ((reel->lost && !catch_up(reel)) || !put_gap(reel, count, depth)) lose(reel, count, depth);
}

static inline void put_span(tachy_reel *reel, const tachy_span_record *record) {
  uint64_t duration = record->duration;
  if (TACHY_UNLIKELY(duration == UINT32_MAX && reel->long_duration)) {
    duration = reel->long_duration;
    reel->long_duration = 0;
  }
  const uint64_t end = record->begin + duration;
  tachy_reel_state *const state = &reel->writer;
  uint8_t *at = TACHY_UNLIKELY(reel->lost) && !catch_up(reel) ? NULL : room(reel);
  if (TACHY_UNLIKELY(!at)) {
    lose(reel, 1, record->word >> TACHY_DEPTH_SHIFT);
    return;
  }
  const uint32_t place = place_of(record->word);
  if (TACHY_LIKELY(state->words[place] == record->word)) {
    *at++ = (uint8_t)place;
  } else {
    *at++ = CODE_WORD;
    memcpy(at, &record->word, sizeof record->word);
    at += sizeof record->word;
    state->words[place] = record->word;
  }
  at = put_number(at, tachy_zigzag((int64_t)(end - state->end)));
  at = put_number(at, duration);
  state->end = end;
  wrote(reel, at, end, record->word >> TACHY_DEPTH_SHIFT);
  reel->events++;
}

static void put_async(tachy_reel *reel, const tachy_async_record *record) {
  tachy_reel_state *const state = &reel->writer;
  uint8_t *at = reel->lost && !catch_up(reel) ? NULL : room(reel);
  if (!at) {
    lose(reel, 1, TACHY_DEPTH_MAX - 1);
    return;
  }
  *at++ = record->control == TACHY_CONTROL_ASYNC_END ? CODE_ASYNC_END : CODE_ASYNC_BEGIN;
  at = put_number(at, tachy_zigzag((int64_t)(record->ticks - state->key)));
  at = put_number(at, record->site);
  at = put_number(at, record->depth);
  at = put_number(at, tachy_zigzag((int64_t)(record->id - state->id)));
  at = put_number(at, record->parent ? 1 + tachy_zigzag((int64_t)(record->id - record->parent)) : 0);
  state->id = record->id;
  wrote(reel, at, record->ticks, TACHY_NO_DEPTH);
  reel->events++;
}

uint64_t tachy_reel_records(tachy_reel *reel, const uint8_t *records, uint64_t size, uint64_t position) {
  const uint8_t *at = records;
  const uint64_t before = reel->events;
  while (at < records + size) {
    reel->position = position + (uint64_t)(at - records);
    const tachy_span_record *const record = (const tachy_span_record *)(const void *)at;
    if (TACHY_LIKELY(record->begin < TACHY_CONTROL_FIRST)) {
      put_span(reel, record);
      at += sizeof *record;
    } else if (record->begin == TACHY_CONTROL_LONG) {
      reel->long_duration = ((const tachy_long_record *)(const void *)at)->duration;
      at += sizeof(tachy_long_record);
    } else if (record->begin == TACHY_CONTROL_ASYNC_BEGIN || record->begin == TACHY_CONTROL_ASYNC_END) {
      put_async(reel, (const tachy_async_record *)(const void *)at);
      at += sizeof(tachy_async_record);
    } else {
      break;
    }
  }
  reel->position = position + (uint64_t)(at - records);
  publish(reel);
  reel->all->events += reel->events - before;
  return (uint64_t)(at - records);
}

static const uint8_t *get_async(tachy_reel_state *state, const uint8_t *at, uint32_t code, tachy_async_record *record) {
  uint64_t ticks, site, depth, id, parent;
  at = get_number(at, &ticks);
  at = get_number(at, &site);
  at = get_number(at, &depth);
  at = get_number(at, &id);
  at = get_number(at, &parent);
  state->id += (uint64_t)tachy_unzigzag(id);
  record->control = code == CODE_ASYNC_END ? TACHY_CONTROL_ASYNC_END : TACHY_CONTROL_ASYNC_BEGIN;
  record->ticks = state->key + (uint64_t)tachy_unzigzag(ticks);
  record->site = (uint32_t)site;
  record->depth = (uint32_t)depth;
  record->id = state->id;
  record->parent = parent ? state->id - (uint64_t)tachy_unzigzag(parent - 1) : 0;
  record->zero = 0;
  return at;
}

int tachy_reel_next(tachy_reel_cursor *cursor, tachy_reel_entry *entry) {
  tachy_reel_state *const state = &cursor->state;
  while (cursor->chunk && cursor->at == cursor->chunk->size && cursor->chunk->next) {
    cursor->chunk = cursor->chunk->next;
    cursor->at = 0;
  }
  if (!cursor->chunk || cursor->at >= cursor->chunk->size) return 0;
  if (cursor->at == 0) *state = (tachy_reel_state){.end = 0, .key = cursor->chunk->since, .id = 0, .words = {0}};
  const uint8_t *at = cursor->chunk->bytes + cursor->at;
  const uint32_t code = *at++;
  uint64_t time = 0;
  if (TACHY_LIKELY(code <= CODE_WORD)) {
    uint64_t delta;
    uint32_t word;
    if (TACHY_LIKELY(code < CODE_WORD)) {
      word = state->words[code];
    } else {
      memcpy(&word, at, sizeof word);
      at += sizeof word;
      state->words[place_of(word)] = word;
    }
    at = get_number(at, &delta);
    at = get_number(at, &entry->duration);
    time = state->end += (uint64_t)tachy_unzigzag(delta);
    entry->kind = TACHY_REEL_SPAN;
    entry->word = word;
    entry->begin = time - entry->duration;
    entry->depth = word >> TACHY_DEPTH_SHIFT;
  } else if (code == CODE_GAP) {
    at = get_number(at, &entry->count);
    at = get_number(at, &entry->depth);
    entry->kind = TACHY_REEL_GAP;
  } else if (code > CODE_GAP) {
    return 0; /* not ours */
  } else {
    at = get_async(state, at, code, &entry->async);
    entry->kind = TACHY_REEL_ASYNC;
    time = entry->async.ticks;
  }
  if (time > state->key) state->key = time;
  cursor->at = (uint32_t)(at - cursor->chunk->bytes);
  return 1;
}

uint64_t tachy_reel_oldest(const tachy_reel *reel) {
  const tachy_reel_chunk *chunk = reel->reader.chunk;
  if (chunk && reel->reader.at == chunk->size) chunk = chunk->next;
  return chunk ? chunk->until : UINT64_MAX;
}

void tachy_reel_release(tachy_reel *reel) {
  while (reel->first != reel->reader.chunk) {
    tachy_reel_chunk *const next = reel->first->next;
    free_chunk(reel, reel->first);
    reel->first = next;
  }
  tachy_reel_chunk *const only = reel->first;
  if (!only || only->next || reel->reader.at != only->size) return;
  free_chunk(reel, only);
  reel->first = reel->last = reel->reader.chunk = NULL;
  reel->reader.at = 0;
}

uint64_t tachy_reel_record(const tachy_reel_entry *entry, uint64_t *words) {
  if (TACHY_UNLIKELY(entry->kind == TACHY_REEL_ASYNC)) {
    memcpy(words, &entry->async, sizeof entry->async);
    return sizeof entry->async / sizeof *words;
  }
  uint64_t used = 0;
  const int is_long = entry->duration >= UINT32_MAX;
  if (TACHY_UNLIKELY(is_long)) {
    const tachy_long_record record = {TACHY_CONTROL_LONG, entry->duration};
    memcpy(words, &record, sizeof record);
    used += sizeof record / sizeof *words;
  }
  const tachy_span_record record = {entry->begin, is_long ? UINT32_MAX : (uint32_t)entry->duration, entry->word};
  memcpy(&words[used], &record, sizeof record);
  return used + sizeof record / sizeof *words;
}

uint64_t tachy_reel_feed(tachy_reel *reel, tachy_channel *channel, tachy_stream *s, uint64_t key) {
  tachy_reel_cursor *const reader = &reel->reader;
  uint64_t buffer[FEED_WORDS];
  uint64_t used = 0;
  uint64_t events = 0;
  tachy_reel_entry entry;
  for (;;) {
    tachy_reel_chunk *const chunk = reader->chunk;
    const uint32_t at = reader->at;
    const uint64_t before[3] = {reader->state.end, reader->state.key, reader->state.id};
    const int more = tachy_reel_next(reader, &entry);
    if (!more) break;
    if (reader->state.key > key) { /* not yet: back to where it was. What the table has learned it learns again */
      reader->chunk = chunk;
      reader->at = at;
      reader->state.end = before[0];
      reader->state.key = before[1];
      reader->state.id = before[2];
      break;
    }
    if (used + sizeof entry.async / sizeof *buffer > FEED_WORDS || entry.kind == TACHY_REEL_GAP) {
      tachy_span_records(channel, s, (const uint8_t *)buffer, used * sizeof *buffer);
      used = 0;
    }
    if (entry.kind == TACHY_REEL_GAP) {
      tachy_stream_gap(channel, s, entry.count, (uint32_t)entry.depth);
      continue;
    }
    events++;
    used += tachy_reel_record(&entry, &buffer[used]);
  }
  tachy_span_records(channel, s, (const uint8_t *)buffer, used * sizeof *buffer);
  reel->events -= events;
  reel->all->events -= events;
  return events;
}
