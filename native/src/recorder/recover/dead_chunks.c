/* From a dead process's slots and chunks to streams. */
#include <stdlib.h>

#include "../../base/text.h"
#include "../collect/source.h"
#include "../pool/pool.h"
#include "dead.h"

#define COUNT_MAX (UINT64_C(1) << 48) /* nobody loses so many events */

typedef struct dead_chunk {
  tachy_chunk head;
  uint64_t offset; /* in the file */
} dead_chunk;

typedef struct dead_pool {
  const tachy_os_file *file;
  tachy_channel *channels;
  tachy_bytes chunks; /* dead_chunk, by class, thread and position */
} dead_pool;

static uint64_t count_or_none(uint64_t count) { return count < COUNT_MAX ? count : 0; }

static tachy_class class_of(const tachy_chunk *chunk) { return (tachy_class)(chunk->owner & 255u); }

static int is_whole(const tachy_chunk *chunk) {
  const tachy_class cls = class_of(chunk);
  const uint64_t step = cls == TACHY_CLASS_SPAN ? 16 : 8;
  return cls >= TACHY_CLASS_LOG && cls <= TACHY_CLASS_SPAN && chunk->owner >> 8 <= UINT32_MAX &&
         chunk->first % step == 0 && chunk->first < COUNT_MAX && chunk->depth <= TACHY_DEPTH_MAX &&
         chunk->size <= TACHY_RECORD_MAX - chunk->depth * sizeof(tachy_open_span) && chunk->used <= chunk->size &&
         chunk->read <= chunk->size && (chunk->used | chunk->read) % step == 0;
}

/* 0: no memory, or it could not be read. */
static int add_chunk(dead_pool *pool, uint64_t offset) {
  dead_chunk chunk = {.offset = offset};
  if (!tachy_os_file_read(pool->file, offset, &chunk.head, sizeof chunk.head)) return 0;
  return !is_whole(&chunk.head) || tachy_bytes_append(&pool->chunks, &chunk, sizeof chunk);
}

static int in_order(const void *a, const void *b) {
  const tachy_chunk *const x = &((const dead_chunk *)a)->head, *const y = &((const dead_chunk *)b)->head;
  const uint64_t p[] = {x->owner & 255u, x->owner >> 8, x->first, x->used};
  const uint64_t q[] = {y->owner & 255u, y->owner >> 8, y->first, y->used};
  for (unsigned i = 0; i < 4; i++) {
    if (p[i] != q[i]) return p[i] < q[i] ? -1 : 1;
  }
  return 0;
}

/* The stream of the thread; the slot's, or NULL: nobody knows the thread. */
static tachy_stream *stream_of(tachy_channel *channel, uint32_t number, const tachy_slot *slot) {
  tachy_stream *const known = tachy_stream_find(channel, number);
  if (known) return known;
  tachy_source *const source = tachy_os_allocate(sizeof *source);
  tachy_stream *const s = source ? tachy_stream_new(channel, number) : NULL;
  if (!s) {
    tachy_os_release(source);
    return NULL;
  }
  *source = (tachy_source){.stream = s};
  s->source = source;
  if (slot) {
    source->position = slot->begin[channel->cls];
    source->known_lost = source->emitted = slot->lost_before[channel->cls];
    source->missed = slot->missed_before;
    s->os_id = slot->os_id;
  }
  return s;
}

/* How many of the stream's open spans the chunk's stack begins with. */
static uint32_t common(const dead_pool *pool, const tachy_stream *s, const dead_chunk *chunk) {
  tachy_open_span entry;
  uint32_t depth = 0;
  for (; depth < s->open && depth < chunk->head.depth; depth++) {
    const uint64_t at = chunk->offset + sizeof(tachy_chunk) + depth * sizeof entry;
    if (!tachy_os_file_read(pool->file, at, &entry, sizeof entry)) break;
    if (entry.begin != s->opens[depth].ticks || entry.site != s->opens[depth].site) break;
  }
  return depth;
}

/* Puts the chunk's records from the stream's position on into the stream. `used`: bytes of records. 0: as add_chunk. */
static int feed(dead_pool *pool, tachy_channel *channel, tachy_stream *s, const dead_chunk *chunk, uint64_t used) {
  const tachy_chunk *const head = &chunk->head;
  tachy_source *const source = s->source;
  if (head->first + used <= source->position && head->lost <= source->known_lost) return 1;
  if (head->first > source->position && channel->cls == TACHY_CLASS_SPAN) {
    /* the flight recorder skipped what stood between: at most so many spans */
    s->total += (head->first - source->position) / sizeof(tachy_span_record);
    const uint32_t depth = common(pool, s, chunk);
    tachy_stream_gap(channel, s, 0, depth);
    tachy_values_forget(s, depth);
  }
  if (head->lost > source->known_lost && head->lost - source->known_lost < COUNT_MAX) {
    source->known_lost = head->lost;
    if (source->known_lost > source->emitted) {
      const uint32_t depth = head->lost_depth < TACHY_DEPTH_MAX ? head->lost_depth : 0;
      tachy_stream_gap(channel, s, source->known_lost - source->emitted, depth);
      source->emitted = source->known_lost;
    }
  }
  const uint64_t from = source->position > head->first ? source->position - head->first : 0;
  if (from >= used || from % 8) return 1;
  uint8_t *const bytes = tachy_os_allocate(used - from);
  const uint64_t at = chunk->offset + sizeof *head + head->depth * sizeof(tachy_open_span) + from;
  if (!bytes || !tachy_os_file_read(pool->file, at, bytes, used - from)) {
    tachy_os_release(bytes);
    return 0;
  }
  const uint64_t good = tachy_dead_records(channel->cls, bytes, used - from);
  if (good) tachy_stream_records(channel, s, bytes, good);
  if (good != used - from) tachy_stream_drop(channel, s, 1);
  tachy_os_release(bytes);
  source->position = head->first + used;
  return 1;
}

/* The thread's chunks of a class; slot: NULL: it is in another file. *last: the last of them, or NULL. */
static int read_class(dead_pool *pool, tachy_channel *channel, uint32_t number, const tachy_slot *slot,
                      const dead_chunk **last) {
  const dead_chunk *const chunks = (const dead_chunk *)(const void *)pool->chunks.bytes;
  const uint64_t count = pool->chunks.size / sizeof *chunks;
  const uint64_t owner = tachy_chunk_owner(number, channel->cls);
  *last = NULL;
  uint64_t low = 0; /* the first that is the thread's */
  for (uint64_t high = count; low < high;) {
    const uint64_t middle = low + (high - low) / 2;
    const dead_chunk wanted = {.head = {.owner = owner}};
    if (in_order(&chunks[middle], &wanted) < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  for (uint64_t i = low; i < count && chunks[i].head.owner == owner; i++) {
    const tachy_chunk *const head = &chunks[i].head;
    uint64_t used = head->used > head->read ? head->used : head->read;
    if (slot && (i + 1 == count || chunks[i + 1].head.owner != owner)) {
      const uint64_t end = tachy_slot_writer((tachy_slot *)(uintptr_t)slot, channel->cls)->head;
      if (end >= head->first && end - head->first <= head->size) used = end - head->first;
      *last = &chunks[i];
    }
    const int known = tachy_stream_find(channel, number) != NULL;
    tachy_stream *const s = stream_of(channel, number, slot);
    if (s && !known && !slot) { /* where it stood when the file was made */
      s->source->position = head->first;
      s->source->known_lost = s->source->emitted = head->lost;
    }
    if (!s || !feed(pool, channel, s, &chunks[i], used)) return 0;
  }
  return 1;
}

/* The entry of the stack is a span whose record is out: the thread died between the two. */
static int has_ended(const dead_pool *pool, const tachy_slot *slot, const dead_chunk *last, uint32_t depth) {
  tachy_span_record record;
  const uint64_t head = slot->thread.span.head;
  if (!last || head < last->head.first + sizeof record || head - last->head.first > last->head.size) return 0;
  const uint64_t at = last->offset + sizeof last->head + last->head.depth * sizeof(tachy_open_span) +
                      (head - last->head.first) - sizeof record;
  if (!tachy_os_file_read(pool->file, at, &record, sizeof record)) return 0;
  return record.begin == slot->thread.stack[depth].begin &&
         record.word == (depth << TACHY_DEPTH_SHIFT | slot->thread.stack[depth].site);
}

/* The spans that the thread has open. 0: no memory. */
static int open_rest(const dead_pool *pool, tachy_stream *s, const tachy_slot *slot, const dead_chunk *last) {
  uint32_t depth = tachy_depth_of(&slot->thread);
  if (depth > TACHY_DEPTH_MAX) depth = TACHY_DEPTH_MAX;
  if (depth > s->depth && has_ended(pool, slot, last, depth - 1)) depth--;
  if (depth && !tachy_stream_reach(s, depth - 1)) return 0;
  for (uint32_t k = 0; k < depth; k++) {
    const tachy_open_span *const entry = &slot->thread.stack[k];
    if (entry->site == 0 || entry->site > TACHY_SITE_MAX) return 1;
    s->ends[k].ticks = entry->begin;
    s->ends[k].site = entry->site;
    if (k >= s->depth) s->depth = k + 1;
  }
  return 1;
}

static int read_slot_class(dead_pool *pool, tachy_channel *channel, const tachy_slot *slot) {
  const tachy_class cls = channel->cls;
  const uint64_t lost = slot->back[cls].lost;
  const int spans = cls == TACHY_CLASS_SPAN;
  const dead_chunk *last;
  if (!read_class(pool, channel, slot->thread.number, slot, &last)) return 0;
  tachy_stream *s = tachy_stream_find(channel, slot->thread.number);
  if (!s && lost == slot->lost_before[cls] && !(spans && tachy_depth_of(&slot->thread) > 0)) return 1;
  if (!s) s = stream_of(channel, slot->thread.number, slot);
  if (!s) return 0;
  tachy_source *const source = s->source;
  if (lost > source->emitted && lost - source->emitted < COUNT_MAX) {
    const uint32_t depth = slot->back[cls].lost_depth;
    tachy_stream_gap(channel, s, lost - source->emitted, depth < TACHY_DEPTH_MAX ? depth : 0);
    source->emitted = lost;
  }
  if (spans) {
    tachy_stream_drop(channel, s, count_or_none(tachy_slot_missed(slot) - source->missed));
    if (!open_rest(pool, s, slot, last)) return 0;
  }
  s->name_size = (uint32_t)strlen(slot->name);
  memcpy(s->name, slot->name, sizeof s->name);
  tachy_text_clean((uint8_t *)s->name, s->name_size);
  return 1;
}

static int is_taken(uint32_t state) {
  return state == TACHY_SLOT_LIVE || state == TACHY_SLOT_EXITED || state == TACHY_SLOT_READ;
}

/* All chunks that are somebody's, in order. `room`: of one slot. */
static int find_chunks(dead_pool *pool, const tachy_session_head *head, tachy_slot *room, uint64_t *slots) {
  const uint64_t chunks = TACHY_SESSION_POOL + head->slots * TACHY_SLOT_BYTES;
  for (*slots = 0; *slots < head->slots; ++*slots) {
    const uint64_t at = TACHY_SESSION_POOL + *slots * TACHY_SLOT_BYTES;
    if (!tachy_os_file_read(pool->file, at, room, offsetof(tachy_slot, thread.stack))) return 0;
    if (room->thread.room == 0) break; /* they are made one after the other */
    if (!is_taken(room->state)) continue;
    const size_t own[] = {offsetof(tachy_slot, own_log), offsetof(tachy_slot, own_metric),
                          offsetof(tachy_slot, own_span)};
    for (unsigned i = 0; i < 3; i++) {
      if (!add_chunk(pool, at + own[i])) return 0;
    }
  }
  for (uint64_t i = 0; i < head->chunks; i++) {
    if (!add_chunk(pool, chunks + i * TACHY_CHUNK_BYTES)) return 0;
  }
  const size_t count = pool->chunks.size / sizeof(dead_chunk);
  if (count) qsort(pool->chunks.bytes, count, sizeof(dead_chunk), in_order);
  return 1;
}

static int read_slots(dead_pool *pool, tachy_slot *room, uint64_t slots) {
  for (uint64_t i = 0; i < slots; i++) {
    if (!tachy_os_file_read(pool->file, TACHY_SESSION_POOL + i * TACHY_SLOT_BYTES, room, sizeof *room)) return 0;
    if (!is_taken(room->state)) continue;
    room->name[TACHY_THREAD_NAME_MAX - 1] = 0;
    for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
      if (!read_slot_class(pool, &pool->channels[cls], room)) return 0;
    }
  }
  return 1;
}

/* Chunks of threads whose slots lie in an earlier file: as far as the collector had read them. */
static int read_others(dead_pool *pool) {
  const dead_chunk *const chunks = (const dead_chunk *)(const void *)pool->chunks.bytes;
  const dead_chunk *last;
  for (uint64_t i = 0; i < pool->chunks.size / sizeof *chunks; i++) {
    const uint64_t owner = chunks[i].head.owner;
    if (i > 0 && chunks[i - 1].head.owner == owner) continue;
    tachy_channel *const channel = &pool->channels[class_of(&chunks[i].head)];
    if (!read_class(pool, channel, (uint32_t)(owner >> 8), NULL, &last)) return 0;
  }
  return 1;
}

int tachy_dead_chunks(tachy_channel *channels, const tachy_os_file *file, const tachy_session_head *head) {
  dead_pool pool = {file, channels, {0}};
  tachy_slot *const room = (tachy_slot *)tachy_os_map(sizeof *room); /* aligned as a slot is */
  uint64_t slots;
  const int ok = room && find_chunks(&pool, head, room, &slots) && read_slots(&pool, room, slots) && read_others(&pool);
  if (room) tachy_os_unmap(room, sizeof *room);
  tachy_bytes_free(&pool.chunks);
  return ok;
}
