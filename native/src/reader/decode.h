/* The internal decoder: a block's head and body -> tables and rows, struct of arrays.
 *
 * Arrow export (arrow_*.c) and the Perfetto encoder (perfetto*.c) both stand on it and on nothing else of the reader.
 * Open a block, decode the rows of its class, free the rows, close the block:
 *
 *   tachy_block block;
 *   tachy_rows rows = {0};
 *   if ((status = tachy_block_open(&block, head, head_size, body, body_size, error)) != TACHY_OK) return status;
 *   status = tachy_decode_spans(&block, &tachy_read_everything, &rows, error);
 *   … block.sites[rows.site[i]], rows.utc[i] …
 *   tachy_rows_free(&rows);
 *   tachy_block_close(&block);
 *
 * After a failed open there is nothing to close, after a failed decode there are rows to free; closing or freeing a
 * zeroed struct is harmless. Every index in what comes out has been checked (string, site, set, thread), every text is
 * valid UTF-8, and memory is proportional to the input. `head` and `body` must outlive the block; rows point into it.
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

typedef struct tachy_site_row { /* the first eight in the order of the columns SITE_ID … SITE_KIND */
  uint32_t id;                  /* registration number in the process */
  uint32_t name;
  uint32_t target;
  uint32_t file;
  uint32_t unit; /* name, target, file, unit: index into strings; the unit of ticks and frames is "seconds" */
  uint32_t line;
  uint32_t level; /* tachy_level */
  uint32_t kind;  /* tachy_site_kind */
  uint32_t hash;  /* low half of XXH64 over name, 0, target, 0, file, 0, line as 4 bytes */
} tachy_site_row;

typedef struct tachy_raw_column { /* a column's bytes in the body, sizes checked */
  const uint8_t *bytes;
  uint64_t count;
  uint64_t size;
} tachy_raw_column;

typedef struct tachy_value { /* a log's argument, or a value on a span */
  uint64_t bits;             /* integer, double, pointer; a text's size */
  const char *text;          /* as it was sent: not yet known to be UTF-8 */
  uint32_t type;             /* tachy_arg_type; tachy_value_type */
  uint32_t site;             /* on a span: its name is the key */
  uint64_t owner;            /* on a span: whose it is */
} tachy_value;

#define TACHY_COLUMN_COUNT 87u

typedef struct tachy_block {
  tachy_block_header header;
  tachy_block_clock clock;
  uint32_t thread_count;
  uint32_t string_count;
  uint32_t site_count;
  uint32_t set_count;
  tachy_block_thread *threads; /* thread_count, in the order of the table */
  tachy_text *strings;         /* string_count, "seconds", and the names of threads */
  tachy_text *thread_names;    /* thread_count, among the strings */
  tachy_site_row *sites;       /* site_count; ROW_SITE k is sites[k - 1] */
  uint64_t *set_first;  /* set_count + 2: pairs of set s are set_first[s] … set_first[s + 1] - 1; set_count is an
                           empty set, which rows without properties have */
  uint32_t *set_keys;   /* string index per pair */
  uint32_t *set_values; /* string index per pair */
  uint64_t rows;        /* of all threads, gap rows included */
  uint64_t async_rows;
  tachy_value *values; /* on spans, ascending by owner: the block's rows, from 0 on, gap rows included; then the spans
                          that are open at its end; then async rows; then the async spans that are open at its start */
  uint64_t value_count;
  tachy_clock_pair *points; /* of the clock, but for its end: the newest first */
  uint64_t point_count;
  char *fixed_text;                             /* strings and names that had to be repaired to be UTF-8, or NULL */
  tachy_raw_column columns[TACHY_COLUMN_COUNT]; /* by tachy_column_id */
} tachy_block;

/* Does not check hashes: tachy_block_check does. The head's structure is checked all the same. Sites have no hash yet.
 */
tachy_status tachy_block_open(tachy_block *block, const void *head, uint64_t head_size, const void *body,
                              uint64_t body_size, tachy_read_error *error);
void tachy_block_close(tachy_block *block);
/* Fills the hashes of the sites: few want them, and they are half of the work on a small block's tables. */
tachy_status tachy_block_hash_sites(tachy_block *block, tachy_read_error *error);

/* Appends a property set as JSON text, {"key":"value",…}; the pairs in their order. */
tachy_status tachy_set_json(const tachy_block *block, uint32_t set, tachy_buffer *out, tachy_read_error *error);

/* Values on spans -------------------------------------------------------------------------------------------------- */

typedef struct tachy_value_range { /* one owner's: at most TACHY_SPAN_VALUES_MAX */
  const tachy_value *values;
  uint64_t count;
} tachy_value_range;

tachy_value_range tachy_values_of(const tachy_block *block, uint64_t owner);
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

/* Dates ticks by the line that dated those before, or the one which becomes that: most blocks have two lines, merged
 * ones hundreds. Begin with clock->lines[0]. */
static inline int64_t tachy_clock_follow(const tachy_block_clock *clock, tachy_clock_line *line, uint64_t ticks) {
  if (ticks - line->from.ticks >= line->ticks) *line = tachy_clock_line_at(clock, ticks);
  return tachy_clock_on_line(line, ticks);
}

/* Rows ------------------------------------------------------------------------------------------------------------- */

typedef struct tachy_gap { /* events that were lost */
  uint64_t row;            /* it stands before this row of the rows that came out */
  uint64_t count;
  uint32_t thread;
  uint32_t depth; /* spans: the shallowest lost */
  int64_t utc;    /* the time of the row before it, or of the thread's base_ticks */
} tachy_gap;

typedef struct tachy_open_row { /* an entry of a shadow stack */
  uint64_t id;
  uint64_t begin_ticks;
  int64_t begin_utc;
  uint32_t site; /* index into block->sites */
  uint32_t depth;
} tachy_open_row;

#define TACHY_PARENT_LOST UINT64_MAX

/* Rows of one kind, an array for each of its columns (decode_rows.c lists which it has; the others are NULL). In the
 * order of the thread table, within a thread in the order of its records. */
typedef struct tachy_rows {
  uint64_t count;
  uint32_t *thread; /* index into block->threads; of an open async span the number, which perhaps none of them has */
  uint32_t *site;   /* index into block->sites */
  uint32_t *set;    /* of properties: index into the block's sets */
  uint32_t *depth;
  uint8_t *kind;    /* async: 0 begin, 1 end */
  int64_t *utc;     /* of spans: of the begin */
  int64_t *end_utc; /* of spans */
  uint64_t *id;     /* of a thread's span: 1-based number of the begin in the stream */
  uint64_t *parent; /* 0: none */
  uint64_t *bits;   /* of a metric: int64 for TACHY_SITE_METRIC_INT, else a double; nanoseconds of ticks and frames */
  uint64_t *owner;  /* of values: of an async begin whose end is in the block, the end; NULL: the block has none */
  uint64_t *arg_first; /* count + 1: arguments of log i are args[arg_first[i]] … args[arg_first[i + 1] - 1] */
  tachy_value *args;
  tachy_gap *gaps;
  uint64_t gap_count;
  /* spans */
  uint64_t closed;            /* the first so many have ended, and come in the order of their ends */
  uint64_t *thread_first;     /* thread_count + 1: rows of thread t are thread_first[t] … thread_first[t + 1] - 1 */
  tachy_open_row *open_start; /* threads in order, outermost first; of all threads and times whatever the filter */
  tachy_open_row *open_end;
  uint64_t *open_start_first; /* thread_count + 1, as thread_first */
  uint64_t *open_end_first;
  int64_t *self; /* span times: the duration, 0 of a span that is open, less what ended inside it in this block */
} tachy_rows;

typedef struct tachy_row_filter {
  int64_t begin_utc; /* only events that overlap [begin_utc, end_utc], both inclusive */
  int64_t end_utc;
  const uint8_t *threads; /* by index into the thread table whether its rows are wanted; NULL: all are */
  int open_end;           /* spans: whether those that are open at the block's end are rows, too */
} tachy_row_filter;

static inline int tachy_thread_wanted(const tachy_row_filter *filter, uint32_t thread) {
  return !filter->threads || filter->threads[thread];
}

extern const tachy_row_filter tachy_read_everything;

/* Decode what of a kind the filter leaves. */
tachy_status tachy_decode_metrics(const tachy_block *block, const tachy_row_filter *filter, tachy_rows *rows,
                                  tachy_read_error *error);
tachy_status tachy_decode_spans(const tachy_block *block, const tachy_row_filter *filter, tachy_rows *rows,
                                tachy_read_error *error);
/* What began in the range. */
tachy_status tachy_decode_span_times(const tachy_block *block, const tachy_row_filter *filter, tachy_rows *rows,
                                     tachy_read_error *error);
tachy_status tachy_decode_async(const tachy_block *block, const tachy_row_filter *filter, tachy_rows *rows,
                                tachy_read_error *error);
/* Async spans that are open at the block's start, ascending by id: all of them, whatever the filter. */
tachy_status tachy_decode_open_async(const tachy_block *block, const tachy_row_filter *filter, tachy_rows *rows,
                                     tachy_read_error *error);
void tachy_rows_free(tachy_rows *rows);

static inline int tachy_is_log_kind(tachy_read_kind kind) {
  return kind == TACHY_READ_LOGS || kind == TACHY_READ_IMAGES;
}

/* A block of logs is decoded `most` rows at a time: arguments take far more memory than their bytes in the block.
 * Parts of images are another kind of rows than the other logs. tachy_logs_start decodes the first part and checks the
 * block to its end; tachy_logs_next has the next part take its place. *more: whether another one follows. */
typedef struct tachy_log_walk tachy_log_walk;

tachy_status tachy_logs_start(const tachy_block *block, tachy_read_kind kind, const tachy_row_filter *filter,
                              uint64_t most, tachy_log_walk **walk, tachy_rows *rows, int *more,
                              tachy_read_error *error);
tachy_status tachy_logs_next(tachy_log_walk *walk, tachy_rows *rows, int *more, tachy_read_error *error);
void tachy_logs_end(tachy_log_walk *walk);

/* Appends the message of row `row`, as C's printf would write it, as valid UTF-8. The type of an argument decides how
 * it is printed where it contradicts the conversion; a missing argument prints as "<missing>". A message is a small
 * multiple of its format and arguments; those of a block may be far larger than the block. */
tachy_status tachy_log_message(const tachy_block *block, const tachy_rows *rows, uint64_t row, tachy_buffer *out,
                               tachy_read_error *error);

/* The value as SQL shows it: integers as doubles; ticks and frames in seconds. */
double tachy_metric_value(uint32_t kind, uint64_t bits);

#endif
