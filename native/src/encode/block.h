/* From streams to a finished block. */
#ifndef TACHY_SRC_ENCODE_BLOCK_H
#define TACHY_SRC_ENCODE_BLOCK_H

#include "stream.h"

/* A block in the outbox. */
typedef struct tachy_block {
  struct tachy_block *next;
  tachy_block_header *head; /* header_size bytes: with the thread table and the names */
  uint8_t *body;
  uint64_t raw_size;
  uint64_t stored_size;
  tachy_codec codec;
} tachy_block;

/* The block of everything that the channel's drained streams hold, or NULL: nothing to say, or (*failed = 1) no memory.
 * Numbers the open spans of `ends`, which become the next block's. `last`: the session's. `open_too`:
 * spans that are open and nothing else are something to say. */
tachy_block *tachy_block_make(tachy_channel *channel, const uint8_t process_id[16], tachy_clock_pair to, int last,
                              int open_too, int *failed);
/* What making the block would have done to the channel, without one: its open spans are numbered and dated. Async ends
 * that wait for a block do so still. */
void tachy_block_forget(tachy_channel *channel, tachy_clock_pair to);
void tachy_block_free(tachy_block *block);

static inline uint64_t tachy_block_size(const tachy_block *block) {
  return block->head->header_size + block->stored_size;
}

#endif
