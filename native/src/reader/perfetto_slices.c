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

#define PACKET_ROOM 64u /* a packet's 3 + 10 + PERFETTO_TAIL_MAX bytes at most */

typedef struct writer {
  const perfetto_scope *scope;
  const tachy_rows *rows;
  perfetto_thread *thread;
  uint64_t first; /* the thread's rows are first … first + count - 1 */
  int64_t count;
  const tachy_open_row *open_end; /* node count + k is open_end[k] */
  int64_t open_end_count;
  uint64_t first_owner;  /* of open_end, in the values */
  const tachy_gap *gaps; /* the thread's */
  uint64_t gap_count;
  uint8_t tail[PERFETTO_TAIL_MAX]; /* of an end packet, after its timestamp */
  uint8_t tail_size;
  perfetto_given *given; /* of one row, for a moment */
} writer;

/* Packets ---------------------------------------------------------------------------------------------------------- */

static uint8_t *put_head_tail(uint8_t *at, uint32_t sequence, uint8_t **length) {
  *at++ = (PACKET_SEQUENCE_ID << 3);
  at = proto_put_varint(at, sequence);
  *at++ = (PACKET_TRACK_EVENT << 3) | 2;
  *length = at++;
  return at;
}

/* What stands in a packet after its timestamp. iids: of a slice that begins; NULL: one ends. */
static uint8_t put_tail(uint8_t *tail, uint32_t sequence, const perfetto_iids *iids) {
  uint8_t *length;
  uint8_t *at = put_head_tail(tail, sequence, &length);
  *at++ = EVENT_TYPE << 3;
  *at++ = iids ? TYPE_BEGIN : TYPE_END;
  if (iids && iids->name) {
    *at++ = EVENT_NAME_IID << 3;
    at = proto_put_varint(at, iids->name);
  }
  if (iids && iids->category) {
    *at++ = EVENT_CATEGORY_IID << 3;
    at = proto_put_varint(at, iids->category);
  }
  if (iids && iids->location) {
    at = proto_put_varint(at, EVENT_LOCATION_IID << 3);
    at = proto_put_varint(at, iids->location);
  }
  *length = (uint8_t)(at - length - 1);
  return (uint8_t)(at - tail);
}

/* The hot path: tag, length, timestamp and a tail that was made once per site and thread. All of its room is copied:
 * so many bytes as only the run knows take compilers an instruction, `rep movs`, that takes longer than all the rest.
 */
static inline void put_packet(proto_buffer *out, perfetto_sequence *sequence, int64_t utc, const uint8_t *tail,
                              uint8_t tail_size) {
  uint8_t *const start = proto_room(out, PACKET_ROOM);
  if (!start) return;
  start[0] = (TRACE_PACKET << 3) | 2;
  start[2] = PACKET_TIMESTAMP << 3;
  uint8_t *at = proto_put_varint(start + 3, perfetto_timestamp(sequence, utc));
  memcpy(at, tail, PERFETTO_TAIL_MAX);
  at += tail_size;
  start[1] = (uint8_t)(at - start - 2);
  out->size += (uint64_t)(at - start);
}

/* A slice begins: 0 where a trace does not nest so deep. It is then left out and counted. */
static inline int may_begin(const writer *w) {
  if (w->thread->nested++ >= PERFETTO_NESTING_MAX) {
    w->thread->hidden++;
    return 0;
  }
  w->scope->trace->counts.slices++;
  return 1;
}

/* With flows, and with values if it has `ended`: those of a span that has not, its end brings. Returns how many flows.
 */
static uint32_t begin_valued(const writer *w, int64_t utc, const perfetto_iids *iids, uint64_t process,
                             const perfetto_given *given, int ended) {
  tachy_perfetto *const trace = w->scope->trace;
  perfetto_event(trace, &w->thread->slices, utc, TYPE_BEGIN);
  perfetto_write_iids(trace, iids);
  const uint32_t flows = perfetto_given_flows(trace, process, given, 0);
  if (ended) perfetto_given_write(trace, &w->thread->slices, given);
  perfetto_end(trace);
  return flows;
}

static void begin_open(const writer *w, perfetto_open *entry) {
  if (may_begin(w)) entry->flows = begin_valued(w, entry->begin, &entry->iids, entry->process, &entry->given, 0);
  if (entry->state == OPEN_PENDING) w->thread->pending--;
  entry->state = OPEN_BEGUN;
}

/* Ancestors of what is about to be written overlap the range, since it does. */
static void begin_pending(const writer *w) {
  for (uint32_t i = 0; i < w->thread->open.count && w->thread->pending; i++) {
    if (w->thread->open.items[i].state == OPEN_PENDING) begin_open(w, w->thread->open.items + i);
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
    perfetto_event(trace, &w->thread->slices, utc, TYPE_END);
    if (mark) perfetto_mark(trace, mark);
    if (valued) perfetto_given_flows(trace, entry->process, &entry->given, entry->flows);
    if (valued) perfetto_given_write(trace, &w->thread->slices, &entry->given);
    perfetto_end(trace);
  } else {
    put_packet(&trace->out, &w->thread->slices, utc, w->tail, w->tail_size);
  }
  if (w->thread->hidden) mark_hidden(w, utc);
}

/* The thread's stack ----------------------------------------------------------------------------------------------- */

static perfetto_open *innermost(const writer *w) {
  return w->thread->open.count ? w->thread->open.items + w->thread->open.count - 1 : NULL;
}

/* A span of the stack, known to be open until `known_open`, is pushed. */
static void push_open(const writer *w, const tachy_open_row *row, int64_t known_open, tachy_value_range range) {
  tachy_perfetto *const trace = w->scope->trace;
  perfetto_thread *const thread = w->thread;
  perfetto_open *const entry = perfetto_add(trace, &thread->open, sizeof *entry);
  if (!entry) return;
  *entry = (perfetto_open){.id = row->id, .begin = row->begin_utc, .depth = row->depth, .state = OPEN_OUTSIDE};
  if (entry->begin > trace->end_utc) return;
  perfetto_intern_site(w->scope, &thread->slices, row->site, &entry->iids);
  entry->state = OPEN_PENDING;
  thread->pending++;
  entry->process = w->scope->process->uuid;
  perfetto_given_set(trace, &entry->given, w->scope->block, range);
  if (known_open >= trace->begin_utc) begin_pending(w);
}

/* The innermost entry ends. */
static void pop_open(const writer *w, int64_t utc, const char *mark) {
  perfetto_open *const entry = innermost(w);
  if (entry->state == OPEN_BEGUN) end_slice(w, utc, mark, entry);
  if (entry->state == OPEN_PENDING) w->thread->pending--;
  perfetto_given_free(&entry->given);
  w->thread->open.count--;
}

/* What is as deep has lost its end: it is shown until the last moment in which it is known to have been open. */
static void pop_lost_from(const writer *w, uint32_t depth) {
  while (innermost(w) && innermost(w)->depth >= depth) pop_open(w, w->thread->slices.last, "end_lost");
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
static void reconcile(const writer *w, const tachy_open_row *start, uint64_t count) {
  perfetto_thread *const thread = w->thread;
  const int64_t now = w->scope->block->header.utc0;
  uint32_t common = 0;
  while (common < thread->open.count && common < count && thread->open.items[common].id == start[common].id) common++;
  while (thread->open.count > common) pop_open(w, thread->slices.last, "end_lost");
  if (thread->pending && now >= w->scope->trace->begin_utc) begin_pending(w);
  for (uint64_t i = common; i < count; i++) push_open(w, start + i, now, (tachy_value_range){NULL, 0});
}

/* Rows ------------------------------------------------------------------------------------------------------------- */

static inline tachy_value_range values_of_row(const writer *w, uint64_t row) {
  if (!w->rows->owner) return (tachy_value_range){NULL, 0};
  return tachy_values_of(w->scope->block, w->rows->owner[row]);
}

static tachy_value_range values_of_open(const writer *w, int64_t k) {
  return tachy_values_of(w->scope->block, w->first_owner + (uint64_t)k);
}

static void begin_row(const writer *w, uint64_t row) {
  perfetto_site_cache *const cache = w->scope->sites + w->rows->site[row];
  if (cache->owner != w->thread->uuid) {
    perfetto_intern_site(w->scope, &w->thread->slices, w->rows->site[row], &cache->iids);
    cache->tail_size = put_tail(cache->tail, w->thread->slices.id, &cache->iids);
    cache->owner = w->thread->uuid;
  }
  if (w->thread->pending) begin_pending(w);
  if (!may_begin(w)) return;
  const int64_t begin = w->rows->utc[row];
  const tachy_value_range range = values_of_row(w, row);
  if (range.count) {
    perfetto_given_set(w->scope->trace, w->given, w->scope->block, range);
    begin_valued(w, begin, &cache->iids, w->scope->process->uuid, w->given, 1);
  } else {
    put_packet(&w->scope->trace->out, &w->thread->slices, begin, cache->tail, cache->tail_size);
  }
}

static inline int row_overlaps(const writer *w, uint64_t row) {
  return perfetto_overlaps(w->scope->trace, w->rows->utc[row], w->rows->end_utc[row]);
}

static void begin_node(const writer *w, int64_t node) {
  const uint64_t row = w->first + (uint64_t)node;
  if (node >= w->count) {
    const int64_t k = node - w->count;
    push_open(w, w->open_end + k, w->scope->block->header.utc1, values_of_open(w, k));
  } else if (row_overlaps(w, row)) {
    begin_row(w, row);
  }
}

static void apply(uint32_t *open, uint32_t depth) {
  if (depth < *open) *open = depth;
}

/* Fills parent[i] for the thread's rows: a node, NODE_NONE, or NODE_CARRIED where the row itself was open at the start.
 * Returns how many entries of the stack outlast the block. */
static uint32_t find_parents(const writer *w, int64_t *parent) {
  uint32_t open = (uint32_t)w->thread->open.count;
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
static void end_carried(const writer *w, uint64_t row) {
  const uint32_t depth = w->rows->depth[row];
  const int64_t end = w->rows->end_utc[row];
  pop_lost_from(w, depth + 1);
  perfetto_open *const entry = innermost(w);
  if (!entry || entry->depth != depth) return;
  const tachy_value_range range = values_of_row(w, row);
  if (range.count) perfetto_given_set(w->scope->trace, &entry->given, w->scope->block, range);
  if (entry->state == OPEN_PENDING && end >= w->scope->trace->begin_utc) begin_pending(w);
  pop_open(w, end, NULL);
}

/* What outlasts the block has what it was given up to its end. */
static void update_open(const writer *w, uint32_t outlast) {
  for (uint32_t k = 0; k < outlast && k < w->thread->open.count && k < w->open_end_count; k++) {
    perfetto_open *const entry = w->thread->open.items + k;
    const tachy_value_range range = values_of_open(w, k);
    if (range.count && entry->depth == k) perfetto_given_set(w->scope->trace, &entry->given, w->scope->block, range);
  }
}

static void write_rows(const writer *w, const int64_t *parent, uint32_t outlast) {
  int64_t begun[TACHY_DEPTH_MAX]; /* rows that have begun and not ended, outermost first */
  int64_t chain[2 * TACHY_DEPTH_MAX];
  uint32_t begun_count = 0;
  int64_t next_open = w->count + outlast; /* the first node of open_end that is not on the stack yet */
  uint64_t g = 0;
  for (int64_t i = 0; i < w->count; i++) {
    const uint64_t row = w->first + (uint64_t)i;
    for (; g < w->gap_count && w->gaps[g].row <= row; g++) apply_gap(w, w->gaps + g);
    if (parent[i] == NODE_CARRIED) {
      end_carried(w, row);
      continue;
    }
    if (!begun_count || begun[begun_count - 1] != i) {
      uint32_t length = 0;
      int64_t node = i;
      while (node >= 0 && node < w->count && !(begun_count && begun[begun_count - 1] == node)) {
        chain[length++] = node;
        node = parent[node];
      }
      for (; next_open <= node; next_open++) begin_node(w, next_open); /* one of open_end: with all that enclose it */
      while (length) {
        node = chain[--length];
        begin_node(w, node);
        begun[begun_count++] = node;
      }
    }
    if (row_overlaps(w, row)) end_slice(w, w->rows->end_utc[row], NULL, NULL);
    begun_count--;
  }
  for (; g < w->gap_count; g++) apply_gap(w, w->gaps + g);
  for (; next_open < w->count + w->open_end_count; next_open++) begin_node(w, next_open);
  mark_lost(w, w->thread->slices.last);
  if (w->scope->block->value_count) update_open(w, outlast);
}

/* The block -------------------------------------------------------------------------------------------------------- */

static void add_thread(writer *w, uint32_t t, int64_t *parent, perfetto_position *at) {
  const tachy_rows *const rows = w->rows;
  w->thread = perfetto_thread_of(w->scope, t);
  if (!w->thread) return;
  w->first = rows->thread_first[t];
  w->count = (int64_t)(rows->thread_first[t + 1] - w->first);
  w->open_end = rows->open_end + rows->open_end_first[t];
  w->first_owner = tachy_owner_of_open(w->scope->block, rows->open_end_first[t]);
  w->open_end_count = (int64_t)(rows->open_end_first[t + 1] - rows->open_end_first[t]);
  w->gaps = rows->gaps + at->gap;
  while (at->gap < rows->gap_count && rows->gaps[at->gap].thread == t) at->gap++;
  w->gap_count = (uint64_t)(rows->gaps + at->gap - w->gaps);
  const uint64_t start_count = rows->open_start_first[t + 1] - rows->open_start_first[t];
  if (!w->count && !w->gap_count && !w->open_end_count && !start_count && !w->thread->open.count) return;
  perfetto_sequence_begin(w->scope->trace, &w->thread->slices, w->thread->uuid);
  w->tail_size = put_tail(w->tail, w->thread->slices.id, NULL);
  reconcile(w, rows->open_start + rows->open_start_first[t], start_count);
  if (w->scope->trace->out.failed) return; /* the stack is not whole */
  write_rows(w, parent, find_parents(w, parent));
}

void perfetto_add_slices(const perfetto_scope *scope, const tachy_rows *rows, perfetto_position *at) {
  int64_t *const parent = malloc(rows->count ? (size_t)rows->count * sizeof *parent : 1);
  if (!parent) perfetto_fail(scope->trace);
  perfetto_given given = {0};
  writer w = {.scope = scope, .rows = rows, .given = &given};
  for (; parent && at->thread < scope->block->thread_count && !perfetto_part_is_full(scope->trace); at->thread++) {
    add_thread(&w, at->thread, parent, at);
  }
  free(parent);
  perfetto_given_free(&given);
}

void perfetto_close_slices(tachy_perfetto *trace, perfetto_thread *thread, int64_t end_utc) {
  const perfetto_scope scope = {.trace = trace};
  const writer w = {.scope = &scope, .thread = thread};
  mark_lost(&w, end_utc);
  if (end_utc >= trace->begin_utc) begin_pending(&w);
  while (thread->open.count) pop_open(&w, end_utc, "is_open");
}
