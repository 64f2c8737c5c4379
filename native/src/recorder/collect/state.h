/* The state of a class between two blocks, as the session file keeps it: what a dead process's events need to become
 * the block that would have followed. */
#ifndef TACHY_SRC_RECORDER_COLLECT_STATE_H
#define TACHY_SRC_RECORDER_COLLECT_STATE_H

#include "../../encode/stream.h"

/* After a cut. 0: no memory. */
int tachy_state_write(tachy_bytes *out, const tachy_channel *channel);
/* Into an empty channel; its streams have no slots yet. 0: no memory, or bytes that write cannot have written. */
int tachy_state_read(tachy_channel *channel, tachy_bends *bends, const uint8_t *bytes, uint64_t size);

#endif
