/* What arrow_spans.c alone needs of decode_spans.c. */
#ifndef TACHY_READER_DECODE_SPANS_H
#define TACHY_READER_DECODE_SPANS_H

#include "decode.h"

/* As tachy_decode_spans, but without begin_ticks and end_ticks, which stay NULL: a quarter less memory to write. */
tachy_read_status tachy_decode_spans_utc(const tachy_block *block, const tachy_read_options *options,
                                         tachy_span_rows *rows, tachy_read_error *error);

#endif
