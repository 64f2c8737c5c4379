/* Rings and journals of a dead process, record by record. */
#include "../../base/text.h"
#include "../pool/ring.h"
#include "dead.h"

#define COUNT_MAX (UINT64_C(1) << 48) /* nobody loses so many events */

static uint64_t count_or_none(uint64_t count) { return count < COUNT_MAX ? count : 0; }

/* Positions in a ring are multiples of its smallest record. */
static int is_position(tachy_class cls, uint64_t at) { return at % (cls == TACHY_CLASS_SPAN ? 16 : 8) == 0; }

/* A slot out of the file. */
typedef struct dead_slot {
  const tachy_os_file *file;
  uint64_t offset;
  tachy_slot *slot;
  uint8_t *rings[TACHY_CLASSES]; /* NULL: not read */
} dead_slot;

static int is_site(uint32_t site) { return site > 0 && site <= TACHY_SITE_MAX; }

static uint64_t span_record(const uint8_t *bytes, uint64_t left) {
  const tachy_span_record *const span = (const tachy_span_record *)(const void *)bytes;
  const tachy_async_record *const async = (const tachy_async_record *)(const void *)bytes;
  if (left < sizeof *span) return 0;
  switch (span->begin) {
    case TACHY_CONTROL_LONG:
      return left >= sizeof(tachy_long_record) + sizeof *span ? sizeof(tachy_long_record) : 0;
    case TACHY_CONTROL_ASYNC_BEGIN:
    case TACHY_CONTROL_ASYNC_END:
      return left >= sizeof *async && is_site(async->site) && async->ticks < TACHY_CONTROL_FIRST ? sizeof *async : 0;
    default:
      return span->begin < TACHY_CONTROL_FIRST && is_site(span->word & TACHY_SITE_MAX) ? sizeof *span : 0;
  }
}

static uint64_t log_record(const uint8_t *bytes, uint64_t left) {
  const tachy_log_record *const log = (const tachy_log_record *)(const void *)bytes;
  if (left < sizeof *log || !is_site(log->site) || log->size < sizeof *log || log->size > left || log->size % 8)
    return 0;
  uint64_t at = sizeof *log;
  for (uint32_t types = log->types; types & 15u; types >>= 4) {
    uint32_t text;
    if ((types & 15u) > TACHY_ARG_POINTER || log->size - at < 8) return 0;
    memcpy(&text, bytes + at, sizeof text);
    const uint64_t size = (types & 15u) == TACHY_ARG_TEXT ? tachy_pad8(sizeof text + (uint64_t)text) : 8;
    if (size > log->size - at) return 0;
    at += size;
  }
  return log->size;
}

static uint64_t metric_record(const uint8_t *bytes, uint64_t left) {
  const tachy_metric_record *const metric = (const tachy_metric_record *)(const void *)bytes;
  return left >= sizeof *metric && is_site(metric->site) ? sizeof *metric : 0;
}

uint64_t tachy_dead_records(tachy_class cls, const uint8_t *bytes, uint64_t size) {
  uint64_t at = 0;
  while (size - at >= sizeof(uint64_t)) {
    const uint8_t *const record = bytes + at;
    const uint64_t left = size - at;
    const uint64_t first = *(const uint64_t *)(const void *)record;
    uint64_t step;
    if (first == TACHY_CONTROL_PAD) return size;
    if (first == TACHY_CONTROL_GAP) {
      const tachy_gap_record *const gap = (const tachy_gap_record *)(const void *)record;
      step = left >= sizeof *gap && gap->depth < TACHY_DEPTH_MAX && gap->count < COUNT_MAX ? sizeof *gap : 0;
    } else if (cls == TACHY_CLASS_SPAN) {
      step = span_record(record, left);
    } else if (first >= TACHY_CONTROL_FIRST) {
      step = 0;
    } else {
      step = cls == TACHY_CLASS_LOG ? log_record(record, left) : metric_record(record, left);
    }
    if (step == 0) break;
    at += step;
  }
  return at;
}

/* Feeds what makes sense. */
static void feed(tachy_channel *channel, tachy_stream *s, const uint8_t *bytes, uint64_t size) {
  const uint64_t good = tachy_dead_records(channel->cls, bytes, size);
  if (good) tachy_stream_feed(channel, s, bytes, good);
  if (good != size) tachy_stream_drop(channel, s, 1);
}

static void replay_data(tachy_channel *channel, tachy_stream *s, const tachy_journal_entry *entry,
                        const uint8_t *bytes) {
  /* what a cut has read, and was then told of by the state, is here once more */
  const uint64_t known = s->position > entry->first ? s->position - entry->first : 0;
  if (known >= entry->size || entry->second > entry->size || !is_position(channel->cls, known | entry->second)) return;
  if (known < entry->second) feed(channel, s, bytes + known, entry->second - known);
  const uint64_t from = known > entry->second ? known : entry->second;
  feed(channel, s, bytes + from, entry->size - from);
  s->position = entry->first + entry->size;
}

static int replay(tachy_channel *channel, const tachy_journal_entry *entry, const uint8_t *bytes) {
  tachy_stream *s = tachy_stream_find(channel, entry->number);
  if (entry->kind == TACHY_JOURNAL_BEGIN && !s) {
    s = tachy_stream_new(channel, entry->number);
    if (!s) return 0;
    s->position = entry->first;
    s->os_id = entry->second;
    s->own_front = (tachy_ring_front){entry->told, entry->emitted};
    s->seen_missed = TACHY_UNSEEN;
  }
  if (!s) return 1;
  if (entry->kind == TACHY_JOURNAL_DATA) replay_data(channel, s, entry, bytes);
  if (entry->kind == TACHY_JOURNAL_GAP && entry->second < TACHY_DEPTH_MAX && entry->first < COUNT_MAX) {
    tachy_stream_gap(channel, s, entry->first, (uint32_t)entry->second);
    s->own_front.emitted += entry->first;
  }
  if (entry->kind == TACHY_JOURNAL_END && entry->size < TACHY_THREAD_NAME_MAX) {
    memcpy(s->name, bytes, entry->size);
    s->name_size = (uint32_t)entry->size;
    if (s->depth > s->open) s->depth = s->open; /* nobody knows any more what was open */
    tachy_stream_drop(channel, s, count_or_none(entry->first));
    s->gone = 1;
  }
  return 1;
}

int tachy_dead_replay(tachy_channel *channel, const uint8_t *journal, uint64_t size) {
  for (uint64_t at = 0; size - at >= sizeof(tachy_journal_entry);) {
    tachy_journal_entry entry;
    memcpy(&entry, journal + at, sizeof entry);
    at += sizeof entry;
    if (entry.size > size - at || tachy_pad8(entry.size) > size - at) break;
    if (!replay(channel, &entry, journal + at)) return 0;
    at += tachy_pad8(entry.size);
  }
  return 1;
}

/* The end of what can be read in the slot's ring. */
static uint64_t readable(tachy_class cls, const tachy_slot *slot, uint64_t position) {
  const tachy_ring *const ring = tachy_slot_ring((tachy_slot *)(uintptr_t)slot, cls);
  const uint64_t size = slot->back[cls].size;
  const uint8_t *const memory = tachy_slot_memory((tachy_slot *)(uintptr_t)slot, cls);
  if (slot->back[cls].mapped != TACHY_RING_HERE || position > ring->head || ring->head - position > size ||
      !is_position(cls, position)) {
    return position;
  }
  uint64_t at = position;
  while (at < ring->head) {
    const uint64_t lap_left = size - (at & (size - 1));
    const uint64_t piece = ring->head - at < lap_left ? ring->head - at : lap_left;
    const uint64_t good = tachy_dead_records(cls, memory + (at & (size - 1)), piece);
    at += good;
    if (good != piece) break;
  }
  return at;
}

/* The entry of the stack is a span whose record is out: the thread died between the two. */
static int has_ended(const tachy_slot *slot, uint32_t depth) {
  const uint64_t size = slot->back[TACHY_CLASS_SPAN].size;
  const uint64_t head = slot->thread.span.head;
  if (slot->back[TACHY_CLASS_SPAN].mapped != TACHY_RING_HERE || head < sizeof(tachy_span_record) ||
      !is_position(TACHY_CLASS_SPAN, head)) {
    return 0;
  }
  const uint8_t *const memory = tachy_slot_memory((tachy_slot *)(uintptr_t)slot, TACHY_CLASS_SPAN);
  const tachy_span_record *const last =
      (const tachy_span_record *)(const void *)(memory + ((head - sizeof *last) & (size - 1)));
  return last->begin == slot->thread.stack[depth].begin &&
         last->word == (depth << TACHY_DEPTH_SHIFT | slot->thread.stack[depth].site);
}

/* The spans that have begun since the last row are open too. */
static void open_rest(tachy_stream *s, const tachy_slot *slot) {
  uint32_t depth = slot->thread.depth < TACHY_DEPTH_MAX ? slot->thread.depth : TACHY_DEPTH_MAX;
  if (depth > s->depth && has_ended(slot, depth - 1)) depth--;
  for (uint32_t k = s->depth; k < depth; k++) {
    const tachy_open_span *const entry = &slot->thread.stack[k];
    if (!is_site(entry->site)) return;
    s->ends[k].ticks = entry->begin;
    s->ends[k].site = entry->site;
    s->depth = k + 1;
  }
}

/* The ring's memory as far as it is needed: from a record before the position on. Rings may be of any size, and what is
 * not needed takes no memory. 0: there is none, or it could not be read. */
static int read_ring(dead_slot *dead, tachy_class cls, uint64_t position) {
  tachy_ring_back *const back = &dead->slot->back[cls];
  const uint64_t head = tachy_slot_ring(dead->slot, cls)->head;
  if (back->mapped != TACHY_RING_HERE) return 1;
  uint8_t *const memory = tachy_os_map(back->size);
  if (!memory) return 0;
  uint64_t from = position < sizeof(tachy_span_record) ? 0 : position - sizeof(tachy_span_record);
  if (head - from > back->size) from = head < back->size ? 0 : head - back->size;
  while (from < head) {
    const uint64_t at = from & (back->size - 1);
    const uint64_t piece = head - from < back->size - at ? head - from : back->size - at;
    if (!tachy_os_file_read(dead->file, dead->offset + back->offset + at, memory + at, piece)) {
      tachy_os_unmap(memory, back->size);
      return 0;
    }
    from += piece;
  }
  dead->rings[cls] = memory;
  back->offset = (uint64_t)((uintptr_t)memory - (uintptr_t)dead->slot);
  return 1;
}

static int read_slot(tachy_channel *channel, dead_slot *dead) {
  const tachy_class cls = channel->cls;
  tachy_slot *const slot = dead->slot;
  tachy_ring *const ring = tachy_slot_ring(slot, cls);
  const int open = cls == TACHY_CLASS_SPAN && slot->thread.depth > 0;
  tachy_stream *s = tachy_stream_find(channel, slot->thread.number);
  if (!s) {
    if (ring->head == slot->tail[cls] && slot->back[cls].lost == slot->front[cls].emitted && !open) return 1;
    s = tachy_stream_new(channel, slot->thread.number);
    if (!s) return 0;
    s->position = slot->tail[cls];
    s->os_id = slot->os_id;
    s->own_front = slot->front[cls];
    s->seen_missed = TACHY_UNSEEN;
  }
  if (!read_ring(dead, cls, s->position)) return 0;
  s->slot = slot;
  if (s->known) s->own_front = slot->front[cls]; /* the flight recorder has told of these losses */
  const uint64_t end = readable(cls, slot, s->position);
  const int damaged = end != ring->head && slot->back[cls].mapped == TACHY_RING_HERE;
  ring->head = end;
  /* nobody writes any more: what is lost and untold ends as it stands */
  if (slot->back[cls].lost - s->front->told >= COUNT_MAX) slot->back[cls].lost = s->front->told;
  if (slot->back[cls].lost_depth >= TACHY_DEPTH_MAX) {
    slot->back[cls].lost_depth = s->depth < TACHY_DEPTH_MAX ? s->depth : TACHY_DEPTH_MAX - 1;
  }
  tachy_stream_settle(channel, s);
  if (damaged) tachy_stream_drop(channel, s, 1);
  if (cls == TACHY_CLASS_SPAN) {
    const uint64_t seen = s->seen_missed == TACHY_UNSEEN ? slot->missed_before : s->seen_missed;
    if (!s->gone) tachy_stream_drop(channel, s, count_or_none(tachy_slot_missed(slot) - seen));
    open_rest(s, slot);
  }
  slot->name[TACHY_THREAD_NAME_MAX - 1] = 0;
  s->name_size = (uint32_t)strlen(slot->name);
  memcpy(s->name, slot->name, sizeof s->name);
  tachy_text_clean((uint8_t *)s->name, s->name_size);
  s->slot = NULL;
  return 1;
}

/* Whether the rings lie behind the slot, and in it. */
static int fits(tachy_slot *slot, uint64_t size) {
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    const tachy_ring_back *const back = &slot->back[cls];
    if (back->size < 4096 || (back->size & (back->size - 1)) != 0 || back->size > size) return 0;
    if (back->mapped == TACHY_RING_HERE && (back->offset < sizeof *slot || back->offset > size - back->size)) return 0;
    if (back->offset % 16 || !is_position((tachy_class)cls, tachy_slot_ring(slot, (tachy_class)cls)->head)) return 0;
  }
  return 1;
}

static int is_whole(dead_slot *dead, uint64_t size) {
  tachy_slot *const slot = dead->slot;
  if (!tachy_os_file_read(dead->file, dead->offset, slot, sizeof *slot)) return 0;
  if (slot->state != TACHY_SLOT_LIVE && slot->state != TACHY_SLOT_EXITED) return 0;
  for (uint32_t k = 0; k < TACHY_DEPTH_MAX; k++) slot->thread.stack[k].site &= TACHY_SITE_MAX;
  return fits(slot, size);
}

int tachy_dead_read_slot(tachy_channel *channels, const tachy_os_file *file, const tachy_session_slot *place) {
  dead_slot dead = {file, place->offset, (tachy_slot *)tachy_os_map(sizeof(tachy_slot)), {NULL}};
  if (!dead.slot) return 0;
  int ok = 1;
  if (is_whole(&dead, place->size)) {
    for (unsigned cls = 1; cls < TACHY_CLASSES && ok; cls++) ok = read_slot(&channels[cls], &dead);
  }
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) tachy_os_unmap(dead.rings[cls], dead.slot->back[cls].size);
  tachy_os_unmap(dead.slot, sizeof *dead.slot);
  return ok;
}

/* Of the ring, positions [from, to), which are less than a lap. */
static int discard(tachy_os_file *file, uint64_t ring, uint64_t size, uint64_t from, uint64_t to) {
  const uint64_t at = from & (size - 1);
  const uint64_t first = to - from < size - at ? to - from : size - at;
  int some = first && tachy_os_file_discard(file, ring + at, first);
  if (to - from > first) some |= tachy_os_file_discard(file, ring, to - from - first);
  return some;
}

int tachy_dead_thin_slot(tachy_os_file *file, const tachy_session_slot *place) {
  dead_slot dead = {file, place->offset, (tachy_slot *)tachy_os_map(sizeof(tachy_slot)), {NULL}};
  if (!dead.slot) return 0;
  int some = 0;
  if (is_whole(&dead, place->size)) {
    for (unsigned i = 1; i < TACHY_CLASSES; i++) {
      const tachy_class cls = (tachy_class)i;
      const tachy_ring_back *const back = &dead.slot->back[cls];
      const uint64_t head = tachy_slot_ring(dead.slot, cls)->head;
      const uint64_t tail = dead.slot->tail[cls];
      const uint64_t kept = sizeof(tachy_span_record); /* has_ended looks at one before */
      if (back->mapped != TACHY_RING_HERE || tail > head || head - tail + kept >= back->size) continue;
      some |= discard(file, place->offset + back->offset, back->size, head, tail + back->size - kept);
    }
  }
  tachy_os_unmap(dead.slot, sizeof *dead.slot);
  return some;
}
