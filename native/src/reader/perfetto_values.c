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

static void describe_counter(const perfetto_scope *scope, const perfetto_sequence *sequence, uint64_t uuid,
                             const tachy_site_row *site, uint32_t set) {
  const tachy_text *const strings = scope->block->strings;
  const tachy_text unit = strings[site->unit], target = strings[site->target];
  proto_buffer *const out = &scope->trace->out;
  tachy_buffer name = {0};
  if (!append_name(&name, scope->block, strings[site->name], set)) perfetto_fail(scope->trace);
  perfetto_track(scope->trace, sequence->id, uuid, scope->process->uuid);
  proto_varint(out, TRACK_SIBLING_MERGE, SIBLING_MERGE_NONE);
  proto_text(out, TRACK_NAME, name.size ? name.bytes : "", name.size, PROTO_TEXT_MAX);
  proto_open(out, TRACK_COUNTER);
  if (target.size) proto_text(out, COUNTER_CATEGORY, target.bytes, target.size, PROTO_TEXT_MAX);
  if (unit.size) proto_text(out, COUNTER_UNIT_NAME, unit.bytes, unit.size, PROTO_TEXT_MAX);
  perfetto_end(scope->trace);
  tachy_buffer_free(&name);
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

/* The uuid of the row's counter track, described when it is new. */
static uint64_t counter_track(const counters *c, const perfetto_sequence *sequence, uint64_t row) {
  const perfetto_scope *const scope = c->scope;
  const uint32_t site = c->rows->site[row], set = c->rows->set[row];
  const uint64_t uuid = perfetto_uuid(scope->process->uuid, UUID_COUNTER, site_key(scope, site) + c->sets[set]);
  int added = 0;
  if (!tachy_map_at(&scope->process->counters, scope->trace->seed, uuid, &added)) perfetto_fail(scope->trace);
  if (added) describe_counter(scope, sequence, uuid, scope->block->sites + site, set);
  return uuid;
}

static void write_counter(const counters *c, uint64_t i, perfetto_sequence *sequence) {
  tachy_perfetto *const trace = c->scope->trace;
  const tachy_rows *const rows = c->rows;
  const uint64_t track = counter_track(c, sequence, i);
  const uint32_t kind = c->scope->block->sites[rows->site[i]].kind;
  perfetto_event(trace, sequence, rows->utc[i], TYPE_COUNTER);
  proto_varint(&trace->out, EVENT_TRACK_UUID, track);
  if (kind == TACHY_SITE_METRIC_INT) {
    proto_varint(&trace->out, EVENT_COUNTER_VALUE, rows->bits[i]);
  } else {
    proto_double(&trace->out, EVENT_COUNTER_DOUBLE, tachy_metric_value(kind, rows->bits[i]));
  }
  perfetto_end(trace);
  trace->counts.counters++;
}

static perfetto_frames *frames_of(const perfetto_scope *scope, uint32_t site, uint32_t number) {
  tachy_perfetto *const trace = scope->trace;
  perfetto_process *const p = scope->process;
  const perfetto_site_cache *const cache = perfetto_site_hashes(scope, site);
  const uint64_t key = (cache->name_hash ^ tachy_mix64(cache->target_hash)) + tachy_mix64(number);
  int is_new;
  perfetto_frames *const frames =
      perfetto_find(trace, &p->frames_by_key, key, &p->frames, sizeof *p->frames.items, &is_new);
  if (!is_new) return frames;
  const uint64_t uuid = perfetto_uuid(p->uuid, UUID_FRAMES, key);
  perfetto_sequence_begin(trace, &frames->sequence, uuid);
  perfetto_intern_site(scope, &frames->sequence, site, &frames->iids);
  perfetto_track(trace, frames->sequence.id, uuid, p->uuid);
  proto_literal(&trace->out, TRACK_NAME, "Frames");
  perfetto_end(trace);
  return frames;
}

/* The mark at `utc` ended a frame of `bits` nanoseconds. Rounding must not make it overlap the one before. */
static void write_frame(const perfetto_scope *scope, uint32_t site, uint32_t number, int64_t utc, uint64_t bits) {
  tachy_perfetto *const trace = scope->trace;
  double ns;
  memcpy(&ns, &bits, sizeof ns);
  const int64_t begin = ns > 0 && ns < 4e18 && utc > INT64_MIN / 4 ? utc - (int64_t)ns : utc;
  if (!perfetto_overlaps(trace, begin, utc)) return;
  perfetto_frames *const frames = frames_of(scope, site, number);
  if (!frames) return;
  perfetto_event(trace, &frames->sequence, begin, TYPE_BEGIN);
  perfetto_write_iids(trace, &frames->iids);
  perfetto_end(trace);
  perfetto_event(trace, &frames->sequence, utc, TYPE_END);
  perfetto_end(trace);
  trace->counts.frames++;
}

static void write_value(const counters *c, uint64_t i) {
  const perfetto_scope *const scope = c->scope;
  const tachy_rows *const rows = c->rows;
  if (scope->block->sites[rows->site[i]].kind == TACHY_SITE_FRAME) {
    const uint32_t number = scope->block->threads[rows->thread[i]].number;
    write_frame(scope, rows->site[i], number, rows->utc[i], rows->bits[i]);
  } else if (perfetto_overlaps(scope->trace, rows->utc[i], rows->utc[i])) {
    perfetto_sequence *const sequence = perfetto_sequence_of(scope, rows->thread[i]);
    if (sequence) write_counter(c, i, sequence);
  }
}

void perfetto_add_values(const perfetto_scope *scope, const tachy_rows *rows, perfetto_position *at) {
  const counters c = {.scope = scope, .rows = rows, .sets = hash_sets(scope->block)};
  if (!c.sets) {
    perfetto_fail(scope->trace);
    return;
  }
  while (at->row <= rows->count && !perfetto_part_is_full(scope->trace)) {
    perfetto_gaps(scope, rows, at->row, &at->gap);
    if (at->row < rows->count) write_value(&c, at->row);
    at->row++;
  }
  free(c.sets);
}
