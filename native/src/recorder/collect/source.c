/* Reading chunks, and the one moment at which the shadow stack is known. */
#include "source.h"

#include "../../encode/records.h"
#include "../pool/pool.h"
#include "../threads/threads.h"

static uint64_t head_of(const tachy_source *s) {
  return TACHY_LOAD_ACQUIRE(&tachy_slot_writer(s->slot, s->stream->cls)->head);
}

tachy_source *tachy_source_of(tachy_intake *intake, tachy_slot *slot, int open_too) {
  tachy_channel *const channel = &intake->channel;
  const tachy_class cls = channel->cls;
  if (slot->sources[cls]) return slot->sources[cls];
  const int some = TACHY_LOAD_ACQUIRE(&tachy_slot_writer(slot, cls)->head) != slot->begin[cls] ||
                   TACHY_LOAD_ACQUIRE(&slot->back[cls].lost) != slot->lost_before[cls] ||
                   (open_too && tachy_depth_of(&slot->thread) > 0);
  return some ? tachy_source_make(intake, slot) : NULL;
}

tachy_source *tachy_source_make(tachy_intake *intake, tachy_slot *slot) {
  tachy_channel *const channel = &intake->channel;
  const tachy_class cls = channel->cls;
  tachy_source *const s = tachy_os_allocate(sizeof *s);
  if (!s) return NULL;
  tachy_stream *const stream = tachy_stream_new(channel, slot->thread.number);
  if (!stream) {
    tachy_os_release(s);
    return NULL;
  }
  stream->os_id = slot->os_id;
  stream->source = s;
  *s = (tachy_source){stream, slot, NULL, slot->begin[cls], slot->lost_before[cls], slot->lost_before[cls], 0};
  return slot->sources[cls] = s;
}

static tachy_chunk *next_of(const tachy_source *s) {
  return tachy_chunk_at(s->chunk ? TACHY_LOAD_ACQUIRE(&s->chunk->next)
                                 : TACHY_LOAD_ACQUIRE(&s->slot->first[s->stream->cls]));
}

static int is_own(const tachy_slot *slot, const tachy_chunk *chunk) {
  return (uintptr_t)chunk - (uintptr_t)slot < sizeof *slot;
}

static void enter(tachy_intake *intake, tachy_source *s, tachy_chunk *next) {
  TACHY_ASSERT(TACHY_LOAD(&next->owner) == tachy_chunk_owner(s->stream->number, s->stream->cls));
  TACHY_ASSERT(next->first <= s->position && next->lost >= s->known_lost);
  if (s->chunk && !is_own(s->slot, s->chunk)) {
    s->chunk->waiting = (uintptr_t)intake->waiting;
    intake->waiting = s->chunk;
    intake->waiting_count++;
  }
  s->chunk = next;
  TACHY_STORE(&s->slot->first[s->stream->cls], (uintptr_t)next);
  s->known_lost = next->lost;
  if (s->known_lost <= s->emitted) return;
  const uint64_t count = s->known_lost - s->emitted;
  s->emitted = s->known_lost;
  tachy_stream_gap(&intake->channel, s->stream, count, next->lost_depth < TACHY_DEPTH_MAX ? next->lost_depth : 0);
}

tachy_chunk *tachy_source_chunk(tachy_intake *intake, tachy_source *s) {
  for (;;) {
    tachy_chunk *const next = next_of(s);
    if (!next || (s->chunk && s->position < s->chunk->first + s->chunk->used)) return s->chunk;
    enter(intake, s, next);
  }
}

void tachy_source_read_chunk(tachy_intake *intake, tachy_source *s) {
  tachy_chunk *const chunk = s->chunk;
  const uint64_t head = head_of(s);
  const int full = TACHY_LOAD_ACQUIRE(&chunk->next) != 0; /* after the head: else it lies in this chunk */
  const uint64_t end = full ? chunk->first + TACHY_LOAD(&chunk->used) : head;
  TACHY_ASSERT(end >= s->position && end - chunk->first <= chunk->size);
  if (end == s->position) return;
  const uint8_t *const records = tachy_chunk_records(chunk) + (s->position - chunk->first);
  const uint64_t done = tachy_stream_records(&intake->channel, s->stream, records, end - s->position);
  TACHY_ASSERT(done == end - s->position);
  if (done != end - s->position) tachy_stream_drop(&intake->channel, s->stream, 1); /* somebody has written there */
  s->position = end;
  TACHY_STORE_RELEASE(&chunk->read, end - chunk->first);
}

/* Reads what there is, but no chunk that was begun after these ticks, and none while more wait. 0: it has come to one.
 */
static int read_until(tachy_intake *intake, tachy_source *s, uint64_t ticks, uint64_t most_waiting) {
  const uint64_t head = head_of(s);
  for (const tachy_chunk *chunk; (chunk = tachy_source_chunk(intake, s)) != NULL && s->position < head;) {
    if ((s->position == chunk->first && chunk->ticks > ticks) || intake->waiting_count > most_waiting) return 0;
    tachy_source_read_chunk(intake, s);
  }
  return 1;
}

int tachy_source_read(tachy_intake *intake, tachy_source *s, uint64_t most_waiting) {
  return read_until(intake, s, UINT64_MAX, most_waiting);
}

/* How many open spans of the stream the chunk's stack begins with. */
static uint32_t common(const tachy_stream *s, const tachy_chunk *chunk) {
  const tachy_open_span *const stack = tachy_chunk_stack(chunk);
  uint32_t depth = 0;
  while (depth < s->open && depth < chunk->depth && s->opens[depth].ticks == stack[depth].begin &&
         s->opens[depth].site == stack[depth].site) {
    depth++;
  }
  return depth;
}

uint64_t tachy_source_skip(tachy_intake *intake, tachy_source *s) {
  tachy_chunk *const chunk = s->chunk;
  tachy_stream *const stream = s->stream;
  const uint64_t end = TACHY_LOAD_ACQUIRE(&chunk->next) ? chunk->first + chunk->used : head_of(s);
  const uint8_t *at = tachy_chunk_records(chunk) + (s->position - chunk->first);
  uint64_t spans = 0;
  for (const uint8_t *const until = at + (end - s->position); at < until;) {
    const uint64_t size = tachy_span_record_size(at);
    const uint64_t first = *(const uint64_t *)(const void *)at;
    if (TACHY_LIKELY(first < TACHY_CONTROL_FIRST)) {
      const tachy_span_record *const span = (const tachy_span_record *)(const void *)at;
      if (TACHY_UNLIKELY(stream->values.levels > 0)) tachy_values_forget(stream, span->word >> TACHY_DEPTH_SHIFT);
      spans++;
    } else if (first != TACHY_CONTROL_LONG) {
      tachy_span_records(&intake->channel, stream, at, size);
    }
    at += size;
  }
  s->position = end;
  stream->total += spans;
  intake->channel.recorded += spans;
  const tachy_chunk *const next = tachy_source_chunk(intake, s);
  tachy_stream_gap(&intake->channel, stream, 0, next == chunk ? 0 : common(stream, next));
  return spans;
}

/* Copies entries [from, to) of the stack. 0: no memory. */
static int copy_stack(tachy_source *s, uint32_t from, uint32_t to) {
  if (from >= to) return 1;
  if (!tachy_stream_reach(s->stream, to - 1)) return 0;
  for (uint32_t k = from; k < to; k++) {
    const tachy_open_span *const entry = &s->slot->thread.stack[k];
    s->stream->ends[k].site = TACHY_LOAD_ACQUIRE(&entry->site);
    s->stream->ends[k].ticks = TACHY_LOAD_ACQUIRE(&entry->begin);
  }
  return 1;
}

/* Puts back what records published while the stack was copied have ended since: the first record of each depth is the
 * entry that was open. 0: events were lost among them, so that nobody knows. */
static int repair_stack(tachy_source *s, uint64_t head) {
  uint32_t left = s->stream->depth; /* entries at and above have been put back */
  const tachy_chunk *chunk = s->chunk;
  for (uint64_t at = s->position; at < head && left > 0;) {
    const uint64_t next = TACHY_LOAD_ACQUIRE(&chunk->next);
    if (next && at == chunk->first + chunk->used) {
      chunk = tachy_chunk_at(next);
      if (chunk->lost > s->known_lost) return 0;
      continue;
    }
    const uint8_t *const record = tachy_chunk_records((tachy_chunk *)(uintptr_t)chunk) + (at - chunk->first);
    const tachy_span_record *const span = (const tachy_span_record *)(const void *)record;
    if (span->begin < TACHY_CONTROL_FIRST) {
      const uint32_t depth = span->word >> TACHY_DEPTH_SHIFT;
      if (depth < left) {
        s->stream->ends[depth].ticks = span->begin;
        s->stream->ends[depth].site = span->word & TACHY_SITE_MAX;
        left = depth;
      }
    }
    at += tachy_span_record_size(record);
  }
  return 1;
}

void tachy_source_stack_here(tachy_source *s, int open_too) {
  const tachy_chunk *const next = next_of(s); /* first: without one `used` says nothing yet */
  tachy_stream *const stream = s->stream;
  const int behind = next && (!s->chunk || s->position == s->chunk->first + s->chunk->used);
  const tachy_chunk *const here = behind ? next : s->chunk;
  if (!here || here->first != s->position) return; /* nothing of it is in the block */
  if (open_too && here->depth > stream->depth && tachy_stream_reach(stream, here->depth)) stream->depth = here->depth;
  for (uint32_t k = stream->open; k < stream->depth && k < here->depth; k++) {
    stream->ends[k].ticks = tachy_chunk_stack(here)[k].begin;
    stream->ends[k].site = tachy_chunk_stack(here)[k].site;
  }
}

int tachy_source_drain(tachy_intake *intake, tachy_source *s, uint64_t until) {
  const tachy_writer_back *const back = &s->slot->back[s->stream->cls];
  const int spans = s->stream->cls == TACHY_CLASS_SPAN;
  for (;;) {
    if (!read_until(intake, s, until, UINT64_MAX)) {
      tachy_source_stack_here(s, until != 0);
      return 0;
    }
    const uint64_t head = s->position;
    if (spans && !copy_stack(s, 0, s->stream->depth)) s->stream->broken = 1;
    uint64_t lost = TACHY_LOAD_ACQUIRE(&back->lost);
    if (lost == s->known_lost) {
      const uint64_t now = head_of(s);
      if (now == head || !spans || (s->chunk && repair_stack(s, now))) return 1;
      continue;
    }
    /* Events were lost that no chunk has counted yet. What the thread opened since then has nothing that ended it among
     * the records, so the block gets a gap row now; the next chunk's share is taken off when it comes. */
    uint32_t depth = 0;
    if (spans) {
      depth = TACHY_LOAD_ACQUIRE(&back->lost_depth);
      if (depth >= TACHY_DEPTH_MAX) continue;
      if (depth > s->stream->depth && !copy_stack(s, s->stream->depth, depth)) s->stream->broken = 1;
      lost = TACHY_LOAD_ACQUIRE(&back->lost);
      const uint32_t again = TACHY_LOAD_ACQUIRE(&back->lost_depth);
      if (again < depth) depth = again;
    }
    if (head_of(s) != head || next_of(s)) continue;
    if (lost > s->emitted) tachy_stream_gap(&intake->channel, s->stream, lost - s->emitted, depth);
    s->emitted = lost > s->emitted ? lost : s->emitted;
    return 1;
  }
}

/* The entry of the stack is a span whose record has been read: the thread has not taken it off yet. */
static int has_ended(const tachy_source *s, uint32_t depth) {
  if (!s->chunk || s->position < s->chunk->first + sizeof(tachy_span_record)) return 0;
  const uint8_t *const end = tachy_chunk_records(s->chunk) + (s->position - s->chunk->first);
  const tachy_span_record *const last = (const tachy_span_record *)(const void *)(end - sizeof *last);
  const tachy_open_row *const entry = &s->stream->ends[depth];
  return last->begin == entry->ticks && last->word == (depth << TACHY_DEPTH_SHIFT | entry->site);
}

void tachy_source_open_rest(tachy_source *s) {
  const tachy_thread *const thread = &s->slot->thread;
  for (unsigned tries = 0; tries < 4; tries++) {
    uint32_t depth = tachy_depth_of(thread);
    if (depth > TACHY_DEPTH_MAX) depth = TACHY_DEPTH_MAX;
    if (depth <= s->stream->depth || !copy_stack(s, s->stream->depth, depth)) return;
    if (head_of(s) != s->position || tachy_depth_of(thread) != depth) continue;
    s->stream->depth = has_ended(s, depth - 1) ? depth - 1 : depth;
    return;
  }
}

void tachy_source_free(tachy_intake *intake, tachy_source *s) {
  s->slot->sources[s->stream->cls] = NULL;
  tachy_stream_remove(&intake->channel, s->stream);
  tachy_os_release(s);
}

void tachy_source_return(tachy_source *s) {
  tachy_writer *const writer = tachy_slot_writer(s->slot, s->stream->cls);
  uint64_t *const first = &s->slot->first[s->stream->cls];
  if (!s->chunk || head_of(s) != s->position || TACHY_LOAD(&writer->limit) != s->position) return;
  TACHY_STORE(first, 0);
  if (TACHY_COMPARE_EXCHANGE(&s->chunk->next, TACHY_CHUNK_LAST, TACHY_CHUNK_RETURNED)) {
    s->chunk = NULL;
  } else {
    TACHY_STORE(first, (uintptr_t)s->chunk);
  }
}

void tachy_source_free_slot(tachy_slot *slot) {
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    tachy_chunk *const last = tachy_chunk_at(slot->back[cls].chunk);
    if (last && !is_own(slot, last)) tachy_pool_give(last);
  }
  tachy_slot_free(slot);
}

void tachy_intake_release(tachy_intake *intake) {
  while (intake->waiting) {
    tachy_chunk *const chunk = intake->waiting;
    intake->waiting = tachy_chunk_at(chunk->waiting);
    tachy_pool_give(chunk);
  }
  intake->waiting_count = 0;
}

/* What a thread has written of a class so far is nobody's, but for the chunk that it fills. */
static void skip_all(tachy_slot *slot, tachy_class cls) {
  tachy_writer *const writer = tachy_slot_writer(slot, cls);
  tachy_chunk *chunk = tachy_chunk_at(TACHY_LOAD_ACQUIRE(&slot->first[cls]));
  while (chunk) {
    tachy_chunk *const next = tachy_chunk_at(TACHY_LOAD_ACQUIRE(&chunk->next));
    if (!next) break;
    if (!is_own(slot, chunk)) tachy_pool_give(chunk);
    chunk = next;
  }
  TACHY_STORE(&slot->first[cls], (uintptr_t)chunk);
  slot->begin[cls] = TACHY_LOAD_ACQUIRE(&writer->head);
  /* in an earlier pool: the next event takes a chunk of this one. Nothing is being recorded */
  if (!tachy_pool_has_slot(slot)) TACHY_STORE(&writer->limit, slot->begin[cls]);
  slot->lost_before[cls] = TACHY_LOAD_ACQUIRE(&slot->back[cls].lost);
}

void tachy_sources_begin_session(void) {
  for (tachy_slot *slot = tachy_slots_first(); slot; slot = slot->next) {
    const uint32_t state = TACHY_LOAD_ACQUIRE(&slot->state);
    if (state == TACHY_SLOT_FREE) continue;
    for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
      skip_all(slot, (tachy_class)cls);
      slot->sources[cls] = NULL;
    }
    TACHY_STORE(&slot->thread.frame_ticks, 0); /* the time without a session was no frame */
    slot->seen_async_lost = TACHY_LOAD(&slot->async_lost);
    slot->seen_too_deep = TACHY_LOAD(&slot->too_deep);
    slot->seen_mismatched = TACHY_LOAD(&slot->mismatched);
    slot->seen_backwards = TACHY_LOAD(&slot->backwards);
    slot->seen_values_lost = TACHY_LOAD(&slot->values_lost);
    slot->missed_before = slot->seen_async_lost + slot->seen_too_deep;
    if (state == TACHY_SLOT_LIVE) continue;
    TACHY_STORE(&slot->state, TACHY_SLOT_READ);
    tachy_source_free_slot(slot);
  }
}
