/* The flight recorder: how far the streams are fed, and where they are cut. */
#include "flight.h"

#include "../pool/session_file.h"
#include "../send/outbox.h"
#include "../threads/triggers.h"

enum {
  MARGIN_MS = 100,     /* a row that triggers is read at the latest so long after it was written */
  GRACE_MS = 10,       /* a record is published at the latest so long after its end */
  SLICE = 1 << 17,     /* events that a step feeds before the rings are looked at again */
  FORGET_AT = 1 << 16, /* rows that are passed over at once */
  SAMPLE_EVERY_MS = 50
};

static uint64_t ticks_of(uint64_t ms) { return tachy_clock_frequency() / 1000 * ms; }

static uint64_t less(uint64_t from, uint64_t ticks) { return from > ticks ? from - ticks : 0; }

/* The clock at a moment that has passed, between two readings. */
static tachy_clock_pair clock_at(const tachy_flight *f, uint64_t ticks) {
  tachy_clock_pair a = f->channel->from;
  tachy_clock_pair b = f->now;
  for (uint32_t i = 0; i < f->sample_count; i++) {
    const tachy_clock_pair sample = f->samples[i];
    if (sample.ticks <= ticks && sample.ticks >= a.ticks) a = sample;
    if (sample.ticks > ticks && sample.ticks < b.ticks) b = sample;
  }
  if (ticks <= a.ticks) return a;
  if (ticks >= b.ticks) return b;
  const double part = (double)(ticks - a.ticks) / (double)(b.ticks - a.ticks);
  return (tachy_clock_pair){ticks, a.utc + (int64_t)((double)(b.utc - a.utc) * part)};
}

void tachy_flight_tick(tachy_flight *f) {
  f->now = tachy_clock_now();
  tachy_clock_refine(f->now);
  const uint32_t count = f->sample_count;
  if (count && f->now.ticks - f->samples[count - 1].ticks < f->sample_step) return;
  if (count == TACHY_FLIGHT_SAMPLES) { /* every second one is enough */
    for (uint32_t i = 0; i < count / 2; i++) f->samples[i] = f->samples[2 * i + 1];
    f->sample_count = count / 2;
    f->sample_step *= 2;
  }
  f->samples[f->sample_count++] = f->now;
}

int tachy_flight_join(tachy_flight *f, tachy_stream *s) {
  s->reel = tachy_reel_make(&f->reels, s);
  return s->reel != NULL;
}

static void free_reels(const tachy_channel *channel) {
  for (tachy_stream *s = channel->streams; s; s = s->next) {
    tachy_reel_free(s->reel);
    s->reel = NULL;
  }
}

/* The reels' memory in the session file, and nothing in it. */
static void open_memory(tachy_flight *f) {
  uint64_t used = 0;
  f->reels.size = f->limit;
  f->reels.memory = tachy_session_file_reels(&f->reels.size, &used);
  for (uint64_t at = 0; at < used; at += sizeof(tachy_reel_chunk)) {
    ((tachy_reel_chunk *)(void *)(f->reels.memory + at))->number = 0;
  }
}

int tachy_flight_enter(tachy_flight *f, tachy_clock_pair now) {
  if (!f->reels.memory) open_memory(f);
  for (tachy_stream *s = f->channel->streams; s; s = s->next) {
    if (tachy_flight_join(f, s)) continue;
    free_reels(f->channel);
    return 0;
  }
  f->on = 1;
  f->shipping = 0;
  f->fed = f->channel->from.ticks; /* what the last cut has not read is behind it */
  f->sample_count = 0;
  f->sample_step = ticks_of(SAMPLE_EVERY_MS);
  f->now = now;
  return 1;
}

static uint64_t feed(tachy_flight *f, uint64_t key) {
  uint64_t events = 0;
  for (tachy_stream *s = f->channel->streams; s; s = s->next) events += tachy_reel_feed(s->reel, f->channel, s, key);
  if (key > f->fed) f->fed = key;
  return events;
}

/* Whatever is fed up to here empties a chunk. */
static uint64_t oldest(const tachy_flight *f) {
  uint64_t key = UINT64_MAX;
  for (const tachy_stream *s = f->channel->streams; s; s = s->next) {
    const uint64_t own = tachy_reel_oldest(s->reel);
    if (own < key) key = own;
  }
  return key > f->fed ? key : f->fed;
}

/* Reads the ring, copies the shadow stack, reads what was published meanwhile. Returns how many entries of f->stack are
 * the thread's at the moment of the copy. */
static uint32_t look_at_stack(tachy_flight *f, tachy_stream *s) {
  tachy_slot *const slot = s->slot;
  if (!slot) return 0;
  const tachy_ring *const ring = &slot->thread.span;
  const tachy_ring_back *const back = &slot->back[TACHY_CLASS_SPAN];
  uint32_t depth;
  /* Ends: the tail stays where it is, so the thread cannot publish more than a ring. */
  for (;;) {
    tachy_stream_read(f->channel, s, TACHY_LOAD_ACQUIRE(&ring->head));
    depth = TACHY_LOAD_ACQUIRE(&slot->thread.depth);
    if (depth > TACHY_DEPTH_MAX) depth = TACHY_DEPTH_MAX;
    for (uint32_t k = 0; k < depth; k++) {
      f->stack[k].site = TACHY_LOAD_ACQUIRE(&slot->thread.stack[k].site);
      f->stack[k].begin = TACHY_LOAD_ACQUIRE(&slot->thread.stack[k].begin);
    }
    s->reel->shallowest = TACHY_NO_DEPTH;
    const uint64_t head = TACHY_LOAD_ACQUIRE(&ring->head);
    tachy_stream_read(f->channel, s, head);
    uint64_t lost = TACHY_LOAD_ACQUIRE(&back->lost);
    if (lost == s->front->told) break;
    /* lost, and no gap record tells of it yet: a gap on the reel does, and its record will be left out */
    const uint32_t lost_depth = TACHY_LOAD_ACQUIRE(&back->lost_depth);
    if (lost_depth >= TACHY_DEPTH_MAX) continue;
    lost = TACHY_LOAD_ACQUIRE(&back->lost);
    const uint32_t again = TACHY_LOAD_ACQUIRE(&back->lost_depth);
    if (TACHY_LOAD_ACQUIRE(&ring->head) != head) continue;
    if (lost > s->front->emitted) {
      tachy_reel_gap(s->reel, lost - s->front->emitted, again < lost_depth ? again : lost_depth);
      s->front->emitted = lost;
    }
    break;
  }
  TACHY_STORE_RELEASE(&slot->tail[TACHY_CLASS_SPAN], s->position);
  s->name_size = tachy_slot_name(slot, s->name);
  return depth < s->reel->shallowest ? depth : s->reel->shallowest;
}

static void put_end(tachy_stream *s, uint64_t k, uint64_t begin, uint32_t site) {
  s->ends[k].ticks = begin;
  s->ends[k].site = site & TACHY_SITE_MAX;
}

/* What is open at `fed`: ends[0 .. depth). An entry is as it was then if it is still on the stack and had begun; else
 * it has ended since, and the first record of its depth or a shallower one says what it was. */
static void settle(tachy_flight *f, tachy_stream *s) {
  const uint32_t valid = look_at_stack(f, s);
  uint32_t standing = 0;
  /* what was published late, and gaps: they have the key of the record before them */
  tachy_reel_feed(s->reel, f->channel, s, f->fed);
  for (; standing < valid && f->stack[standing].begin <= f->fed; standing++) {
    if (standing >= s->open) put_end(s, standing, f->stack[standing].begin, f->stack[standing].site);
  }
  /* what ends after the next entry has begun lies within it */
  const uint64_t stop = standing < valid ? f->stack[standing].begin : UINT64_MAX;
  const uint32_t known = standing > s->open ? standing : s->open;
  uint32_t left = TACHY_DEPTH_MAX; /* entries from here on are decided */
  uint32_t depth = TACHY_DEPTH_MAX;
  tachy_reel_entry entry;
  f->ahead = s->reel->reader;
  while (left > known && tachy_reel_next(&f->ahead, &entry) && f->ahead.state.key <= stop) {
    if (entry.kind == TACHY_REEL_ASYNC || entry.depth >= left) continue;
    const uint32_t at = (uint32_t)entry.depth;
    if (entry.kind == TACHY_REEL_GAP) { /* the ends of the entries that have not been decided are in it */
      if (at < depth) depth = at;
    } else if (entry.begin <= f->fed || at < s->depth) {
      put_end(s, at, entry.begin, entry.word);
      if (at + 1 < left && at + 1 < depth) depth = at + 1; /* nothing was on it */
    } else if (at < depth) {
      depth = at;
    }
    left = at;
  }
  if (left > known || depth < known) depth = known;
  if (depth < s->depth) {
    /* A gap of none: what was open there is not known any more. A gap or a record that is still to come counts it, so
     * the ids that it has had are left out. */
    s->total += s->depth - depth;
    tachy_stream_gap(f->channel, s, 0, depth);
  }
  s->depth = depth;
}

/* Threads that have not ended a span yet, but have some open. */
static void find_threads(tachy_flight *f) {
  for (tachy_slot *slot = tachy_slots_first(); slot; slot = slot->next) {
    if (TACHY_LOAD_ACQUIRE(&slot->state) != TACHY_SLOT_LIVE || slot->streams[TACHY_CLASS_SPAN]) continue;
    if (TACHY_LOAD_ACQUIRE(&slot->thread.depth) == 0) continue;
    tachy_stream *const s = tachy_stream_make(f->channel, slot);
    if (!s) continue;
    if (tachy_flight_join(f, s)) {
      slot->streams[TACHY_CLASS_SPAN] = s;
    } else {
      tachy_stream_remove(f->channel, s);
    }
  }
}

void tachy_flight_release(tachy_flight *f) {
  for (const tachy_stream *s = f->channel->streams; s; s = s->next) {
    if (s->reel) tachy_reel_release(s->reel);
  }
}

/* Ends a block, or forgets its rows, at what has been fed. */
static tachy_block *cut(tachy_flight *f, int ship, tachy_flight_pace pace) {
  tachy_channel *const channel = f->channel;
  const int last = pace == TACHY_FLIGHT_LAST;
  if (ship) find_threads(f);
  for (tachy_stream *s = channel->streams; s; s = s->next) settle(f, s);
  if (last) f->now = tachy_clock_now(); /* after the rings were read: no event is later */
  const tachy_clock_pair to = clock_at(f, f->fed);
  channel->frequency = tachy_clock_frequency();
  int failed = 0;
  tachy_block *const block = ship ? tachy_block_make(channel, f->process_id, to, last, 1, &failed) : NULL;
  if (failed) tachy_outbox_drop(TACHY_CLASS_SPAN, channel->events);
  if (!block && !failed) {
    tachy_block_forget(channel, to, last);
    f->passed_over += channel->events;
  }
  tachy_channel_next_block(channel, to, block || failed);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < f->sample_count; i++) {
    if (f->samples[i].ticks > to.ticks) f->samples[kept++] = f->samples[i];
  }
  f->sample_count = kept;
  if (!block) tachy_flight_release(f);
  return block;
}

/* Feeds everything up to `key`, unless the slice is used up or (shipping) the block is full before. 1: it has. */
static int advance(tachy_flight *f, uint64_t key, uint64_t *slice) {
  while (f->fed < key) {
    if (*slice == 0) return 0;
    const uint64_t next = oldest(f);
    const uint64_t events = feed(f, next < key ? next : key);
    *slice = less(*slice, events);
    if (f->shipping) {
      if (f->channel->events >= f->block_events) return f->fed >= key;
    } else if (f->channel->events >= FORGET_AT) {
      cut(f, 0, TACHY_FLIGHT_PACED);
    }
  }
  return 1;
}

/* The reels have outgrown their memory: the oldest goes, at most up to `key`. */
static void make_room(tachy_flight *f, uint64_t key) {
  if (f->reels.bytes <= f->limit) return;
  const uint64_t chunks = f->limit / (8 * sizeof(tachy_reel_chunk)) + 1;
  while (f->reels.bytes > f->limit / 4 * 3 && f->fed < key) {
    for (uint64_t i = 0; i < chunks && f->fed < key; i++) {
      const uint64_t next = oldest(f);
      f->overwritten += feed(f, next < key ? next : key);
    }
    cut(f, 0, TACHY_FLIGHT_PACED);
  }
}

/* Passes over what no window wants. 1: done; *begins: a window is reached. */
static int pass_over(tachy_flight *f, tachy_flight_pace pace, uint64_t *slice, int *begins) {
  const uint64_t before = tachy_triggers_before();
  tachy_window window;
  const int wanted = tachy_triggers_window(f->fed, &window);
  const uint64_t border = wanted ? less(window.from, 1) : UINT64_MAX;
  uint64_t safe = less(f->now.ticks, before);
  if (pace < TACHY_FLIGHT_FLUSH) safe = less(safe, ticks_of(MARGIN_MS));
  if (pace == TACHY_FLIGHT_LAST) safe = UINT64_MAX - 1;
  if (!advance(f, border < safe ? border : safe, slice)) return 0;
  make_room(f, border < f->now.ticks ? border : f->now.ticks);
  *begins = wanted && f->fed >= border && (border <= safe || pace == TACHY_FLIGHT_LAST);
  if (*begins) {
    cut(f, 0, pace);
    f->until = window.until;
  }
  return 1;
}

/* 1: there is more to do. */
static int ship(tachy_flight *f, tachy_flight_pace pace, uint64_t *slice, tachy_block **block) {
  tachy_window window;
  if (tachy_triggers_window(f->fed, &window) && window.from <= f->until) f->until = window.until;
  uint64_t safe = pace < TACHY_FLIGHT_FLUSH ? less(f->now.ticks, ticks_of(GRACE_MS)) : f->now.ticks;
  if (pace == TACHY_FLIGHT_LAST) safe = f->until;
  const int there = advance(f, safe < f->until ? safe : f->until, slice);
  const int full = f->channel->events >= f->block_events;
  const int over = there && f->fed >= f->until;
  if (over || full || (there && pace >= TACHY_FLIGHT_DUE && f->channel->events)) *block = cut(f, 1, pace);
  if (over) f->shipping = 0;
  return over || !there;
}

int tachy_flight_step(tachy_flight *f, tachy_flight_pace pace, tachy_block **block) {
  uint64_t slice = SLICE;
  *block = NULL;
  if (f->shipping) return ship(f, pace, &slice, block);
  int begins = 0;
  if (!pass_over(f, pace, &slice, &begins)) return 1;
  f->shipping = begins;
  if (begins) return 1;
  if (pace == TACHY_FLIGHT_LAST) {
    for (tachy_stream *s = f->channel->streams; s; s = s->next) {
      tachy_stream_drop(f->channel, s, s->reel->lost); /* for which there was no memory */
      s->reel->lost = 0;
    }
  }
  if (pace >= TACHY_FLIGHT_DUE) cut(f, 0, pace);
  return 0;
}

void tachy_flight_leave(tachy_flight *f) {
  uint64_t slice = UINT64_MAX;
  if (!f->shipping) {
    advance(f, less(f->now.ticks, 1), &slice);
    cut(f, 0, TACHY_FLIGHT_PACED);
  }
  feed(f, UINT64_MAX - 1);
  free_reels(f->channel);
  tachy_triggers_forget();
  f->on = f->shipping = 0;
}
