/* Passes over all threads. */
#include "drain.h"

#include "../../base/inside.h"
#include "../pool/pool.h"
#include "../send/outbox.h"
#include "../threads/threads.h"

/* What the slot's own counters say since they were last read. */
static uint64_t news(const uint64_t *counter, uint64_t *seen) {
  const uint64_t now = TACHY_LOAD(counter);
  const uint64_t more = now - *seen;
  *seen = now;
  return more;
}

static void read_counters(tachy_collection *c, tachy_slot *slot) {
  tachy_channel *const channel = &c->intakes[TACHY_CLASS_SPAN].channel;
  const uint64_t too_deep = news(&slot->too_deep, &slot->seen_too_deep);
  const uint64_t async_lost = news(&slot->async_lost, &slot->seen_async_lost);
  c->too_deep += too_deep;
  c->mismatched += news(&slot->mismatched, &slot->seen_mismatched);
  c->backwards += news(&slot->backwards, &slot->seen_backwards);
  c->values_lost += news(&slot->values_lost, &slot->seen_values_lost);
  if (too_deep + async_lost == 0) return;
  tachy_source *const source = slot->sources[TACHY_CLASS_SPAN];
  if (source) {
    tachy_stream_drop(channel, source->stream, too_deep + async_lost);
    source->stream->missed += too_deep + async_lost;
  } else {
    channel->lost += too_deep + async_lost;
    channel->recorded += too_deep + async_lost;
  }
}

/* For a cut: the name that its thread has now. */
static void name_stream(const tachy_intake *intake, tachy_slot *slot, tachy_stream *stream) {
  if (!stream->rows && !stream->async_rows) return;
  if (TACHY_LOAD(&slot->state) == TACHY_SLOT_LIVE) {
    tachy_slot_read_name(slot, intake->channel.streams_by_number.count);
  }
  stream->name_size = tachy_slot_name(slot, stream->name);
}

/* Everything that is there, for a cut of the class. */
static void drain_source(tachy_collection *c, tachy_slot *slot, tachy_class cls) {
  tachy_source *const source = tachy_source_of(&c->intakes[cls], slot, 0);
  if (!source) return;
  tachy_source_drain(&c->intakes[cls], source, UINT64_MAX);
  name_stream(&c->intakes[cls], slot, source->stream);
}

/* The thread has ended: reads the rest. The flight recorder does that for spans, some time later. */
static void read_ended(tachy_collection *c, tachy_slot *slot) {
  const tachy_source *const spans = c->flight.on ? tachy_source_of(&c->intakes[TACHY_CLASS_SPAN], slot, 0) : NULL;
  const int kept = spans && !spans->stream->gone;
  read_counters(c, slot);
  for (unsigned i = 1; i < TACHY_CLASSES; i++) {
    if (i != TACHY_CLASS_SPAN || !spans) drain_source(c, slot, (tachy_class)i);
    if (slot->sources[i] && !kept) slot->sources[i]->stream->gone = 1;
  }
  if (!kept) TACHY_STORE(&slot->state, TACHY_SLOT_READ);
}

/* Whether the thread has written something of the class that has not been read, or lost it. */
static int has_news(const tachy_slot *slot, tachy_class cls) {
  const tachy_source *const source = slot->sources[cls];
  const uint64_t head = TACHY_LOAD(&tachy_slot_writer((tachy_slot *)(uintptr_t)slot, cls)->head);
  const uint64_t lost = TACHY_LOAD(&slot->back[cls].lost);
  if (source) return head != source->position || lost > source->emitted;
  return head != slot->begin[cls] || lost != slot->lost_before[cls];
}

int tachy_collection_has_news(const tachy_collection *c) {
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (c->intakes[cls].channel.events) return 1;
  }
  for (const tachy_slot *slot = tachy_slots_first(); slot; slot = slot->next) {
    const uint32_t state = TACHY_LOAD_ACQUIRE(&slot->state);
    if (state == TACHY_SLOT_FREE || state == TACHY_SLOT_READ) continue;
    if (state == TACHY_SLOT_EXITED) return 1;
    for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
      if (has_news(slot, (tachy_class)cls)) return 1;
    }
  }
  return 0;
}

int tachy_collection_is_full(const tachy_collection *c) {
  uint64_t most = 0;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (c->intakes[cls].waiting_count > most) most = c->intakes[cls].waiting_count;
  }
  return most > tachy_pool_limit() / 4;
}

int tachy_collection_read(tachy_collection *c) {
  const uint64_t most = tachy_pool_limit() / 4;
  int all = 1;
  for (tachy_slot *slot = tachy_slots_first(); slot; slot = slot->next) {
    const uint32_t state = TACHY_LOAD_ACQUIRE(&slot->state);
    if (state == TACHY_SLOT_FREE || state == TACHY_SLOT_READ) continue;
    int read = 1;
    for (unsigned i = 1; i < TACHY_CLASSES; i++) {
      if (i == TACHY_CLASS_SPAN && c->flight.on) continue;
      tachy_source *const source = tachy_source_of(&c->intakes[i], slot, 0);
      if (source) read &= tachy_source_read(&c->intakes[i], source, most);
    }
    if (state == TACHY_SLOT_EXITED && read) read_ended(c, slot); /* whatever others have left unread */
    all &= read;
  }
  return all;
}

void tachy_collection_name(tachy_collection *c, unsigned classes) {
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (!(classes >> cls & 1u)) continue;
    tachy_stream *s = c->intakes[cls].channel.streams;
    for (; s; s = s->next) name_stream(&c->intakes[cls], s->source->slot, s);
  }
}

void tachy_collection_drain(tachy_collection *c, unsigned classes) {
  for (tachy_slot *slot = tachy_slots_first(); slot; slot = slot->next) {
    const uint32_t state = TACHY_LOAD_ACQUIRE(&slot->state);
    if (state == TACHY_SLOT_FREE || state == TACHY_SLOT_READ) continue;
    for (unsigned i = 1; i < TACHY_CLASSES; i++) {
      if (classes >> i & 1u) drain_source(c, slot, (tachy_class)i);
    }
    read_counters(c, slot);
  }
}

/* What handlers could not record is in nobody's stream. */
static void read_inside(tachy_collection *c) {
  for (unsigned cls = 0; cls < TACHY_CLASSES; cls++) {
    const uint64_t now = tachy_inside_dropped(cls);
    const uint64_t more = now - c->seen_inside[cls];
    c->seen_inside[cls] = now;
    if (cls == 0) {
      c->values_lost += more;
    } else {
      c->intakes[cls].channel.lost += more;
      c->intakes[cls].channel.recorded += more;
    }
  }
}

void tachy_collection_report(tachy_collection *c) {
  read_inside(c);
  tachy_progress progress = {0};
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    progress.recorded[cls] = c->intakes[cls].channel.recorded;
    progress.dropped[cls] = c->intakes[cls].channel.lost;
    progress.clock_backwards += c->intakes[cls].channel.backwards;
  }
  progress.clock_backwards += c->backwards;
  progress.too_deep = c->too_deep;
  progress.mismatched = c->mismatched;
  progress.values_dropped = c->values_lost + c->intakes[TACHY_CLASS_SPAN].channel.values.lost;
  progress.async_untracked = c->intakes[TACHY_CLASS_SPAN].channel.asyncs.untracked;
  if (c->flight.on) progress.recorded[TACHY_CLASS_SPAN] += tachy_flight_kept(&c->flight);
  progress.not_retained = c->flight.not_retained;
  progress.overwritten = c->flight.overwritten;
  progress.collector_ns = tachy_os_thread_cpu();
  tachy_outbox_report(&progress);
}
