/* Cuts: from what has been read to a batch in the outbox. */
#include "cut.h"

#include "../pool/session_file.h"
#include "../send/description.h"
#include "../send/outbox.h"
#include "../threads/threads.h"
#include "state.h"

enum { SPANS = 1 << TACHY_CLASS_SPAN };

static void save(const tachy_intake *intake) {
  if (!tachy_session_file_protects()) return;
  tachy_bytes state = {0};
  if (!tachy_state_write(&state, &intake->channel)) state.size = 0;
  tachy_session_file_save(intake->channel.cls, &state);
  tachy_bytes_free(&state);
}

/* What the last commit holds is over: its chunks, and the streams and slots of threads that have ended. */
static void release(tachy_collection *c, unsigned classes) {
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
static void commit(tachy_collection *c, tachy_block *blocks, unsigned classes, int last) {
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
int tachy_cut_restarted(tachy_collection *c) {
  if (!tachy_clock_restarted()) return 0;
  for (unsigned i = 1; i < TACHY_CLASSES; i++) c->intakes[i].channel.floor = tachy_clock_first_ticks();
  return 1;
}

/* What is dated goes over to the wall clock's new time: where its next block begins. */
static void jump(tachy_collection *c, tachy_clock_pair end) {
  const uint64_t first = tachy_clock_first_ticks();
  const tachy_clock_pair start = tachy_clock_jump();
  for (unsigned i = 1; i < TACHY_CLASSES; i++) tachy_channel_jump(&c->intakes[i].channel, end, start, first);
  if (c->flight.on) tachy_flight_jump(&c->flight, start.utc - end.utc);
}

/* Cuts the classes (a bit each) at one moment, for one batch; all of them when the wall clock was set, so that no block
 * has both times in it. (A flight recorder's spans lie in no block yet.) */
void tachy_cut(tachy_collection *c, unsigned classes, tachy_cut_of what) {
  const int last = what == TACHY_CUT_LAST;
  int jumped = tachy_clock_jumped();
  if (tachy_cut_restarted(c) && c->flight.on) jumped = 0; /* it is left first, see run */
  if (jumped) classes = c->flight.on ? TACHY_ALL_CLASSES & ~SPANS : TACHY_ALL_CLASSES;
  const unsigned metrics = classes & 1u << TACHY_CLASS_METRIC;
  const int rest = what != TACHY_CUT_READ || jumped;
  tachy_collection_drain(c, rest ? classes : classes & SPANS);
  if (!rest) tachy_collection_name(c, classes & ~(unsigned)SPANS);
  tachy_collection_report(c);
  if (metrics && tachy_report_losses(&c->report, &c->intakes[TACHY_CLASS_METRIC], last))
    tachy_collection_drain(c, metrics);
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
  tachy_collection_report(c);
  if (c->flight.on) save(&c->intakes[TACHY_CLASS_SPAN]);
  commit(c, blocks, classes, last);
}

/* Goes on with the flight recorder. 1: there is more to do. */
int tachy_cut_flight(tachy_collection *c, tachy_flight_pace pace) {
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
    if (more && pace >= TACHY_FLIGHT_FLUSH) tachy_collection_read(c);
  } while (more && pace >= TACHY_FLIGHT_FLUSH);
  tachy_collection_report(c);
  return more;
}

/* Its spans are the blocks' again. */
void tachy_cut_leave_flight(tachy_collection *c) {
  tachy_cut_flight(c, TACHY_FLIGHT_FLUSH);
  tachy_flight_leave(&c->flight);
  tachy_cut(c, SPANS, TACHY_CUT_ALL);
}

/* Says anew who records, and by which clock. */
void tachy_cut_description(const tachy_collection *c) {
  tachy_bytes description = {0};
  const int described = tachy_description_write(&description);
  tachy_session_file_commit(c->process_id, tachy_clock_frequency(), described ? description.bytes : NULL,
                            description.size);
  tachy_bytes_free(&description);
}

/* From now on what is recorded can be recovered. */
void tachy_cut_first(const tachy_collection *c) {
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) save(&c->intakes[cls]);
  tachy_cut_description(c);
}
