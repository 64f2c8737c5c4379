/* Logs: an instant on the thread's track, named with the message. */
#include <stdlib.h>

#include "perfetto_trace.h"

static const char *const level_names[] = {"none", "fatal", "error", "warn", "info", "debug", "trace"};

static tachy_text text_of(const char *s) { return (tachy_text){s, strlen(s)}; }

typedef struct pair { /* interned name and value of an annotation */
  uint32_t name;
  uint32_t value;
} pair;

static int intern_pair(tachy_perfetto *trace, perfetto_sequence *sequence, tachy_text name, tachy_text value,
                       pair *out) {
  out->name = perfetto_intern_text(trace, sequence, INTERNED_ANNOTATION_NAME, name);
  out->value = perfetto_intern_text(trace, sequence, INTERNED_ANNOTATION_TEXT, value);
  return out->name && out->value;
}

static void write_pair(proto_buffer *out, uint32_t field, pair p) {
  const uint64_t annotation = proto_open(out, field);
  proto_varint(out, ANNOTATION_NAME_IID, p.name);
  proto_varint(out, ANNOTATION_TEXT_IID, p.value);
  proto_close(out, annotation);
}

static int write_log(const perfetto_scope *scope, const tachy_rows *rows, uint64_t i, perfetto_sequence *sequence,
                     tachy_text message) {
  tachy_perfetto *const trace = scope->trace;
  proto_buffer *const out = &trace->out;
  const tachy_block *const block = scope->block;
  const tachy_site_row *const site = block->sites + rows->site[i];
  const tachy_text target = block->strings[site->target];
  const uint32_t set = rows->set[i];
  const uint64_t first = block->set_first[set];
  const uint64_t last = block->set_first[set + 1];

  perfetto_iids iids;
  pair level, target_pair, property;
  const char *const level_name = level_names[site->level < 7 ? site->level : 0];
  if (!perfetto_intern_texts(trace, sequence, text_of(""), text_of("log"), block->strings[site->file], site->line,
                             &iids) ||
      !intern_pair(trace, sequence, text_of("level"), text_of(level_name), &level) ||
      !intern_pair(trace, sequence, text_of("target"), target, &target_pair)) {
    return 0;
  }
  for (uint64_t k = first; k < last; k++) {
    if (!intern_pair(trace, sequence, block->strings[block->set_keys[k]], block->strings[block->set_values[k]],
                     &property)) {
      return 0;
    }
  }

  const perfetto_event opened = perfetto_event_open(trace, sequence, rows->utc[i], TYPE_INSTANT);
  perfetto_write_iids(trace, &iids);
  proto_text(out, EVENT_NAME, message.bytes, message.size, PROTO_MESSAGE_MAX);
  write_pair(out, EVENT_ANNOTATION, level);
  write_pair(out, EVENT_ANNOTATION, target_pair);
  if (first < last) {
    const uint64_t properties = proto_open(out, EVENT_ANNOTATION);
    proto_literal(out, ANNOTATION_NAME, "properties");
    for (uint64_t k = first; k < last; k++) {
      if (!intern_pair(trace, sequence, block->strings[block->set_keys[k]], block->strings[block->set_values[k]],
                       &property)) {
        return 0;
      }
      write_pair(out, ANNOTATION_DICT, property);
    }
    proto_close(out, properties);
  }
  perfetto_event_close(trace, opened);
  trace->counts.instants++;
  return 1;
}

static perfetto_thread *logging_thread(const perfetto_scope *scope, uint32_t t) {
  const uint64_t index = perfetto_thread_of(scope, t);
  if (index == UINT64_MAX) return NULL;
  perfetto_thread *const thread = scope->process->threads + index;
  perfetto_sequence_begin(scope->trace, &thread->logs, thread->uuid);
  return thread;
}

/* Messages are made one at a time: a block's may be far larger than the block. */
static tachy_status write_message(const perfetto_scope *scope, const tachy_rows *rows, uint64_t i,
                                  tachy_buffer *scratch, tachy_read_error *error) {
  perfetto_thread *const thread = logging_thread(scope, rows->thread[i]);
  if (!thread) return TACHY_ERROR_MEMORY;
  scratch->size = 0;
  const tachy_status status = tachy_log_message(scope->block, rows, i, scratch, error);
  if (status) return status;
  const tachy_text message = {scratch->size ? scratch->bytes : "", scratch->size};
  return write_log(scope, rows, i, &thread->logs, message) ? TACHY_OK : TACHY_ERROR_MEMORY;
}

tachy_status perfetto_add_logs(const perfetto_scope *scope, const tachy_rows *rows, tachy_read_error *error) {
  tachy_status status = TACHY_OK;
  tachy_buffer scratch = {0};
  uint64_t g = 0;
  for (uint64_t i = 0; !status && i <= rows->count; i++) {
    for (; g < rows->gap_count && rows->gaps[g].row <= i; g++) {
      const tachy_gap *const gap = rows->gaps + g;
      if (!perfetto_overlaps(scope->trace, gap->utc, gap->utc)) continue;
      perfetto_thread *const thread = logging_thread(scope, gap->thread);
      if (!thread) status = TACHY_ERROR_MEMORY;
      if (thread) perfetto_lost(scope->trace, &thread->logs, gap->utc, gap->count, "log");
    }
    if (!status && i < rows->count) status = write_message(scope, rows, i, &scratch, error);
  }
  tachy_buffer_free(&scratch);
  return status;
}
