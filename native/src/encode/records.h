/* Records of chunks: how long they are. docs/format.md, "Records". */
#ifndef TACHY_SRC_ENCODE_RECORDS_H
#define TACHY_SRC_ENCODE_RECORDS_H

#include <tachy/format.h>

/* Bytes of a record of the span class. */
static inline uint64_t tachy_span_record_size(const uint8_t *record) {
  const uint64_t first = *(const uint64_t *)(const void *)record;
  if (tachy_is_value(first)) return tachy_value_size((const tachy_value_record *)(const void *)record);
  return first == TACHY_CONTROL_ASYNC_BEGIN || first == TACHY_CONTROL_ASYNC_END ? sizeof(tachy_async_record)
                                                                                : sizeof(tachy_span_record);
}

#endif
