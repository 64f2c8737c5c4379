/* The flight recorder: which chunks are shipped, kept and skipped. */
#include "flight.h"

#include "../pool/pool.h"
#include "../send/outbox.h"
#include "../threads/threads.h"
#include "triggers.h"

enum {
  MARGIN_MS = 100,    /* a row that triggers is read at the latest so long after it was written */
  GRACE_MS = 10,      /* a record is published at the latest so long after its end */
  SLICE = 1 << 17,    /* events that a step reads before the other classes are looked at again */
  ENDED_SLOTS = 1024, /* threads that have ended and whose chunks are kept */
  SAMPLE_MS = 50,
};

static uint64_t ticks_of(uint64_t ms) { return tachy_clock_frequency() / 1000 * ms; }

static uint64_t less(uint64_t from, uint64_t ticks) { return from > ticks ? from - ticks : 0; }

/* What a step knows. */
typedef struct step {
  tachy_flight_pace pace;
  uint64_t now;
  uint64_t keep_from; /* what ends before may be wanted by no window that is still to come */
  int wanted;         /* there is a window whose chunks may be shipped */
  int over;           /* it has ended, or nothing will come any more: what is in it is read to the end */
  tachy_window window;
  uint64_t slice; /* events that may still be read */
} step;

typedef enum fate { KEEP, SHIP, SKIP } fate;

/* When the chunk that the source reads was full; now: it is not. */
static uint64_t end_of(const step *st, const tachy_source *s) {
  const tachy_chunk *const next = tachy_chunk_at(TACHY_LOAD_ACQUIRE(&s->chunk->next));
  if (next) return next->ticks;
  return TACHY_LOAD_ACQUIRE(&s->slot->state) == TACHY_SLOT_EXITED ? s->slot->ended : st->now;
}

/* Also: its thread has found no other. */
static int is_full(const tachy_source *s) {
  const tachy_writer *const writer = &s->slot->thread.span;
  return TACHY_LOAD_ACQUIRE(&s->chunk->next) != 0 || TACHY_LOAD_ACQUIRE(&s->slot->state) == TACHY_SLOT_EXITED ||
         TACHY_LOAD(&writer->limit) == TACHY_LOAD_ACQUIRE(&writer->head);
}

static fate fate_of(const step *st, const tachy_source *s) {
  const uint64_t end = end_of(st, s);
  const int full = is_full(s);
  if (st->wanted && end >= st->window.from && s->chunk->ticks <= st->window.until) {
    return full || st->over ? SHIP : KEEP;
  }
  if (st->wanted && s->chunk->ticks > st->window.until) return KEEP;
  if (st->pace == TACHY_FLIGHT_LAST) return SKIP;
  return full && end < st->keep_from ? SKIP : KEEP;
}

static void name(tachy_source *s) { s->stream->name_size = tachy_slot_name(s->slot, s->stream->name); }

static uint64_t left_in(const tachy_source *s) { return TACHY_LOAD_ACQUIRE(&s->slot->thread.span.head) - s->position; }

/* If the thread has ended and everything of it has been read or skipped. */
static void end_slot(tachy_flight *f, tachy_slot *slot, tachy_source *s) {
  if (TACHY_LOAD_ACQUIRE(&slot->state) != TACHY_SLOT_EXITED || left_in(s) != 0) return;
  tachy_source_drain(f->intake, s, UINT64_MAX);
  s->stream->gone = 1; /* the next pass over the other classes lets the slot go */
}

static void skip(tachy_flight *f, tachy_source *s) {
  f->not_retained += tachy_source_skip(f->intake, s);
  f->skipped = 1;
  name(s);
}

/* Follows one thread's chunks as far as they have the same fate. 1: there are more of them. */
static int follow(tachy_flight *f, step *st, tachy_slot *slot, fate what) {
  tachy_source *const s = tachy_source_of(f->intake, slot, 0);
  if (!s) return 0;
  while (tachy_source_chunk(f->intake, s)) {
    if (left_in(s) == 0 || fate_of(st, s) != what) break;
    if (st->slice == 0) return 1;
    const uint64_t before = s->position;
    if (what == SKIP) {
      skip(f, s);
    } else {
      f->pending = 1;
      tachy_source_read_chunk(f->intake, s);
      name(s);
    }
    st->slice = less(st->slice, (s->position - before) / sizeof(tachy_span_record) + 1);
    if (what == SHIP && f->intake->channel.bytes >= f->block_bytes) return 1;
  }
  end_slot(f, slot, s);
  return 0;
}

static int follow_all(tachy_flight *f, step *st, fate what) {
  int more = 0;
  for (tachy_slot *slot = tachy_slots_first(); slot && !more; slot = slot->next) {
    const uint32_t state = TACHY_LOAD_ACQUIRE(&slot->state);
    if (state == TACHY_SLOT_LIVE || state == TACHY_SLOT_EXITED) more = follow(f, st, slot, what);
  }
  return more;
}

/* The pool runs short: the chunk goes that was full first, until there is room again. */
static void make_room(tachy_flight *f, const step *st) {
  const uint64_t limit = tachy_pool_limit();
  while (tachy_pool_free() + f->intake->waiting_count <= limit / 4 || tachy_slots_ended() > ENDED_SLOTS) {
    tachy_source *oldest = NULL;
    for (tachy_stream *stream = f->intake->channel.streams; stream; stream = stream->next) {
      tachy_source *const s = stream->source;
      if (stream->gone || !tachy_source_chunk(f->intake, s) || !is_full(s) || left_in(s) == 0) continue;
      if (!oldest || end_of(st, s) < end_of(st, oldest)) oldest = s;
    }
    if (!oldest) return;
    const uint64_t before = f->not_retained;
    skip(f, oldest);
    f->overwritten += f->not_retained - before;
    end_slot(f, oldest->slot, oldest);
  }
}

static void sample_clock(tachy_flight *f) {
  const tachy_clock_pair now = tachy_clock_now();
  const uint32_t count = f->sample_count;
  if (count && now.ticks - f->samples[count - 1].ticks < f->sample_step) return;
  if (count == TACHY_FLIGHT_SAMPLES) { /* every second one is enough */
    for (uint32_t i = 0; i < count / 2; i++) f->samples[i] = f->samples[2 * i + 1];
    f->sample_count = count / 2;
    f->sample_step *= 2;
  }
  f->samples[f->sample_count++] = now;
}

void tachy_flight_jump(tachy_flight *f, int64_t ns) {
  for (uint32_t i = 0; i < f->sample_count; i++) f->samples[i].utc += ns;
}

/* Where the next block begins: before everything that is kept. */
static tachy_clock_pair next_from(tachy_flight *f, tachy_clock_pair to) {
  uint64_t oldest = to.ticks;
  for (const tachy_stream *stream = f->intake->channel.streams; stream; stream = stream->next) {
    tachy_source *const s = stream->source;
    const tachy_chunk *const chunk = tachy_source_chunk(f->intake, s);
    if (chunk && left_in(s) && chunk->ticks < oldest) oldest = chunk->ticks;
  }
  if (oldest == to.ticks) return to;
  tachy_clock_pair from = f->intake->channel.from;
  uint32_t gone = 0;
  for (; gone < f->sample_count && f->samples[gone].ticks <= oldest; gone++) {
    if (f->samples[gone].ticks > from.ticks) from = f->samples[gone];
  }
  f->sample_count -= gone;
  memmove(f->samples, f->samples + gone, f->sample_count * sizeof *f->samples);
  return from;
}

/* Forgets the rows of what was skipped. */
static void forget(tachy_flight *f) {
  tachy_channel *const channel = &f->intake->channel;
  const tachy_clock_pair to = tachy_clock_now();
  for (const tachy_stream *s = channel->streams; s; s = s->next) tachy_source_stack_here(s->source, 0);
  channel->frequency = tachy_clock_frequency();
  tachy_block_forget(channel, to);
  f->not_retained += channel->events; /* async ones, but for ends that wait for their begins */
  f->skipped = 0;
  tachy_channel_next_block(channel, next_from(f, to), 0);
  tachy_intake_release(f->intake);
}

/* The stacks where the streams are cut. until: the window's end; 0: it goes on, and only chunks that are in the block
 * in part are read to their ends. */
static void drain_slots(tachy_flight *f, uint64_t until) {
  for (tachy_slot *slot = tachy_slots_first(); slot; slot = slot->next) {
    const uint32_t state = TACHY_LOAD_ACQUIRE(&slot->state);
    if (state != TACHY_SLOT_LIVE && state != TACHY_SLOT_EXITED) continue;
    tachy_source *const s = tachy_source_of(f->intake, slot, until != 0);
    if (!s) continue;
    if (!tachy_source_drain(f->intake, s, until)) continue;
    if (until) tachy_source_open_rest(s);
    tachy_slot_read_name(slot, f->intake->channel.streams_by_number.count);
    name(s);
  }
}

static tachy_block *cut(tachy_flight *f, uint64_t until, int last) {
  tachy_channel *const channel = &f->intake->channel;
  drain_slots(f, until);
  const tachy_clock_pair to = tachy_clock_now(); /* after everything was read: no event is later */
  channel->frequency = tachy_clock_frequency();
  int failed;
  tachy_block *const block = tachy_block_make(channel, f->process_id, to, last, 1, &failed);
  if (failed) tachy_outbox_drop(TACHY_CLASS_SPAN, channel->events);
  tachy_channel_next_block(channel, next_from(f, to), block || failed);
  f->pending = 0;
  return block;
}

/* What is kept goes by the counter as it was if that has begun anew. */
static uint64_t ticks_now(void) { return tachy_clock_restarted() ? tachy_clock_now().ticks : tachy_ticks(); }

static step plan(tachy_flight_pace pace) {
  step st = {.pace = pace, .now = ticks_now(), .slice = SLICE};
  st.keep_from = less(st.now, tachy_triggers_before());
  if (pace < TACHY_FLIGHT_FLUSH) st.keep_from = less(st.keep_from, ticks_of(MARGIN_MS));
  /* A window waits until all that ended before it may be skipped: it would stand in the way of what is shipped. */
  st.wanted = tachy_triggers_window(0, &st.window) && st.window.from <= st.keep_from;
  if (st.wanted) st.over = pace >= TACHY_FLIGHT_FLUSH || st.now > st.window.until + ticks_of(GRACE_MS);
  return st;
}

int tachy_flight_step(tachy_flight *f, tachy_flight_pace pace, tachy_block **block) {
  step st = plan(pace);
  *block = NULL;
  sample_clock(f);
  if (!f->pending) {
    const int more = follow_all(f, &st, SKIP);
    const int last = pace == TACHY_FLIGHT_LAST && !st.wanted && !more;
    if (pace < TACHY_FLIGHT_FLUSH) make_room(f, &st);
    if (f->skipped) forget(f);
    if (last && f->intake->channel.events) *block = cut(f, 0, 1); /* ends of async spans that were wanted */
    if (more) return 1;
  }
  if (!st.wanted) return 0;
  if (follow_all(f, &st, SHIP)) {
    if (f->intake->channel.bytes >= f->block_bytes) *block = cut(f, 0, 0);
    return 1;
  }
  const int ended = st.over && (st.now > st.window.until || pace == TACHY_FLIGHT_LAST);
  const int now = pace >= TACHY_FLIGHT_DUE || tachy_pool_free() <= tachy_pool_limit() / 4;
  if (st.over) {
    *block = cut(f, st.window.until, pace == TACHY_FLIGHT_LAST);
  } else if (f->pending && now) {
    *block = cut(f, 0, 0);
  }
  if (ended) tachy_triggers_window(st.window.until, &st.window);
  return ended;
}

uint64_t tachy_flight_kept(const tachy_flight *f) {
  uint64_t bytes = 0;
  for (const tachy_stream *s = f->intake->channel.streams; s; s = s->next) bytes += left_in(s->source);
  return bytes / sizeof(tachy_span_record);
}

void tachy_flight_enter(tachy_flight *f) {
  f->on = 1;
  f->pending = f->skipped = 0;
  f->sample_count = 0;
  f->sample_step = ticks_of(SAMPLE_MS);
}

void tachy_flight_leave(tachy_flight *f) {
  step st = {.pace = TACHY_FLIGHT_LAST, .now = ticks_now(), .slice = UINT64_MAX};
  follow_all(f, &st, SKIP);
  forget(f);
  tachy_triggers_forget();
  f->on = f->pending = 0;
}
