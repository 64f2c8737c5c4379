/* Builds Arrow C data: one struct array (a record batch) and its schema, column by column.
 *
 * A tachy_arrow owns everything until it is handed over by being copied. Buffers are given with ownership: a failed
 * call frees what it was given. Dictionary values are kept unique, because consumers assume it (pandas does). */
#ifndef TACHY_READER_ARROW_H
#define TACHY_READER_ARROW_H

#include "decode.h"

typedef struct tachy_arrow {
  struct ArrowSchema schema;
  struct ArrowArray array;
} tachy_arrow;

/* So many rows and columns, which are still empty. */
tachy_status tachy_arrow_start(tachy_arrow *arrow, uint64_t length, int64_t columns, tachy_read_error *error);
void tachy_arrow_free(tachy_arrow *arrow);

/* Fills column `at`: with values of a fixed width, with bits (format "b"), or with texts (format "u"): offsets, of
 * which there is one more than rows, and bytes. `first` may be NULL: memory is short. */
tachy_status tachy_arrow_column(tachy_arrow *arrow, int64_t at, const char *name, const char *format, void *first,
                                char *bytes, tachy_read_error *error);

/* Unique texts, numbered in order of their coming. Zero it before use. */
typedef struct tachy_dictionary {
  tachy_buffer bytes;
  int32_t *offsets; /* count + 1 */
  uint32_t *table;  /* open addressing: index + 1, or 0 */
  uint32_t count;
  uint32_t capacity; /* of offsets */
  uint32_t slots;    /* of table, a power of two */
} tachy_dictionary;

/* Fails when memory is short, or the texts exceed 2 GiB. */
tachy_status tachy_dictionary_add(tachy_dictionary *dictionary, const char *bytes, uint64_t size, uint32_t *index,
                                  tachy_read_error *error);
void tachy_dictionary_free(tachy_dictionary *dictionary);

/* Fills column `at` with dictionary<int32, utf8>. The indices are taken over, the dictionary is emptied. */
tachy_status tachy_arrow_dictionary(tachy_arrow *arrow, int64_t at, const char *name, uint32_t *indices,
                                    tachy_dictionary *dictionary, tachy_read_error *error);

typedef struct tachy_batch_column tachy_batch_column;

/* A batch that grows by the rows of block after block. Zero it before tachy_batch_start. */
typedef struct tachy_batch {
  tachy_batch_column *columns;
  int64_t column_count;
  int hashes;        /* whether a column needs those of sites */
  uint64_t count;    /* rows */
  uint64_t capacity; /* of rows */
  tachy_buffer messages;
  tachy_buffer json; /* one text, while it is made */
  uint32_t *known;   /* what the columns' dictionaries have of a block */
  uint64_t known_room;
} tachy_batch;

/* Rows of a block: [first, first + count) of those that were decoded. */
typedef struct tachy_rows_part {
  const tachy_block *block;
  const tachy_rows *rows;
  uint64_t first;
  uint64_t count;
  uint32_t number; /* of the block */
} tachy_rows_part;

/* Chooses the columns of a kind by name (NULL: reader.h). Fails where there is none of a name. */
tachy_status tachy_batch_start(tachy_batch *batch, tachy_read_kind kind, uint64_t column_count,
                               const char *const *columns, tachy_read_error *error);
void tachy_batch_free(tachy_batch *batch);

/* Adds the first of the rows, as many as leave the batch with `most` rows and about `most_text` bytes of messages and
 * of properties; one at least where it has none. part->count says how many. After a failure it has none of them. */
tachy_status tachy_batch_add(tachy_batch *batch, tachy_rows_part *part, uint64_t most, uint64_t most_text,
                             tachy_read_error *error);

/* Hands over what was added; the batch begins anew. */
tachy_status tachy_batch_take(tachy_batch *batch, tachy_arrow *arrow, tachy_read_error *error);

#endif
