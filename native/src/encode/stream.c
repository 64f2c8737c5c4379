/* Streams: their life, gaps, the tick unit, and the one moment at which the shadow stack is known. */
#include "stream.h"

#include "../recorder/collect/reel.h"
#include "../recorder/pool/ring.h"
#include "../recorder/threads/triggers.h"
#include "open_async.h"

enum { RESCALES = 4 };

tachy_divider tachy_divider_make(uint64_t unit) {
  tachy_divider d = {unit, 0, UINT64_MAX / unit, 0};
  uint64_t odd = unit;
  for (; (odd & 1) == 0; odd >>= 1) d.shift++;
  uint64_t inverse = odd; /* right in 3 bits; each round doubles them */
  for (unsigned i = 0; i < 5; i++) inverse *= 2 - odd * inverse;
  d.inverse = inverse;
  return d;
}

uint64_t tachy_channel_divide_slow(tachy_channel *channel, uint64_t v) {
  const uint64_t unit = tachy_gcd(channel->divider.unit, v);
  const uint64_t factor = channel->divider.unit / unit;
  for (tachy_stream *s = channel->streams; s; s = s->next) {
    if (!tachy_plane_scale(&s->planes[TACHY_PLANE_LEAD], factor)) s->broken = 1;
    if (!tachy_plane_scale(&s->planes[TACHY_PLANE_TAIL], factor)) s->broken = 1;
  }
  channel->divider = tachy_divider_make(unit);
  return v / unit;
}

tachy_stream *tachy_stream_find(const tachy_channel *channel, uint32_t number) {
  tachy_stream *s = channel->streams;
  while (s && s->number != number) s = s->next;
  return s;
}

tachy_stream *tachy_stream_new(tachy_channel *channel, uint32_t number) {
  tachy_stream **link = &channel->streams;
  while (*link && (*link)->number < number) link = &(*link)->next;
  if (*link && (*link)->number == number) return NULL;
  tachy_stream *const s = tachy_os_allocate(sizeof *s);
  if (!s) return NULL;
  memset(s, 0, sizeof *s);
  if (channel->cls == TACHY_CLASS_SPAN) {
    const size_t levels = (TACHY_DEPTH_MAX + 2) * sizeof *s->levels;
    const size_t opens = TACHY_DEPTH_MAX * sizeof *s->opens;
    uint8_t *const memory = tachy_os_allocate(levels + 2 * opens);
    if (!memory) {
      tachy_os_release(s);
      return NULL;
    }
    memset(memory + levels, 0, 2 * opens);
    s->levels = (tachy_span_level *)(void *)memory;
    s->opens = (tachy_open_row *)(void *)(memory + levels);
    s->ends = s->opens + TACHY_DEPTH_MAX;
    for (unsigned i = 0; i < TACHY_DEPTH_MAX + 2; i++) s->levels[i] = (tachy_span_level){TACHY_NO_TICKS, 0};
  }
  s->number = number;
  s->front = &s->own_front;
  s->last = TACHY_NO_TICKS;
  s->base = TACHY_NO_TICKS;
  s->begin_ticks = UINT64_MAX;
  s->begin_utc = INT64_MAX;
  s->next = *link;
  *link = s;
  return s;
}

tachy_stream *tachy_stream_make(tachy_channel *channel, tachy_slot *slot) {
  tachy_stream *const s = tachy_stream_new(channel, slot->thread.number);
  if (!s) return NULL;
  s->slot = slot;
  s->front = &slot->front[channel->cls];
  s->own_front = *s->front;
  s->os_id = slot->os_id;
  s->position = slot->tail[channel->cls];
  return s;
}

void tachy_stream_next_block(tachy_stream *s) {
  for (unsigned i = 0; i < TACHY_PLANES; i++) tachy_plane_clear(&s->planes[i]);
  s->floats.size = s->text.size = s->raw.size = 0;
  s->rows = s->gap_rows = s->async_rows = s->dropped = s->missed = 0;
  s->first = s->total;
  s->base = s->last;
  s->begin_ticks = UINT64_MAX;
  s->begin_utc = INT64_MAX;
  s->end_ticks = 0;
  s->broken = 0;
  if (!s->levels) return;
  for (uint32_t i = 0; i <= s->deepest + 1; i++) s->levels[i] = (tachy_span_level){TACHY_NO_TICKS, 0};
  s->deepest = 0;
  tachy_open_row *const ends = s->ends;
  s->ends = s->opens;
  s->opens = ends;
  s->at_start = s->at_end;
  s->open = s->at_end;
}

void tachy_channel_next_block(tachy_channel *channel, tachy_clock_pair from, int made) {
  for (tachy_stream **link = &channel->streams; *link;) {
    tachy_stream *const s = *link;
    if (s->slot || s->held.size || (s->reel && tachy_reel_oldest(s->reel) != UINT64_MAX)) {
      tachy_stream_next_block(s);
      link = &s->next;
    } else {
      *link = s->next;
      tachy_stream_free(s);
    }
  }
  /* A unit that never holds is not worth trying again. */
  channel->rescaled = channel->divider.unit == channel->unit ? 0 : channel->rescaled + 1;
  if (channel->rescaled == RESCALES) channel->unit = channel->divider.unit;
  channel->divider = tachy_divider_make(channel->unit);
  tachy_tables_clear(&channel->tables);
  if (channel->watch) channel->watch->kinds.size = 0;
  channel->events = 0;
  tachy_open_async_resume(channel);
  channel->sequence += (uint64_t)made;
  if (from.ticks != channel->from.ticks) tachy_past_add(&channel->past, channel->from);
  channel->from = from;
}

void tachy_stream_free(tachy_stream *s) {
  tachy_reel_free(s->reel);
  for (unsigned i = 0; i < TACHY_PLANES; i++) tachy_plane_free(&s->planes[i]);
  tachy_bytes_free(&s->floats);
  tachy_bytes_free(&s->text);
  tachy_bytes_free(&s->raw);
  tachy_bytes_free(&s->held);
  tachy_os_release(s->levels);
  tachy_os_release(s);
}

void tachy_stream_remove(tachy_channel *channel, tachy_stream *stream) {
  tachy_stream **link = &channel->streams;
  while (*link != stream) link = &(*link)->next;
  *link = stream->next;
  tachy_stream_free(stream);
}

void tachy_channel_free(tachy_channel *channel) {
  while (channel->streams) tachy_stream_remove(channel, channel->streams);
  tachy_tables_free(&channel->tables);
  tachy_open_async_free(&channel->asyncs);
}

void tachy_stream_drop(tachy_channel *channel, tachy_stream *s, uint64_t count) {
  s->dropped += count;
  channel->lost += count;
  channel->recorded += count;
}

void tachy_stream_gap(tachy_channel *channel, tachy_stream *s, uint64_t count, uint32_t depth) {
  tachy_stream_drop(channel, s, count);
  s->total += count;
  s->rows++;
  s->gap_rows++;
  int ok = tachy_plane_append(&s->planes[TACHY_PLANE_SITE], 0) && tachy_plane_append(&s->planes[TACHY_PLANE_LEAD], 0) &&
           tachy_plane_append(&s->planes[TACHY_PLANE_GAP], count);
  if (channel->cls != TACHY_CLASS_SPAN) {
    ok = ok && tachy_plane_append(&s->planes[TACHY_PLANE_SET], 0);
    if (!ok) s->broken = 1;
    return;
  }
  ok = ok && tachy_plane_append(&s->planes[TACHY_PLANE_TAIL], 0) &&
       tachy_plane_append(&s->planes[TACHY_PLANE_DEPTH], tachy_zigzag((int64_t)depth - (int64_t)s->depth));
  if (!ok) s->broken = 1;
  tachy_span_level *const level = &s->levels[depth];
  if (depth > s->deepest) s->deepest = depth;
  level->size += count;
  for (uint32_t d = depth + 1; d <= s->deepest; d++) {
    level->size += s->levels[d].size;
    if (level->child == TACHY_NO_TICKS) level->child = s->levels[d].child;
    s->levels[d] = (tachy_span_level){TACHY_NO_TICKS, 0};
  }
  if (depth < s->open) s->open = depth;
  s->depth = depth;
}

static void tell_gap(tachy_channel *channel, tachy_stream *s, uint64_t count, uint32_t depth) {
  if (s->reel) {
    tachy_reel_gap(s->reel, count, depth);
  } else {
    tachy_stream_gap(channel, s, count, depth);
  }
}

/* Called for a gap record: what is new in it becomes a row. */
static void read_gap(tachy_channel *channel, tachy_stream *s, const tachy_gap_record *record) {
  tachy_ring_front *const front = s->front;
  front->told += record->count;
  if (front->told <= front->emitted) return;
  const uint64_t count = front->told - front->emitted;
  front->emitted = front->told;
  tell_gap(channel, s, count, (uint32_t)record->depth);
}

void tachy_stream_feed(tachy_channel *channel, tachy_stream *s, const uint8_t *bytes, uint64_t size) {
  s->position += size;
  while (size > 0) {
    uint64_t run = size; /* of padding: it ends with the lap */
    const uint64_t first = *(const uint64_t *)(const void *)bytes;
    if (first == TACHY_CONTROL_GAP) {
      read_gap(channel, s, (const tachy_gap_record *)(const void *)bytes);
      run = sizeof(tachy_gap_record);
    } else if (first != TACHY_CONTROL_PAD) {
      run = s->reel                            ? tachy_reel_records(s->reel, bytes, size, s->position - size)
            : channel->cls == TACHY_CLASS_SPAN ? tachy_span_records(channel, s, bytes, size)
                                               : tachy_row_records(channel, s, bytes, size);
    }
    bytes += run;
    size -= run;
  }
}

void tachy_stream_read(tachy_channel *channel, tachy_stream *s, uint64_t head) {
  const uint64_t size = s->slot->back[channel->cls].size;
  const uint64_t mask = size - 1;
  const uint8_t *const memory = tachy_slot_memory(s->slot, channel->cls);
  while (s->position < head) {
    const uint64_t lap_left = size - (s->position & mask);
    const uint64_t piece = head - s->position < lap_left ? head - s->position : lap_left;
    tachy_stream_feed(channel, s, memory + (s->position & mask), piece);
  }
}

/* Copies entries [from, to) of the stack. */
static void copy_stack(tachy_stream *s, uint32_t from, uint32_t to) {
  for (uint32_t k = from; k < to; k++) {
    const tachy_open_span *const entry = &s->slot->thread.stack[k];
    s->ends[k].site = TACHY_LOAD_ACQUIRE(&entry->site);
    s->ends[k].ticks = TACHY_LOAD_ACQUIRE(&entry->begin);
  }
}

/* Puts back what records published while the stack was copied have ended since: the first record of each depth is the
 * entry that was open. 0: a gap is among them, so it cannot be told. */
static int repair_stack(tachy_stream *s, uint64_t head) {
  const uint64_t size = s->slot->back[TACHY_CLASS_SPAN].size;
  const uint64_t mask = size - 1;
  const uint8_t *const memory = tachy_slot_memory(s->slot, TACHY_CLASS_SPAN);
  uint32_t left = s->depth; /* entries at and above have been put back */
  for (uint64_t at = s->position; at < head && left > 0;) {
    const uint8_t *const record = memory + (at & mask);
    const uint64_t bytes = tachy_record_size(TACHY_CLASS_SPAN, record, size - (at & mask));
    const tachy_span_record *const span = (const tachy_span_record *)(const void *)record;
    if (span->begin == TACHY_CONTROL_GAP) return 0;
    if (span->begin < TACHY_CONTROL_FIRST) {
      const uint32_t depth = span->word >> TACHY_DEPTH_SHIFT;
      if (depth < left) {
        s->ends[depth].ticks = span->begin;
        s->ends[depth].site = span->word & TACHY_SITE_MAX;
        left = depth;
      }
    }
    at += bytes;
  }
  return 1;
}

tachy_untold tachy_stream_settle(tachy_channel *channel, tachy_stream *s) {
  const tachy_class cls = channel->cls;
  const tachy_ring *const ring = tachy_slot_ring(s->slot, cls);
  const tachy_ring_back *const back = &s->slot->back[cls];
  tachy_ring_front *const front = s->front;
  const int spans = cls == TACHY_CLASS_SPAN;
  /* Ends: the tail stays where it is, so the thread cannot publish more than a ring. */
  for (;;) {
    const uint64_t head = TACHY_LOAD_ACQUIRE(&ring->head);
    tachy_stream_read(channel, s, head);
    if (spans) copy_stack(s, 0, s->depth);
    uint64_t lost = TACHY_LOAD_ACQUIRE(&back->lost);
    if (lost == front->told) {
      const uint64_t now = TACHY_LOAD_ACQUIRE(&ring->head);
      if (now == head || !spans || repair_stack(s, now)) return (tachy_untold){0, 0};
      continue;
    }
    /* Events were lost and their gap record is not out. What the thread opened since then has nothing that ended it in
     * the ring, so the block gets a gap row now; the record's share is taken off when it comes. */
    uint32_t depth = 0;
    if (spans) {
      depth = TACHY_LOAD_ACQUIRE(&back->lost_depth);
      if (depth >= TACHY_DEPTH_MAX) continue;
      if (depth > s->depth) copy_stack(s, s->depth, depth);
      lost = TACHY_LOAD_ACQUIRE(&back->lost);
      const uint32_t again = TACHY_LOAD_ACQUIRE(&back->lost_depth);
      if (again < depth) depth = again;
    }
    if (TACHY_LOAD_ACQUIRE(&ring->head) != head) continue;
    const tachy_untold untold = {lost > front->emitted ? lost - front->emitted : 0, depth};
    if (untold.count) tell_gap(channel, s, untold.count, untold.depth);
    front->emitted += untold.count;
    return untold;
  }
}
