/* What a block's head must satisfy: sizes, ranges, and sums that agree. */
#include "head.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"

#define BODY_MAX (UINT64_C(1) << 30)     /* docs/format.md, "Blocks" */
#define SEQUENCE_MAX (UINT64_C(1) << 55) /* what a block's identity has room for */

tachy_block_thread tachy_head_thread(const void *bytes, uint32_t index) {
  tachy_block_thread thread;
  memcpy(&thread, (const uint8_t *)bytes + sizeof(tachy_block_header) + (size_t)index * sizeof thread, sizeof thread);
  return thread;
}

static int compare_numbers(const void *a, const void *b) {
  const uint32_t x = *(const uint32_t *)a;
  const uint32_t y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static tachy_status check_numbers(const void *bytes, uint32_t count, tachy_read_error *error) {
  uint32_t *numbers = malloc((size_t)count * sizeof *numbers + 1);
  if (!numbers) return tachy_read_no_memory(error);
  for (uint32_t i = 0; i < count; i++) numbers[i] = tachy_head_thread(bytes, i).number;
  qsort(numbers, count, sizeof *numbers, compare_numbers);
  tachy_status status = TACHY_OK;
  if (count && numbers[0] == 0) status = tachy_read_fail(error, "a block's thread has number 0");
  for (uint32_t i = 1; i < count && !status; i++) {
    if (numbers[i] == numbers[i - 1]) status = tachy_read_fail(error, "a block lists thread %u twice", numbers[i]);
  }
  free(numbers);
  return status;
}

static tachy_status check_threads(const void *bytes, const tachy_block_header *h, tachy_read_error *error) {
  const uint64_t names = sizeof *h + (uint64_t)h->thread_count * sizeof(tachy_block_thread);
  uint64_t events = 0;
  uint64_t name_room = h->header_size - names; /* names do not share bytes: their sum is bounded, too */
  for (uint32_t i = 0; i < h->thread_count; i++) {
    const tachy_block_thread t = tachy_head_thread(bytes, i);
    if (t.name_offset < names || t.name_offset > h->header_size || t.name_size > h->header_size - t.name_offset ||
        t.name_size > name_room) {
      return tachy_read_fail(error, "the name of thread %u lies outside of the block's head", t.number);
    }
    name_room -= t.name_size;
    if (t.rows > h->raw_size || t.async_rows > h->raw_size || t.events > t.rows + t.async_rows) {
      return tachy_read_fail(error, "the rows of thread %u do not agree with the block's size", t.number);
    }
    if (t.begin_utc > t.end_utc || t.first > INT64_MAX || t.dropped > INT64_MAX || t.os_id > INT64_MAX ||
        t.begin_ticks > INT64_MAX || t.end_ticks > INT64_MAX) {
      return tachy_read_fail(error, "a time or a count of thread %u is out of range", t.number);
    }
    if (t.open_at_start > TACHY_DEPTH_MAX || t.open_at_end > TACHY_DEPTH_MAX) {
      return tachy_read_fail(error, "thread %u has more than %u open spans", t.number, TACHY_DEPTH_MAX);
    }
    events += t.events; /* cannot overflow: fewer than 2^32 threads of at most 2^31 rows each */
  }
  if (events != h->events) return tachy_read_fail(error, "the block's event count is not the sum of its threads'");
  return check_numbers(bytes, h->thread_count, error);
}

tachy_status tachy_head_check(const void *bytes, uint64_t size, tachy_block_header *header, tachy_read_error *error) {
  tachy_block_header h;
  if (size < sizeof h) return tachy_read_fail(error, "a block of %llu bytes has no header", (unsigned long long)size);
  memcpy(&h, bytes, sizeof h);
  if (h.magic != TACHY_BLOCK_MAGIC) return tachy_read_fail(error, "this is not a block: its first bytes are not TBLK");
  if (h.version != TACHY_FORMAT_VERSION) {
    return tachy_read_fail(error, "this block is of version %u, version %u is read here", h.version,
                           TACHY_FORMAT_VERSION);
  }
  if (h.cls < TACHY_CLASS_LOG || h.cls > TACHY_CLASS_SPAN) {
    return tachy_read_fail(error, "a block's class is %u, not log, metric or span", h.cls);
  }
  if (h.codec > TACHY_CODEC_GZIP) return tachy_read_fail(error, "a block's codec is %u, which is not known", h.codec);
  const uint64_t least = sizeof h + (uint64_t)h.thread_count * sizeof(tachy_block_thread);
  if (h.header_size < least || h.header_size % 8 != 0) {
    return tachy_read_fail(error, "a block's header_size %u does not hold its %u threads", h.header_size,
                           h.thread_count);
  }
  if (h.header_size > size) return tachy_read_fail(error, "a block's head is cut short");
  if (h.raw_size > BODY_MAX || h.stored_size > BODY_MAX) {
    return tachy_read_fail(error, "a block's body is larger than 1 GiB");
  }
  if (h.codec == TACHY_CODEC_NONE && h.raw_size != h.stored_size) {
    return tachy_read_fail(error, "a block that is not compressed has two different sizes");
  }
  if (h.begin_utc > h.end_utc || h.begin_ticks > INT64_MAX || h.end_ticks > INT64_MAX || h.dropped > INT64_MAX ||
      h.sequence >= SEQUENCE_MAX || h.sequences > SEQUENCE_MAX - h.sequence) {
    return tachy_read_fail(error, "a time or a count in a block's header is out of range");
  }
  const tachy_status status = check_threads(bytes, &h, error);
  if (status == TACHY_OK) *header = h;
  return status;
}
