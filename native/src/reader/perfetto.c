/* The Perfetto encoder's handle: processes, threads, packet sequences, and the order in which a trace is written. */
#include <stdio.h>
#include <stdlib.h>

#include "error.h"
#include "perfetto_trace.h"

/* Says that the trace cannot go on. */
static tachy_status refuse(const tachy_perfetto *trace, tachy_read_error *error) {
  (void)tachy_read_fail(error, "an earlier block made the trace unusable");
  return trace->broken;
}

static uint64_t half(const uint8_t id[16], int which) {
  uint64_t v;
  memcpy(&v, id + which * 8, 8);
  return v;
}

uint64_t perfetto_uuid(uint64_t process, uint64_t kind, uint64_t key) {
  const uint64_t uuid = tachy_mix64(process ^ tachy_mix64(key + (kind << 56)));
  return uuid ? uuid : kind;
}

uint64_t tachy_perfetto_process_uuid(const uint8_t process_id[16]) {
  return perfetto_uuid(half(process_id, 0) ^ tachy_mix64(half(process_id, 1)), UUID_PROCESS, 0);
}

uint64_t tachy_perfetto_thread_uuid(const uint8_t process_id[16], uint32_t thread) {
  return perfetto_uuid(tachy_perfetto_process_uuid(process_id), UUID_THREAD, thread);
}

void perfetto_fail(tachy_perfetto *trace) {
  if (!trace->out.failed) trace->out.failed = PROTO_NO_MEMORY;
}

void *perfetto_add(tachy_perfetto *trace, void *list, size_t element) {
  void *const added = tachy_list_add(list, element);
  if (!added) perfetto_fail(trace);
  return added;
}

void *perfetto_find(tachy_perfetto *trace, tachy_map *map, uint64_t key, void *list, size_t element, int *is_new) {
  int added;
  uint32_t *const index = tachy_map_at(map, trace->seed, key, &added);
  *is_new = index && !*index;
  if (!index) perfetto_fail(trace);
  if (*is_new && !perfetto_add(trace, list, element)) *is_new = 0;
  TACHY_LIST(uint8_t) bytes;
  memcpy(&bytes, list, sizeof bytes);
  if (*is_new) *index = (uint32_t)bytes.count;
  return index && *index ? bytes.items + (*index - 1) * element : NULL;
}

/* The handle ------------------------------------------------------------------------------------------------------- */

tachy_perfetto *tachy_perfetto_new(void) {
  tachy_perfetto *const trace = calloc(1, sizeof *trace);
  if (!trace) return NULL;
  trace->begin_utc = INT64_MIN;
  trace->end_utc = INT64_MAX;
  trace->thread_spans = trace->async_spans = 1;
  trace->seed = tachy_mix64((uint64_t)(uintptr_t)trace);
  trace->next_sequence = PERFETTO_DESCRIPTORS + 1;
  return trace;
}

static void end_work(tachy_perfetto *trace);

static void free_thread(perfetto_thread *thread) {
  tachy_map_free(&thread->slices.interned);
  tachy_map_free(&thread->logs.interned);
  tachy_map_free(&thread->values.interned);
  for (uint64_t i = 0; i < thread->open.count; i++) perfetto_given_free(&thread->open.items[i].given);
  free(thread->open.items);
}

/* Everything but what identifies the process: it may go on after tachy_perfetto_finish. */
static void forget(perfetto_process *p) {
  for (uint64_t i = 0; i < p->threads.count; i++) free_thread(p->threads.items + i);
  for (uint64_t i = 0; i < p->frames.count; i++) tachy_map_free(&p->frames.items[i].sequence.interned);
  for (uint64_t i = 0; i < p->async_sites.count; i++) free(p->async_sites.items[i].memory);
  for (uint64_t i = 0; i < p->async.count; i++) perfetto_given_free(&p->async.items[i].given);
  free(p->threads.items);
  free(p->frames.items);
  free(p->async.items);
  free(p->async_sites.items);
  tachy_map_free(&p->tids);
  tachy_map_free(&p->thread_by_number);
  tachy_map_free(&p->counters);
  tachy_map_free(&p->frames_by_key);
  tachy_map_free(&p->async_by_id);
  tachy_map_free(&p->async_site_by_hash);
  *p = (perfetto_process){.uuid = p->uuid, .pid = p->pid, .next_tid = PERFETTO_DERIVED_TID, .first_utc = INT64_MAX};
}

void tachy_perfetto_free(tachy_perfetto *trace) {
  if (!trace) return;
  end_work(trace);
  for (uint64_t i = 0; i < trace->processes.count; i++) forget(trace->processes.items + i);
  free(trace->processes.items);
  tachy_map_free(&trace->pids);
  tachy_map_free(&trace->process_by_id);
  proto_free(&trace->out);
  proto_free(&trace->interned);
  free(trace);
}

void tachy_perfetto_range(tachy_perfetto *trace, int64_t begin_utc, int64_t end_utc) {
  trace->begin_utc = begin_utc;
  trace->end_utc = end_utc;
}

void tachy_perfetto_spans(tachy_perfetto *trace, int thread_spans, int async_spans) {
  trace->thread_spans = thread_spans;
  trace->async_spans = async_spans;
}

const void *tachy_perfetto_take(tachy_perfetto *trace, uint64_t *size) {
  *size = trace->broken ? 0 : trace->out.size;
  trace->out.size = 0;
  return trace->out.bytes;
}

void tachy_perfetto_get_counts(const tachy_perfetto *trace, tachy_perfetto_counts *counts) { *counts = trace->counts; }

/* Processes -------------------------------------------------------------------------------------------------------- */

/* `wanted`, or a number derived from the uuid: positive, 31 bits, not another process's. 0: out of memory. */
static int32_t choose_pid(tachy_perfetto *trace, uint64_t uuid, int32_t wanted) {
  uint32_t pid = wanted > 0 ? (uint32_t)wanted : 0;
  for (uint64_t attempt = 0;; attempt++) {
    int added = 0;
    if (pid && !tachy_map_at(&trace->pids, trace->seed, pid, &added)) return 0;
    if (added) return (int32_t)pid;
    pid = (uint32_t)(tachy_mix64(uuid + attempt) >> 33) | PERFETTO_DERIVED_TID;
  }
}

static perfetto_process *process_of(tachy_perfetto *trace, const uint8_t id[16], int32_t pid) {
  const uint64_t uuid = tachy_perfetto_process_uuid(id);
  int is_new;
  perfetto_process *const p =
      perfetto_find(trace, &trace->process_by_id, uuid, &trace->processes, sizeof *trace->processes.items, &is_new);
  if (is_new) {
    p->uuid = uuid;
    p->pid = choose_pid(trace, uuid, pid);
    forget(p);
  }
  return p && p->pid ? p : NULL;
}

int32_t tachy_perfetto_process(tachy_perfetto *trace, const uint8_t process_id[16], int32_t pid) {
  const perfetto_process *const p = process_of(trace, process_id, pid);
  if (p) return p->pid;
  trace->broken = TACHY_ERROR_MEMORY;
  return 0;
}

/* Packets ---------------------------------------------------------------------------------------------------------- */

static void open_packet(tachy_perfetto *trace, uint32_t sequence) {
  proto_open(&trace->out, TRACE_PACKET);
  proto_varint(&trace->out, PACKET_SEQUENCE_ID, sequence);
}

/* The clock of the trace, and the sequence's own, at 0 on both. */
static void put_clocks(proto_buffer *out) {
  proto_open(out, PACKET_CLOCK_SNAPSHOT);
  for (int own = 0; own < 2; own++) {
    proto_open(out, SNAPSHOT_CLOCK);
    proto_varint(out, CLOCK_ID, own ? CLOCK_OF_SEQUENCE : CLOCK_BOOTTIME);
    proto_varint(out, CLOCK_TIME, 0);
    if (own) proto_varint(out, CLOCK_INCREMENTAL, 1);
    proto_close(out);
  }
  proto_close(out);
}

void perfetto_sequence_begin(tachy_perfetto *trace, perfetto_sequence *sequence, uint64_t default_track) {
  if (sequence->id) return;
  proto_buffer *const out = &trace->out;
  sequence->id = trace->next_sequence++;
  sequence->next_iid = 1;
  open_packet(trace, sequence->id);
  proto_varint(out, PACKET_SEQUENCE_FLAGS, SEQUENCE_CLEARED);
  proto_varint(out, PACKET_FIRST_ON_SEQUENCE, 1);
  put_clocks(out);
  proto_open(out, PACKET_DEFAULTS);
  proto_varint(out, DEFAULTS_CLOCK_ID, CLOCK_OF_SEQUENCE);
  proto_open(out, DEFAULTS_TRACK_EVENT);
  proto_varint(out, EVENT_DEFAULTS_TRACK_UUID, default_track);
  perfetto_end(trace);
}

void perfetto_event(tachy_perfetto *trace, perfetto_sequence *sequence, int64_t utc, int type) {
  proto_buffer *const out = &trace->out;
  proto_open(out, TRACE_PACKET);
  proto_varint(out, PACKET_TIMESTAMP, perfetto_timestamp(sequence, utc));
  proto_varint(out, PACKET_SEQUENCE_ID, sequence->id);
  proto_open(out, PACKET_TRACK_EVENT);
  proto_varint(out, EVENT_TYPE, (uint64_t)type);
}

void perfetto_track(tachy_perfetto *trace, uint32_t sequence, uint64_t uuid, uint64_t parent) {
  open_packet(trace, sequence);
  proto_open(&trace->out, PACKET_TRACK_DESCRIPTOR);
  proto_varint(&trace->out, TRACK_UUID, uuid);
  proto_varint(&trace->out, TRACK_PARENT, parent);
}

void perfetto_end(tachy_perfetto *trace) {
  proto_buffer *const out = &trace->out;
  while (out->depth > 1) proto_close(out);
  if (trace->interned.failed) perfetto_fail(trace);
  if (trace->interned.size) {
    proto_text(out, PACKET_INTERNED_DATA, trace->interned.bytes, trace->interned.size, UINT64_MAX);
    trace->interned.size = 0;
  }
  proto_close(out);
}

void perfetto_write_iids(tachy_perfetto *trace, const perfetto_iids *iids) {
  if (iids->name) proto_varint(&trace->out, EVENT_NAME_IID, iids->name);
  if (iids->category) proto_varint(&trace->out, EVENT_CATEGORY_IID, iids->category);
  if (iids->location) proto_varint(&trace->out, EVENT_LOCATION_IID, iids->location);
}

void perfetto_mark(tachy_perfetto *trace, const char *name) {
  proto_open(&trace->out, EVENT_ANNOTATION);
  proto_literal(&trace->out, ANNOTATION_NAME, name);
  proto_varint(&trace->out, ANNOTATION_BOOL, 1);
  proto_close(&trace->out);
}

void perfetto_note(tachy_perfetto *trace, perfetto_sequence *sequence, int64_t utc, const char *category,
                   const char *text) {
  perfetto_event(trace, sequence, utc, TYPE_INSTANT);
  proto_literal(&trace->out, EVENT_CATEGORY, category);
  proto_literal(&trace->out, EVENT_NAME, text);
  perfetto_end(trace);
}

void perfetto_lost(tachy_perfetto *trace, perfetto_sequence *sequence, int64_t utc, uint64_t count, const char *what) {
  char text[48];
  snprintf(text, sizeof text, "%llu %s%s lost", (unsigned long long)count, what, count == 1 ? "" : "s");
  perfetto_note(trace, sequence, utc, "lost", text);
  trace->counts.losses++;
}

/* Threads ---------------------------------------------------------------------------------------------------------- */

/* The operating system's id where it is one and no other thread of the process has it: trace processors join threads
 * of the same id. */
static uint32_t choose_tid(tachy_perfetto *trace, perfetto_process *p, uint64_t os_id) {
  uint32_t tid = os_id < PERFETTO_DERIVED_TID ? (uint32_t)os_id : 0;
  for (;;) {
    int added = 0;
    if (tid && !tachy_map_at(&p->tids, trace->seed, tid, &added)) perfetto_fail(trace);
    if (added || trace->out.failed) return tid;
    tid = p->next_tid++;
  }
}

static void describe_thread(tachy_perfetto *trace, const perfetto_process *p, const perfetto_thread *thread,
                            tachy_text name) {
  proto_buffer *const out = &trace->out;
  perfetto_track(trace, PERFETTO_DESCRIPTORS, thread->uuid, p->uuid);
  proto_open(out, TRACK_THREAD);
  proto_varint(out, THREAD_PID, (uint64_t)p->pid);
  proto_varint(out, THREAD_TID, thread->tid);
  if (name.size) {
    proto_text(out, THREAD_NAME, name.bytes, name.size, PROTO_TEXT_MAX);
  } else {
    char text[24];
    snprintf(text, sizeof text, "thread %u", thread->number);
    proto_literal(out, THREAD_NAME, text);
  }
  perfetto_end(trace);
}

perfetto_thread *perfetto_thread_of(const perfetto_scope *scope, uint32_t t) {
  perfetto_process *const p = scope->process;
  const tachy_block_thread *const row = scope->block->threads + t;
  const tachy_text name = scope->block->thread_names[t];
  if (scope->threads[t]) return p->threads.items + scope->threads[t] - 1;
  int is_new;
  perfetto_thread *const thread =
      perfetto_find(scope->trace, &p->thread_by_number, row->number, &p->threads, sizeof *p->threads.items, &is_new);
  if (!thread) return NULL;
  if (is_new) {
    thread->number = row->number;
    thread->uuid = perfetto_uuid(p->uuid, UUID_THREAD, row->number);
    thread->tid = choose_tid(scope->trace, p, row->os_id);
  }
  const uint64_t hash = tachy_hash(name.bytes, name.size);
  if (is_new || (name.size && hash != thread->name_hash)) describe_thread(scope->trace, p, thread, name);
  thread->name_hash = hash;
  scope->threads[t] = (uint32_t)(thread - p->threads.items) + 1;
  return thread;
}

perfetto_sequence *perfetto_sequence_of(const perfetto_scope *scope, uint32_t t) {
  perfetto_thread *const thread = perfetto_thread_of(scope, t);
  if (!thread) return NULL;
  perfetto_sequence *const sequence = scope->block->header.cls == TACHY_CLASS_LOG ? &thread->logs : &thread->values;
  perfetto_sequence_begin(scope->trace, sequence, thread->uuid);
  return sequence;
}

void perfetto_gaps(const perfetto_scope *scope, const tachy_rows *rows, uint64_t row, uint64_t *at) {
  const char *const what = scope->block->header.cls == TACHY_CLASS_LOG ? "log" : "metric";
  for (; *at < rows->gap_count && rows->gaps[*at].row <= row; ++*at) {
    const tachy_gap *const gap = rows->gaps + *at;
    if (!perfetto_overlaps(scope->trace, gap->utc, gap->utc)) continue;
    perfetto_sequence *const sequence = perfetto_sequence_of(scope, gap->thread);
    if (sequence) perfetto_lost(scope->trace, sequence, gap->utc, gap->count, what);
  }
}

/* Blocks ----------------------------------------------------------------------------------------------------------- */

struct perfetto_work {
  tachy_block block;
  uint64_t process; /* index: others may be announced between two parts */
  perfetto_scope scope;
  perfetto_position at;
  tachy_log_walk *logs;
  int more; /* logs follow those that are decoded */
  tachy_rows rows;
  tachy_rows open_async;
  tachy_rows async;
};

static void end_work(tachy_perfetto *trace) {
  perfetto_work *const work = trace->work;
  if (!work) return;
  tachy_logs_end(work->logs);
  tachy_rows_free(&work->rows);
  tachy_rows_free(&work->open_async);
  tachy_rows_free(&work->async);
  free(work->scope.sites);
  free(work->scope.threads);
  tachy_block_close(&work->block);
  free(work);
  trace->work = NULL;
}

static tachy_status after_writing(tachy_perfetto *trace, tachy_status status, tachy_read_error *error) {
  if (!status && !trace->out.failed) return TACHY_OK;
  const int large = trace->out.failed == PROTO_TOO_LARGE;
  trace->broken =
      large ? tachy_read_fail(error, "a packet of the trace would be too large") : tachy_read_no_memory(error);
  return trace->broken;
}

/* All kinds of rows are decoded, or checked, before the first packet is written. */
static tachy_status decode(perfetto_work *work, tachy_read_error *error) {
  const tachy_perfetto *const trace = work->scope.trace;
  const tachy_row_filter range = {trace->begin_utc, trace->end_utc, NULL, 0};
  const tachy_row_filter *const all = &tachy_read_everything;
  tachy_status status = TACHY_OK;
  switch (work->block.header.cls) {
    case TACHY_CLASS_LOG:
      return tachy_logs_start(&work->block, TACHY_READ_LOGS, &range, PERFETTO_LOGS, &work->logs, &work->rows,
                              &work->more, error);
    case TACHY_CLASS_METRIC:
      return tachy_decode_metrics(&work->block, all, &work->rows, error);
    default:
      if (trace->thread_spans) status = tachy_decode_spans(&work->block, all, &work->rows, error);
      if (!status && trace->async_spans) status = tachy_decode_open_async(&work->block, all, &work->open_async, error);
      if (!status && trace->async_spans) status = tachy_decode_async(&work->block, all, &work->async, error);
      return status;
  }
}

/* 0: out of memory. */
static int prepare(perfetto_work *work) {
  perfetto_scope *const scope = &work->scope;
  scope->process = process_of(scope->trace, work->block.header.process_id, 0);
  scope->sites = calloc((size_t)work->block.site_count + 1, sizeof *scope->sites);
  scope->threads = calloc((size_t)work->block.thread_count + 1, sizeof *scope->threads);
  if (!scope->process || !scope->sites || !scope->threads) return 0;
  work->process = (uint64_t)(scope->process - scope->trace->processes.items);
  const int64_t begin = work->block.header.utc0;
  if (begin < scope->process->first_utc) scope->process->first_utc = begin;
  return 1;
}

tachy_status tachy_perfetto_start(tachy_perfetto *trace, const void *head, uint64_t head_size, const void *body,
                                  uint64_t body_size, tachy_read_error *error) {
  if (trace->broken) return refuse(trace, error);
  end_work(trace);
  perfetto_work *const work = trace->work = calloc(1, sizeof *work);
  if (!work) return tachy_read_no_memory(error);
  tachy_status status = tachy_block_open(&work->block, head, head_size, body, body_size, error);
  work->scope = (perfetto_scope){.trace = trace, .block = &work->block};
  if (!status) status = decode(work, error);
  if (!status && !prepare(work)) status = after_writing(trace, TACHY_ERROR_MEMORY, error);
  if (status) end_work(trace);
  return status;
}

static tachy_status write_part(perfetto_work *work, int *more, tachy_read_error *error) {
  const tachy_perfetto *const trace = work->scope.trace;
  switch (work->block.header.cls) {
    case TACHY_CLASS_LOG: {
      const tachy_status status = perfetto_add_logs(&work->scope, &work->rows, error);
      *more = work->more;
      return status || !*more ? status : tachy_logs_next(work->logs, &work->rows, &work->more, error);
    }
    case TACHY_CLASS_METRIC:
      perfetto_add_values(&work->scope, &work->rows, &work->at);
      *more = work->at.row <= work->rows.count;
      return TACHY_OK;
    default: /* the thread spans by threads, then the async ones */
      if (trace->thread_spans) perfetto_add_slices(&work->scope, &work->rows, &work->at);
      *more = trace->thread_spans && work->at.thread < work->block.thread_count;
      if (*more || !trace->async_spans) return TACHY_OK;
      perfetto_add_async(&work->scope, &work->open_async);
      perfetto_add_async(&work->scope, &work->async);
      return TACHY_OK;
  }
}

tachy_status tachy_perfetto_next(tachy_perfetto *trace, int *more, tachy_read_error *error) {
  *more = 0;
  if (!trace->work) return tachy_read_fail(error, "no block was started");
  trace->part_end = trace->out.size + PERFETTO_PART;
  trace->work->scope.process = trace->processes.items + trace->work->process;
  tachy_status status = TACHY_OK;
  do {
    status = after_writing(trace, write_part(trace->work, more, error), error);
  } while (!status && *more && !perfetto_part_is_full(trace));
  if (status || !*more) end_work(trace);
  return status;
}

tachy_status tachy_perfetto_write(tachy_perfetto *trace, const tachy_blocks *blocks, uint64_t *at,
                                  tachy_read_error *error) {
  const uint64_t full = trace->out.size + PERFETTO_PART;
  for (; *at < blocks->count && trace->out.size < full; ++*at) {
    if (!blocks->bodies[*at]) continue;
    tachy_status status = TACHY_OK;
    int more = 1;
    if (!trace->work) {
      status = tachy_perfetto_start(trace, blocks->heads[*at], blocks->head_sizes[*at], blocks->bodies[*at],
                                    blocks->body_sizes[*at], error);
    }
    while (!status && more && trace->out.size < full) status = tachy_perfetto_next(trace, &more, error);
    if (status || more) return status;
  }
  return TACHY_OK;
}

tachy_status tachy_perfetto_finish(tachy_perfetto *trace, int64_t end_utc, tachy_read_error *error) {
  if (trace->broken) return refuse(trace, error);
  end_work(trace);
  for (uint64_t i = 0; i < trace->processes.count; i++) {
    perfetto_process *const p = trace->processes.items + i;
    for (uint64_t k = 0; k < p->threads.count; k++) perfetto_close_slices(trace, p->threads.items + k, end_utc);
    perfetto_write_lanes(trace, p, end_utc);
    forget(p);
  }
  return after_writing(trace, TACHY_OK, error);
}
