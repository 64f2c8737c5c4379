/* The collector: the thread that reads what others have recorded and cuts blocks. */
#include "collector.h"

#include "../../base/bell.h"
#include "../../base/entries.h"
#include "../../base/inside.h"
#include "../pool/pool.h"
#include "../send/outbox.h"
#include "../sites/registry.h"
#include "../threads/threads.h"
#include "control.h"
#include "cut.h"
#include "pace.h"
#include "state.h"
#include "triggers.h"

enum { SPANS = 1 << TACHY_CLASS_SPAN, COUNT_MS = 2 /* until the ticks have been counted for long enough */ };

#define LOOK_NS UINT64_C(1000000000)

typedef struct collector {
  tachy_collection read;
  tachy_pace pace;
} collector;

static tachy_os_mutex mutex = TACHY_OS_MUTEX_INIT;
static tachy_os_condition reply; /* who asked it for a cut */
static uint64_t cuts_wanted;
static uint64_t cuts_made;
static uint64_t cut_ordinal;
static int stopping;
static uint32_t looks; /* atomic: somebody waits for stats */
static uint64_t looked_at;
static collector *running; /* NULL: none */
static tachy_os_thread thread;

void tachy_collector_lock(void) { tachy_os_lock(&mutex); }
void tachy_collector_unlock(void) { tachy_os_unlock(&mutex); }

void tachy_collector_init(void) {
  tachy_bell_init();
  tachy_os_condition_init(&reply);
}

/* Follows the mode that is wanted. */
static void follow_mode(tachy_collection *c) {
  const int wanted = tachy_triggers_mode() == TACHY_MODE_FLIGHT;
  if (wanted == c->flight.on) return;
  if (wanted) {
    if (c->intakes[TACHY_CLASS_SPAN].channel.streams) tachy_cut(c, SPANS, TACHY_CUT_ALL); /* none: the session begins */
    tachy_flight_enter(&c->flight);
  } else {
    tachy_cut_leave_flight(c);
  }
  for (unsigned cls = TACHY_CLASS_LOG; cls <= TACHY_CLASS_METRIC; cls++) {
    tachy_triggers_watch(&c->watches[cls]);
    c->intakes[cls].channel.watch = c->flight.on ? &c->watches[cls] : NULL;
  }
}

static int is_stopping(void) {
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

static unsigned classes_of(const collector *c) {
  return c->read.flight.on ? (unsigned)(TACHY_ALL_CLASSES & ~SPANS) : (unsigned)TACHY_ALL_CLASSES;
}

/* Keeps chunks and slots ready. seconds: since storage was given back. */
static void tend(collector *c, uint64_t seconds) {
  tachy_pace_took(&c->pace, tachy_pool_tend(seconds), tachy_os_monotonic());
  tachy_pool_ring_after(tachy_pace_worth(&c->pace, &c->read));
  tachy_slots_tend();
}

/* Reads what there is and cuts what is to be cut. round: all classes, whatever they hold; flush: somebody waits for
 * that. 1: there is more to do. */
static int work(collector *c, int round, int flush) {
  const int restarted = tachy_cut_restarted(&c->read);
  TACHY_STORE(&looks, 0);
  c->pace.urgent |= tachy_bell_urged();
  const int all = tachy_collection_read(&c->read);
  if (!round) tend(c, 0); /* else a cut gives chunks back first */
  follow_mode(&c->read);
  if (restarted && c->read.flight.on) tachy_cut_leave_flight(&c->read); /* it begins again with the new ticks */
  const uint64_t now = tachy_os_monotonic();
  round |= restarted;
  const unsigned classes = classes_of(c) & (round ? ~0u : tachy_pace_full(&c->pace, &c->read, now));
  if (classes) {
    tachy_pace_cut(&c->pace, classes, all || round, now);
    tachy_cut(&c->read, classes, all || round ? TACHY_CUT_ALL : TACHY_CUT_READ);
  } else {
    tachy_collection_report(&c->read);
  }
  if (round) {
    tend(c, 1 + (now - c->pace.due_from) / 1000000000u);
    c->pace.due_from = now;
  }
  const tachy_flight_pace pace = flush ? TACHY_FLIGHT_FLUSH : round ? TACHY_FLIGHT_DUE : TACHY_FLIGHT_PACED;
  const int more = c->read.flight.on && tachy_cut_flight(&c->read, pace);
  return more || (!all && !tachy_collection_is_full(&c->read)); /* full: values alone, of a span that goes on */
}

/* It was rung for something that has to be read, not just for slots or chunks to lie ready again. */
static int is_to_read(collector *c) {
  c->pace.urgent |= tachy_bell_urged();
  return TACHY_LOAD(&looks) || c->pace.urgent || tachy_pool_is_low() || tachy_slots_ended() >= TACHY_ENDS_RING ||
         c->read.flight.on || tachy_triggers_mode() == TACHY_MODE_FLIGHT;
}

static void work_last(tachy_collection *c) {
  tachy_collection_read(c);
  if (c->flight.on) {
    tachy_cut_flight(c, TACHY_FLIGHT_LAST);
    tachy_collection_read(c); /* the last triggers' logs */
  }
  tachy_cut(c, c->flight.on ? TACHY_ALL_CLASSES & ~SPANS : TACHY_ALL_CLASSES, TACHY_CUT_LAST);
}

static void run(void *argument) {
  collector *const c = argument;
  uint64_t made = 0;
  int counted = 0;
  int more = 0;
  follow_mode(&c->read);
  for (;;) {
    uint64_t now = tachy_os_monotonic();
    uint64_t wake = more ? now : tachy_pace_wake(&c->pace, &c->read, now);
    if (!counted && now + COUNT_MS * 1000000u < wake) wake = now + COUNT_MS * 1000000u;
    const int rung = tachy_bell_wait(wake);
    const int stop = is_stopping();
    const uint64_t ticket = wanted();
    if (!counted && (counted = tachy_clock_count())) tachy_cut_description(&c->read);
    tachy_control_poll();
    if (stop) break;
    now = tachy_os_monotonic();
    const int round = ticket != made || now >= tachy_pace_due(&c->pace, now);
    if (round && !rung && !more && tachy_pace_skip(&c->pace, &c->read, now)) continue;
    if (rung && !round && !more && !is_to_read(c)) {
      tachy_pool_tend(0);
      tachy_slots_tend();
      continue;
    }
    more = work(c, round, ticket != made);
    if (ticket == made) continue;
    made = ticket;
    confirm(ticket);
  }
  work_last(&c->read);
  confirm(wanted());
}

/* Nothing is so old: the counter began anew, and it was not noticed yet. */
static uint64_t oldest_ticks(void) {
  const uint64_t hour = tachy_clock_frequency() * 3600;
  return tachy_clock_first_ticks() > hour ? tachy_clock_first_ticks() - hour : 0;
}

int tachy_collector_start(uint32_t flush_ms, uint64_t block_bytes, const uint8_t process_id[16]) {
  collector *const all = tachy_os_allocate(sizeof *all);
  if (!all) return 0;
  memset(all, 0, sizeof *all);
  tachy_pace_start(&all->pace, flush_ms, block_bytes);
  tachy_collection *const c = &all->read;
  memcpy(c->process_id, process_id, sizeof c->process_id);
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    tachy_channel *const channel = &c->intakes[cls].channel;
    channel->cls = (tachy_class)cls;
    channel->from = tachy_clock_begin();
    channel->bends = tachy_clock_bends();
    tachy_past_start(&channel->past, channel->from);
    channel->floor = oldest_ticks();
    channel->names = &tachy_registry_names;
  }
  for (unsigned cls = 0; cls < TACHY_CLASSES; cls++) c->seen_inside[cls] = tachy_inside_dropped(cls);
  c->flight.intake = &c->intakes[TACHY_CLASS_SPAN];
  c->flight.process_id = c->process_id;
  c->flight.block_bytes = block_bytes;
  tachy_sources_begin_session();
  tend(all, 0);
  tachy_cut_first(c);
  tachy_os_lock(&mutex);
  stopping = 0;
  cuts_wanted = cuts_made = 0;
  looked_at = 0;
  TACHY_STORE(&looks, 0);
  running = all;
  const int started = tachy_os_thread_start(&thread, run, all, "tachy");
  if (!started) running = NULL;
  tachy_os_unlock(&mutex);
  if (!started) tachy_os_release(all);
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
    tachy_intake *const intake = &c->read.intakes[cls];
    tachy_intake_release(intake);
    while (intake->channel.streams) tachy_source_free(intake, intake->channel.streams->source);
    tachy_channel_free(&intake->channel);
    tachy_bytes_free(&c->read.watches[cls].kinds);
  }
  tachy_os_release(c);
}

void tachy_collector_look(void) {
  const uint64_t now = tachy_os_monotonic();
  tachy_os_lock(&mutex);
  const int due = running && !TACHY_LOAD(&looks) && now - looked_at >= LOOK_NS;
  if (due) {
    looked_at = now;
    TACHY_STORE(&looks, 1);
    tachy_bell_ring();
  }
  tachy_os_unlock(&mutex);
}

void tachy_own_log_urges_(void) { tachy_bell_urge(); }

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
