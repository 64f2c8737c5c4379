/* The collector: the thread that reads what others have recorded and cuts blocks. */
#include "collector.h"

#include "../../base/bell.h"
#include "../../base/inside.h"
#include "../../encode/open_async.h"
#include "../pool/session_file.h"
#include "../send/description.h"
#include "../send/outbox.h"
#include "../sites/registry.h"
#include "../threads/threads.h"
#include "control.h"
#include "flight.h"
#include "report.h"
#include "source.h"
#include "state.h"
#include "triggers.h"

enum { SPANS = 1 << TACHY_CLASS_SPAN, ALL = (1 << TACHY_CLASSES) - 2 };
enum { POLL_MIN_MS = 2, POLL_FLIGHT_MS = 50, POLL_MAX_MS = 1000, BLOCK_BYTES = 16 << 20, ENDED_SLOTS = 1024 };

typedef struct collector {
  tachy_intake intakes[TACHY_CLASSES];
  tachy_report report;
  uint8_t process_id[16];
  uint64_t flush_ns;
  uint64_t block_events;
  uint64_t too_deep;
  uint64_t mismatched;
  uint64_t backwards;
  uint64_t values_lost;
  uint64_t seen_inside[TACHY_CLASSES]; /* tachy_inside_dropped, as far as it has been counted */
  tachy_flight flight;
  tachy_watch watches[TACHY_CLASSES];
} collector;

static tachy_os_mutex mutex = TACHY_OS_MUTEX_INIT;
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
  tachy_bell_init();
  tachy_os_condition_init(&reply);
}

/* What the slot's own counters say since they were last read. */
static uint64_t news(const uint64_t *counter, uint64_t *seen) {
  const uint64_t now = TACHY_LOAD(counter);
  const uint64_t more = now - *seen;
  *seen = now;
  return more;
}

static void read_counters(collector *c, tachy_slot *slot) {
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

/* Everything that is there, for a cut of the class. */
static void drain_source(collector *c, tachy_slot *slot, tachy_class cls) {
  tachy_source *const source = tachy_source_of(&c->intakes[cls], slot, 0);
  if (!source) return;
  tachy_source_drain(&c->intakes[cls], source, UINT64_MAX);
  if (!source->stream->rows && !source->stream->async_rows) return;
  if (TACHY_LOAD(&slot->state) == TACHY_SLOT_LIVE) tachy_slot_read_name(slot);
  source->stream->name_size = tachy_slot_name(slot, source->stream->name);
}

/* The thread has ended: reads the rest. The flight recorder does that for spans, some time later. */
static void read_ended(collector *c, tachy_slot *slot) {
  const tachy_source *const spans = c->flight.on ? tachy_source_of(&c->intakes[TACHY_CLASS_SPAN], slot, 0) : NULL;
  const int kept = spans && !spans->stream->gone;
  read_counters(c, slot);
  for (unsigned i = 1; i < TACHY_CLASSES; i++) {
    if (i != TACHY_CLASS_SPAN || !spans) drain_source(c, slot, (tachy_class)i);
    if (slot->sources[i] && !kept) slot->sources[i]->stream->gone = 1;
  }
  if (!kept) TACHY_STORE(&slot->state, TACHY_SLOT_READ);
}

/* One pass over all threads. */
static void drain(collector *c) {
  for (tachy_slot *slot = tachy_slots_first(); slot; slot = slot->next) {
    const uint32_t state = TACHY_LOAD_ACQUIRE(&slot->state);
    if (state == TACHY_SLOT_FREE || state == TACHY_SLOT_READ) continue;
    for (unsigned i = 1; i < TACHY_CLASSES; i++) {
      if (i == TACHY_CLASS_SPAN && c->flight.on) continue;
      tachy_source *const source = tachy_source_of(&c->intakes[i], slot, 0);
      if (source) tachy_source_read(&c->intakes[i], source);
    }
    if (state == TACHY_SLOT_EXITED) read_ended(c, slot);
  }
}

static void drain_classes(collector *c, unsigned classes) {
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
static void read_inside(collector *c) {
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

static void report_progress(collector *c) {
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

static void save(const tachy_intake *intake) {
  if (!tachy_session_file_protects()) return;
  tachy_bytes state = {0};
  if (!tachy_state_write(&state, &intake->channel)) state.size = 0;
  tachy_session_file_save(intake->channel.cls, &state);
  tachy_bytes_free(&state);
}

/* What the last commit holds is over: its chunks, and the streams and slots of threads that have ended. */
static void release(collector *c, unsigned classes) {
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    tachy_intake *const intake = &c->intakes[cls];
    if (!(classes >> cls & 1u)) continue;
    tachy_intake_release(intake);
    tachy_stream *next;
    for (tachy_stream *s = intake->channel.streams; s; s = next) {
      tachy_source *const source = s->source;
      next = s->next;
      if (s->gone && s->async_rows == 0 && TACHY_LOAD(&source->slot->state) == TACHY_SLOT_READ) {
        tachy_source_free(intake, source);
      } else {
        tachy_source_return(source);
      }
    }
  }
  for (tachy_slot *slot = tachy_slots_first(); slot; slot = slot->next) {
    if (TACHY_LOAD_ACQUIRE(&slot->state) != TACHY_SLOT_READ) continue;
    int some = 0;
    for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) some |= slot->sources[cls] != NULL;
    if (!some) tachy_source_free_slot(slot);
  }
}

/* Puts the blocks into the outbox as one batch. The batch's file is written, then the commit makes it valid and what
 * was read old, then it may be sent. */
static void commit(collector *c, tachy_block *blocks, unsigned classes, int last) {
  tachy_bytes description = {0};
  const int described = tachy_description_write(&description);
  const uint64_t size = description.size;
  if (!described || !tachy_description_end(&description, last ? "exited" : "running")) tachy_bytes_free(&description);
  tachy_batch *const batch = tachy_outbox_make(blocks, description, last);
  tachy_session_file_commit(c->process_id, tachy_clock_frequency(), batch ? batch->description.bytes : NULL, size);
  if (last) tachy_session_file_done();
  release(c, classes);
  tachy_outbox_put(batch, last);
}

/* Until the next cut, which jumps, time stands still for what the counter says that began anew. */
static int look_for_restart(collector *c) {
  if (!tachy_clock_restarted()) return 0;
  for (unsigned i = 1; i < TACHY_CLASSES; i++) c->intakes[i].channel.floor = tachy_clock_first_ticks();
  return 1;
}

/* Nothing is so old: the counter began anew, and it was not noticed yet. */
static uint64_t oldest_ticks(void) {
  const uint64_t hour = tachy_clock_frequency() * 3600;
  return tachy_clock_first_ticks() > hour ? tachy_clock_first_ticks() - hour : 0;
}

/* What is dated goes over to the wall clock's new time: where its next block begins. */
static void jump(collector *c, tachy_clock_pair end) {
  const uint64_t first = tachy_clock_first_ticks();
  const tachy_clock_pair start = tachy_clock_jump();
  for (unsigned i = 1; i < TACHY_CLASSES; i++) tachy_channel_jump(&c->intakes[i].channel, end, start, first);
  if (c->flight.on) tachy_flight_jump(&c->flight, start.utc - end.utc);
}

/* Cuts the classes (a bit each) at one moment, for one batch; all of them when the wall clock was set, so that no block
 * has both times in it. (A flight recorder's spans lie in no block yet.) */
static void cut(collector *c, unsigned classes, int last) {
  int jumped = tachy_clock_jumped();
  if (look_for_restart(c) && c->flight.on) jumped = 0; /* it is left first, see run */
  if (jumped) classes = c->flight.on ? ALL & ~SPANS : ALL;
  const unsigned metrics = classes & 1u << TACHY_CLASS_METRIC;
  drain_classes(c, classes);
  report_progress(c);
  if (metrics && tachy_report_losses(&c->report, &c->intakes[TACHY_CLASS_METRIC], last)) drain_classes(c, metrics);
  const tachy_clock_pair now = tachy_clock_now(); /* after everything was read: no event is later */
  tachy_block *blocks = NULL;
  tachy_block **link = &blocks;
  for (unsigned i = 1; i < TACHY_CLASSES; i++) {
    if (!(classes >> i & 1u)) continue;
    tachy_channel *const channel = &c->intakes[i].channel;
    channel->frequency = tachy_clock_frequency();
    int failed;
    tachy_block *const block = tachy_block_make(channel, c->process_id, now, last, 0, &failed);
    if (!block && !failed) {
      if (!jumped) classes &= ~(1u << i);
      continue;
    }
    if (failed) {
      tachy_outbox_drop((tachy_class)i, channel->events);
    } else {
      *link = block;
      link = &block->next;
    }
    tachy_channel_next_block(channel, now, 1);
  }
  if (jumped) jump(c, now);
  if (!classes && !last) return;
  for (unsigned i = 1; i < TACHY_CLASSES; i++) {
    if (classes >> i & 1u) save(&c->intakes[i]);
  }
  report_progress(c);
  if (c->flight.on) save(&c->intakes[TACHY_CLASS_SPAN]);
  commit(c, blocks, classes, last);
}

/* Goes on with the flight recorder. 1: there is more to do. */
static int fly(collector *c, tachy_flight_pace pace) {
  tachy_block *block;
  int more;
  do {
    more = tachy_flight_step(&c->flight, pace, &block);
    if (block) {
      save(&c->intakes[TACHY_CLASS_SPAN]);
      commit(c, block, 1u << TACHY_CLASS_SPAN, 0);
    } else if (!c->flight.pending) {
      release(c, 1u << TACHY_CLASS_SPAN);
    }
    if (more && pace >= TACHY_FLIGHT_FLUSH) drain(c);
  } while (more && pace >= TACHY_FLIGHT_FLUSH);
  report_progress(c);
  return more;
}

/* Its spans are the blocks' again. */
static void leave_flight(collector *c) {
  fly(c, TACHY_FLIGHT_FLUSH);
  tachy_flight_leave(&c->flight);
  cut(c, SPANS, 0);
}

/* Follows the mode that is wanted. */
static void follow_mode(collector *c) {
  const int wanted = tachy_triggers_mode() == TACHY_MODE_FLIGHT;
  if (wanted == c->flight.on) return;
  if (wanted) {
    if (c->intakes[TACHY_CLASS_SPAN].channel.streams) cut(c, SPANS, 0); /* none: the session begins */
    tachy_flight_enter(&c->flight);
  } else {
    leave_flight(c);
  }
  for (unsigned cls = TACHY_CLASS_LOG; cls <= TACHY_CLASS_METRIC; cls++) {
    tachy_triggers_watch(&c->watches[cls]);
    c->intakes[cls].channel.watch = c->flight.on ? &c->watches[cls] : NULL;
  }
}

/* Sleeps until it is time, or somebody asks. Returns 1 when the session stops. */
static int wait_for_work(uint64_t deadline) {
  tachy_bell_wait(deadline);
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

/* Classes, a bit each, of which a block is to be cut at once. */
static unsigned full_classes(const collector *c) {
  const uint64_t limit = tachy_pool_limit();
  const int scarce = tachy_pool_free() < limit / 8;
  unsigned classes = 0;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    const tachy_intake *const intake = &c->intakes[cls];
    const int full = intake->channel.events >= c->block_events || text_bytes(&intake->channel) >= BLOCK_BYTES;
    if (full || intake->waiting_count > limit / 4 || (scarce && intake->waiting_count)) classes |= 1u << cls;
  }
  return tachy_slots_ended() >= ENDED_SLOTS ? (1u << TACHY_CLASSES) - 2u : classes;
}

/* How long to sleep, in ms, after a pass, if nobody rings: so that the pool is not half used up meanwhile, and no more
 * often than that, for a pass costs some 30 us. taken: chunks since the pass before. */
static uint64_t next_poll(const collector *c, uint64_t poll, uint64_t taken) {
  const uint64_t limit = tachy_pool_limit();
  const uint64_t most = c->flight.on ? POLL_FLIGHT_MS : POLL_MAX_MS;
  if (taken > limit / 4) return 0; /* look again at once */
  const uint64_t next = taken > limit / 16 ? poll / 4 : taken < limit / 32 ? poll * 8 : poll;
  return next < POLL_MIN_MS ? POLL_MIN_MS : next < most ? next : most;
}

/* Says anew who records, and by which clock. */
static void commit_description(const collector *c) {
  tachy_bytes description = {0};
  const int described = tachy_description_write(&description);
  tachy_session_file_commit(c->process_id, tachy_clock_frequency(), described ? description.bytes : NULL,
                            description.size);
  tachy_bytes_free(&description);
}

/* From now on what is recorded can be recovered. */
static void commit_first(const collector *c) {
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) save(&c->intakes[cls]);
  commit_description(c);
}

static void run(void *argument) {
  collector *const c = argument;
  uint64_t poll = POLL_MAX_MS;
  uint64_t next_cut = tachy_os_monotonic() + c->flush_ns;
  int stop = 0;
  uint64_t made = 0;
  int counted = 0;
  follow_mode(c);
  while (!stop) {
    const uint64_t now = tachy_os_monotonic();
    const uint64_t wake_at = now + (counted ? poll : POLL_MIN_MS) * 1000000u;
    stop = wait_for_work(wake_at < next_cut ? wake_at : next_cut);
    const uint64_t ticket = wanted();
    if (!counted && (counted = tachy_clock_count())) commit_description(c);
    tachy_control_poll();
    const int restarted = look_for_restart(c);
    drain(c);
    const uint64_t taken = tachy_pool_tend(0);
    tachy_slots_tend();
    poll = next_poll(c, poll, taken);
    if (stop) break;
    follow_mode(c);
    if (restarted && c->flight.on) leave_flight(c); /* it goes by ticks: it begins again with the new ones */
    const unsigned classes = c->flight.on ? ALL & ~SPANS : ALL;
    const unsigned full = full_classes(c) & classes;
    const int due = ticket != made || restarted || tachy_os_monotonic() >= next_cut;
    if (due) {
      cut(c, classes, 0);
      tachy_pool_tend(1);
      next_cut = tachy_os_monotonic() + c->flush_ns;
    } else if (full) {
      cut(c, full, 0);
    } else {
      report_progress(c);
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
    fly(c, TACHY_FLIGHT_LAST);
    drain(c); /* the last triggers' logs */
  }
  cut(c, c->flight.on ? ALL & ~SPANS : ALL, 1);
  confirm(wanted());
}

int tachy_collector_start(uint32_t flush_ms, uint64_t block_events, const uint8_t process_id[16]) {
  collector *const c = tachy_os_allocate(sizeof *c);
  if (!c) return 0;
  memset(c, 0, sizeof *c);
  memcpy(c->process_id, process_id, sizeof c->process_id);
  c->flush_ns = (uint64_t)flush_ms * 1000000u;
  c->block_events = block_events;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    tachy_channel *const channel = &c->intakes[cls].channel;
    channel->cls = (tachy_class)cls;
    channel->from = tachy_clock_begin();
    tachy_past_start(&channel->past, channel->from);
    channel->floor = oldest_ticks();
    channel->names = &tachy_registry_names;
  }
  for (unsigned cls = 0; cls < TACHY_CLASSES; cls++) c->seen_inside[cls] = tachy_inside_dropped(cls);
  c->flight.intake = &c->intakes[TACHY_CLASS_SPAN];
  c->flight.process_id = c->process_id;
  c->flight.block_events = block_events;
  tachy_sources_begin_session();
  tachy_pool_tend(0);
  tachy_slots_tend();
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
  tachy_bell_ring();
  tachy_os_unlock(&mutex);
  tachy_os_thread_join(thread);
  tachy_os_lock(&mutex);
  collector *const c = running;
  running = NULL;
  tachy_os_wake_all(&reply);
  tachy_os_unlock(&mutex);
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    tachy_intake *const intake = &c->intakes[cls];
    tachy_intake_release(intake);
    while (intake->channel.streams) tachy_source_free(intake, intake->channel.streams->source);
    tachy_channel_free(&intake->channel);
    tachy_bytes_free(&c->watches[cls].kinds);
  }
  tachy_os_release(c);
}

int tachy_collector_cut(uint64_t deadline, uint64_t *ordinal) {
  tachy_os_lock(&mutex);
  int made = 0;
  if (running && !stopping) {
    const uint64_t ticket = ++cuts_wanted;
    tachy_bell_ring();
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
