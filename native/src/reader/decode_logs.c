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

struct tachy_log_walk {
  tachy_row_walk rows;
  log_args args;
  int ended;
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
  uint64_t arg_count = 0;
  uint64_t gap_count = 0;
  uint64_t count = 0;
  tachy_log_arg taken[TACHY_LOG_ARGS_MAX];
  while (count < most) {
    int found = 0;
    if (!rows) gap_count = 0;
    const tachy_status status = tachy_row_next(&walk->rows, gaps, &gap_count, count, &found, error);
    if (status) return status;
    if (!found) {
      walk->ended = 1;
      if (!args_used_up(&walk->args)) return tachy_read_fail(error, "the log rows do not use up their arguments");
      break;
    }
    const int args = take_args(&walk->args, taken);
    if (args < 0) return tachy_read_fail(error, "the arguments of a log row are malformed");
    if (!walk->rows.wanted || !rows) continue;
    rows->thread[count] = walk->rows.thread;
    rows->site[count] = walk->rows.row_site;
    rows->set[count] = walk->rows.row_set;
    rows->utc[count] = walk->rows.utc;
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

static tachy_status start(tachy_log_walk *walk, const tachy_block *block, const tachy_read_options *options,
                          tachy_read_error *error) {
  walk->ended = 0;
  start_args(&walk->args, block);
  return tachy_row_start(&walk->rows, block, TACHY_CLASS_LOG, options, error);
}

tachy_status tachy_logs_start(const tachy_block *block, const tachy_read_options *options, tachy_log_walk **walk,
                              tachy_read_error *error) {
  *walk = malloc(sizeof **walk);
  if (!*walk) return tachy_read_no_memory(error);
  tachy_gap *const gaps = tachy_row_gaps(block);
  tachy_status status = gaps ? start(*walk, block, options, error) : tachy_read_no_memory(error);
  if (!status) status = decode(*walk, UINT64_MAX, NULL, gaps, error);
  if (!status) status = start(*walk, block, options, error);
  free(gaps);
  if (status) {
    free(*walk);
    *walk = NULL;
  }
  return status;
}

tachy_status tachy_logs_next(tachy_log_walk *walk, uint64_t most, tachy_log_rows *rows, int *more,
                             tachy_read_error *error) {
  memset(rows, 0, sizeof *rows);
  tachy_status status = allocate(walk->rows.block, most, rows, error);
  if (!status) status = decode(walk, most, rows, rows->gaps, error);
  *more = !walk->ended;
  if (status) tachy_log_rows_free(rows);
  return status;
}

void tachy_logs_end(tachy_log_walk *walk) { free(walk); }

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
