/* Log rows and their arguments. */
#include <stdlib.h>
#include <string.h>

#include "decode_rows.h"
#include "error.h"

typedef struct log_args {
  tachy_uint_cursor types;
  tachy_uint_cursor integers;
  tachy_uint_cursor text_sizes;
  const uint8_t *doubles;
  const uint8_t *doubles_end;
  const uint8_t *texts;
  const uint8_t *texts_end;
} log_args;

static void start_args(log_args *a, const tachy_block *block) {
  const tachy_raw_column *doubles = &block->columns[TACHY_COLUMN_LOG_F64];
  const tachy_raw_column *texts = &block->columns[TACHY_COLUMN_LOG_TEXT_BYTES];
  *a = (log_args){.types = tachy_uint_start(&block->columns[TACHY_COLUMN_LOG_TYPES]),
                  .integers = tachy_uint_start(&block->columns[TACHY_COLUMN_LOG_INT]),
                  .text_sizes = tachy_uint_start(&block->columns[TACHY_COLUMN_LOG_TEXT_SIZE]),
                  .doubles = doubles->bytes,
                  .doubles_end = doubles->bytes + doubles->size,
                  .texts = texts->bytes,
                  .texts_end = texts->bytes + texts->size};
}

static int args_used_up(const log_args *a) {
  return tachy_uint_ok(&a->types) && tachy_uint_ok(&a->integers) && tachy_uint_ok(&a->text_sizes) &&
         a->doubles == a->doubles_end && a->texts == a->texts_end;
}

/* Takes one argument. 0 when the columns do not hold it. */
static int take_arg(log_args *a, uint32_t type, tachy_log_arg *out) {
  *out = (tachy_log_arg){.type = type};
  switch (type) {
    case TACHY_ARG_I64:
      out->bits = (uint64_t)tachy_unzigzag(tachy_uint_next(&a->integers));
      break;
    case TACHY_ARG_U64:
    case TACHY_ARG_POINTER:
      out->bits = tachy_uint_next(&a->integers);
      break;
    case TACHY_ARG_F64:
      if (a->doubles == a->doubles_end) return 0;
      memcpy(&out->bits, a->doubles, sizeof out->bits);
      a->doubles += sizeof out->bits;
      break;
    case TACHY_ARG_TEXT:
      out->text.size = tachy_uint_next(&a->text_sizes);
      out->text.bytes = (const char *)a->texts;
      if (out->text.size > (uint64_t)(a->texts_end - a->texts)) return 0;
      a->texts += out->text.size;
      break;
    default:
      return 0;
  }
  return !a->integers.bad && !a->text_sizes.bad;
}

/* The arguments of a row, to out[0 … 8]; returns their number, or -1. */
static int take_args(log_args *a, tachy_log_arg *out) {
  const uint64_t types = tachy_uint_next(&a->types);
  if (a->types.bad || types > UINT32_MAX) return -1;
  int count = 0;
  for (uint32_t rest = (uint32_t)types; rest; rest >>= 4) {
    if (!take_arg(a, rest & 15u, &out[count])) return -1;
    count++;
  }
  return count;
}

typedef struct log_position {
  tachy_row_walk rows;
  log_args args;
} log_position;

struct tachy_log_walk {
  log_position at;
  int ended;
  int given;            /* whether the first slice has been given */
  uint64_t most;        /* rows of a slice */
  tachy_log_rows first; /* decoded when the walk starts: most blocks are one slice, and walked once */
};

static tachy_status allocate(const tachy_block *block, uint64_t most, tachy_log_rows *rows, tachy_read_error *error) {
  const uint64_t all = block->columns[TACHY_COLUMN_LOG_TYPES].count; /* rows, without the gaps */
  const uint64_t arguments = block->columns[TACHY_COLUMN_LOG_INT].count + block->columns[TACHY_COLUMN_LOG_F64].count +
                             block->columns[TACHY_COLUMN_LOG_TEXT_SIZE].count;
  const size_t n = (size_t)(all < most ? all : most) + 1;
  const size_t args = arguments < n * TACHY_LOG_ARGS_MAX ? (size_t)arguments : n * TACHY_LOG_ARGS_MAX;
  rows->thread = malloc(n * sizeof *rows->thread);
  rows->site = malloc(n * sizeof *rows->site);
  rows->set = malloc(n * sizeof *rows->set);
  rows->utc = malloc(n * sizeof *rows->utc);
  rows->arg_first = malloc(n * sizeof *rows->arg_first);
  rows->args = malloc((args + 1) * sizeof *rows->args);
  rows->gaps = tachy_row_gaps(block);
  if (!rows->thread || !rows->site || !rows->set || !rows->utc || !rows->arg_first || !rows->args || !rows->gaps) {
    return tachy_read_no_memory(error);
  }
  return TACHY_OK;
}

/* Up to `most` wanted rows; without `rows` all of them, which only are looked at. */
static tachy_status decode(tachy_log_walk *walk, uint64_t most, tachy_log_rows *rows, tachy_gap *gaps,
                           tachy_read_error *error) {
  log_position *const at = &walk->at;
  uint64_t arg_count = 0;
  uint64_t gap_count = 0;
  uint64_t count = 0;
  tachy_log_arg taken[TACHY_LOG_ARGS_MAX];
  while (count < most) {
    int found = 0;
    if (!rows) gap_count = 0;
    const tachy_status status = tachy_row_next(&at->rows, gaps, &gap_count, count, &found, error);
    if (status) return status;
    if (!found) {
      walk->ended = 1;
      if (!args_used_up(&at->args)) return tachy_read_fail(error, "the log rows do not use up their arguments");
      break;
    }
    const int args = take_args(&at->args, taken);
    if (args < 0) return tachy_read_fail(error, "the arguments of a log row are malformed");
    if (!at->rows.wanted || !rows) continue;
    rows->thread[count] = at->rows.thread;
    rows->site[count] = at->rows.row_site;
    rows->set[count] = at->rows.row_set;
    rows->utc[count] = at->rows.utc;
    rows->arg_first[count++] = arg_count;
    for (int a = 0; a < args; a++) rows->args[arg_count++] = taken[a];
  }
  if (rows) {
    rows->count = count;
    rows->gap_count = gap_count;
    rows->arg_first[count] = arg_count;
  }
  return TACHY_OK;
}

static tachy_status decode_slice(tachy_log_walk *walk, tachy_log_rows *rows, tachy_read_error *error) {
  memset(rows, 0, sizeof *rows);
  tachy_status status = allocate(walk->at.rows.block, walk->most, rows, error);
  if (!status) status = decode(walk, walk->most, rows, rows->gaps, error);
  if (status) tachy_log_rows_free(rows);
  return status;
}

/* Looks at what follows the first slice, and comes back. */
static tachy_status check_rest(tachy_log_walk *walk, tachy_read_error *error) {
  const log_position start = walk->at;
  tachy_gap *const gaps = tachy_row_gaps(start.rows.block);
  const tachy_status status = gaps ? decode(walk, UINT64_MAX, NULL, gaps, error) : tachy_read_no_memory(error);
  free(gaps);
  walk->at = start;
  walk->ended = 0;
  return status;
}

tachy_status tachy_logs_start(const tachy_block *block, const tachy_read_options *options, uint64_t most,
                              tachy_log_walk **walk, tachy_read_error *error) {
  tachy_log_walk *const w = calloc(1, sizeof *w);
  if (!w) return tachy_read_no_memory(error);
  w->most = most;
  start_args(&w->at.args, block);
  tachy_status status = tachy_row_start(&w->at.rows, block, TACHY_CLASS_LOG, options, error);
  if (!status) status = decode_slice(w, &w->first, error);
  if (!status && !w->ended) status = check_rest(w, error);
  if (status) {
    tachy_logs_end(w);
  } else {
    *walk = w;
  }
  return status;
}

tachy_status tachy_logs_next(tachy_log_walk *walk, tachy_log_rows *rows, int *more, tachy_read_error *error) {
  tachy_status status = TACHY_OK;
  if (walk->given) {
    status = decode_slice(walk, rows, error);
  } else {
    *rows = walk->first;
    memset(&walk->first, 0, sizeof walk->first);
    walk->given = 1;
  }
  *more = !walk->ended;
  return status;
}

void tachy_logs_end(tachy_log_walk *walk) {
  if (walk) tachy_log_rows_free(&walk->first);
  free(walk);
}

void tachy_log_rows_free(tachy_log_rows *rows) {
  free(rows->thread);
  free(rows->site);
  free(rows->set);
  free(rows->utc);
  free(rows->arg_first);
  free(rows->args);
  free(rows->gaps);
  memset(rows, 0, sizeof *rows);
}
