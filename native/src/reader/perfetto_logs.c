/* Logs: an instant on the thread's track, named with the message. */
#include <stdlib.h>

#include "perfetto_trace.h"

static const char *const level_names[] = {"none", "fatal", "error", "warn", "info", "debug", "trace"};

static tachy_text text_of(const char *s) { return (tachy_text){s, strlen(s)}; }

/* An annotation, name and value interned. */
static void write_pair(tachy_perfetto *trace, perfetto_sequence *sequence, uint32_t field, tachy_text name,
                       tachy_text value) {
  proto_buffer *const out = &trace->out;
  proto_open(out, field);
  proto_varint(out, ANNOTATION_NAME_IID, perfetto_intern_text(trace, sequence, INTERNED_ANNOTATION_NAME, name));
  proto_varint(out, ANNOTATION_TEXT_IID, perfetto_intern_text(trace, sequence, INTERNED_ANNOTATION_TEXT, value));
  proto_close(out);
}

static void write_log(const perfetto_scope *scope, const tachy_rows *rows, uint64_t i, perfetto_sequence *sequence,
                      tachy_text message) {
  tachy_perfetto *const trace = scope->trace;
  const tachy_block *const block = scope->block;
  const tachy_site_row *const site = block->sites + rows->site[i];
  const uint64_t first = block->set_first[rows->set[i]];
  const uint64_t last = block->set_first[rows->set[i] + 1];
  const perfetto_texts texts = {text_of(""), text_of("log"), block->strings[site->file], site->line};
  perfetto_iids iids;
  perfetto_intern_texts(trace, sequence, &texts, &iids);
  perfetto_event(trace, sequence, rows->utc[i], TYPE_INSTANT);
  perfetto_write_iids(trace, &iids);
  proto_text(&trace->out, EVENT_NAME, message.bytes, message.size, PROTO_MESSAGE_MAX);
  const char *const level = level_names[site->level < 7 ? site->level : 0];
  write_pair(trace, sequence, EVENT_ANNOTATION, text_of("level"), text_of(level));
  write_pair(trace, sequence, EVENT_ANNOTATION, text_of("target"), block->strings[site->target]);
  if (first < last) {
    proto_open(&trace->out, EVENT_ANNOTATION);
    proto_literal(&trace->out, ANNOTATION_NAME, "properties");
  }
  for (uint64_t k = first; k < last; k++) {
    const tachy_text key = block->strings[block->set_keys[k]];
    write_pair(trace, sequence, ANNOTATION_DICT, key, block->strings[block->set_values[k]]);
  }
  perfetto_end(trace);
  trace->counts.instants++;
}

tachy_status perfetto_add_logs(const perfetto_scope *scope, const tachy_rows *rows, tachy_read_error *error) {
  tachy_status status = TACHY_OK;
  tachy_buffer message = {0}; /* made one at a time: a block's may be far larger than the block */
  uint64_t gap = 0;
  for (uint64_t i = 0; i < rows->count && !status; i++) {
    perfetto_gaps(scope, rows, i, &gap);
    perfetto_sequence *const sequence = perfetto_sequence_of(scope, rows->thread[i]);
    message.size = 0;
    status = sequence ? tachy_log_message(scope->block, rows, i, &message, error) : TACHY_ERROR_MEMORY;
    if (status) break;
    write_log(scope, rows, i, sequence, (tachy_text){message.size ? message.bytes : "", message.size});
  }
  if (!status) perfetto_gaps(scope, rows, rows->count, &gap);
  tachy_buffer_free(&message);
  return status;
}
