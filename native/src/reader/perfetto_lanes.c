/* Async spans on lanes: tracks in which slices nest.
 *
 * Spans are taken in the order of their begins. One whose parent is the innermost of its lane, and outlasts it, is
 * nested there; any other takes the lowest lane of its group that is free, and a flow points to it from its parent. A
 * group is what has the same target (of the outermost span): its lanes carry that name, and the UI draws tracks of one
 * name together.
 */
#include <stdlib.h>

#include "perfetto_trace.h"

typedef TACHY_LIST(uint32_t) numbers;

typedef struct lane {
  numbers stack; /* spans that are open, outermost first */
  uint32_t group;
  int64_t busy_until;
} lane;

typedef struct group {
  uint32_t site; /* one with the group's target */
  numbers busy;  /* lanes; a heap, by busy_until */
  numbers idle;  /* lanes; a heap, by number */
} group;

typedef struct layout {
  tachy_perfetto *trace;
  perfetto_process *process;
  perfetto_async *spans; /* those that overlap the range, in the order of their begins */
  uint32_t count;
  TACHY_LIST(lane) lanes;
  TACHY_LIST(group) groups;
  tachy_map group_by_target; /* index + 1 */
  tachy_map entered;         /* span id -> index + 1 of the newest span of that id that has a lane */
} layout;

typedef struct step { /* a begin or an end */
  int64_t utc;
  uint32_t order; /* among equal times */
  uint32_t span;
  int is_end;
} step;

/* Heaps ------------------------------------------------------------------------------------------------------------ */

static int before(const layout *l, int by_time, uint32_t a, uint32_t b) {
  const lane *const lanes = l->lanes.items;
  if (by_time && lanes[a].busy_until != lanes[b].busy_until) return lanes[a].busy_until < lanes[b].busy_until;
  return a < b;
}

static void push(const layout *l, numbers *heap, int by_time, uint32_t item) {
  if (!perfetto_add(l->trace, heap, sizeof *heap->items)) return;
  uint64_t i = heap->count - 1;
  uint32_t *const items = heap->items;
  for (; i && before(l, by_time, item, items[(i - 1) / 2]); i = (i - 1) / 2) items[i] = items[(i - 1) / 2];
  items[i] = item;
}

static uint32_t pop(const layout *l, numbers *heap, int by_time) {
  uint32_t *const items = heap->items;
  const uint32_t top = items[0], last = items[--heap->count];
  uint64_t i = 0;
  for (uint64_t child = 1; child < heap->count; child = 2 * i + 1) {
    if (child + 1 < heap->count && before(l, by_time, items[child + 1], items[child])) child++;
    if (!before(l, by_time, items[child], last)) break;
    items[i] = items[child];
    i = child;
  }
  items[i] = last;
  return top;
}

/* Placing. Whoever runs out of memory leaves the layout as it is: it will not be written. */

static uint32_t innermost(const lane *home) { return home->stack.items[home->stack.count - 1]; }

static uint32_t group_of(layout *l, const perfetto_async *span) {
  const tachy_text target = l->process->async_sites.items[span->site].texts.target;
  int is_new;
  group *const found = perfetto_find(l->trace, &l->group_by_target, tachy_hash(target.bytes, target.size), &l->groups,
                                     sizeof *l->groups.items, &is_new);
  if (!found) return 0;
  if (is_new) found->site = span->site;
  return (uint32_t)(found - l->groups.items);
}

static void enter(layout *l, uint32_t number, uint32_t s) {
  lane *const chosen = l->lanes.items + number;
  l->spans[s].lane = number;
  l->spans[s].level = (uint32_t)chosen->stack.count;
  uint32_t *const top = perfetto_add(l->trace, &chosen->stack, sizeof *top);
  if (top) *top = s;
}

/* On a lane of the group on which nothing is open at the span's begin. */
static void enter_free(layout *l, uint32_t group_index, uint32_t s) {
  if (l->trace->out.failed) return;
  group *const g = l->groups.items + group_index;
  while (g->busy.count && l->lanes.items[g->busy.items[0]].busy_until <= l->spans[s].begin) {
    push(l, &g->idle, 0, pop(l, &g->busy, 1));
  }
  if (!g->idle.count) {
    lane *const added = perfetto_add(l->trace, &l->lanes, sizeof *added);
    if (!added) return;
    added->group = group_index;
    push(l, &g->idle, 0, (uint32_t)l->lanes.count - 1);
  }
  if (l->trace->out.failed) return;
  const uint32_t number = pop(l, &g->idle, 0);
  l->lanes.items[number].stack.count = 0;
  l->lanes.items[number].busy_until = l->spans[s].end;
  enter(l, number, s);
  push(l, &g->busy, 1, number);
}

static void enter_lane(layout *l, uint32_t s) {
  const perfetto_async *const span = l->spans + s;
  int added;
  const uint32_t *const index = span->parent ? tachy_map_at(&l->entered, l->trace->seed, span->parent, &added) : NULL;
  if (span->parent && !index) perfetto_fail(l->trace);
  if (!index || !*index) {
    enter_free(l, group_of(l, span), s);
    return;
  }
  const uint32_t parent = *index - 1;
  lane *const home = l->lanes.items + l->spans[parent].lane;
  while (home->stack.count && innermost(home) != parent && l->spans[innermost(home)].end <= span->begin) {
    home->stack.count--;
  }
  const int is_innermost = home->stack.count && innermost(home) == parent;
  if (is_innermost && span->end <= l->spans[parent].end && home->stack.count < PERFETTO_NESTING_MAX) {
    enter(l, l->spans[parent].lane, s);
    return;
  }
  l->spans[s].is_apart = 1;
  l->spans[s].next_apart = l->spans[parent].first_apart;
  l->spans[parent].first_apart = s + 1;
  enter_free(l, home->group, s);
}

static int by_begin(const void *a, const void *b) {
  const perfetto_async *const x = a, *const y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  if (x->depth != y->depth) return x->depth < y->depth ? -1 : 1;
  if (x->end != y->end) return x->end > y->end ? -1 : 1;
  return x->id < y->id ? -1 : x->id > y->id;
}

/* Keeps the spans that overlap the range, with both their times. */
static uint32_t keep_overlapping(tachy_perfetto *trace, perfetto_process *p, int64_t end_utc) {
  perfetto_async *const spans = p->async.items;
  uint32_t kept = 0;
  for (uint64_t i = 0; i < p->async.count; i++) {
    perfetto_async span = spans[i];
    if (!span.has_begin) span.begin = span.end < p->first_utc ? span.end : p->first_utc;
    if (!span.has_end) span.end = end_utc;
    if (span.begin < 0) span.begin = 0;
    if (span.end < span.begin) span.end = span.begin;
    if (perfetto_overlaps(trace, span.begin, span.end)) {
      spans[kept++] = span;
    } else {
      perfetto_given_free(&span.given);
    }
  }
  p->async.count = kept;
  if (kept) qsort(spans, kept, sizeof *spans, by_begin);
  return kept;
}

static void enter_all(layout *l) {
  for (uint32_t s = 0; s < l->count && !l->trace->out.failed; s++) {
    int added;
    enter_lane(l, s);
    uint32_t *const index = tachy_map_at(&l->entered, l->trace->seed, l->spans[s].id, &added);
    if (index) *index = s + 1;
    if (!index) perfetto_fail(l->trace);
  }
}

/* Writing ---------------------------------------------------------------------------------------------------------- */

static int by_time(const void *a, const void *b) {
  const step *const x = a, *const y = b;
  if (x->utc != y->utc) return x->utc < y->utc ? -1 : 1;
  return x->order < y->order ? -1 : x->order > y->order;
}

static void put_step(step *steps, uint32_t *n, int64_t utc, uint32_t span, int is_end) {
  steps[*n] = (step){.utc = utc, .order = *n, .span = span, .is_end = is_end};
  ++*n;
}

/* Ends what is open on the lane, from the innermost to the level. */
static void end_down_to(const layout *l, lane *home, uint64_t level, step *steps, uint32_t *n) {
  while (home->stack.count > level) {
    const uint32_t inner = innermost(home);
    home->stack.count--;
    put_step(steps, n, l->spans[inner].end, inner, 1);
  }
}

/* Begins and ends in the order in which they nest on each lane, then all lanes' in the order of time. NULL: out of
 * memory. */
static step *make_steps(const layout *l) {
  if (l->count > UINT32_MAX / 2) return NULL;
  step *const steps = malloc((size_t)l->count * 2 * sizeof *steps);
  if (!steps) return NULL;
  uint32_t n = 0;
  for (uint64_t i = 0; i < l->lanes.count; i++) l->lanes.items[i].stack.count = 0;
  for (uint32_t s = 0; s < l->count; s++) {
    lane *const home = l->lanes.items + l->spans[s].lane;
    end_down_to(l, home, l->spans[s].level, steps, &n);
    home->stack.items[home->stack.count++] = s;
    put_step(steps, &n, l->spans[s].begin, s, 0);
  }
  for (uint64_t i = 0; i < l->lanes.count; i++) end_down_to(l, l->lanes.items + i, 0, steps, &n);
  qsort(steps, n, sizeof *steps, by_time);
  return steps;
}

/* An arrow from a span to each of its children on other lanes. */
static void write_flows(const layout *l, uint32_t s) {
  proto_buffer *const out = &l->trace->out;
  for (uint32_t child = l->spans[s].first_apart; child; child = l->spans[child - 1].next_apart) {
    proto_fixed64(out, EVENT_FLOW, perfetto_uuid(l->process->uuid, UUID_FLOW, child - 1));
  }
  if (l->spans[s].is_apart) proto_fixed64(out, EVENT_FLOW_END, perfetto_uuid(l->process->uuid, UUID_FLOW, s));
}

static void write_steps(const layout *l, perfetto_sequence *sequence, const step *steps, const perfetto_iids *iids) {
  tachy_perfetto *const trace = l->trace;
  for (uint64_t i = 0; i < (uint64_t)l->count * 2; i++) {
    const perfetto_async *const span = l->spans + steps[i].span;
    perfetto_event(trace, sequence, steps[i].utc, steps[i].is_end ? TYPE_END : TYPE_BEGIN);
    proto_varint(&trace->out, EVENT_TRACK_UUID, perfetto_uuid(l->process->uuid, UUID_LANE, span->lane));
    if (!steps[i].is_end) {
      perfetto_write_iids(trace, iids + span->site);
      write_flows(l, steps[i].span);
      perfetto_given_flows(trace, l->process->uuid, &span->given, 0);
      perfetto_given_write(trace, sequence, &span->given);
      if (!span->has_begin) perfetto_mark(trace, "begin_lost");
      trace->counts.async++;
    } else if (!span->has_end) {
      perfetto_mark(trace, "is_open");
    }
    perfetto_end(trace);
  }
}

/* Lanes, names and slices, in one packet sequence. */
static void write_layout(const layout *l) {
  const perfetto_process *const p = l->process;
  const perfetto_async_site *const sites = p->async_sites.items;
  perfetto_sequence sequence = {0};
  perfetto_sequence_begin(l->trace, &sequence, p->uuid);
  for (uint64_t i = 0; i < l->lanes.count; i++) {
    const tachy_text target = sites[l->groups.items[l->lanes.items[i].group].site].texts.target;
    perfetto_track(l->trace, sequence.id, perfetto_uuid(p->uuid, UUID_LANE, i), p->uuid);
    proto_text(&l->trace->out, TRACK_NAME, target.size ? target.bytes : "async", target.size ? target.size : 5,
               PROTO_TEXT_MAX);
    perfetto_end(l->trace);
  }
  perfetto_iids *const iids = malloc((size_t)p->async_sites.count * sizeof *iids);
  step *const steps = make_steps(l);
  for (uint64_t i = 0; iids && i < p->async_sites.count; i++) {
    perfetto_intern_texts(l->trace, &sequence, &sites[i].texts, iids + i);
  }
  if (iids && steps) {
    write_steps(l, &sequence, steps, iids);
  } else {
    perfetto_fail(l->trace);
  }
  free(steps);
  free(iids);
  tachy_map_free(&sequence.interned);
}

void perfetto_write_lanes(tachy_perfetto *trace, perfetto_process *process, int64_t end_utc) {
  layout l = {.trace = trace, .process = process, .spans = process->async.items};
  l.count = keep_overlapping(trace, process, end_utc);
  if (!l.count) return;
  enter_all(&l);
  if (!trace->out.failed) write_layout(&l);
  for (uint64_t i = 0; i < l.lanes.count; i++) free(l.lanes.items[i].stack.items);
  for (uint64_t i = 0; i < l.groups.count; i++) {
    free(l.groups.items[i].busy.items);
    free(l.groups.items[i].idle.items);
  }
  free(l.lanes.items);
  free(l.groups.items);
  tachy_map_free(&l.group_by_target);
  tachy_map_free(&l.entered);
}
