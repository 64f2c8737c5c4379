/* XXH64 with seed 0, the hash of blocks and batches: written from the public specification, so that nothing is linked.
 */
#ifndef TACHY_SRC_BASE_HASH_H
#define TACHY_SRC_BASE_HASH_H

#include <stdint.h>

uint64_t tachy_hash(const void *bytes, uint64_t size);

#endif
