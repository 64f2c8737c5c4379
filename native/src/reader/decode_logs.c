/* Log rows and their arguments. */
#include <stdlib.h>
#include <string.h>

#include "decode_rows.h"
#include "error.h"

typedef struct position {
  tachy_row_walk rows;
  tachy_uint_cursor types;
  tachy_typed_cursor args;
  uint32_t image_target; /* index into the block's strings; of none: UINT32_MAX */
  int images;            /* whether these are wanted, or the others */
} position;

struct tachy_log_walk {
  position at;
  uint64_t most; /* rows of a part */
};

/* The arguments of a row, to out[0 … 7]; returns their number, or -1. */
static int take_args(position *at, tachy_value *out) {
  const uint64_t types = tachy_uint_next(&at->types);
  if (at->types.bad || types > UINT32_MAX) return -1;
  int count = 0;
  for (uint32_t rest = (uint32_t)types; rest; rest >>= 4) {
    const uint32_t type = rest & 15u;
    out[count] = (tachy_value){.type = type};
    if (type < TACHY_ARG_I64 || type > TACHY_ARG_POINTER || !tachy_typed_take(&at->args, &out[count++])) return -1;
  }
  return count;
}

static uint32_t find_image_target(const tachy_block *block) {
  static const char target[] = TACHY_IMAGE_TARGET;
  for (uint32_t i = 0; i < block->site_count; i++) {
    const tachy_text text = block->strings[block->sites[i].target];
    if (text.size == sizeof target - 1 && memcmp(text.bytes, target, text.size) == 0) return block->sites[i].target;
  }
  return UINT32_MAX;
}

static int is_image(const position *at) { return at->rows.block->sites[at->rows.site].target == at->image_target; }

/* Up to `most` wanted rows; without `rows` all of them, which only are looked at. */
static tachy_status decode(position *at, uint64_t most, tachy_rows *rows, int *more, tachy_read_error *error) {
  uint64_t arg_count = 0;
  tachy_value taken[TACHY_LOG_ARGS_MAX];
  *more = 1;
  while (!rows || rows->count < most) {
    const tachy_status status = tachy_row_next(&at->rows, rows, more, error);
    if (status) return status;
    if (!*more) {
      if (!tachy_uint_ok(&at->types) || !tachy_typed_ok(&at->args)) {
        return tachy_read_fail(error, "the log rows do not use up their arguments");
      }
      break;
    }
    const int args = take_args(at, taken);
    if (args < 0) return tachy_read_fail(error, "the arguments of a log row are malformed");
    if (!at->rows.wanted || !rows || is_image(at) != at->images) continue;
    rows->arg_first[tachy_row_keep(&at->rows, rows)] = arg_count;
    for (int a = 0; a < args; a++) rows->args[arg_count++] = taken[a];
  }
  if (rows) rows->arg_first[rows->count] = arg_count;
  return TACHY_OK;
}

tachy_status tachy_logs_next(tachy_log_walk *walk, tachy_rows *rows, int *more, tachy_read_error *error) {
  const tachy_block *const block = walk->at.rows.block;
  const uint64_t all = block->columns[TACHY_COLUMN_LOG_TYPES].count; /* rows, without the gaps */
  tachy_rows_free(rows);
  const tachy_status status =
      tachy_rows_allocate(rows, TACHY_READ_LOGS, block, all < walk->most ? all : walk->most, error);
  return status ? status : decode(&walk->at, walk->most, rows, more, error);
}

tachy_status tachy_logs_start(const tachy_block *block, tachy_read_kind kind, const tachy_row_filter *filter,
                              uint64_t most, tachy_log_walk **walk, tachy_rows *rows, int *more,
                              tachy_read_error *error) {
  tachy_log_walk *const w = *walk = calloc(1, sizeof *w);
  if (!w) return tachy_read_no_memory(error);
  w->most = most;
  w->at.types = tachy_uint_start(&block->columns[TACHY_COLUMN_LOG_TYPES]);
  w->at.args = tachy_typed_start(block, TACHY_COLUMN_LOG_INT);
  w->at.image_target = find_image_target(block);
  w->at.images = kind == TACHY_READ_IMAGES;
  tachy_status status = tachy_row_start(&w->at.rows, block, TACHY_CLASS_LOG, filter, error);
  if (!status) status = tachy_logs_next(w, rows, more, error);
  if (status || !*more) return status;
  position rest = w->at; /* what follows the first part is only looked at */
  int none = 0;
  return decode(&rest, 0, NULL, &none, error);
}

void tachy_logs_end(tachy_log_walk *walk) { free(walk); }
