/* Streams as columns of a block's body. */
#ifndef TACHY_SRC_ENCODE_COLUMNS_H
#define TACHY_SRC_ENCODE_COLUMNS_H

#include "../base/columns.h"
#include "stream.h"

/* One column of all streams' planes or buffers, one after the other. */
void tachy_columns_planes(tachy_columns *columns, tachy_column_id id, tachy_stream *streams, unsigned plane);
void tachy_columns_floats(tachy_columns *columns, tachy_column_id id, const tachy_stream *streams);
void tachy_columns_text(tachy_columns *columns, tachy_column_id id, const tachy_stream *streams);
/* Sites, sets and strings: adds the strings to the tables. */
void tachy_columns_tables(tachy_columns *columns, tachy_tables *tables, const tachy_names *names);

#endif
