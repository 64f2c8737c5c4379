/* Values on spans, from their records to the block: docs/format.md, "Values on spans".
 *
 * A value comes before the end of its span. It is held with the span, of a thread by depth, an async one by id, until
 * the row of the end takes it along. A block that is cut before that has it too, for the span that is open at its end.
 * Only the collector touches this. */
#ifndef TACHY_SRC_ENCODE_SPAN_VALUES_H
#define TACHY_SRC_ENCODE_SPAN_VALUES_H

#include <tachy/format.h>

#include "../base/buffer.h"
#include "by_id.h"

struct tachy_channel;
struct tachy_stream;
struct tachy_columns;

typedef struct tachy_value {
  uint64_t bits;
  uint32_t next; /* the next one of the span; 0: there is none */
  uint32_t site; /* registry number */
  uint32_t type; /* tachy_value_type */
  uint32_t text; /* its slot among the texts, from 1 */
} tachy_value;

/* Of one span, in the order in which the keys came. 0 ends a list, so values count from 1. */
typedef struct tachy_value_list {
  uint32_t first;
  uint32_t count;
} tachy_value_list;

typedef struct tachy_async_values {
  uint64_t id;
  tachy_value_list list;
  uint64_t read_by; /* ticks at the end of the block in which the first of them was read; UINT64_MAX: the present one */
  uint32_t met;     /* values that have been read, replaced ones included */
  uint8_t ended;    /* 1: a row of the block being made has them */
  uint8_t known;    /* 1: the span is open in the block being made, or was */
} tachy_async_values;

/* All that a channel holds. */
typedef struct tachy_values {
  tachy_bytes nodes; /* tachy_value */
  tachy_bytes texts; /* 256 bytes each */
  uint32_t free_node;
  uint32_t free_text;
  uint64_t lost;      /* values whose span was lost, or that were too many, or found no memory */
  tachy_by_id asyncs; /* tachy_async_values */
} tachy_values;

static inline tachy_async_values *tachy_async_values_at(const tachy_values *values, uint64_t i) {
  return (tachy_async_values *)tachy_by_id_at(&values->asyncs, sizeof(tachy_async_values), i);
}

typedef struct tachy_row_values {
  uint64_t row; /* of its stream in the block */
  tachy_value_list list;
} tachy_row_values;

/* What a stream holds. */
typedef struct tachy_span_values {
  tachy_values *all;      /* the channel's */
  tachy_value_list *open; /* by depth, `room` of them */
  uint32_t room;
  uint32_t levels;  /* no span as deep as this has values */
  tachy_bytes rows; /* tachy_row_values, of the block being made */
} tachy_span_values;

/* Takes a record that was read. */
void tachy_values_read(struct tachy_channel *channel, struct tachy_stream *stream, const tachy_value_record *record);
/* The stream's newest row is the end of the span at `depth`. To be called where depth < levels. */
void tachy_values_end(struct tachy_stream *stream, uint32_t depth);
/* The spans at `depth` and deeper were lost: drops and counts their values. */
void tachy_values_drop_from(struct tachy_stream *stream, uint32_t depth);
/* The same without counting: the spans are not wanted. */
void tachy_values_forget(struct tachy_stream *stream, uint32_t depth);
/* The block has been cut. */
void tachy_values_next_block(struct tachy_stream *stream);
void tachy_values_free_stream(struct tachy_stream *stream);
void tachy_values_free(tachy_values *values);

void tachy_values_columns(struct tachy_columns *columns, struct tachy_channel *channel);

/* Async spans. 0: no memory, or the span has too many. */
int tachy_async_values_put(tachy_values *values, uint64_t id, const tachy_value *value, const uint8_t *text);
/* NULL: it has none. */
tachy_async_values *tachy_async_values_of(const tachy_values *values, uint64_t id);
/* Once the rows of the block, which ends at `until`, are known: which spans have ended, which are open. */
void tachy_async_values_follow(struct tachy_channel *channel, uint64_t until);
/* All that was recorded before the ticks `from` has been read. */
void tachy_async_values_next_block(tachy_values *values, uint64_t from);
/* The counter began anew, and shows `start`. */
void tachy_async_values_jump(tachy_values *values, uint64_t start);

/* The values that are held for a stream's spans, or without a stream for async ones, written for the session file and
 * read back. 0: no memory, or bytes that save has not written. */
int tachy_values_save(tachy_bytes *out, const tachy_values *values, const struct tachy_stream *stream);
int tachy_values_load(tachy_values *values, struct tachy_stream *stream, const uint8_t *bytes, uint64_t size);

/* Lists of values, for span_values.c and async_values.c. put: 0 without memory, and when the span has too many. */
int tachy_values_put(tachy_values *values, tachy_value_list *list, const tachy_value *value, const uint8_t *text);
void tachy_values_drop(tachy_values *values, tachy_value_list *list);

#endif
