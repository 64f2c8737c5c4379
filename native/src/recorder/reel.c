/* The flight recorder's tape: a code, then LEB128 numbers, each against what came before.
 *
 * The code of a span whose depth and site were seen lately is their place in a table of 240; both sides keep the same
 * table, so it is never stored. */
#include "reel.h"

enum {
  CODE_WORD = TACHY_REEL_WORDS, /* a span with its word */
  CODE_ASYNC_BEGIN,
  CODE_ASYNC_END,
  CODE_GAP,
  ENTRY_MAX = 64,
  CHUNK_MIN = 512,
  CHUNK_MAX = 16384,
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
  for (unsigned shift = 7; *at++ & 128; shift += 7) value |= (uint64_t)(*at & 127u) << shift;
  *v = value;
  return at;
}

tachy_reel *tachy_reel_make(tachy_reels *all) {
  tachy_reel *const reel = tachy_os_allocate(sizeof *reel);
  if (!reel) return NULL;
  memset(reel, 0, sizeof *reel);
  reel->all = all;
  reel->lost_depth = reel->shallowest = TACHY_NO_DEPTH;
  all->bytes += sizeof *reel;
  return reel;
}

static void free_chunk(tachy_reel *reel, tachy_reel_chunk *chunk) {
  reel->all->bytes -= sizeof *chunk + chunk->capacity;
  tachy_os_release(chunk);
}

void tachy_reel_free(tachy_reel *reel) {
  if (!reel) return;
  for (tachy_reel_chunk *chunk = reel->reader.chunk; chunk;) {
    tachy_reel_chunk *const next = chunk->next;
    free_chunk(reel, chunk);
    chunk = next;
  }
  reel->all->bytes -= sizeof *reel;
  reel->all->events -= reel->events;
  tachy_os_release(reel);
}

/* Another chunk, each twice as large as the one before. */
static int grow(tachy_reel *reel) {
  tachy_reel_chunk *const last = reel->last;
  const uint32_t capacity = !last ? CHUNK_MIN : last->capacity < CHUNK_MAX ? last->capacity * 2 : CHUNK_MAX;
  tachy_reel_chunk *const chunk = tachy_os_allocate(sizeof *chunk + capacity);
  if (!chunk) return 0;
  *chunk = (tachy_reel_chunk){.next = NULL, .until = 0, .size = 0, .capacity = capacity};
  reel->all->bytes += sizeof *chunk + capacity;
  if (last) {
    last->next = chunk;
  } else {
    reel->reader.chunk = chunk;
  }
  reel->last = chunk;
  return 1;
}

/* Where the next entry goes, or NULL without memory. */
static inline uint8_t *room(tachy_reel *reel) {
  const tachy_reel_chunk *const last = reel->last;
  if (TACHY_UNLIKELY(!last || last->capacity - last->size < ENTRY_MAX)) {
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

uint64_t tachy_reel_records(tachy_reel *reel, const uint8_t *records, uint64_t size) {
  const uint8_t *at = records;
  const uint64_t before = reel->events;
  while (at < records + size) {
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
  if (!cursor->chunk || cursor->at == cursor->chunk->size) return 0;
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

/* Forgets the chunks that have been read. */
static void tidy(tachy_reel *reel, tachy_reel_chunk *from) {
  while (from != reel->reader.chunk) {
    tachy_reel_chunk *const next = from->next;
    free_chunk(reel, from);
    from = next;
  }
  if (from && reel->reader.at == from->size && !from->next) from->size = reel->reader.at = 0;
}

uint64_t tachy_reel_feed(tachy_reel *reel, tachy_channel *channel, tachy_stream *s, uint64_t key) {
  tachy_reel_cursor *const reader = &reel->reader;
  tachy_reel_chunk *const from = reader->chunk;
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
    if (TACHY_UNLIKELY(entry.kind == TACHY_REEL_ASYNC)) {
      memcpy(&buffer[used], &entry.async, sizeof entry.async);
      used += sizeof entry.async / sizeof *buffer;
      continue;
    }
    const int is_long = entry.duration >= UINT32_MAX;
    if (TACHY_UNLIKELY(is_long)) {
      const tachy_long_record record = {TACHY_CONTROL_LONG, entry.duration};
      memcpy(&buffer[used], &record, sizeof record);
      used += sizeof record / sizeof *buffer;
    }
    const tachy_span_record record = {entry.begin, is_long ? UINT32_MAX : (uint32_t)entry.duration, entry.word};
    memcpy(&buffer[used], &record, sizeof record);
    used += sizeof record / sizeof *buffer;
  }
  tachy_span_records(channel, s, (const uint8_t *)buffer, used * sizeof *buffer);
  tidy(reel, from);
  reel->events -= events;
  reel->all->events -= events;
  return events;
}
