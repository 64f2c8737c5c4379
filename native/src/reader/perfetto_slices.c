/* Thread slices: rows in the order of their ends become begin and end packets in the order of time, in linear time.
 *
 * A row's parent is the nearest later row that is shallower, unless a gap took it; one pass backwards finds them all.
 * Forwards, each row first begins those of its ancestors that have not begun, then begins and ends itself. What was
 * open before the block, or is open after it, lives on the thread's stack of perfetto_open. Balance rests on depths and
 * order alone, never on times: times are raised to the newest of the sequence.
 */
#include <stdio.h>
#include <stdlib.h>

#include "perfetto_trace.h"

enum {
  NODE_NONE = -1,   /* no span of this block is known to enclose it */
  NODE_CARRIED = -2 /* it was open when the block began: it is on the thread's stack already */
};

#define PACKET_ROOM 64u

typedef struct writer {
  const perfetto_scope *scope;
  const tachy_rows *rows;
  perfetto_thread *thread;
  uint64_t thread_owner; /* 1 + the thread's index */
  uint64_t first;        /* the thread's rows are first … first + count - 1 */
  int64_t count;
  const tachy_open_row *open_end; /* node count + k is open_end[k] */
  int64_t open_end_count;
  uint64_t first_owner;  /* of open_end, in the values */
  const tachy_gap *gaps; /* the thread's */
  uint64_t gap_count;
  uint8_t tail[16]; /* of an end packet, after its timestamp */
  uint8_t tail_size;
  perfetto_given *given; /* of one row, for a moment */
} writer;

/* Packets ---------------------------------------------------------------------------------------------------------- */

static uint8_t *put_head_tail(uint8_t *at, uint32_t sequence, uint8_t **length) {
  *at++ = (PACKET_SEQUENCE_ID << 3);
  at = proto_put_varint(at, sequence);
  *at++ = (PACKET_SEQUENCE_FLAGS << 3);
  *at++ = SEQUENCE_NEEDS_STATE;
  *at++ = (PACKET_TRACK_EVENT << 3) | 2;
  *length = at++;
  return at;
}

static uint8_t put_begin_tail(uint8_t *tail, uint32_t sequence, const perfetto_iids *iids) {
  uint8_t *length;
  uint8_t *at = put_head_tail(tail, sequence, &length);
  *at++ = EVENT_TYPE << 3;
  *at++ = TYPE_BEGIN;
  if (iids->name) {
    *at++ = EVENT_NAME_IID << 3;
    at = proto_put_varint(at, iids->name);
  }
  if (iids->category) {
    *at++ = EVENT_CATEGORY_IID << 3;
    at = proto_put_varint(at, iids->category);
  }
  if (iids->location) {
    at = proto_put_varint(at, EVENT_LOCATION_IID << 3);
    at = proto_put_varint(at, iids->location);
  }
  *length = (uint8_t)(at - length - 1);
  return (uint8_t)(at - tail);
}

static uint8_t put_end_tail(uint8_t *tail, uint32_t sequence) {
  uint8_t *length;
  uint8_t *at = put_head_tail(tail, sequence, &length);
  *at++ = EVENT_TYPE << 3;
  *at++ = TYPE_END;
  *length = (uint8_t)(at - length - 1);
  return (uint8_t)(at - tail);
}

/* The hot path: tag, length, timestamp and a tail that was made once per site and thread. */
static inline void put_packet(proto_buffer *out, perfetto_sequence *sequence, int64_t utc, const uint8_t *tail,
                              uint8_t tail_size) {
  uint8_t *const start = proto_room(out, PACKET_ROOM);
  if (!start) return;
  start[0] = (TRACE_PACKET << 3) | 2;
  start[2] = PACKET_TIMESTAMP << 3;
  uint8_t *at = proto_put_varint(start + 3, (uint64_t)perfetto_clamp(sequence, utc));
  memcpy(at, tail, tail_size);
  at += tail_size;
  start[1] = (uint8_t)(at - start - 2);
  out->size += (uint64_t)(at - start);
}

/* A slice begins. Deeper than a trace may nest, it is left out and counted. */
static inline void begin_slice(const writer *w, int64_t utc, const uint8_t *tail, uint8_t tail_size) {
  if (w->thread->nested++ >= PERFETTO_NESTING_MAX) {
    w->thread->hidden++;
    return;
  }
  put_packet(&w->scope->trace->out, &w->thread->slices, utc, tail, tail_size);
  w->scope->trace->counts.slices++;
}

/* The same with values, or with flows alone: those of a span that has not ended yet, whose values its end brings.
 * Returns how many flows it has. */
static uint32_t begin_valued(const writer *w, int64_t utc, const perfetto_iids *iids, uint64_t process,
                             const perfetto_given *given, int ended) {
  tachy_perfetto *const trace = w->scope->trace;
  if (w->thread->nested++ >= PERFETTO_NESTING_MAX) {
    w->thread->hidden++;
    return 0;
  }
  const perfetto_event opened = perfetto_event_open(trace, &w->thread->slices, utc, TYPE_BEGIN);
  perfetto_write_iids(trace, iids);
  const uint32_t flows = perfetto_given_flows(trace, process, given, 0);
  if (ended) perfetto_given_write(trace, &w->thread->slices, given);
  perfetto_event_close(trace, opened);
  trace->counts.slices++;
  return flows;
}

static void begin_open(const writer *w, perfetto_open *entry) {
  uint8_t tail[PERFETTO_TAIL_MAX];
  const uint8_t size = put_begin_tail(tail, w->thread->slices.id, &entry->iids);
  if (entry->given.count) {
    entry->flows = begin_valued(w, entry->begin, &entry->iids, entry->process, &entry->given, 0);
  } else {
    begin_slice(w, entry->begin, tail, size);
  }
  if (entry->state == OPEN_PENDING) w->thread->pending--;
  entry->state = OPEN_BEGUN;
}

/* Ancestors of what is about to be written overlap the range, since it does. */
static void begin_pending(const writer *w) {
  for (uint32_t i = 0; i < w->thread->open_count && w->thread->pending; i++) {
    if (w->thread->open[i].state == OPEN_PENDING) begin_open(w, w->thread->open + i);
  }
}

/* An instant says how many slices were left out. It stands after the end of the slice that enclosed them: inside of it
 * nesting is at its limit, and the instant would be ignored, too. */
static void mark_hidden(const writer *w, int64_t utc) {
  tachy_perfetto *const trace = w->scope->trace;
  char text[64];
  snprintf(text, sizeof text, "%llu span%s below depth %u not shown", (unsigned long long)w->thread->hidden,
           w->thread->hidden == 1 ? "" : "s", PERFETTO_NESTING_MAX);
  perfetto_note(trace, &w->thread->slices, utc, "too_deep", text);
  trace->counts.too_deep += w->thread->hidden;
  w->thread->hidden = 0;
}

/* `entry`: where the slice began in an earlier part of the trace, else NULL. */
static void end_slice(const writer *w, int64_t utc, const char *mark, const perfetto_open *entry) {
  tachy_perfetto *const trace = w->scope->trace;
  if (--w->thread->nested >= PERFETTO_NESTING_MAX) return;
  const int valued = entry && entry->given.count;
  if (mark || valued) {
    if (valued && !perfetto_given_intern(trace, &w->thread->slices, &entry->given)) trace->out.failed = PROTO_NO_MEMORY;
    const perfetto_event opened = perfetto_event_open(trace, &w->thread->slices, utc, TYPE_END);
    if (mark) perfetto_mark(trace, mark);
    if (valued) {
      perfetto_given_flows(trace, entry->process, &entry->given, entry->flows);
      perfetto_given_write(trace, &w->thread->slices, &entry->given);
    }
    perfetto_event_close(trace, opened);
  } else {
    put_packet(&trace->out, &w->thread->slices, utc, w->tail, w->tail_size);
  }
  if (w->thread->hidden) mark_hidden(w, utc);
}

/* The thread's stack ----------------------------------------------------------------------------------------------- */

/* A span of the stack, known to be open until `known_open`, is pushed. 0: out of memory. */
static int push_open(const writer *w, const tachy_open_row *row, int64_t known_open, tachy_value_range range) {
  const tachy_perfetto *const trace = w->scope->trace;
  perfetto_thread *const thread = w->thread;
  uint64_t capacity = thread->open_capacity;
  if (!perfetto_reserve((void **)&thread->open, &capacity, thread->open_count, sizeof *thread->open)) return 0;
  thread->open_capacity = (uint32_t)capacity;
  perfetto_open entry = {.id = row->id, .begin = row->begin_utc, .depth = row->depth, .state = OPEN_OUTSIDE};
  if (entry.begin <= trace->end_utc) {
    if (!perfetto_intern_site(w->scope, &thread->slices, row->site, &entry.iids)) return 0;
    entry.state = OPEN_PENDING;
    thread->pending++;
    entry.process = w->scope->process->uuid;
    if (!perfetto_given_set(&entry.given, w->scope->block, range)) {
      perfetto_given_free(&entry.given);
      return 0;
    }
  }
  thread->open[thread->open_count++] = entry;
  if (entry.state == OPEN_PENDING && known_open >= trace->begin_utc) begin_pending(w);
  return 1;
}

/* The innermost entry ends. */
static void pop_open(const writer *w, int64_t utc, const char *mark) {
  perfetto_thread *const thread = w->thread;
  perfetto_open *const entry = thread->open + thread->open_count - 1;
  if (entry->state == OPEN_PENDING && utc >= w->scope->trace->begin_utc) begin_pending(w);
  if (entry->state == OPEN_BEGUN) end_slice(w, utc, mark, entry);
  if (entry->state == OPEN_PENDING) thread->pending--;
  perfetto_given_free(&entry->given);
  thread->open_count--;
}

/* The end of the innermost entry was lost: it is shown until the last moment in which it is known to have been open. */
static void pop_lost(const writer *w) {
  perfetto_thread *const thread = w->thread;
  perfetto_open *const entry = thread->open + thread->open_count - 1;
  if (entry->state == OPEN_BEGUN) end_slice(w, thread->slices.last, "end_lost", entry);
  if (entry->state == OPEN_PENDING) thread->pending--;
  perfetto_given_free(&entry->given);
  thread->open_count--;
}

static void pop_lost_from(const writer *w, uint32_t depth) {
  while (w->thread->open_count && w->thread->open[w->thread->open_count - 1].depth >= depth) pop_lost(w);
}

/* Lost spans are marked after what came before them, never later than what comes next: that may have begun earlier. */
static void mark_lost(const writer *w, int64_t utc) {
  perfetto_thread *const thread = w->thread;
  if (!thread->lost || !utc) return;
  perfetto_lost(w->scope->trace, &thread->slices, utc, thread->lost, "span");
  thread->lost = 0;
}

static void apply_gap(const writer *w, const tachy_gap *gap) {
  pop_lost_from(w, gap->depth);
  if (perfetto_overlaps(w->scope->trace, gap->utc, gap->utc)) {
    w->thread->lost += gap->count;
    mark_lost(w, w->thread->slices.last);
  }
}

/* Makes the stack what the block says it was at its start: usually it is. After a hole, the spans that have ended in it
 * end, and those that began in it begin. */
static int reconcile(const writer *w, const tachy_open_row *start, uint64_t count) {
  perfetto_thread *const thread = w->thread;
  const int64_t now = w->scope->block->header.utc0;
  uint32_t common = 0;
  while (common < thread->open_count && common < count && thread->open[common].id == start[common].id) common++;
  while (thread->open_count > common) pop_lost(w);
  if (thread->pending && now >= w->scope->trace->begin_utc) begin_pending(w);
  for (uint64_t i = common; i < count; i++) {
    if (!push_open(w, start + i, now, (tachy_value_range){NULL, 0})) return 0;
  }
  return 1;
}

/* Rows ------------------------------------------------------------------------------------------------------------- */

static inline tachy_value_range values_of_row(const writer *w, uint64_t row) {
  if (!w->rows->owner) return (tachy_value_range){NULL, 0};
  return tachy_values_of(w->scope->block, w->rows->owner[row]);
}

static tachy_value_range values_of_open(const writer *w, int64_t k) {
  return tachy_values_of(w->scope->block, w->first_owner + (uint64_t)k);
}

static int begin_row(const writer *w, uint64_t row) {
  const uint32_t site = w->rows->site[row];
  perfetto_site_cache *const cache = w->scope->sites + site;
  if (cache->owner != w->thread_owner) {
    if (!perfetto_intern_site(w->scope, &w->thread->slices, site, &cache->iids)) return 0;
    cache->tail_size = put_begin_tail(cache->tail, w->thread->slices.id, &cache->iids);
    cache->owner = w->thread_owner;
  }
  if (w->thread->pending) begin_pending(w);
  const tachy_value_range range = values_of_row(w, row);
  if (range.count) {
    if (!perfetto_given_set(w->given, w->scope->block, range) ||
        !perfetto_given_intern(w->scope->trace, &w->thread->slices, w->given)) {
      return 0;
    }
    begin_valued(w, w->rows->utc[row], &cache->iids, w->scope->process->uuid, w->given, 1);
  } else {
    begin_slice(w, w->rows->utc[row], cache->tail, cache->tail_size);
  }
  return 1;
}

static inline int row_overlaps(const writer *w, uint64_t row) {
  return perfetto_overlaps(w->scope->trace, w->rows->utc[row], w->rows->end_utc[row]);
}

static int begin_node(const writer *w, int64_t node) {
  if (node >= w->count) {
    const int64_t k = node - w->count;
    return push_open(w, w->open_end + k, w->scope->block->header.utc1, values_of_open(w, k));
  }
  const uint64_t row = w->first + (uint64_t)node;
  return !row_overlaps(w, row) || begin_row(w, row);
}

static void apply(uint32_t *open, uint32_t depth) {
  if (depth < *open) *open = depth;
}

/* Fills parent[i] for the thread's rows: a node, NODE_NONE, or NODE_CARRIED where the row itself was open at the start.
 * Returns how many entries of the stack outlast the block. */
static uint32_t find_parents(const writer *w, int64_t *parent) {
  uint32_t open = w->thread->open_count;
  uint64_t g = 0;
  for (int64_t i = 0; i < w->count; i++) {
    const uint64_t row = w->first + (uint64_t)i;
    for (; g < w->gap_count && w->gaps[g].row <= row; g++) apply(&open, w->gaps[g].depth);
    parent[i] = w->rows->depth[row] < open ? NODE_CARRIED : NODE_NONE;
    apply(&open, w->rows->depth[row]);
  }
  for (; g < w->gap_count; g++) apply(&open, w->gaps[g].depth);

  struct {
    int64_t node;
    uint32_t depth;
  } later[TACHY_DEPTH_MAX + 1]; /* depths ascend strictly */
  uint32_t top = 0;
  for (int64_t k = open; k < w->open_end_count; k++) {
    later[top].node = w->count + k;
    later[top++].depth = (uint32_t)k;
  }
  for (int64_t i = w->count; i-- > 0;) {
    const uint64_t row = w->first + (uint64_t)i;
    for (; g > 0 && w->gaps[g - 1].row > row; g--) {
      while (top && later[top - 1].depth >= w->gaps[g - 1].depth) top--;
    }
    if (parent[i] == NODE_CARRIED) {
      top = 0;
      continue;
    }
    const uint32_t depth = w->rows->depth[row];
    while (top && later[top - 1].depth >= depth) top--;
    if (top) parent[i] = later[top - 1].node;
    later[top].node = i;
    later[top++].depth = depth;
  }
  return open;
}

/* A span that was open at the start ends: whatever was inside it and has not ended was lost. */
static int end_carried(const writer *w, uint64_t row) {
  const perfetto_thread *const thread = w->thread;
  const uint32_t depth = w->rows->depth[row];
  pop_lost_from(w, depth + 1);
  if (thread->open_count && thread->open[thread->open_count - 1].depth == depth) {
    const tachy_value_range range = values_of_row(w, row);
    perfetto_open *const entry = thread->open + thread->open_count - 1;
    if (range.count && !perfetto_given_set(&entry->given, w->scope->block, range)) return 0;
    pop_open(w, w->rows->end_utc[row], NULL);
  }
  return 1;
}

/* What outlasts the block has what it was given up to its end. */
static int update_open(const writer *w, uint32_t outlast) {
  for (uint32_t k = 0; k < outlast && k < w->thread->open_count && k < w->open_end_count; k++) {
    perfetto_open *const entry = w->thread->open + k;
    const tachy_value_range range = values_of_open(w, k);
    if (range.count && entry->depth == k && !perfetto_given_set(&entry->given, w->scope->block, range)) return 0;
  }
  return 1;
}

static int write_rows(const writer *w, const int64_t *parent, uint32_t outlast) {
  int64_t begun[TACHY_DEPTH_MAX]; /* rows that have begun and not ended, outermost first */
  int64_t chain[2 * TACHY_DEPTH_MAX];
  uint32_t begun_count = 0;
  int64_t next_open = w->count + outlast; /* the first node of open_end that is not on the stack yet */
  uint64_t g = 0;
  for (int64_t i = 0; i < w->count; i++) {
    const uint64_t row = w->first + (uint64_t)i;
    for (; g < w->gap_count && w->gaps[g].row <= row; g++) apply_gap(w, w->gaps + g);
    if (parent[i] == NODE_CARRIED) {
      if (!end_carried(w, row)) return 0;
      continue;
    }
    if (!begun_count || begun[begun_count - 1] != i) {
      uint32_t length = 0;
      int64_t node = i;
      while (node >= 0 && node < w->count && !(begun_count && begun[begun_count - 1] == node)) {
        chain[length++] = node;
        node = parent[node];
      }
      for (; next_open <= node; next_open++) { /* node is one of open_end: all that enclose it begin */
        if (!begin_node(w, next_open)) return 0;
      }
      while (length) {
        node = chain[--length];
        if (!begin_node(w, node)) return 0;
        begun[begun_count++] = node;
      }
    }
    if (row_overlaps(w, row)) end_slice(w, w->rows->end_utc[row], NULL, NULL);
    begun_count--;
  }
  for (; g < w->gap_count; g++) apply_gap(w, w->gaps + g);
  for (; next_open < w->count + w->open_end_count; next_open++) {
    if (!begin_node(w, next_open)) return 0;
  }
  mark_lost(w, w->thread->slices.last);
  return w->scope->block->value_count == 0 || update_open(w, outlast);
}

/* The block -------------------------------------------------------------------------------------------------------- */

int perfetto_add_slices(const perfetto_scope *scope, const tachy_rows *rows, perfetto_position *at) {
  int64_t *const parent = malloc(rows->count ? (size_t)rows->count * sizeof *parent : 1);
  if (!parent) return 0;
  perfetto_given given = {0};
  int ok = 1;
  for (; ok && at->thread < scope->block->thread_count && !perfetto_part_is_full(scope->trace); at->thread++) {
    const uint32_t t = at->thread;
    const uint64_t index = perfetto_thread_of(scope, t);
    ok = index != UINT64_MAX;
    if (!ok) break;
    writer w = {.scope = scope, .rows = rows, .thread = scope->process->threads + index, .thread_owner = index + 1};
    w.first = rows->thread_first[t];
    w.count = (int64_t)(rows->thread_first[t + 1] - w.first);
    w.given = &given;
    w.open_end = rows->open_end + rows->open_end_first[t];
    w.first_owner = tachy_owner_of_open(scope->block, rows->open_end_first[t]);
    w.open_end_count = (int64_t)(rows->open_end_first[t + 1] - rows->open_end_first[t]);
    w.gaps = rows->gaps + at->gap;
    while (at->gap < rows->gap_count && rows->gaps[at->gap].thread == t) at->gap++;
    w.gap_count = (uint64_t)(rows->gaps + at->gap - w.gaps);
    const tachy_open_row *const start = rows->open_start + rows->open_start_first[t];
    const uint64_t start_count = rows->open_start_first[t + 1] - rows->open_start_first[t];
    if (!w.count && !w.gap_count && !w.open_end_count && !start_count && !w.thread->open_count) continue;
    perfetto_sequence_begin(scope->trace, &w.thread->slices, w.thread->uuid);
    w.tail_size = put_end_tail(w.tail, w.thread->slices.id);
    ok = reconcile(&w, start, start_count);
    if (!ok) break;
    const uint32_t outlast = find_parents(&w, parent);
    ok = write_rows(&w, parent, outlast);
  }
  free(parent);
  perfetto_given_free(&given);
  return ok;
}

void perfetto_close_slices(tachy_perfetto *trace, perfetto_thread *thread, int64_t end_utc) {
  const perfetto_scope scope = {.trace = trace};
  writer w = {.scope = &scope, .thread = thread};
  mark_lost(&w, end_utc);
  while (thread->open_count) pop_open(&w, end_utc, "is_open");
}
