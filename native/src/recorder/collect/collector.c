/* The collector: the thread that drains the rings and cuts blocks. */
#include "collector.h"

#include "../../encode/open_async.h"
#include "../control.h"
#include "../pool/ring.h"
#include "../pool/session_file.h"
#include "../send/description.h"
#include "../send/outbox.h"
#include "../threads/triggers.h"
#include "flight.h"
#include "journal.h"
#include "report.h"
#include "state.h"

enum { POLL_MIN_MS = 2, POLL_MAX_MS = 50, HALF_FULL = 128, BLOCK_BYTES = 16 << 20 };

typedef struct collector {
  tachy_channel channels[TACHY_CLASSES];
  tachy_report report;
  uint8_t process_id[16];
  uint64_t flush_ns;
  uint64_t block_events;
  uint64_t too_deep;
  uint64_t mismatched;
  uint64_t backwards;
  tachy_flight flight;
  tachy_watch watches[TACHY_CLASSES];
  unsigned full; /* classes, a bit each, whose journal has no room for what is in the rings */
} collector;

static tachy_os_mutex mutex = TACHY_OS_MUTEX_INIT;
static tachy_os_bell bell;       /* wakes the collector */
static uint32_t rung;            /* atomic: and will look at the rings once more; one ring is enough */
static tachy_os_condition reply; /* who asked it for a cut */
static uint64_t cuts_wanted;
static uint64_t cuts_made;
static uint64_t cut_ordinal;
static int stopping;
static collector *running; /* NULL: none */
static tachy_os_thread thread;

void tachy_collector_lock(void) { tachy_os_lock(&mutex); }
void tachy_collector_unlock(void) { tachy_os_unlock(&mutex); }

void tachy_collector_init(void) {
  tachy_os_bell_init(&bell);
  TACHY_STORE(&rung, 0);
  tachy_os_condition_init(&reply);
}

static tachy_stream *stream_of(collector *c, tachy_slot *slot, tachy_class cls) {
  tachy_stream *const stream = slot->streams[cls];
  if (stream) return stream;
  const uint64_t lost = TACHY_LOAD_ACQUIRE(&slot->back[cls].lost);
  if (TACHY_LOAD_ACQUIRE(&tachy_slot_ring(slot, cls)->head) == slot->tail[cls] && lost == slot->front[cls].emitted) {
    return NULL;
  }
  tachy_stream *const made = tachy_stream_make(&c->channels[cls], slot);
  if (made && c->flight.on && cls == TACHY_CLASS_SPAN && !tachy_flight_join(&c->flight, made)) {
    tachy_stream_remove(&c->channels[cls], made);
    return NULL;
  }
  return slot->streams[cls] = made;
}

/* What the slot's own counters say since they were last read. */
static uint64_t news(const uint64_t *counter, uint64_t *seen) {
  const uint64_t now = TACHY_LOAD(counter);
  const uint64_t more = now - *seen;
  *seen = now;
  return more;
}

static void read_counters(collector *c, tachy_slot *slot) {
  tachy_channel *const channel = &c->channels[TACHY_CLASS_SPAN];
  const uint64_t too_deep = news(&slot->too_deep, &slot->seen_too_deep);
  const uint64_t async_lost = news(&slot->async_lost, &slot->seen_async_lost);
  c->too_deep += too_deep;
  c->mismatched += news(&slot->mismatched, &slot->seen_mismatched);
  c->backwards += news(&slot->backwards, &slot->seen_backwards);
  if (too_deep + async_lost == 0) return;
  tachy_stream *const stream = slot->streams[TACHY_CLASS_SPAN];
  if (stream) {
    tachy_stream_drop(channel, stream, too_deep + async_lost);
    stream->missed += too_deep + async_lost;
  } else {
    channel->lost += too_deep + async_lost;
    channel->recorded += too_deep + async_lost;
  }
}

/* Gives the thread back what has been read and is in the journal or in a batch. */
static void release_tail(tachy_slot *slot, tachy_class cls) {
  TACHY_STORE_RELEASE(&slot->tail[cls], slot->streams[cls]->position);
}

/* Reads a ring up to `head`. 0: the journal is full, a block must be cut first. What goes to a reel is in no journal:
 * it is worth something only if a trigger comes. */
static int read_ring(collector *c, tachy_stream *stream, tachy_class cls, uint64_t head) {
  if (!stream->reel && !tachy_journal_ring(cls, stream, head)) {
    c->full |= 1u << cls;
    return 0;
  }
  tachy_stream_read(&c->channels[cls], stream, head);
  release_tail(stream->slot, cls);
  return 1;
}

/* The thread has gone: reads the rest and lets the slot go, unless a block must be cut first. */
static void detach(collector *c, tachy_slot *slot) {
  read_counters(c, slot);
  for (unsigned i = 1; i < TACHY_CLASSES; i++) {
    const tachy_class cls = (tachy_class)i;
    tachy_stream *const stream = stream_of(c, slot, cls);
    if (!stream) continue;
    if (!read_ring(c, stream, cls, TACHY_LOAD_ACQUIRE(&tachy_slot_ring(slot, cls)->head))) return;
    const tachy_untold untold = tachy_stream_settle(&c->channels[cls], stream);
    stream->name_size = tachy_slot_name(slot, stream->name);
    if (!stream->reel && !tachy_journal_end(cls, stream, untold)) {
      c->full |= 1u << cls;
      return;
    }
    stream->slot = NULL;
    slot->streams[cls] = NULL;
  }
  tachy_slot_free(slot);
}

/* One pass over all rings. Returns how full the fullest one was, in 1/256. */
static uint64_t drain(collector *c) {
  uint64_t fullest = 0;
  c->full = 0;
  for (tachy_slot *slot = tachy_slots_first(); slot; slot = slot->next) {
    const uint32_t state = TACHY_LOAD_ACQUIRE(&slot->state);
    if (state == TACHY_SLOT_FREE) continue;
    for (unsigned i = 1; i < TACHY_CLASSES; i++) {
      const tachy_class cls = (tachy_class)i;
      tachy_stream *const stream = stream_of(c, slot, cls);
      if (!stream) continue;
      const uint64_t head = TACHY_LOAD_ACQUIRE(&tachy_slot_ring(slot, cls)->head);
      const uint64_t part = (head - stream->position) * 256 / slot->back[cls].size;
      if (part > fullest) fullest = part;
      read_ring(c, stream, cls, head);
    }
    if (state == TACHY_SLOT_EXITED) detach(c, slot);
  }
  return fullest;
}

static void settle(collector *c, unsigned classes) {
  for (tachy_slot *slot = tachy_slots_first(); slot; slot = slot->next) {
    if (TACHY_LOAD_ACQUIRE(&slot->state) == TACHY_SLOT_FREE) continue;
    tachy_slot_read_name(slot);
    for (unsigned i = 1; i < TACHY_CLASSES; i++) {
      const tachy_class cls = (tachy_class)i;
      if (!(classes >> i & 1u)) continue;
      tachy_stream *const stream = stream_of(c, slot, cls);
      if (!stream) continue;
      tachy_stream_settle(&c->channels[cls], stream);
      stream->name_size = tachy_slot_name(slot, stream->name);
    }
    read_counters(c, slot);
  }
}

static void tell(const collector *c) {
  tachy_progress progress = {0};
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    progress.recorded[cls] = c->channels[cls].recorded;
    progress.lost[cls] = c->channels[cls].lost;
    progress.clock_backwards += c->channels[cls].backwards;
  }
  progress.clock_backwards += c->backwards;
  progress.too_deep = c->too_deep;
  progress.mismatched = c->mismatched;
  progress.async_untracked = c->channels[TACHY_CLASS_SPAN].asyncs.untracked;
  progress.recorded[TACHY_CLASS_SPAN] += c->flight.reels.events;
  progress.passed_over = c->flight.passed_over;
  progress.overwritten = c->flight.overwritten;
  progress.collector_ns = tachy_os_thread_cpu();
  tachy_outbox_tell(&progress);
}

static void save(const tachy_channel *channel) {
  if (!tachy_session_file_protects()) return;
  tachy_bytes state = {0};
  if (!tachy_state_write(&state, channel)) state.size = 0;
  tachy_session_file_save(channel->cls, &state);
  tachy_bytes_free(&state);
  for (tachy_stream *s = channel->streams; s; s = s->next) s->known = 1;
}

static void release_tails(unsigned classes) {
  for (tachy_slot *slot = tachy_slots_first(); slot; slot = slot->next) {
    for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
      if ((classes >> cls & 1u) && slot->streams[cls]) release_tail(slot, (tachy_class)cls);
    }
  }
}

/* Puts the blocks into the outbox as one batch. The batch's file is written, then the commit makes it valid and the
 * rings' content old, then it may be sent. */
static void commit(collector *c, tachy_block *blocks, unsigned classes, int last) {
  tachy_bytes description = {0};
  const int described = tachy_description_write(&description);
  const uint64_t size = description.size;
  if (!described || !tachy_description_end(&description, last ? "exited" : "running")) tachy_bytes_free(&description);
  tachy_batch *const batch = tachy_outbox_make(blocks, description, last);
  tachy_session_file_commit(c->process_id, tachy_clock_frequency(), batch ? batch->description.bytes : NULL, size);
  if (last) tachy_session_file_done();
  release_tails(classes);
  tachy_outbox_put(batch, last);
}

/* Cuts the classes (a bit each) at one moment, for one batch. */
static void cut(collector *c, unsigned classes, int last) {
  const unsigned metrics = classes & 1u << TACHY_CLASS_METRIC;
  settle(c, classes);
  tell(c);
  if (metrics && tachy_report_losses(&c->report, last)) settle(c, metrics);
  const tachy_clock_pair now = tachy_clock_now(); /* after the rings were read: no event is later */
  tachy_clock_refine(now);
  tachy_block *blocks = NULL;
  tachy_block **link = &blocks;
  for (unsigned i = 1; i < TACHY_CLASSES; i++) {
    if (!(classes >> i & 1u)) continue;
    tachy_channel *const channel = &c->channels[i];
    channel->frequency = tachy_clock_frequency();
    int failed;
    tachy_block *const block = tachy_block_make(channel, c->process_id, now, last, 0, &failed);
    if (!block && !failed) {
      classes &= ~(1u << i);
      continue;
    }
    if (failed) {
      tachy_outbox_drop((tachy_class)i, channel->events);
    } else {
      *link = block;
      link = &block->next;
    }
    tachy_channel_next_block(channel, now, 1);
    save(channel);
  }
  tell(c);
  if (c->flight.on) save(&c->channels[TACHY_CLASS_SPAN]);
  if (classes || last) commit(c, blocks, classes, last);
}

/* Goes on with the flight recorder. 1: there is more to do. */
static int fly(collector *c, tachy_flight_pace pace) {
  tachy_block *block;
  int more;
  do {
    more = tachy_flight_step(&c->flight, pace, &block);
    if (block) {
      save(&c->channels[TACHY_CLASS_SPAN]);
      commit(c, block, 0, 0);
      tachy_flight_release(&c->flight);
    }
    if (more && pace >= TACHY_FLIGHT_FLUSH) drain(c);
  } while (more && pace >= TACHY_FLIGHT_FLUSH);
  tell(c);
  return more;
}

/* Follows the mode that is wanted. */
static void follow_mode(collector *c) {
  const unsigned spans = 1u << TACHY_CLASS_SPAN;
  const int wanted = tachy_triggers_mode() == TACHY_MODE_FLIGHT;
  if (wanted == c->flight.on) return;
  if (wanted) {
    if (c->channels[TACHY_CLASS_SPAN].streams) cut(c, spans, 0); /* none: the session begins */
    tachy_flight_enter(&c->flight, tachy_clock_now());
  } else {
    fly(c, TACHY_FLIGHT_FLUSH);
    tachy_flight_leave(&c->flight);
    cut(c, spans, 0);
  }
  for (unsigned cls = TACHY_CLASS_LOG; cls <= TACHY_CLASS_METRIC; cls++) {
    c->watches[cls].kinds.size = 0;
    c->channels[cls].watch = c->flight.on ? &c->watches[cls] : NULL;
  }
}

/* Also while it is awake: it may have read this ring already. Sequentially consistent, so that either the collector
 * sees what was published before, or we see that it must be rung again. */
void tachy_collector_hurry(void) {
  if (TACHY_EXCHANGE(&rung, 1) == 0) tachy_os_ring(&bell);
}

/* Sleeps until it is time, or somebody asks. Returns 1 when the session stops. */
static int wait_for_work(uint64_t deadline) {
  tachy_os_wait_bell(&bell, deadline);
  TACHY_EXCHANGE(&rung, 0);
  tachy_os_lock(&mutex);
  const int stop = stopping;
  tachy_os_unlock(&mutex);
  return stop;
}

static uint64_t wanted(void) {
  tachy_os_lock(&mutex);
  const uint64_t ticket = cuts_wanted;
  tachy_os_unlock(&mutex);
  return ticket;
}

static void confirm(uint64_t ticket) {
  const uint64_t ordinal = tachy_outbox_last_ordinal();
  tachy_os_lock(&mutex);
  cuts_made = ticket;
  cut_ordinal = ordinal;
  tachy_os_wake_all(&reply);
  tachy_os_unlock(&mutex);
}

/* Bytes of logs' texts, the part of a block that its number of events does not bound. */
static uint64_t text_bytes(const tachy_channel *channel) {
  uint64_t size = 0;
  for (const tachy_stream *s = channel->streams; s; s = s->next) size += s->text.size;
  return size;
}

static unsigned full_classes(const collector *c) {
  unsigned classes = 0;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    const tachy_channel *const channel = &c->channels[cls];
    if (channel->events >= c->block_events || text_bytes(channel) >= BLOCK_BYTES) classes |= 1u << cls;
  }
  return classes | c->full;
}

/* How long to sleep, in ms, after a pass that found a ring so full. */
static uint64_t next_poll(uint64_t poll, uint64_t fullest) {
  if (fullest >= HALF_FULL) return 0; /* look again at once */
  if (fullest >= HALF_FULL / 2 || poll == 0) return POLL_MIN_MS;
  if (fullest >= HALF_FULL / 8) return poll;
  return poll * 2 < POLL_MAX_MS ? poll * 2 : POLL_MAX_MS;
}

static void run(void *argument) {
  collector *const c = argument;
  const unsigned all = (1u << TACHY_CLASSES) - 2u;
  const unsigned spans = 1u << TACHY_CLASS_SPAN;
  uint64_t poll = POLL_MIN_MS;
  uint64_t next_cut = tachy_os_monotonic() + c->flush_ns;
  int stop = 0;
  uint64_t made = 0;
  follow_mode(c);
  while (!stop) {
    const uint64_t now = tachy_os_monotonic();
    const uint64_t wake_at = now + poll * 1000000u;
    stop = wait_for_work(wake_at < next_cut ? wake_at : next_cut);
    const uint64_t ticket = wanted();
    tachy_control_poll();
    if (c->flight.on) tachy_flight_tick(&c->flight);
    const uint64_t fullest = drain(c);
    poll = next_poll(poll, fullest);
    if (stop) break;
    follow_mode(c);
    const unsigned classes = c->flight.on ? all & ~spans : all;
    const unsigned full = full_classes(c) & classes;
    const int due = ticket != made || tachy_os_monotonic() >= next_cut;
    if (due) {
      cut(c, classes, 0);
      next_cut = tachy_os_monotonic() + c->flush_ns;
    } else if (full) {
      cut(c, full, 0);
    } else {
      tell(c);
    }
    if (c->flight.on) {
      const tachy_flight_pace pace = due ? TACHY_FLIGHT_DUE : TACHY_FLIGHT_PACED;
      if (fly(c, ticket != made ? TACHY_FLIGHT_FLUSH : pace)) poll = 0;
    }
    if (ticket != made) {
      made = ticket;
      confirm(ticket);
    }
  }
  drain(c);
  if (c->flight.on) {
    tachy_flight_tick(&c->flight);
    fly(c, TACHY_FLIGHT_LAST);
    drain(c); /* the last triggers' logs */
  }
  cut(c, c->flight.on ? all & ~spans : all, 1);
  confirm(wanted());
}

/* From now on what is recorded can be recovered. */
static void commit_first(collector *c) {
  tachy_bytes description = {0};
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) save(&c->channels[cls]);
  const int described = tachy_description_write(&description);
  tachy_session_file_commit(c->process_id, tachy_clock_frequency(), described ? description.bytes : NULL,
                            description.size);
  tachy_bytes_free(&description);
}

int tachy_collector_start(uint32_t flush_ms, uint64_t block_events, uint64_t flight_bytes,
                          const uint8_t process_id[16]) {
  collector *const c = tachy_os_allocate(sizeof *c);
  if (!c) return 0;
  memset(c, 0, sizeof *c);
  memcpy(c->process_id, process_id, sizeof c->process_id);
  c->flush_ns = (uint64_t)flush_ms * 1000000u;
  c->block_events = block_events;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    tachy_channel *const channel = &c->channels[cls];
    channel->cls = (tachy_class)cls;
    channel->unit = tachy_clock_step();
    channel->divider = tachy_divider_make(channel->unit);
    channel->from = tachy_clock_begin();
    tachy_past_start(&channel->past, channel->from);
    channel->names = &tachy_registry_names;
  }
  c->flight.channel = &c->channels[TACHY_CLASS_SPAN];
  c->flight.process_id = c->process_id;
  c->flight.block_events = block_events;
  c->flight.limit = flight_bytes;
  commit_first(c);
  tachy_os_lock(&mutex);
  stopping = 0;
  cuts_wanted = cuts_made = 0;
  running = c;
  const int started = tachy_os_thread_start(&thread, run, c, "tachy");
  if (!started) running = NULL;
  tachy_os_unlock(&mutex);
  if (!started) tachy_os_release(c);
  return started;
}

void tachy_collector_stop(void) {
  tachy_os_lock(&mutex);
  stopping = 1;
  tachy_os_ring(&bell);
  tachy_os_unlock(&mutex);
  tachy_os_thread_join(thread);
  tachy_os_lock(&mutex);
  collector *const c = running;
  running = NULL;
  tachy_os_wake_all(&reply);
  tachy_os_unlock(&mutex);
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    tachy_channel_free(&c->channels[cls]);
    tachy_bytes_free(&c->watches[cls].kinds);
  }
  tachy_os_release(c);
}

int tachy_collector_cut(uint64_t deadline, uint64_t *ordinal) {
  tachy_os_lock(&mutex);
  int made = 0;
  if (running && !stopping) {
    const uint64_t ticket = ++cuts_wanted;
    tachy_os_ring(&bell);
    while (cuts_made < ticket && running && tachy_os_wait(&reply, &mutex, deadline)) {
    }
    made = running && cuts_made >= ticket;
    *ordinal = cut_ordinal;
  }
  tachy_os_unlock(&mutex);
  return made;
}

void tachy_collector_after_fork(void) {
  tachy_os_mutex_init(&mutex);
  tachy_collector_init();
  running = NULL; /* its memory stays with whatever the collector was doing */
}
