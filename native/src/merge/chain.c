/* Which blocks follow each other so that one can say what they say; the clock of that one. */
#include <stdlib.h>

#include "../reader/head.h"
#include "merge.h"

#define BODY_MAX (UINT64_C(1) << 30)

static uint64_t covered(const tachy_block_header *h) { return h->sequences ? h->sequences : 1; }

static int threads_ascend(const tachy_block *block) {
  for (uint32_t i = 1; i < block->thread_count; i++) {
    if (block->threads[i].number <= block->threads[i - 1].number) return 0;
  }
  return 1;
}

static int has_time(const tachy_block_header *h) { return (int64_t)(h->ticks1 - h->ticks0) > 0; }

/* By their heads alone: the same process and class go on, without a hole. */
static int is_next(const tachy_block_header *a, const void *head, uint64_t head_size) {
  tachy_block_header b;
  if (head_size < sizeof b) return 0;
  memcpy(&b, head, sizeof b);
  return a->cls == b.cls && memcmp(a->process_id, b.process_id, sizeof a->process_id) == 0 &&
         b.sequence == a->sequence + covered(a);
}

/* What is next goes on by the same clock. Where the wall clock was set, or the counter began anew, its points are
 * others. */
static int follows(const tachy_block *first, const tachy_block *before, const tachy_block *next) {
  const tachy_block_header *const a = &before->header, *const b = &next->header;
  const tachy_clock_pair begin = before->points[0];
  return b->frequency == a->frequency && has_time(a) && has_time(b) &&
         (int64_t)(b->ticks1 - first->header.ticks0) > 0 && b->ticks0 == a->ticks1 && b->utc0 == a->utc1 &&
         b->before_ticks == begin.ticks && b->before_utc == begin.utc && threads_ascend(before) && threads_ascend(next);
}

typedef struct sums {
  uint64_t rows;
  uint64_t raw_bytes;
  uint64_t inner;
  tachy_map numbers; /* of threads */
} sums;

/* 0: memory is short. */
static int add(sums *sum, const tachy_block *block, uint64_t seed) {
  sum->rows += block->rows + block->async_rows;
  sum->raw_bytes += block->header.raw_size;
  sum->inner += block->columns[TACHY_COLUMN_CLOCK_INNER_TICKS].count + 1;
  for (uint32_t i = 0; i < block->thread_count; i++) {
    int added;
    if (!tachy_map_at(&sum->numbers, seed, block->threads[i].number, &added)) return 0;
  }
  return 1;
}

static int within(const sums *sum, const tachy_merge_limits *limits) {
  return sum->rows <= limits->rows && sum->raw_bytes <= limits->raw_bytes && sum->raw_bytes <= BODY_MAX &&
         sum->inner <= TACHY_CLOCK_INNER_MAX && sum->numbers.count <= limits->threads;
}

/* A source more, behind those that are opened. NULL: memory is short. */
static merge_source *next_source(merge *m) {
  if (m->opened == m->room) {
    const uint64_t room = m->room ? 2 * m->room : 8;
    merge_source *const sources = realloc(m->sources, (size_t)room * sizeof *sources);
    if (!sources) return NULL;
    m->sources = sources;
    m->room = room;
  }
  merge_source *const source = &m->sources[m->opened];
  memset(source, 0, sizeof *source);
  return source;
}

/* Opens blocks, from number `first` on, as long as each follows the one before. Returns how many; 0: `status`, about
 * the first. A block that cannot be opened follows none; only a head that says nothing is an error. */
uint64_t merge_open(merge *m, const tachy_blocks *blocks, uint64_t first, const tachy_merge_limits *limits,
                    tachy_status *status, tachy_read_error *error) {
  sums sum = {0};
  tachy_read_error ignored;
  tachy_block_header header;
  *status = tachy_head_check(blocks->heads[first], blocks->head_sizes[first], &header, error);
  if (!*status && header.raw_size != blocks->body_sizes[first])
    *status = tachy_read_fail(error, "a block's body has another size");
  if (*status) return 0;
  for (uint64_t at = first; at < blocks->count; at++, m->opened++) {
    const uint64_t last = m->opened - 1;
    if (m->opened && !is_next(&m->sources[last].block.header, blocks->heads[at], blocks->head_sizes[at])) break;
    merge_source *const source = next_source(m);
    *status = source ? tachy_block_open(&source->block, blocks->heads[at], blocks->head_sizes[at], blocks->bodies[at],
                                        blocks->body_sizes[at], &ignored)
                     : TACHY_ERROR_MEMORY;
    if (*status) break;
    if (!add(&sum, &source->block, (uint64_t)(uintptr_t)m)) *status = TACHY_ERROR_MEMORY;
    if (*status || !within(&sum, limits) ||
        (m->opened && !follows(&m->sources[0].block, &m->sources[last].block, &source->block))) {
      tachy_block_close(&source->block);
      break;
    }
  }
  tachy_map_free(&sum.numbers);
  if (*status == TACHY_ERROR_MEMORY) {
    *status = tachy_read_no_memory(error);
    return 0;
  }
  *status = TACHY_OK;
  return m->opened ? m->opened : 1; /* a block that cannot be read, or is too large, remains what it is */
}

/* What was read of the first source before it had a block before, or begins where the others end, goes on the same
 * lines; events older than that are dated by the points of whichever block has older ones. */
static void add_older(merge *m, const tachy_block *block) {
  const uint64_t first = m->inner_count + 2; /* behind the start, and the start of the block before */
  for (uint64_t i = 0; i < block->point_count && m->point_count - first < TACHY_CLOCK_EARLIER_MAX; i++) {
    if ((int64_t)(block->points[i].ticks - m->points[m->point_count - 1].ticks) >= 0) continue;
    m->points[m->point_count++] = block->points[i];
  }
}

/* Every point that dates events of a source between the start of the block before it and its end is a point of the
 * merged clock, and no other one lies between them: so it dates them alike. */
void merge_clock(merge *m) {
  uint64_t room = TACHY_CLOCK_EARLIER_MAX + 2;
  for (uint64_t i = 0; i < m->count; i++) room += m->sources[i].block.point_count;
  m->points = malloc(room * sizeof *m->points);
  if (!m->points) {
    m->failed = 1;
    return;
  }
  for (uint64_t i = m->count; i-- > 0;) {
    const tachy_block *const block = &m->sources[i].block;
    const uint64_t inner = block->columns[TACHY_COLUMN_CLOCK_INNER_TICKS].count;
    memcpy(m->points + m->point_count, block->points, (inner + 1) * sizeof *m->points);
    m->point_count += inner + 1;
  }
  m->inner_count = m->point_count - 1;
  const tachy_block *const first = &m->sources[0].block;
  const uint64_t known = first->columns[TACHY_COLUMN_CLOCK_INNER_TICKS].count + 1;
  if (first->point_count > known) {
    memcpy(m->points + m->point_count, first->points + known, (first->point_count - known) * sizeof *m->points);
    m->point_count += first->point_count - known;
    for (uint64_t i = 1; i < m->count; i++) add_older(m, &m->sources[i].block);
  }
  const tachy_block_header *const end = &m->sources[m->count - 1].block.header;
  m->clock =
      tachy_clock_from((tachy_clock_pair){end->ticks1, end->utc1}, m->points, m->point_count, first->header.frequency);
  for (uint64_t i = 0; i < m->count; i++) {
    const tachy_block_header *const h = &m->sources[i].block.header;
    m->sources[i].late = i + 1 < m->count ? h->ticks1 : h->ticks1 + (UINT64_C(1) << 62);
    m->sources[i].old = h->before_ticks;
  }
}

int merge_dates_old_alike(const merge *m, const merge_source *source, uint64_t ticks) {
  const tachy_clock_line own = tachy_clock_line_at(&source->block.clock, ticks);
  const tachy_clock_line line = tachy_clock_line_at(&m->clock, ticks);
  return tachy_clock_on_line(&own, ticks) == tachy_clock_on_line(&line, ticks) &&
         (source->block.header.cls != TACHY_CLASS_METRIC || !(own.rate < line.rate || own.rate > line.rate));
}

void merge_clock_columns(merge *m, tachy_columns *columns) {
  const tachy_block_header *const end = &m->sources[m->count - 1].block.header;
  tachy_columns_points(columns, TACHY_COLUMN_CLOCK_INNER_TICKS, (tachy_clock_pair){end->ticks1, end->utc1}, m->points,
                       m->inner_count);
  const uint64_t before = m->inner_count + 1;
  if (m->point_count > before) {
    tachy_columns_points(columns, TACHY_COLUMN_CLOCK_TICKS, m->points[before], m->points + before + 1,
                         m->point_count - before - 1);
  }
}
