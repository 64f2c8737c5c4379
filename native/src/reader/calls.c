/* Call trees: the spans of many blocks, added up by the names on the way to them.
 *
 * Spans lie in a block in the order of their ends. Read backward, a span comes before what it encloses, so that the
 * last span seen at depth d - 1 is the caller of one at depth d: a stack of nodes for each thread is all that goes from
 * one block to the one before it. A span costs one lookup in a map from (caller's node, name) to the node. */
#include <stdlib.h>
#include <string.h>

#include "arrow.h"
#include "error.h"
#include "lists.h"

#define NODES_MAX (1u << 20)
#define PATHS_MAX (UINT64_C(1) << 24) /* a path is as long as its depth, so that they can be far more than a block */

typedef struct node {
  uint32_t parent; /* of a thread's root, and for depth 0: 0, as for "none" */
  uint32_t name;   /* index into names */
  uint32_t root;   /* index into names: of the thread */
  uint32_t depth;
  uint64_t calls;
  int64_t total;
  int64_t inside; /* of total, in calls */
  int64_t longest;
} node;

typedef struct level { /* of a thread's stack */
  uint64_t span;       /* its id */
  uint32_t node;
} level;

typedef struct stack { /* of one thread number */
  uint64_t known;      /* levels [0, known) are */
  TACHY_LIST(level) levels;
} stack;

struct tachy_calls {
  int64_t begin;
  int64_t end;
  char *thread; /* only threads of this name; NULL: all */
  uint64_t thread_size;
  tachy_dictionary names;
  int full;
  TACHY_LIST(node) nodes; /* node i is items[i - 1] */
  TACHY_LIST(stack) stacks;
  tachy_map by_path;   /* parent << 32 | name, at depth 0 1 << 63 | thread's name << 32 | name → node */
  tachy_map by_thread; /* number → index into stacks, + 1 */
};

/* A block's spans, and of its strings the index among the names of the tree, + 1. */
typedef struct source {
  tachy_block block;
  tachy_rows rows;
  uint32_t *names;
} source;

tachy_calls *tachy_calls_new(int64_t begin_utc, int64_t end_utc, const char *thread, uint64_t size) {
  tachy_calls *const calls = calloc(1, sizeof *calls);
  char *const copy = thread ? malloc(size + 1) : NULL;
  if (!calls || (thread && !copy)) {
    free(calls);
    free(copy);
    return NULL;
  }
  if (copy) memcpy(copy, thread, size);
  calls->begin = begin_utc;
  calls->end = end_utc;
  calls->thread = copy;
  calls->thread_size = size;
  return calls;
}

void tachy_calls_free(tachy_calls *calls) {
  if (!calls) return;
  for (uint64_t i = 0; i < calls->stacks.count; i++) free(calls->stacks.items[i].levels.items);
  free(calls->stacks.items);
  free(calls->thread);
  free(calls->nodes.items);
  tachy_dictionary_free(&calls->names);
  tachy_map_free(&calls->by_path);
  tachy_map_free(&calls->by_thread);
  free(calls);
}

static uint64_t seed_of(const tachy_calls *calls) { return (uint64_t)(uintptr_t)calls; }

static tachy_status name_of(tachy_calls *calls, source *from, uint32_t string, uint32_t *name,
                            tachy_read_error *error) {
  if (!from->names[string]) {
    const tachy_text text = from->block.strings[string];
    const tachy_status status = tachy_dictionary_add(&calls->names, text.bytes, text.size, &from->names[string], error);
    if (status) return status;
    from->names[string]++;
  }
  *name = from->names[string] - 1;
  return TACHY_OK;
}

/* The stack of a thread, empty where none of its blocks has come before. NULL: no memory. */
static stack *stack_of(tachy_calls *calls, uint32_t thread) {
  int added;
  uint32_t *const index = tachy_map_at(&calls->by_thread, seed_of(calls), thread, &added);
  if (!index) return NULL;
  if (!*index) {
    if (!tachy_list_add(&calls->stacks, sizeof *calls->stacks.items)) return NULL;
    *index = (uint32_t)calls->stacks.count;
  }
  return &calls->stacks.items[*index - 1];
}

/* Makes a node the known one of its depth. 0: no memory. */
static int push(stack *of, uint64_t depth, uint64_t span, uint32_t at, uint32_t above) {
  while (of->levels.count <= depth) {
    if (!tachy_list_add(&of->levels, sizeof *of->levels.items)) return 0;
  }
  for (uint64_t lost = of->known; lost < depth; lost++) of->levels.items[lost] = (level){0, above};
  of->levels.items[depth] = (level){span, at};
  of->known = depth + 1;
  return 1;
}

static void add_time(int64_t *sum, int64_t took) { *sum = *sum > INT64_MAX - took ? INT64_MAX : *sum + took; }

/* Counts a span under the deepest known level above it, and makes it the known one of its depth. */
static tachy_status count(tachy_calls *calls, stack *of, uint32_t depth, uint64_t span, uint32_t root, uint32_t name,
                          int64_t begin, int64_t end, tachy_read_error *error) {
  const uint32_t parent = depth && of->known ? of->levels.items[(depth < of->known ? depth : of->known) - 1].node : 0;
  const uint64_t key = parent ? (uint64_t)parent << 32 | name : UINT64_C(1) << 63 | (uint64_t)root << 32 | name;
  int added;
  uint32_t *const at = tachy_map_at(&calls->by_path, seed_of(calls), key, &added);
  if (!at) return tachy_read_no_memory(error);
  if (!*at) {
    if (calls->nodes.count == NODES_MAX) { /* tachy_calls_batch says so */
      calls->full = 1;
      return push(of, depth, span, 0, 0) ? TACHY_OK : tachy_read_no_memory(error);
    }
    node *const made = tachy_list_add(&calls->nodes, sizeof *made);
    if (!made) return tachy_read_no_memory(error);
    made->parent = parent;
    made->name = name;
    made->root = root;
    made->depth = parent ? calls->nodes.items[parent - 1].depth + 1 : 0;
    *at = (uint32_t)calls->nodes.count;
  }
  if (begin < calls->begin) begin = calls->begin;
  if (end > calls->end) end = calls->end;
  const uint64_t between = (uint64_t)end - (uint64_t)begin;
  const int64_t took = end <= begin ? 0 : between > INT64_MAX ? INT64_MAX : (int64_t)between;
  node *const own = &calls->nodes.items[*at - 1];
  own->calls++;
  add_time(&own->total, took);
  if (took > own->longest) own->longest = took;
  if (parent) add_time(&calls->nodes.items[parent - 1].inside, took);
  return push(of, depth, span, *at, parent) ? TACHY_OK : tachy_read_no_memory(error);
}

/* The spans that are open at the block's end and have not been seen to end. */
static tachy_status count_open(tachy_calls *calls, source *from, uint32_t t, uint32_t root, stack *of,
                               tachy_read_error *error) {
  const tachy_rows *const rows = &from->rows;
  const uint64_t first = rows->open_end_first[t];
  const uint32_t open = (uint32_t)(rows->open_end_first[t + 1] - first);
  tachy_status status = TACHY_OK;
  for (uint32_t depth = 0; depth < open && !status; depth++) {
    const tachy_open_row *const entry = &rows->open_end[first + depth];
    if (depth < of->known && of->levels.items[depth].span == entry->id) continue;
    if (of->known > depth) of->known = depth;
    if (entry->begin_utc > calls->end || from->block.header.end_utc < calls->begin) break;
    uint32_t name = 0;
    status = name_of(calls, from, from->block.sites[entry->site].name, &name, error);
    if (status) break;
    status = count(calls, of, depth, entry->id, root, name, entry->begin_utc, from->block.header.end_utc, error);
  }
  if (of->known > open) of->known = open;
  return status;
}

/* Passes the gaps of a thread that stand before this row or a later one: what they enclosed is not known any more. */
static void pass_gaps(const tachy_rows *rows, uint32_t t, uint64_t row, uint64_t *next_gap, stack *of) {
  for (; *next_gap && rows->gaps[*next_gap - 1].row >= row && rows->gaps[*next_gap - 1].thread == t; --*next_gap) {
    const uint32_t depth = rows->gaps[*next_gap - 1].depth;
    if (of->known > depth) of->known = depth;
  }
}

static tachy_status count_thread(tachy_calls *calls, source *from, uint32_t t, uint64_t *next_gap,
                                 tachy_read_error *error) {
  const tachy_rows *const rows = &from->rows;
  const tachy_block_thread *const thread = &from->block.threads[t];
  stack *const of = stack_of(calls, thread->number);
  if (!of) return tachy_read_no_memory(error);
  uint32_t root = 0;
  const tachy_text own = from->block.thread_names[t];
  tachy_status status = tachy_dictionary_add(&calls->names, own.bytes, own.size, &root, error);
  if (!status) status = count_open(calls, from, t, root, of, error);
  for (uint64_t i = rows->thread_first[t + 1]; i > rows->thread_first[t] && !status; i--) {
    pass_gaps(rows, t, i, next_gap, of);
    uint32_t name = 0;
    status = name_of(calls, from, from->block.sites[rows->site[i - 1]].name, &name, error);
    if (status) break;
    status = count(calls, of, rows->depth[i - 1], rows->id[i - 1], root, name, rows->utc[i - 1], rows->end_utc[i - 1],
                   error);
  }
  pass_gaps(rows, t, 0, next_gap, of);
  return status;
}

static int is_wanted(const tachy_calls *calls, tachy_text thread) {
  return !calls->thread || (thread.size == calls->thread_size && !memcmp(thread.bytes, calls->thread, thread.size));
}

static tachy_status add_block(tachy_calls *calls, const void *head, uint64_t head_size, const void *body,
                              uint64_t body_size, tachy_read_error *error) {
  source from = {0};
  const tachy_row_filter filter = {calls->begin, calls->end, NULL, 0};
  tachy_status status = tachy_block_open(&from.block, head, head_size, body, body_size, error);
  if (status) return status;
  status = tachy_decode_spans(&from.block, &filter, &from.rows, error);
  if (!status) {
    from.names = calloc((size_t)from.block.string_count + 1, sizeof *from.names);
    if (!from.names) status = tachy_read_no_memory(error);
  }
  uint64_t gap = from.rows.gap_count;
  for (uint32_t t = from.block.thread_count; t-- && !status;) {
    if (!is_wanted(calls, from.block.thread_names[t])) {
      while (gap && from.rows.gaps[gap - 1].thread == t) gap--;
      continue;
    }
    status = count_thread(calls, &from, t, &gap, error);
  }
  free(from.names);
  tachy_rows_free(&from.rows);
  tachy_block_close(&from.block);
  return status;
}

tachy_status tachy_calls_add(tachy_calls *calls, const tachy_blocks *blocks, uint64_t *at, tachy_read_error *error) {
  for (; *at < blocks->count; ++*at) {
    if (!blocks->bodies[*at]) continue;
    const tachy_status status = add_block(calls, blocks->heads[*at], blocks->head_sizes[*at], blocks->bodies[*at],
                                          blocks->body_sizes[*at], error);
    if (status) return status;
  }
  return TACHY_OK;
}

/* Nodes -> Arrow --------------------------------------------------------------------------------------------------- */

static tachy_status add_numbers(const tachy_calls *calls, tachy_arrow *arrow, int64_t at, const char *name,
                                int64_t (*value)(const tachy_calls *, uint64_t), tachy_read_error *error) {
  int64_t *const out = malloc((calls->nodes.count + 1) * sizeof *out);
  for (uint64_t i = 0; out && i < calls->nodes.count; i++) out[i] = value(calls, i);
  return tachy_arrow_column(arrow, at, name, "l", out, NULL, error);
}

static int64_t id_of(const tachy_calls *calls, uint64_t i) {
  (void)calls;
  return (int64_t)i + 1;
}
static int64_t parent_of(const tachy_calls *calls, uint64_t i) { return calls->nodes.items[i].parent; }
static int64_t calls_of(const tachy_calls *calls, uint64_t i) { return (int64_t)calls->nodes.items[i].calls; }
static int64_t total_of(const tachy_calls *calls, uint64_t i) { return calls->nodes.items[i].total; }
static int64_t longest_of(const tachy_calls *calls, uint64_t i) { return calls->nodes.items[i].longest; }
static int64_t self_of(const tachy_calls *calls, uint64_t i) {
  const node *const own = &calls->nodes.items[i];
  return own->inside < own->total ? own->total - own->inside
                                  : 0; /* more: where clocks of blocks disagree by a few ns */
}
static int64_t outermost_of(const tachy_calls *calls, uint64_t i) {
  const node *const own = &calls->nodes.items[i];
  for (uint32_t above = own->parent; above; above = calls->nodes.items[above - 1].parent) {
    if (calls->nodes.items[above - 1].name == own->name) return 0;
  }
  return own->total;
}

/* The names, of nodes or of their threads, as a dictionary of their own. */
static tachy_status add_names(const tachy_calls *calls, tachy_arrow *arrow, int64_t at, const char *column,
                              size_t field, tachy_read_error *error) {
  tachy_dictionary copy = {0};
  uint32_t *const indices = malloc((calls->nodes.count + 1) * sizeof *indices);
  tachy_status status = indices ? TACHY_OK : tachy_read_no_memory(error);
  const char *const bytes = calls->names.bytes.bytes;
  for (uint64_t i = 0; i < calls->nodes.count && !status; i++) {
    uint32_t name;
    memcpy(&name, (const char *)&calls->nodes.items[i] + field, sizeof name);
    const int32_t *const offsets = calls->names.offsets + name;
    status = tachy_dictionary_add(&copy, bytes + offsets[0], (uint64_t)(offsets[1] - offsets[0]), &indices[i], error);
  }
  if (!status) return tachy_arrow_dictionary(arrow, at, column, indices, &copy, error);
  free(indices);
  tachy_dictionary_free(&copy);
  return status;
}

static tachy_status add_paths(const tachy_calls *calls, tachy_arrow *arrow, int64_t at, tachy_read_error *error) {
  tachy_buffer paths = {0};
  int32_t *const offsets = malloc((calls->nodes.count + 1) * sizeof *offsets);
  tachy_status status = offsets ? TACHY_OK : tachy_read_no_memory(error);
  if (offsets) offsets[0] = 0;
  for (uint64_t i = 0; i < calls->nodes.count && !status; i++) {
    const node *const own = &calls->nodes.items[i];
    const int32_t *const name = calls->names.offsets + own->name;
    const uint64_t above = own->parent ? (uint64_t)(offsets[own->parent] - offsets[own->parent - 1]) : 0;
    const uint64_t size = (uint64_t)(name[1] - name[0]);
    if (paths.size + above + 1 + size > PATHS_MAX) {
      status = tachy_read_fail(error, "the paths of the call tree are longer than %u MiB: ask for a shorter time",
                               (unsigned)(PATHS_MAX >> 20));
      break;
    }
    /* the caller's path may move while it is appended: a buffer does not copy from itself */
    int ok = 1;
    if (above) {
      char *const copy = malloc(above);
      if (copy) memcpy(copy, paths.bytes + offsets[own->parent - 1], above);
      ok = copy && tachy_buffer_append(&paths, copy, above) && tachy_buffer_append(&paths, ";", 1);
      free(copy);
    } else if (own->parent) {
      ok = tachy_buffer_append(&paths, ";", 1); /* under a span without a name */
    }
    if (!ok || !tachy_buffer_append(&paths, calls->names.bytes.bytes + name[0], size)) {
      status = tachy_read_no_memory(error);
    }
    offsets[i + 1] = (int32_t)paths.size;
  }
  if (!status) return tachy_arrow_column(arrow, at, "path", "u", offsets, paths.bytes, error);
  free(offsets);
  tachy_buffer_free(&paths);
  return status;
}

static tachy_status add_depths(const tachy_calls *calls, tachy_arrow *arrow, int64_t at, tachy_read_error *error) {
  uint32_t *const out = malloc((calls->nodes.count + 1) * sizeof *out);
  for (uint64_t i = 0; out && i < calls->nodes.count; i++) out[i] = calls->nodes.items[i].depth;
  return tachy_arrow_column(arrow, at, "depth", "I", out, NULL, error);
}

tachy_status tachy_calls_batch(const tachy_calls *calls, struct ArrowSchema *schema, struct ArrowArray *array,
                               tachy_read_error *error) {
  if (calls->full) {
    return tachy_read_fail(error, "the call tree has more than %u paths: ask for a shorter time, or one thread",
                           NODES_MAX);
  }
  tachy_arrow arrow = {0};
  tachy_status status = tachy_arrow_start(&arrow, calls->nodes.count, 11, error);
  if (!status) status = add_numbers(calls, &arrow, 0, "id", id_of, error);
  if (!status) status = add_numbers(calls, &arrow, 1, "parent", parent_of, error);
  if (!status) status = add_depths(calls, &arrow, 2, error);
  if (!status) status = add_names(calls, &arrow, 3, "thread_name", offsetof(node, root), error);
  if (!status) status = add_names(calls, &arrow, 4, "name", offsetof(node, name), error);
  if (!status) status = add_paths(calls, &arrow, 5, error);
  if (!status) status = add_numbers(calls, &arrow, 6, "calls", calls_of, error);
  if (!status) status = add_numbers(calls, &arrow, 7, "total", total_of, error);
  if (!status) status = add_numbers(calls, &arrow, 8, "self", self_of, error);
  if (!status) status = add_numbers(calls, &arrow, 9, "longest", longest_of, error);
  if (!status) status = add_numbers(calls, &arrow, 10, "outermost", outermost_of, error);
  if (status) {
    tachy_arrow_free(&arrow);
    return status;
  }
  *schema = arrow.schema;
  *array = arrow.array;
  return TACHY_OK;
}
