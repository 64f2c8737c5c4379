/* The body of a block: columns, in the order in which they are added. */
#ifndef TACHY_SRC_ENCODE_COLUMNS_H
#define TACHY_SRC_ENCODE_COLUMNS_H

#include "stream.h"

typedef struct tachy_columns {
  tachy_bytes heads; /* tachy_column each */
  tachy_bytes bytes;
  int failed;
} tachy_columns;

void tachy_columns_plane(tachy_columns *columns, tachy_column_id id, const tachy_plane *plane);
void tachy_columns_buffer(tachy_columns *columns, tachy_column_id id, uint16_t encoding, const tachy_bytes *buffer);
/* One column of all streams' planes or buffers, one after the other. */
void tachy_columns_planes(tachy_columns *columns, tachy_column_id id, const tachy_stream *streams, unsigned plane);
void tachy_columns_floats(tachy_columns *columns, tachy_column_id id, const tachy_stream *streams);
void tachy_columns_text(tachy_columns *columns, tachy_column_id id, const tachy_stream *streams);
/* Sites, sets and strings: adds the strings to the tables. */
void tachy_columns_tables(tachy_columns *columns, tachy_tables *tables, const tachy_names *names);
/* The body, or NULL without memory; frees the columns. */
uint8_t *tachy_columns_finish(tachy_columns *columns, uint64_t *size);

#endif
