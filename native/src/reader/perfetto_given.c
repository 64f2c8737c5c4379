/* Values on spans in a trace: debug annotations of the slice, and flows. */
#include <stdlib.h>

#include "perfetto_trace.h"
#include "text.h"

/* Where a text lies in `texts`, as UTF-8 and cut. */
static void keep_text(tachy_perfetto *trace, tachy_buffer *texts, const char *bytes, uint64_t size, uint32_t *at,
                      uint32_t *kept) {
  *at = (uint32_t)texts->size;
  if (size > PROTO_TEXT_MAX + 4) size = PROTO_TEXT_MAX + 4; /* the rest is cut at a character when it is written */
  if (!tachy_buffer_append_utf8(texts, bytes, size)) perfetto_fail(trace);
  *kept = (uint32_t)(texts->size - *at);
}

void perfetto_given_set(tachy_perfetto *trace, perfetto_given *given, const tachy_block *block,
                        tachy_value_range range) {
  given->count = 0;
  given->texts.size = 0;
  if (!range.count) return;
  if (!given->values) given->values = malloc(TACHY_SPAN_VALUES_MAX * sizeof *given->values);
  for (uint64_t i = 0; given->values && i < range.count; i++) {
    const tachy_value *const value = &range.values[i];
    if (value->type == TACHY_VALUE_FLOW ? !tachy_flow_counts(block, range, i) : !tachy_value_counts(block, range, i)) {
      continue;
    }
    const tachy_text key = block->strings[block->sites[value->site].name];
    perfetto_value *const copy = &given->values[given->count++];
    *copy = (perfetto_value){.bits = value->bits, .type = value->type};
    keep_text(trace, &given->texts, key.bytes, key.size, &copy->key, &copy->key_size);
    if (value->type != TACHY_VALUE_TEXT) continue;
    keep_text(trace, &given->texts, value->text, value->bits, &copy->text, &copy->text_size);
  }
  if (!given->values) perfetto_fail(trace);
}

void perfetto_given_free(perfetto_given *given) {
  free(given->values);
  tachy_buffer_free(&given->texts);
  *given = (perfetto_given){0};
}

static void write_value(proto_buffer *out, const perfetto_given *given, const perfetto_value *value) {
  double number;
  switch (value->type) {
    case TACHY_VALUE_I64:
      proto_varint(out, ANNOTATION_INT, value->bits);
      break;
    case TACHY_VALUE_F64:
      memcpy(&number, &value->bits, sizeof number);
      proto_double(out, ANNOTATION_DOUBLE, number);
      break;
    case TACHY_VALUE_TEXT:
      proto_text(out, ANNOTATION_TEXT, value->text_size ? given->texts.bytes + value->text : "", value->text_size,
                 PROTO_TEXT_MAX);
      break;
    case TACHY_VALUE_BOOL:
      proto_varint(out, ANNOTATION_BOOL, value->bits != 0);
      break;
    default:
      proto_varint(out, ANNOTATION_UINT, value->bits);
      break;
  }
}

void perfetto_given_write(tachy_perfetto *trace, perfetto_sequence *sequence, const perfetto_given *given) {
  for (uint32_t i = 0; i < given->count; i++) {
    const perfetto_value *const value = &given->values[i];
    if (value->type == TACHY_VALUE_FLOW) continue;
    const tachy_text key = {value->key_size ? given->texts.bytes + value->key : "", value->key_size};
    proto_open(&trace->out, EVENT_ANNOTATION);
    proto_varint(&trace->out, ANNOTATION_NAME_IID,
                 perfetto_intern_text(trace, sequence, INTERNED_ANNOTATION_NAME, key));
    write_value(&trace->out, given, value);
    proto_close(&trace->out);
  }
}

uint32_t perfetto_given_flows(tachy_perfetto *trace, uint64_t process, const perfetto_given *given, uint32_t written) {
  uint32_t flows = 0;
  for (uint32_t i = 0; i < given->count; i++) {
    if (given->values[i].type != TACHY_VALUE_FLOW || ++flows <= written) continue;
    proto_fixed64(&trace->out, EVENT_FLOW, perfetto_uuid(process, UUID_GIVEN_FLOW, given->values[i].bits));
  }
  return flows > written ? flows : written;
}
