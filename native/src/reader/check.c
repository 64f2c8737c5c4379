/* What ingest asks before it stores anything: are these bytes whole, and are they what they say? */
#include <stdlib.h>
#include <string.h>

#include "../base/hash.h"
#include "error.h"
#include "head.h"

/* XXH64 of `size` bytes in which the u64 at `field` counts as 0; 0 when memory is short. */
static int hash_without(const void *bytes, uint64_t size, uint64_t field, uint64_t *hash) {
  uint8_t *copy = malloc(size);
  if (!copy) return 0;
  memcpy(copy, bytes, size);
  memset(copy + field, 0, sizeof(uint64_t));
  *hash = tachy_hash(copy, size);
  free(copy);
  return 1;
}

tachy_status tachy_block_check(const void *bytes, uint64_t size, int body, uint64_t *total, tachy_read_error *error) {
  tachy_block_header h;
  const tachy_status status = tachy_head_check(bytes, size, &h, error);
  if (status) return status;
  uint64_t hash = 0;
  if (!hash_without(bytes, h.header_size, offsetof(tachy_block_header, header_hash), &hash)) {
    return tachy_read_no_memory(error);
  }
  if (hash != h.header_hash) return tachy_read_fail(error, "a block's head does not match its hash");
  const uint64_t whole = tachy_pad8(h.header_size + h.stored_size);
  if (body) {
    if (whole > size) return tachy_read_fail(error, "a block's body is cut short");
    if (tachy_hash((const uint8_t *)bytes + h.header_size, h.stored_size) != h.body_hash) {
      return tachy_read_fail(error, "a block's body does not match its hash");
    }
  }
  if (total) *total = whole;
  return TACHY_OK;
}

static tachy_status check_batch_header(const void *bytes, uint64_t size, tachy_batch_header *header,
                                       tachy_read_error *error) {
  tachy_batch_header h;
  if (size < sizeof h) return tachy_read_fail(error, "a batch of %llu bytes has no header", (unsigned long long)size);
  memcpy(&h, bytes, sizeof h);
  if (h.magic != TACHY_BATCH_MAGIC) return tachy_read_fail(error, "this is not a batch: its first bytes are not TBAT");
  if (h.version != TACHY_FORMAT_VERSION) {
    return tachy_read_fail(error, "this batch is of version %u, version %u is read here", h.version,
                           TACHY_FORMAT_VERSION);
  }
  if (h.total_size != size) {
    return tachy_read_fail(error, "a batch of %llu bytes says that it has %llu", (unsigned long long)size,
                           (unsigned long long)h.total_size);
  }
  if (tachy_pad8(h.description_size) > size - sizeof h) {
    return tachy_read_fail(error, "a batch's description is cut short");
  }
  uint64_t hash = 0;
  if (!hash_without(bytes, sizeof h + h.description_size, offsetof(tachy_batch_header, header_hash), &hash)) {
    return tachy_read_no_memory(error);
  }
  if (hash != h.header_hash) return tachy_read_fail(error, "a batch's head does not match its hash");
  *header = h;
  return TACHY_OK;
}

#define ROW_BYTES 4u /* that a row has in its block's body, at least: logs, metrics and spans all have four columns */
#define ASYNC_BYTES 6u
#define CLOCK_SLACK INT64_C(1000000000)

static int agree(int64_t utc, int64_t clock, int64_t slack) {
  return utc >= clock - slack && utc <= clock + slack && clock > INT64_MIN + slack && clock < INT64_MAX - slack;
}

/* A thread's times are its ticks by the block's clock, but for the begin of a span that was open at the start. */
static int times_agree(const tachy_block_clock *clock, const tachy_block_thread *t) {
  const int64_t begin = tachy_ticks_to_utc(clock, t->begin_ticks);
  const int64_t end = tachy_ticks_to_utc(clock, t->end_ticks);
  if (!agree(t->end_utc, end, CLOCK_SLACK)) return 0;
  if (t->open_at_start && t->begin_utc >= 0 && t->begin_utc < begin) return 1;
  return agree(t->begin_utc, begin, CLOCK_SLACK);
}

/* What costs nothing to see, and would otherwise be selected by queries that it has nothing for. */
static tachy_status check_plausible(const void *bytes, tachy_read_error *error) {
  tachy_block_header h;
  memcpy(&h, bytes, sizeof h);
  const tachy_block_clock clock = tachy_clock_of(&h);
  if (h.sequences) return tachy_read_fail(error, "a batch has a block that was merged of others");
  if (h.before_ticks > h.ticks0 || h.ticks0 > h.ticks1 || h.before_utc > h.utc0 || h.utc0 > h.utc1) {
    return tachy_read_fail(error, "the clock of a block runs backwards");
  }
  uint64_t least = 0;
  int64_t begin = INT64_MAX;
  int64_t end = INT64_MIN;
  for (uint32_t i = 0; i < h.thread_count; i++) {
    const tachy_block_thread t = tachy_head_thread(bytes, i);
    least += t.rows * ROW_BYTES + t.async_rows * ASYNC_BYTES; /* each at most raw_size: no overflow */
    if (t.events == 0) continue;
    if (!times_agree(&clock, &t)) {
      return tachy_read_fail(error, "the times of thread %u contradict the clock of its block", t.number);
    }
    if (t.begin_utc < begin) begin = t.begin_utc;
    if (t.end_utc > end) end = t.end_utc;
  }
  if (least > h.raw_size)
    return tachy_read_fail(error, "a block of %llu bytes cannot have so many rows", (unsigned long long)h.raw_size);
  if (h.events == 0) begin = end = tachy_ticks_to_utc(&clock, h.end_ticks);
  if (h.events ? h.begin_utc != begin || h.end_utc != end
               : !agree(h.begin_utc, begin, CLOCK_SLACK) || !agree(h.end_utc, end, CLOCK_SLACK)) {
    return tachy_read_fail(error, "the times of a block are not those of its threads");
  }
  return TACHY_OK;
}

tachy_status tachy_batch_check(const void *bytes, uint64_t size, tachy_read_error *error) {
  tachy_batch_header h;
  tachy_status status = check_batch_header(bytes, size, &h, error);
  if (status) return status;
  const uint8_t *start = bytes;
  uint64_t offset = sizeof h + tachy_pad8(h.description_size);
  for (uint32_t i = 0; i < h.block_count; i++) {
    uint64_t total = 0;
    status = tachy_block_check(start + offset, size - offset, 1, &total, error);
    if (!status) status = check_plausible(start + offset, error);
    if (status) return status;
    if (memcmp(start + offset + offsetof(tachy_block_header, process_id), h.process_id, sizeof h.process_id) != 0) {
      return tachy_read_fail(error, "a batch has a block of another process");
    }
    offset += total;
  }
  if (offset != size) {
    return tachy_read_fail(error, "a batch has %llu bytes after its last block", (unsigned long long)(size - offset));
  }
  return TACHY_OK;
}
