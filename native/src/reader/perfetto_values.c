/* Metrics: a counter track per process, name, target, unit and property set; frame marks as slices on tracks named
 * "Frames". */
#include <stdlib.h>

#include "perfetto_trace.h"

static tachy_text text_of(const char *s) { return (tachy_text){s, strlen(s)}; }

/* What a counter's track stands for: one name, target, unit and property set of a process. */
typedef struct counters {
  const perfetto_scope *scope;
  const tachy_rows *rows;
  uint64_t *sets; /* a hash per property set of the block, whatever the order of its pairs */
} counters;

/* NULL: out of memory. Each string is hashed once, however many sets name it. */
static uint64_t *hash_sets(const tachy_block *block) {
  uint64_t *const strings = malloc((size_t)block->string_count * sizeof *strings + 1);
  uint64_t *const sets = calloc((size_t)block->set_count + 1, sizeof *sets);
  for (uint32_t i = 0; strings && i < block->string_count; i++) {
    strings[i] = tachy_hash(block->strings[i].bytes, block->strings[i].size);
  }
  for (uint32_t s = 0; strings && sets && s < block->set_count; s++) {
    for (uint64_t k = block->set_first[s]; k < block->set_first[s + 1]; k++) {
      sets[s] += tachy_mix64(strings[block->set_keys[k]] + tachy_mix64(strings[block->set_values[k]]));
    }
  }
  free(strings);
  if (strings) return sets;
  free(sets);
  return NULL;
}

static int append(tachy_buffer *out, const char *literal, tachy_text text) {
  return tachy_buffer_append(out, literal, strlen(literal)) && tachy_buffer_append(out, text.bytes, text.size);
}

/* `name`, or `name{key="value",…}` with properties; it need not be longer than what a trace keeps of a name. */
static int append_name(tachy_buffer *out, const tachy_block *block, tachy_text name, uint32_t set) {
  int ok = append(out, "", name);
  if (block->set_first[set] == block->set_first[set + 1]) return ok;
  const char *before = "{";
  for (uint64_t k = block->set_first[set]; ok && k < block->set_first[set + 1] && out->size <= PROTO_TEXT_MAX; k++) {
    ok = append(out, before, block->strings[block->set_keys[k]]) &&
         append(out, "=\"", block->strings[block->set_values[k]]) && append(out, "\"", text_of(""));
    before = ",";
  }
  return ok && append(out, "}", text_of(""));
}

static int describe_counter(const perfetto_scope *scope, const perfetto_sequence *sequence, uint64_t uuid,
                            const tachy_site_row *site, uint32_t set) {
  tachy_buffer name = {0};
  const tachy_text unit = scope->block->strings[site->unit], target = scope->block->strings[site->target];
  const int ok = append_name(&name, scope->block, scope->block->strings[site->name], set);
  proto_buffer *const out = &scope->trace->out;
  const uint64_t packet = perfetto_packet(scope->trace, sequence);
  const uint64_t track = proto_open(out, PACKET_TRACK_DESCRIPTOR);
  proto_varint(out, TRACK_UUID, uuid);
  proto_varint(out, TRACK_PARENT, scope->process->uuid);
  proto_varint(out, TRACK_SIBLING_MERGE, SIBLING_MERGE_NONE);
  proto_text(out, TRACK_NAME, name.size ? name.bytes : "", name.size, PROTO_TEXT_MAX);
  const uint64_t counter = proto_open(out, TRACK_COUNTER);
  if (target.size) proto_text(out, COUNTER_CATEGORY, target.bytes, target.size, PROTO_TEXT_MAX);
  if (unit.size) proto_text(out, COUNTER_UNIT_NAME, unit.bytes, unit.size, PROTO_TEXT_MAX);
  proto_close(out, counter);
  proto_close(out, track);
  proto_close(out, packet);
  tachy_buffer_free(&name);
  return ok;
}

static uint64_t site_key(const perfetto_scope *scope, uint32_t site) {
  perfetto_site_cache *const cache = perfetto_site_hashes(scope, site);
  if (!cache->counter_key) {
    const tachy_text unit = scope->block->strings[scope->block->sites[site].unit];
    cache->counter_key =
        (cache->name_hash ^ tachy_mix64(cache->target_hash)) + tachy_mix64(tachy_hash(unit.bytes, unit.size) + 1);
  }
  return cache->counter_key;
}

/* The uuid of the row's counter track, described when it is new. 0: out of memory. */
static uint64_t counter_track(const counters *c, const perfetto_sequence *sequence, uint64_t row) {
  const perfetto_scope *const scope = c->scope;
  const uint32_t site = c->rows->site[row], set = c->rows->set[row];
  const uint64_t key = site_key(scope, site) + c->sets[set];
  const uint64_t uuid = perfetto_uuid(scope->process->uuid, UUID_COUNTER, key);
  int added;
  if (!perfetto_map_at(&scope->process->counters, uuid, &added)) return 0;
  if (added && !describe_counter(scope, sequence, uuid, scope->block->sites + site, set)) return 0;
  return uuid;
}

static perfetto_thread *measuring_thread(const perfetto_scope *scope, uint32_t t) {
  const uint64_t index = perfetto_thread_of(scope, t);
  if (index == UINT64_MAX) return NULL;
  perfetto_thread *const thread = scope->process->threads + index;
  perfetto_sequence_begin(scope->trace, &thread->values, thread->uuid);
  return thread;
}

static int write_counter(const counters *c, uint64_t i, perfetto_thread *thread) {
  tachy_perfetto *const trace = c->scope->trace;
  const tachy_rows *const rows = c->rows;
  const uint64_t track = counter_track(c, &thread->values, i);
  if (!track) return 0;
  const uint32_t kind = c->scope->block->sites[rows->site[i]].kind;
  const perfetto_event opened = perfetto_event_open(trace, &thread->values, rows->utc[i], TYPE_COUNTER);
  proto_varint(&trace->out, EVENT_TRACK_UUID, track);
  if (kind == TACHY_SITE_METRIC_INT) {
    proto_varint(&trace->out, EVENT_COUNTER_VALUE, rows->bits[i]);
  } else {
    proto_double(&trace->out, EVENT_COUNTER_DOUBLE, tachy_metric_value(c->scope->block, kind, rows->bits[i]));
  }
  perfetto_event_close(trace, opened);
  trace->counts.counters++;
  return 1;
}

static perfetto_frames *frames_of(const perfetto_scope *scope, uint32_t site, uint32_t number) {
  perfetto_process *const p = scope->process;
  const perfetto_site_cache *const cache = perfetto_site_hashes(scope, site);
  const uint64_t key = (cache->name_hash ^ tachy_mix64(cache->target_hash)) + tachy_mix64(number);
  int added;
  uint32_t *const index = perfetto_map_at(&p->frames_by_key, key, &added);
  if (!index) return NULL;
  if (*index) return p->frames + *index - 1;
  if (!perfetto_reserve((void **)&p->frames, &p->frames_capacity, p->frames_count, sizeof *p->frames)) return NULL;
  perfetto_frames *const frames = p->frames + p->frames_count;
  memset(frames, 0, sizeof *frames);
  const uint64_t uuid = perfetto_uuid(p->uuid, UUID_FRAMES, key);
  perfetto_sequence_begin(scope->trace, &frames->sequence, uuid);
  *index = (uint32_t)++p->frames_count;
  if (!perfetto_intern_site(scope, &frames->sequence, site, &frames->iids)) return NULL;
  perfetto_track(scope->trace, &frames->sequence, uuid, p->uuid, text_of("Frames"));
  return frames;
}

/* The mark at `utc` ended a frame of `ticks`. Rounding must not make it overlap the one before. */
static int write_frame(const perfetto_scope *scope, uint32_t site, uint32_t number, int64_t utc, uint64_t ticks) {
  tachy_perfetto *const trace = scope->trace;
  const double ns = (double)(int64_t)ticks * scope->block->clock.lines[0].rate;
  const int64_t begin = ns > 0 && ns < 4e18 && utc > INT64_MIN / 4 ? utc - (int64_t)ns : utc;
  if (!perfetto_overlaps(trace, begin, utc)) return 1;
  perfetto_frames *const frames = frames_of(scope, site, number);
  if (!frames) return 0;
  const perfetto_event opened = perfetto_event_open(trace, &frames->sequence, begin, TYPE_BEGIN);
  perfetto_write_iids(trace, &frames->iids);
  perfetto_event_close(trace, opened);
  perfetto_event_close(trace, perfetto_event_open(trace, &frames->sequence, utc, TYPE_END));
  trace->counts.frames++;
  return 1;
}

static int write_value(const counters *c, uint64_t i) {
  const perfetto_scope *const scope = c->scope;
  const tachy_rows *const rows = c->rows;
  if (scope->block->sites[rows->site[i]].kind == TACHY_SITE_FRAME) {
    const uint32_t number = scope->block->threads[rows->thread[i]].number;
    return write_frame(scope, rows->site[i], number, rows->utc[i], rows->bits[i]);
  }
  if (!perfetto_overlaps(scope->trace, rows->utc[i], rows->utc[i])) return 1;
  perfetto_thread *const thread = measuring_thread(scope, rows->thread[i]);
  return thread && write_counter(c, i, thread);
}

static int write_gaps(const perfetto_scope *scope, const tachy_gap *gaps, uint64_t count, perfetto_position *at) {
  for (; at->gap < count && gaps[at->gap].row <= at->row; at->gap++) {
    const tachy_gap *const gap = gaps + at->gap;
    if (!perfetto_overlaps(scope->trace, gap->utc, gap->utc)) continue;
    perfetto_thread *const thread = measuring_thread(scope, gap->thread);
    if (!thread) return 0;
    perfetto_lost(scope->trace, &thread->values, gap->utc, gap->count, "metric");
  }
  return 1;
}

int perfetto_add_values(const perfetto_scope *scope, const tachy_rows *rows, perfetto_position *at) {
  const counters c = {.scope = scope, .rows = rows, .sets = hash_sets(scope->block)};
  int ok = c.sets != NULL;
  for (; ok && at->row < rows->count && !perfetto_part_is_full(scope->trace); at->row += (uint64_t)ok) {
    ok = write_gaps(scope, rows->gaps, rows->gap_count, at) && write_value(&c, at->row);
  }
  if (ok && at->row == rows->count) ok = write_gaps(scope, rows->gaps, rows->gap_count, at);
  free(c.sets);
  return ok;
}
