/* What a query asks of blocks that come from the store, many at once, before they are decompressed. */
#include <string.h>

#include "error.h"
#include "head.h"

#define EXPANSION_FREE (UINT64_C(64) << 20) /* a body of so many bytes may be one row again and again */

static tachy_status check_limits(const void *bytes, const tachy_block_header *h, const tachy_block_limits *limits,
                                 tachy_read_error *error) {
  uint64_t rows = 0;
  for (uint32_t i = 0; i < h->thread_count; i++) {
    const tachy_block_thread t = tachy_head_thread(bytes, i);
    rows += t.rows + t.async_rows;
  }
  if (rows > limits->rows) {
    return tachy_read_fail(error, "a block has %llu rows, and the setting block_rows is %llu", (unsigned long long)rows,
                           (unsigned long long)limits->rows);
  }
  if (h->raw_size > limits->raw_bytes) {
    return tachy_read_fail(error, "a block's body is %llu bytes, more than the setting block_raw_bytes says",
                           (unsigned long long)h->raw_size);
  }
  if (h->raw_size > EXPANSION_FREE && h->raw_size > limits->expansion * h->stored_size) {
    return tachy_read_fail(error,
                           "a block's body is %llu bytes and %llu compressed: more than the setting block_expansion "
                           "allows",
                           (unsigned long long)h->raw_size, (unsigned long long)h->stored_size);
  }
  return TACHY_OK;
}

/* A body of no bytes is no block's, but python-zstandard (0.25) writes out of bounds where the first of many is one. */
static void pack(tachy_packed *packed, uint64_t number, const tachy_block_header *h, const uint8_t *stored) {
  if (h->codec != TACHY_CODEC_ZSTD || h->raw_size == 0) {
    packed->others[packed->other_count++] = number;
    return;
  }
  uint64_t *const segment = packed->segments + packed->count * 2;
  segment[0] = packed->count ? segment[-2] + segment[-1] : 0;
  segment[1] = h->stored_size;
  if (h->stored_size) memcpy(packed->bytes + segment[0], stored, h->stored_size);
  packed->raw_sizes[packed->count] = h->raw_size;
  packed->numbers[packed->count++] = number;
}

tachy_status tachy_blocks_check(tachy_blocks *blocks, const uint64_t *sizes, const uint64_t *header_hashes,
                                const tachy_block_limits *limits, tachy_packed *packed, uint64_t *at,
                                tachy_read_error *error) {
  for (; *at < blocks->count; ++*at) {
    const uint8_t *const bytes = blocks->heads[*at];
    blocks->bodies[*at] = NULL;
    if (!bytes) continue;
    tachy_block_header h;
    tachy_status status = tachy_block_check(bytes, sizes[*at], 1, NULL, error);
    if (status) return status;
    memcpy(&h, bytes, sizeof h);
    if (header_hashes && h.header_hash != header_hashes[*at]) {
      return tachy_read_fail(error, "another block lies where this one was stored");
    }
    status = check_limits(bytes, &h, limits, error);
    if (status) return status;
    blocks->head_sizes[*at] = h.header_size;
    blocks->body_sizes[*at] = h.raw_size;
    if (h.codec == TACHY_CODEC_NONE) {
      blocks->bodies[*at] = bytes + h.header_size;
    } else {
      pack(packed, *at, &h, bytes + h.header_size);
    }
  }
  return TACHY_OK;
}

void tachy_blocks_unpacked(tachy_blocks *blocks, const tachy_packed *packed, uint64_t first, uint64_t end,
                           const void *bodies) {
  const uint8_t *next = bodies;
  for (uint64_t i = first; i < end; i++) {
    blocks->bodies[packed->numbers[i]] = next;
    next += packed->raw_sizes[i];
  }
}
