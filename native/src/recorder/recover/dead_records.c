/* Which bytes of a dead process's chunk are records that make sense. */
#include "dead.h"

static int is_site(uint32_t site) { return site > 0 && site <= TACHY_SITE_MAX; }

static uint64_t value_record(const uint8_t *bytes, uint64_t left) {
  const tachy_value_record *const value = (const tachy_value_record *)(const void *)bytes;
  const uint32_t type = tachy_value_type_of(value);
  if (type < TACHY_VALUE_I64 || type > TACHY_VALUE_BOOL || !is_site((uint32_t)value->control & TACHY_SITE_MAX) ||
      (type == TACHY_VALUE_TEXT && value->bits > TACHY_VALUE_TEXT_MAX)) {
    return 0;
  }
  const uint64_t size = tachy_value_size(value);
  return size <= left ? size : 0;
}

static uint64_t span_record(const uint8_t *bytes, uint64_t left) {
  const tachy_span_record *const span = (const tachy_span_record *)(const void *)bytes;
  const tachy_async_record *const async = (const tachy_async_record *)(const void *)bytes;
  if (left < sizeof *span) return 0;
  if (tachy_is_value(span->begin)) return value_record(bytes, left);
  switch (span->begin) {
    case TACHY_CONTROL_LONG:
      return left >= sizeof(tachy_long_record) + sizeof *span ? sizeof(tachy_long_record) : 0;
    case TACHY_CONTROL_ASYNC_BEGIN:
    case TACHY_CONTROL_ASYNC_END:
      return left >= sizeof *async && is_site(async->site) && async->ticks < TACHY_CONTROL_FIRST ? sizeof *async : 0;
    default:
      return span->begin < TACHY_CONTROL_FIRST && is_site(span->word & TACHY_SITE_MAX) ? sizeof *span : 0;
  }
}

static uint64_t log_record(const uint8_t *bytes, uint64_t left) {
  const tachy_log_record *const log = (const tachy_log_record *)(const void *)bytes;
  if (left < sizeof *log || !is_site(log->site) || log->size < sizeof *log || log->size > left || log->size % 8)
    return 0;
  uint64_t at = sizeof *log;
  for (uint32_t types = log->types; types & 15u; types >>= 4) {
    uint32_t text;
    if ((types & 15u) > TACHY_ARG_POINTER || log->size - at < 8) return 0;
    memcpy(&text, bytes + at, sizeof text);
    const uint64_t size = (types & 15u) == TACHY_ARG_TEXT ? tachy_pad8(sizeof text + (uint64_t)text) : 8;
    if (size > log->size - at) return 0;
    at += size;
  }
  return log->size;
}

static uint64_t metric_record(const uint8_t *bytes, uint64_t left) {
  const tachy_metric_record *const metric = (const tachy_metric_record *)(const void *)bytes;
  return left >= sizeof *metric && is_site(metric->site) ? sizeof *metric : 0;
}

uint64_t tachy_dead_records(tachy_class cls, const uint8_t *bytes, uint64_t size) {
  uint64_t at = 0;
  while (size - at >= sizeof(uint64_t)) {
    const uint8_t *const record = bytes + at;
    const uint64_t left = size - at;
    const uint64_t first = *(const uint64_t *)(const void *)record;
    uint64_t step;
    if (cls == TACHY_CLASS_SPAN) {
      step = span_record(record, left);
    } else if (first >= TACHY_CONTROL_FIRST) {
      step = 0;
    } else {
      step = cls == TACHY_CLASS_LOG ? log_record(record, left) : metric_record(record, left);
    }
    if (step == 0) break;
    at += step;
  }
  return at;
}
