/* Async spans on lanes: tracks in which slices nest.
 *
 * Spans are taken in the order of their begins. One whose parent is the innermost of its lane, and outlasts it, is
 * nested there; any other takes the lowest lane of its group that is free, and a flow points to it from its parent. A
 * group is what has the same target (of the outermost span): its lanes carry that name, and the UI draws tracks of one
 * name together.
 */
#include <stdlib.h>

#include "perfetto_trace.h"

enum { NO_LANE = UINT32_MAX };

typedef struct lane {
  uint32_t *stack; /* spans that are open, outermost first */
  uint32_t depth;
  uint32_t capacity;
  uint32_t group;
  int64_t busy_until;
} lane;

typedef struct heap { /* of lane numbers, the least (by `key`) first */
  uint32_t *items;
  uint32_t count;
  uint32_t capacity;
} heap;

typedef struct group {
  uint32_t site; /* one with the group's target */
  heap busy;     /* by busy_until */
  heap idle;     /* by number */
} group;

typedef struct layout {
  tachy_perfetto *trace;
  perfetto_process *process;
  perfetto_async *spans; /* those that overlap the range, in the order of their begins */
  uint32_t count;
  lane *lanes;
  uint64_t lane_count;
  uint64_t lane_capacity;
  group *groups;
  uint64_t group_count;
  uint64_t group_capacity;
  perfetto_map group_by_target; /* index + 1 */
  perfetto_map entered;         /* span id -> index + 1 of the newest span of that id that has a lane */
} layout;

typedef struct step { /* a begin or an end */
  int64_t utc;
  uint32_t order; /* among equal times */
  uint32_t span;
  int is_end;
} step;

/* Heaps ------------------------------------------------------------------------------------------------------------ */

static int before(const layout *l, int by_time, uint32_t a, uint32_t b) {
  if (by_time && l->lanes[a].busy_until != l->lanes[b].busy_until) {
    return l->lanes[a].busy_until < l->lanes[b].busy_until;
  }
  return a < b;
}

static int push(const layout *l, heap *h, int by_time, uint32_t item) {
  uint64_t capacity = h->capacity;
  if (!perfetto_reserve((void **)&h->items, &capacity, h->count, sizeof *h->items)) return 0;
  h->capacity = (uint32_t)capacity;
  uint32_t i = h->count++;
  for (; i && before(l, by_time, item, h->items[(i - 1) / 2]); i = (i - 1) / 2) h->items[i] = h->items[(i - 1) / 2];
  h->items[i] = item;
  return 1;
}

static uint32_t pop(const layout *l, heap *h, int by_time) {
  const uint32_t top = h->items[0], last = h->items[--h->count];
  uint32_t i = 0;
  for (uint32_t child = 1; child < h->count; child = 2 * i + 1) {
    if (child + 1 < h->count && before(l, by_time, h->items[child + 1], h->items[child])) child++;
    if (!before(l, by_time, h->items[child], last)) break;
    h->items[i] = h->items[child];
    i = child;
  }
  h->items[i] = last;
  return top;
}

/* Placing ---------------------------------------------------------------------------------------------------------- */

/* Index + 1; 0: out of memory. */
static uint32_t group_of(layout *l, const perfetto_async *span) {
  const tachy_text target = perfetto_async_target(l->process->async_sites + span->site);
  const uint64_t hash = tachy_hash(target.bytes, target.size);
  int added;
  uint32_t *const index = perfetto_map_at(&l->group_by_target, hash, &added);
  if (!index || *index) return index ? *index : 0;
  if (!perfetto_reserve((void **)&l->groups, &l->group_capacity, l->group_count, sizeof *l->groups)) return 0;
  memset(l->groups + l->group_count, 0, sizeof *l->groups);
  l->groups[l->group_count].site = span->site;
  return *index = (uint32_t)++l->group_count;
}

static int enter(layout *l, uint32_t number, uint32_t s) {
  lane *const chosen = l->lanes + number;
  uint64_t capacity = chosen->capacity;
  if (!perfetto_reserve((void **)&chosen->stack, &capacity, chosen->depth, sizeof *chosen->stack)) return 0;
  chosen->capacity = (uint32_t)capacity;
  l->spans[s].lane = number;
  l->spans[s].level = chosen->depth;
  chosen->stack[chosen->depth++] = s;
  return 1;
}

/* A lane of the group on which nothing is open at the span's begin. */
static int enter_free(layout *l, uint32_t group_index, uint32_t s) {
  group *const g = l->groups + group_index;
  while (g->busy.count && l->lanes[g->busy.items[0]].busy_until <= l->spans[s].begin) {
    if (!push(l, &g->idle, 0, pop(l, &g->busy, 1))) return 0;
  }
  uint32_t number;
  if (g->idle.count) {
    number = pop(l, &g->idle, 0);
  } else {
    if (!perfetto_reserve((void **)&l->lanes, &l->lane_capacity, l->lane_count, sizeof *l->lanes)) return 0;
    number = (uint32_t)l->lane_count++;
    memset(l->lanes + number, 0, sizeof *l->lanes);
    l->lanes[number].group = group_index;
  }
  l->lanes[number].depth = 0;
  l->lanes[number].busy_until = l->spans[s].end;
  return enter(l, number, s) && push(l, &g->busy, 1, number);
}

static int enter_lane(layout *l, uint32_t s) {
  const perfetto_async *const span = l->spans + s;
  int added;
  uint32_t *const parent_index = span->parent ? perfetto_map_at(&l->entered, span->parent, &added) : NULL;
  if (span->parent && !parent_index) return 0;
  uint32_t own_group = 0;
  if (parent_index && *parent_index) {
    const uint32_t parent = *parent_index - 1;
    lane *const home = l->lanes + l->spans[parent].lane;
    while (home->depth && home->stack[home->depth - 1] != parent &&
           l->spans[home->stack[home->depth - 1]].end <= span->begin) {
      home->depth--;
    }
    const int is_innermost = home->depth && home->stack[home->depth - 1] == parent;
    if (is_innermost && span->end <= l->spans[parent].end && home->depth < PERFETTO_NESTING_MAX) {
      return enter(l, l->spans[parent].lane, s);
    }
    own_group = home->group + 1;
    l->spans[s].is_apart = 1;
    l->spans[s].next_apart = l->spans[parent].first_apart;
    l->spans[parent].first_apart = s + 1;
  } else {
    own_group = group_of(l, span);
    if (!own_group) return 0;
  }
  return enter_free(l, own_group - 1, s);
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
  uint32_t kept = 0;
  for (uint64_t i = 0; i < p->async_count; i++) {
    perfetto_async span = p->async[i];
    if (!span.has_begin) span.begin = span.end < p->first_utc ? span.end : p->first_utc;
    if (!span.has_end) span.end = end_utc;
    if (span.begin < 0) span.begin = 0;
    if (span.end < span.begin) span.end = span.begin;
    if (perfetto_overlaps(trace, span.begin, span.end)) {
      p->async[kept++] = span;
    } else {
      perfetto_given_free(&span.given);
    }
  }
  p->async_count = kept;
  if (kept) qsort(p->async, kept, sizeof *p->async, by_begin);
  return kept;
}

static int enter_all(layout *l) {
  for (uint32_t s = 0; s < l->count; s++) {
    int added;
    if (!enter_lane(l, s)) return 0;
    uint32_t *const index = perfetto_map_at(&l->entered, l->spans[s].id, &added);
    if (!index) return 0;
    *index = s + 1;
  }
  return 1;
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

/* Begins and ends in the order in which they nest on each lane, then all lanes' in the order of time. NULL: out of
 * memory. */
static step *make_steps(layout *l) {
  if (l->count > UINT32_MAX / 2) return NULL;
  step *const steps = malloc((size_t)l->count * 2 * sizeof *steps);
  if (!steps) return NULL;
  uint32_t n = 0;
  for (uint64_t i = 0; i < l->lane_count; i++) l->lanes[i].depth = 0;
  for (uint32_t s = 0; s < l->count; s++) {
    lane *const home = l->lanes + l->spans[s].lane;
    while (home->depth > l->spans[s].level) {
      const uint32_t inner = home->stack[--home->depth];
      put_step(steps, &n, l->spans[inner].end, inner, 1);
    }
    home->stack[home->depth++] = s;
    put_step(steps, &n, l->spans[s].begin, s, 0);
  }
  for (uint64_t i = 0; i < l->lane_count; i++) {
    lane *const home = l->lanes + i;
    while (home->depth) {
      const uint32_t inner = home->stack[--home->depth];
      put_step(steps, &n, l->spans[inner].end, inner, 1);
    }
  }
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

/* 0: out of memory. */
static int write_steps(const layout *l, perfetto_sequence *sequence, const step *steps, const perfetto_iids *iids) {
  proto_buffer *const out = &l->trace->out;
  for (uint64_t i = 0; i < (uint64_t)l->count * 2; i++) {
    const perfetto_async *const span = l->spans + steps[i].span;
    if (!steps[i].is_end && !perfetto_given_intern(l->trace, sequence, &span->given)) return 0;
    const int type = steps[i].is_end ? TYPE_END : TYPE_BEGIN;
    const perfetto_event opened = perfetto_event_open(l->trace, sequence, steps[i].utc, type);
    proto_varint(out, EVENT_TRACK_UUID, perfetto_uuid(l->process->uuid, UUID_LANE, span->lane));
    if (!steps[i].is_end) {
      perfetto_write_iids(l->trace, iids + span->site);
      write_flows(l, steps[i].span);
      perfetto_given_flows(l->trace, l->process->uuid, &span->given, 0);
      perfetto_given_write(l->trace, sequence, &span->given);
      if (!span->has_begin) perfetto_mark(l->trace, "begin_lost");
      l->trace->counts.async++;
    } else if (!span->has_end) {
      perfetto_mark(l->trace, "is_open");
    }
    perfetto_event_close(l->trace, opened);
  }
  return 1;
}

/* Lanes, names and slices, in one packet sequence. */
static int write_layout(layout *l) {
  const perfetto_process *const p = l->process;
  perfetto_sequence sequence = {0};
  perfetto_sequence_begin(l->trace, &sequence, p->uuid);
  for (uint64_t i = 0; i < l->lane_count; i++) {
    const tachy_text target = perfetto_async_target(p->async_sites + l->groups[l->lanes[i].group].site);
    const tachy_text name = target.size ? target : (tachy_text){"async", 5};
    perfetto_track(l->trace, &sequence, perfetto_uuid(p->uuid, UUID_LANE, i), p->uuid, name);
  }
  perfetto_iids *const iids = malloc((size_t)p->async_site_count * sizeof *iids);
  step *const steps = make_steps(l);
  int ok = iids && steps;
  for (uint64_t i = 0; ok && i < p->async_site_count; i++) {
    const perfetto_async_site *const site = p->async_sites + i;
    ok = perfetto_intern_texts(l->trace, &sequence, perfetto_async_name(site), perfetto_async_target(site),
                               perfetto_async_file(site), site->line, iids + i);
  }
  ok = ok && write_steps(l, &sequence, steps, iids);
  free(steps);
  free(iids);
  perfetto_map_free(&sequence.interned);
  return ok;
}

int perfetto_write_lanes(tachy_perfetto *trace, perfetto_process *process, int64_t end_utc) {
  layout l = {.trace = trace, .process = process, .spans = process->async};
  l.count = keep_overlapping(trace, process, end_utc);
  if (!l.count) return 1;
  l.group_by_target.seed = l.entered.seed = trace->seed;
  const int ok = enter_all(&l) && write_layout(&l);
  for (uint64_t i = 0; i < l.lane_count; i++) free(l.lanes[i].stack);
  for (uint64_t i = 0; i < l.group_count; i++) {
    free(l.groups[i].busy.items);
    free(l.groups[i].idle.items);
  }
  free(l.lanes);
  free(l.groups);
  perfetto_map_free(&l.group_by_target);
  perfetto_map_free(&l.entered);
  return ok;
}
