/* Builds Arrow C data: one struct array (a record batch) and its schema, column by column.
 *
 * A tachy_arrow owns everything until tachy_arrow_export hands it over. Buffers are given with ownership: a failed call
 * frees what it was given. Dictionary values are kept unique, because consumers assume it (pandas does). */
#ifndef TACHY_READER_ARROW_H
#define TACHY_READER_ARROW_H

#include "decode.h"

#define TACHY_ARROW_COLUMNS_MAX 16

typedef struct tachy_arrow {
  struct ArrowSchema schema;
  struct ArrowArray array;
  int64_t length;
  int failed; /* memory ran out somewhere: export will say so */
} tachy_arrow;

/* Zeroed but for the length. 0 when memory is short. */
int tachy_arrow_start(tachy_arrow *arrow, uint64_t length);

/* A column of fixed-width values (malloc'd, taken over), or of bits for format "b". Failures are kept in `failed`. */
void tachy_arrow_fixed(tachy_arrow *arrow, const char *name, const char *format, void *values);

/* Which of the decoded rows a record batch has: as many as it is long, from `first` on, of `total`. */
typedef struct tachy_arrow_window {
  uint64_t first;
  uint64_t total;
} tachy_arrow_window;

/* The same for a buffer of decoded rows, of `width` bytes each: all of it is given up, a part is copied. */
void tachy_arrow_part(tachy_arrow *arrow, const char *name, const char *format, tachy_arrow_window window,
                      void **values, size_t width);
#define TACHY_ARROW_GIVE(arrow, name, format, window, values) \
  tachy_arrow_part((arrow), (name), (format), (window), (void **)&(values), sizeof *(values))

/* A utf8 column; offsets has length + 1 entries. Both are taken over. */
void tachy_arrow_text(tachy_arrow *arrow, const char *name, int32_t *offsets, char *bytes);

/* Unique texts, numbered in order of their coming. Zero it before use. */
typedef struct tachy_dictionary {
  tachy_buffer bytes;
  int32_t *offsets; /* count + 1 */
  uint32_t *table;  /* open addressing: index + 1, or 0 */
  uint32_t count;
  uint32_t capacity; /* of offsets */
  uint32_t slots;    /* of table, a power of two */
} tachy_dictionary;

/* 0 when memory is short, or the texts exceed 2 GiB. */
int tachy_dictionary_add(tachy_dictionary *dictionary, const char *bytes, uint64_t size, int32_t *index);
void tachy_dictionary_free(tachy_dictionary *dictionary);

/* A dictionary<int32, utf8> column. Indices and the dictionary's memory are taken over. */
void tachy_arrow_dictionary(tachy_arrow *arrow, const char *name, int32_t *indices, tachy_dictionary *dictionary);

/* Moves everything out; after a failure everything has been freed. */
tachy_status tachy_arrow_export(tachy_arrow *arrow, struct ArrowSchema *schema, struct ArrowArray *array,
                                tachy_read_error *error);
void tachy_arrow_free(tachy_arrow *arrow);

/* The text columns that sites give: which of a site's texts. */
typedef enum tachy_site_text {
  TACHY_SITE_TEXT_NAME,
  TACHY_SITE_TEXT_TARGET,
  TACHY_SITE_TEXT_FILE,
  TACHY_SITE_TEXT_UNIT /* "seconds" for ticks and frame marks */
} tachy_site_text;

/* Columns that are functions of a row's site. */
void tachy_arrow_site_text(tachy_arrow *arrow, const char *name, const tachy_block *block, const uint32_t *sites,
                           tachy_site_text which);
void tachy_arrow_site_line(tachy_arrow *arrow, const tachy_block *block, const uint32_t *sites);
void tachy_arrow_site_hash(tachy_arrow *arrow, const tachy_block *block, const uint32_t *sites);

/* Lowers *count so that the distinct sets of the first *count rows have about `most` bytes; 1 at least. */
tachy_status tachy_arrow_sets_fit(const tachy_block *block, const uint32_t *sets, uint64_t *count, uint64_t most,
                                  tachy_read_error *error);

/* The column `properties`. */
tachy_status tachy_arrow_properties(tachy_arrow *arrow, const tachy_block *block, const uint32_t *sets,
                                    tachy_read_error *error);

/* The same of values on spans, of the owners of the rows; which may be NULL where there are no values. */
void tachy_arrow_values_fit(const tachy_block *block, const tachy_value_rows *values, const uint64_t *owners,
                            uint64_t *count, uint64_t most);
tachy_status tachy_arrow_values(tachy_arrow *arrow, const tachy_block *block, const tachy_value_rows *values,
                                const uint64_t *owners, tachy_read_error *error);

/* Rows [first, first + *count) as columns. Texts of about `most_text` bytes end the batch: *count is then lower. What
 * `arrow` has after a failure is to be freed. */
tachy_status tachy_arrow_logs(const tachy_block *block, tachy_log_rows *rows, uint64_t first, uint64_t *count,
                              uint64_t most_text, tachy_arrow *arrow, tachy_read_error *error);
tachy_status tachy_arrow_metrics(const tachy_block *block, tachy_metric_rows *rows, uint64_t first, uint64_t *count,
                                 uint64_t most_text, tachy_arrow *arrow, tachy_read_error *error);
tachy_status tachy_arrow_spans(const tachy_block *block, tachy_span_rows *rows, const tachy_value_rows *values,
                               uint64_t closed, uint64_t first, uint64_t *count, uint64_t most_text, tachy_arrow *arrow,
                               tachy_read_error *error);
tachy_status tachy_arrow_async(const tachy_block *block, tachy_async_rows *rows, const tachy_value_rows *values,
                               uint64_t first, uint64_t *count, uint64_t most_text, tachy_arrow *arrow,
                               tachy_read_error *error);
int tachy_append_open(const tachy_block *block, const tachy_read_options *options, tachy_span_rows *rows);

#endif
