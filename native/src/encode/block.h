/* From streams to a finished block. */
#ifndef TACHY_SRC_ENCODE_BLOCK_H
#define TACHY_SRC_ENCODE_BLOCK_H

#include "stream.h"

/* A finished block. */
typedef struct tachy_block {
  struct tachy_block *next;
  tachy_block_header *head; /* header_size bytes: with the thread table and the names; hashed when it is written */
  uint8_t *body;            /* stored_size bytes */
  void *memory;             /* of the body */
} tachy_block;

/* Makes a block, which ends at `to`, of everything that the channel's drained streams hold. NULL: there is nothing to
 * send, or (*failed = 1) no memory. Gives ids to the spans of the streams' `ends`, which are open when the next block
 * begins. last: it is the session's last block. open_too: a block is worth sending even if it has nothing but open
 * spans. */
tachy_block *tachy_block_make(tachy_channel *channel, const uint8_t process_id[16], tachy_clock_pair to, int last,
                              int open_too, int *failed);
/* Makes no block, and leaves the channel as if it had: the open spans have ids and times. Async ends that wait for a
 * block go on waiting. */
void tachy_block_forget(tachy_channel *channel, tachy_clock_pair to);
/* The block and those that follow it. */
void tachy_blocks_free(tachy_block *block);

static inline uint64_t tachy_block_size(const tachy_block *block) {
  return block->head->header_size + block->head->stored_size;
}

#endif
