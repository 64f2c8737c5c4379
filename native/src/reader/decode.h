/* The internal decoder: a block's head and body -> tables and rows, struct of arrays.
 *
 * Arrow export (arrow_*.c) and the Perfetto encoder (perfetto*.c) both stand on it and on nothing else of the reader.
 * Open a block, decode the rows of its class, free the rows, close the block:
 *
 *   tachy_block block;
 *   tachy_span_rows rows;
 *   if ((status = tachy_block_open(&block, head, head_size, body, body_size, error)) != TACHY_OK) return status;
 *   status = tachy_decode_spans(&block, NULL, &rows, error);
 *   … block.sites[rows.site[i]], rows.begin_utc[i] …
 *   tachy_span_rows_free(&rows);
 *   tachy_block_close(&block);
 *
 * After a failed open or decode there is nothing to free; closing or freeing a zeroed struct is harmless. Every index
 * in what comes out has been checked (string, site, set, thread), every text is valid UTF-8, and memory is proportional
 * to the input. `head` and `body` must outlive the block; rows point into their block.
 */
#ifndef TACHY_READER_DECODE_H
#define TACHY_READER_DECODE_H

#include <tachy/reader.h>

/* Texts ------------------------------------------------------------------------------------------------------------ */

typedef struct tachy_text {
  const char *bytes; /* UTF-8, not terminated */
  uint64_t size;
} tachy_text;

/* A growing buffer. Zero it before the first use. */
typedef struct tachy_buffer {
  char *bytes;
  uint64_t size;
  uint64_t capacity;
} tachy_buffer;

/* 0 when memory is short; the buffer is then as it was. */
int tachy_buffer_append(tachy_buffer *buffer, const void *bytes, uint64_t size);
void tachy_buffer_free(tachy_buffer *buffer);

/* A block ---------------------------------------------------------------------------------------------------------- */

typedef struct tachy_site_row {
  uint32_t id; /* registration number in the process */
  uint32_t name;
  uint32_t target;
  uint32_t file;
  uint32_t unit; /* name, target, file, unit: index into strings */
  uint32_t line;
  uint32_t hash; /* low half of XXH64 over name, 0, target, 0, file, 0, line as 4 bytes */
  uint8_t level; /* tachy_level */
  uint8_t kind;  /* tachy_site_kind */
} tachy_site_row;

typedef struct tachy_raw_column { /* a column's bytes in the body, sizes checked */
  const uint8_t *bytes;
  uint64_t count;
  uint64_t size;
} tachy_raw_column;

#define TACHY_COLUMN_COUNT 87u

typedef struct tachy_block {
  tachy_block_header header;
  tachy_block_clock clock;
  uint32_t thread_count;
  uint32_t string_count;
  uint32_t site_count;
  uint32_t set_count;
  tachy_block_thread *threads; /* thread_count, in the order of the table */
  tachy_text *thread_names;    /* thread_count */
  tachy_text *strings;         /* string_count */
  tachy_site_row *sites;       /* site_count; ROW_SITE k is sites[k - 1] */
  uint64_t *set_first;         /* set_count + 1: pairs of set s are set_first[s] … set_first[s + 1] - 1 */
  uint32_t *set_keys;          /* string index per pair */
  uint32_t *set_values;        /* string index per pair */
  uint64_t rows;               /* of all threads, gap rows included */
  uint64_t async_rows;
  tachy_clock_pair *earlier;                    /* of the clock */
  char *fixed_text;                             /* strings and names that had to be repaired to be UTF-8, or NULL */
  tachy_raw_column columns[TACHY_COLUMN_COUNT]; /* by tachy_column_id */
} tachy_block;

/* Does not check hashes: tachy_block_check does. The head's structure is checked all the same. */
tachy_status tachy_block_open(tachy_block *block, const void *head, uint64_t head_size, const void *body,
                              uint64_t body_size, tachy_read_error *error);
void tachy_block_close(tachy_block *block);

/* Appends a property set as JSON text, {"key":"value",…}; the pairs in their order. */
tachy_status tachy_set_json(const tachy_block *block, uint32_t set, tachy_buffer *out, tachy_read_error *error);

/* Rows ------------------------------------------------------------------------------------------------------------- */

/* In every decode function `options` may be NULL for everything. Rows come in the order of the thread table, within a
 * thread in the order of its records; only those of options->thread that overlap [begin_utc, end_utc]. */

#define TACHY_NO_SET UINT32_MAX

typedef struct tachy_gap { /* events that were lost */
  uint64_t row;            /* it stands before this row of the rows that came out */
  uint64_t count;
  uint32_t thread;
  uint32_t depth; /* spans: the shallowest lost */
  int64_t utc;    /* the time of the row before it, or of the thread's base_ticks */
} tachy_gap;

typedef struct tachy_open_row { /* an entry of a shadow stack */
  int64_t id;
  uint64_t begin_ticks;
  int64_t begin_utc;
  uint32_t site; /* index into block->sites */
  uint32_t depth;
} tachy_open_row;

typedef struct tachy_span_rows { /* in the order of their ends */
  uint64_t count;
  uint32_t *thread; /* index into block->threads */
  uint32_t *site;   /* index into block->sites */
  uint32_t *depth;
  int64_t *id;     /* 1-based number of the begin in the stream */
  int64_t *parent; /* 0: root, -1: lost */
  int64_t *begin_utc;
  int64_t *end_utc;
  uint64_t *owner;        /* in tachy_value_rows; NULL: the block has no values on spans */
  uint64_t *thread_first; /* thread_count + 1: rows of thread t are thread_first[t] … thread_first[t + 1] - 1 */
  tachy_gap *gaps;
  uint64_t gap_count;
  tachy_open_row *open_start; /* threads in order, outermost first; of all threads and times whatever the options */
  tachy_open_row *open_end;
  uint64_t *open_start_first; /* thread_count + 1, as thread_first */
  uint64_t *open_end_first;
} tachy_span_rows;

tachy_status tachy_decode_spans(const tachy_block *block, const tachy_read_options *options, tachy_span_rows *rows,
                                tachy_read_error *error);
void tachy_span_rows_free(tachy_span_rows *rows);

typedef struct tachy_async_rows { /* begins and ends */
  uint64_t count;
  uint32_t *thread;
  uint32_t *site;
  uint32_t *depth;
  uint8_t *kind; /* 0 begin, 1 end */
  int64_t *utc;
  uint64_t *id;
  uint64_t *parent; /* 0: none */
  uint64_t *owner;  /* in tachy_value_rows: of a begin whose end is in the block, the end's; NULL as above */
} tachy_async_rows;

tachy_status tachy_decode_async(const tachy_block *block, const tachy_read_options *options, tachy_async_rows *rows,
                                tachy_read_error *error);
void tachy_async_rows_free(tachy_async_rows *rows);

typedef struct tachy_open_async_rows { /* async spans that are open at the block's start, ascending by id */
  uint64_t count;
  uint32_t *thread; /* number of the thread on which it began: perhaps none of block->threads */
  uint32_t *site;
  uint32_t *depth;
  int64_t *begin_utc;
  uint64_t *id;
  uint64_t *parent; /* 0: none */
} tachy_open_async_rows;

tachy_status tachy_decode_open_async(const tachy_block *block, tachy_open_async_rows *rows, tachy_read_error *error);
void tachy_open_async_rows_free(tachy_open_async_rows *rows);

/* Values on spans, ascending by owner: the block's rows, from 0 on, gap rows included; then the spans that are open at
 * its end; then async rows; then the async spans that are open at its start. */
typedef struct tachy_value {
  uint64_t owner;
  uint64_t bits;    /* a text's size */
  const char *text; /* as it was sent: not yet known to be UTF-8 */
  uint32_t site;    /* its name is the key */
  uint32_t type;    /* tachy_value_type */
} tachy_value;

typedef struct tachy_value_rows {
  uint64_t count;
  tachy_value *values;
} tachy_value_rows;

typedef struct tachy_value_range { /* one owner's: at most TACHY_SPAN_VALUES_MAX */
  const tachy_value *values;
  uint64_t count;
} tachy_value_range;

tachy_status tachy_decode_values(const tachy_block *block, tachy_value_rows *rows, tachy_read_error *error);
void tachy_value_rows_free(tachy_value_rows *rows);
tachy_value_range tachy_values_of(const tachy_value_rows *rows, uint64_t owner);
static inline uint64_t tachy_owner_of_open(const tachy_block *block, uint64_t i) { return block->rows + i; }
static inline uint64_t tachy_owner_of_async(const tachy_block *block, uint64_t i) {
  return block->rows + block->columns[TACHY_COLUMN_OPEN_END_SITE].count + i;
}
static inline uint64_t tachy_owner_of_open_async(const tachy_block *block, uint64_t i) {
  return tachy_owner_of_async(block, block->async_rows) + i;
}

/* 1 unless a later value of the same key replaces it. */
int tachy_value_counts(const tachy_block *block, tachy_value_range range, uint64_t i);
/* 1 for a flow, unless it is there before with the same key. */
int tachy_flow_counts(const tachy_block *block, tachy_value_range range, uint64_t i);
/* About the size of the JSON text. */
uint64_t tachy_values_size(const tachy_block *block, tachy_value_range range);
/* Appends {"key":value,…}, the flows of a key as an array where there are several. */
tachy_status tachy_values_json(const tachy_block *block, tachy_value_range range, tachy_buffer *out,
                               tachy_read_error *error);

typedef struct tachy_log_arg {
  uint64_t bits; /* i64, u64, f64, pointer */
  tachy_text text;
  uint32_t type; /* tachy_arg_type */
} tachy_log_arg;

typedef struct tachy_log_rows {
  uint64_t count;
  uint32_t *thread;
  uint32_t *site;
  uint32_t *set; /* index of a property set, or TACHY_NO_SET */
  int64_t *utc;
  uint64_t *arg_first; /* count + 1: arguments of row i are args[arg_first[i]] … args[arg_first[i + 1] - 1] */
  tachy_log_arg *args; /* text is as it was sent: not yet known to be UTF-8 */
  tachy_gap *gaps;
  uint64_t gap_count;
} tachy_log_rows;

/* A block of logs is decoded `most` rows at a time: arguments take far more memory than their bytes in the block.
 * tachy_logs_start decodes the first part and checks the block to its end. *more: whether another part follows. */
typedef struct tachy_log_walk tachy_log_walk;

tachy_status tachy_logs_start(const tachy_block *block, const tachy_read_options *options, uint64_t most,
                              tachy_log_walk **walk, tachy_read_error *error);
tachy_status tachy_logs_next(tachy_log_walk *walk, tachy_log_rows *rows, int *more, tachy_read_error *error);
void tachy_logs_end(tachy_log_walk *walk);
void tachy_log_rows_free(tachy_log_rows *rows);

/* Appends the message of row `row`, as C's printf would write it, as valid UTF-8. The type of an argument decides how
 * it is printed where it contradicts the conversion; a missing argument prints as "<missing>". A message is a small
 * multiple of its format and arguments; those of a block may be far larger than the block. */
tachy_status tachy_log_message(const tachy_block *block, const tachy_log_rows *rows, uint64_t row, tachy_buffer *out,
                               tachy_read_error *error);

typedef struct tachy_metric_rows {
  uint64_t count;
  uint32_t *thread;
  uint32_t *site; /* its kind says what bits are */
  uint32_t *set;
  int64_t *utc;
  uint64_t *bits; /* int64, or IEEE 754 double for TACHY_SITE_METRIC_F64; ticks for _TICKS and _FRAME */
  tachy_gap *gaps;
  uint64_t gap_count;
} tachy_metric_rows;

tachy_status tachy_decode_metrics(const tachy_block *block, const tachy_read_options *options, tachy_metric_rows *rows,
                                  tachy_read_error *error);
void tachy_metric_rows_free(tachy_metric_rows *rows);

/* The value as SQL shows it: integers as doubles; ticks and frames in seconds by the block's clock, bits × rate / 1e9.
 */
double tachy_metric_value(const tachy_block *block, uint8_t kind, uint64_t bits);

#endif
