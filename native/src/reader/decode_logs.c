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

/* Arguments are at most what the columns that they come from hold. */
static tachy_read_status allocate(const tachy_block *block, tachy_log_rows *rows, tachy_read_error *error) {
  const uint64_t args = block->columns[TACHY_COLUMN_LOG_INT].count + block->columns[TACHY_COLUMN_LOG_F64].count +
                        block->columns[TACHY_COLUMN_LOG_TEXT_SIZE].count;
  const size_t n = (size_t)block->columns[TACHY_COLUMN_LOG_TYPES].count + 1; /* rows, without the gaps */
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
  return TACHY_READ_OK;
}

static tachy_read_status decode(const tachy_block *block, tachy_row_walk *walk, tachy_log_rows *rows,
                                tachy_read_error *error) {
  log_args args;
  start_args(&args, block);
  uint64_t arg_count = 0;
  tachy_log_arg taken[TACHY_LOG_ARGS_MAX];
  for (;;) {
    int found = 0;
    const tachy_read_status status = tachy_row_next(walk, rows->gaps, &rows->gap_count, rows->count, &found, error);
    if (status) return status;
    if (!found) break;
    const int count = take_args(&args, taken);
    if (count < 0) return tachy_read_fail(error, "the arguments of a log row are malformed");
    if (!walk->wanted) continue;
    const uint64_t i = rows->count++;
    rows->thread[i] = walk->thread;
    rows->site[i] = walk->row_site;
    rows->set[i] = walk->row_set;
    rows->utc[i] = walk->utc;
    rows->arg_first[i] = arg_count;
    for (int a = 0; a < count; a++) rows->args[arg_count++] = taken[a];
  }
  rows->arg_first[rows->count] = arg_count;
  if (!args_used_up(&args)) return tachy_read_fail(error, "the log rows do not use up their arguments");
  return TACHY_READ_OK;
}

tachy_read_status tachy_decode_logs(const tachy_block *block, const tachy_read_options *options, tachy_log_rows *rows,
                                    tachy_read_error *error) {
  memset(rows, 0, sizeof *rows);
  tachy_row_walk walk;
  tachy_read_status status = tachy_row_start(&walk, block, TACHY_CLASS_LOG, options, error);
  if (!status) status = allocate(block, rows, error);
  if (!status) status = decode(block, &walk, rows, error);
  if (status) tachy_log_rows_free(rows);
  return status;
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
