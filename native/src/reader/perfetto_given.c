/* Values on spans in a trace: debug annotations of the slice, and flows. */
#include <stdlib.h>

#include "perfetto_trace.h"
#include "text.h"

/* Where a text lies in `texts`, as UTF-8 and cut. 0: out of memory. */
static int keep_text(tachy_buffer *texts, const char *bytes, uint64_t size, uint32_t *at, uint32_t *kept) {
  *at = (uint32_t)texts->size;
  if (size > PROTO_TEXT_MAX + 4) size = PROTO_TEXT_MAX + 4; /* the rest is cut at a character when it is written */
  if (!tachy_buffer_append_utf8(texts, bytes, size)) return 0;
  *kept = (uint32_t)(texts->size - *at);
  return 1;
}

int perfetto_given_set(perfetto_given *given, const tachy_block *block, tachy_value_range range) {
  given->count = 0;
  given->texts.size = 0;
  if (range.count && !given->values) given->values = malloc(TACHY_SPAN_VALUES_MAX * sizeof *given->values);
  if (range.count && !given->values) return 0;
  for (uint64_t i = 0; i < range.count; i++) {
    const tachy_value *const value = &range.values[i];
    if (value->type == TACHY_VALUE_FLOW ? !tachy_flow_counts(block, range, i) : !tachy_value_counts(block, range, i)) {
      continue;
    }
    const tachy_text key = block->strings[block->sites[value->site].name];
    perfetto_value *const copy = &given->values[given->count++];
    *copy = (perfetto_value){.bits = value->bits, .type = value->type};
    if (!keep_text(&given->texts, key.bytes, key.size, &copy->key, &copy->key_size)) return 0;
    if (value->type == TACHY_VALUE_TEXT &&
        !keep_text(&given->texts, value->text, value->bits, &copy->text, &copy->text_size)) {
      return 0;
    }
  }
  return 1;
}

void perfetto_given_free(perfetto_given *given) {
  free(given->values);
  tachy_buffer_free(&given->texts);
  *given = (perfetto_given){0};
}

static uint32_t key_of(tachy_perfetto *trace, perfetto_sequence *sequence, const perfetto_given *given, uint32_t i) {
  const perfetto_value *const value = &given->values[i];
  const char *const key = value->key_size ? given->texts.bytes + value->key : "";
  return perfetto_intern_text(trace, sequence, INTERNED_ANNOTATION_NAME, (tachy_text){key, value->key_size});
}

int perfetto_given_intern(tachy_perfetto *trace, perfetto_sequence *sequence, const perfetto_given *given) {
  for (uint32_t i = 0; i < given->count; i++) {
    if (given->values[i].type != TACHY_VALUE_FLOW && !key_of(trace, sequence, given, i)) return 0;
  }
  return 1;
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
    if (given->values[i].type == TACHY_VALUE_FLOW) continue;
    const uint32_t key = key_of(trace, sequence, given, i); /* known: nothing is written for it here */
    const uint64_t annotation = proto_open(&trace->out, EVENT_ANNOTATION);
    proto_varint(&trace->out, ANNOTATION_NAME_IID, key);
    write_value(&trace->out, given, &given->values[i]);
    proto_close(&trace->out, annotation);
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
