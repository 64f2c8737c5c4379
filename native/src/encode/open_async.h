/* The async spans that are open between two blocks: docs/format.md, "Open async spans". Only the collector, only at
 * cuts. */
#ifndef TACHY_SRC_ENCODE_OPEN_ASYNC_H
#define TACHY_SRC_ENCODE_OPEN_ASYNC_H

#include "columns.h"

/* A parent as both columns of parents have it. */
static inline uint64_t tachy_parent_code(uint64_t id, uint64_t parent) {
  return parent ? 1 + tachy_zigzag((int64_t)(id - parent)) : 0;
}

/* Follows the async rows of the block that is being made, which is dated by `clock` and ends at `until` (ticks), and
 * takes out of the streams the ends that have to wait for their begins or values. Afterwards the channel knows what is
 * open at the block's end; what was open at its start is in asyncs.before. `last`: no block follows, nothing waits. */
void tachy_open_async_follow(tachy_channel *channel, const tachy_block_clock *clock, uint64_t until, int last);
/* Ends that wait come back into their streams, as the first async rows of the next block. */
void tachy_open_async_resume(tachy_channel *channel);
/* Before rows are forgotten: ends that have waited go on waiting, for a block. */
void tachy_open_async_put_back(tachy_channel *channel);
void tachy_open_async_columns(tachy_columns *columns, tachy_channel *channel);
/* Adds a span that is open already, as the session file has it. 0: no memory. */
int tachy_open_async_add(tachy_open_asyncs *asyncs, const tachy_open_async *open);
void tachy_open_async_free(tachy_open_asyncs *asyncs);

#endif
