/* Packs the heads of a segment's blocks (docs/format.md, "Segments"). */
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "error.h"
#include "head.h"
#include "index.h"

struct tachy_index {
  tachy_buffer bytes;
  tachy_buffer blocks; /* of the last process */
  uint64_t block_count;
  int64_t base_utc; /* of the first block of all */
  int has_base;
  int has_process;
  uint64_t last_ticks; /* of the block before, of the same process */
  int failed;          /* memory was short */
};

tachy_index *tachy_index_new(void) {
  static const uint8_t head[TACHY_INDEX_HEAD] = {TACHY_INDEX_VERSION};
  tachy_index *const index = calloc(1, sizeof *index);
  if (index && !tachy_buffer_append(&index->bytes, head, sizeof head)) {
    free(index);
    return NULL;
  }
  return index;
}

void tachy_index_free(tachy_index *index) {
  if (!index) return;
  tachy_buffer_free(&index->bytes);
  tachy_buffer_free(&index->blocks);
  free(index);
}

static void put(tachy_index *index, tachy_buffer *to, const void *bytes, uint64_t size) {
  if (!tachy_buffer_append(to, bytes, size)) index->failed = 1;
}

static void put_number(tachy_index *index, tachy_buffer *to, uint64_t value) {
  uint8_t bytes[10];
  uint64_t size = 0;
  for (; value >= 0x80u; value >>= 7) bytes[size++] = (uint8_t)(value | 0x80u);
  bytes[size++] = (uint8_t)value;
  put(index, to, bytes, size);
}

/* The distance from `from`, modulo 2^64: small in either direction is short. */
static void put_step(tachy_index *index, tachy_buffer *to, uint64_t from, uint64_t value) {
  put_number(index, to, tachy_zigzag((int64_t)(value - from)));
}

/* Ends the process: its blocks follow its own entry. */
static void end_process(tachy_index *index) {
  if (!index->has_process) return;
  put_number(index, &index->bytes, index->block_count);
  put_number(index, &index->bytes, index->blocks.size);
  put(index, &index->bytes, index->blocks.bytes, index->blocks.size);
  index->blocks.size = 0;
  index->block_count = 0;
  index->has_process = 0;
}

static tachy_status status_of(const tachy_index *index, tachy_read_error *error) {
  return index->failed ? tachy_read_no_memory(error) : TACHY_OK;
}

tachy_status tachy_index_process(tachy_index *index, const uint8_t process_id[16], tachy_read_error *error) {
  end_process(index);
  put(index, &index->bytes, process_id, 16);
  index->has_process = 1;
  index->last_ticks = 0;
  return status_of(index, error);
}

static void put_thread(tachy_index *index, const tachy_block_header *h, const tachy_block_thread *t) {
  tachy_buffer *const to = &index->blocks;
  put_number(index, to, t->number);
  put_number(index, to, t->events);
  put_number(index, to, t->first);
  put_step(index, to, h->begin_ticks, t->begin_ticks);
  put_step(index, to, h->end_ticks, t->end_ticks);
  put_step(index, to, (uint64_t)h->begin_utc, (uint64_t)t->begin_utc);
  put_step(index, to, (uint64_t)h->end_utc, (uint64_t)t->end_utc);
}

tachy_status tachy_index_block(tachy_index *index, const void *head, uint64_t head_size, uint64_t offset,
                               tachy_read_error *error) {
  tachy_block_header h;
  const tachy_status status = tachy_head_check(head, head_size, &h, error);
  if (status) return status;
  if (!index->has_process) return tachy_read_fail(error, "a block of an index belongs to no process");
  if (!index->has_base) index->base_utc = h.begin_utc;
  index->has_base = 1;
  tachy_buffer *const to = &index->blocks;
  const uint8_t kinds = (uint8_t)(h.cls | h.codec << 4);
  put(index, to, &kinds, 1);
  put(index, to, &h.header_hash, sizeof h.header_hash);
  put_number(index, to, h.sequence);
  put_number(index, to, h.sequences ? h.sequences - 1 : 0);
  put_number(index, to, offset);
  put_number(index, to, h.header_size);
  put_number(index, to, h.raw_size);
  put_number(index, to, h.stored_size);
  put_step(index, to, (uint64_t)index->base_utc, (uint64_t)h.begin_utc);
  put_step(index, to, (uint64_t)h.begin_utc, (uint64_t)h.end_utc);
  put_step(index, to, index->last_ticks, h.begin_ticks);
  put_step(index, to, h.begin_ticks, h.end_ticks);
  put_number(index, to, h.events);
  put_number(index, to, h.dropped);
  put_number(index, to, h.thread_count);
  for (uint32_t i = 0; i < h.thread_count; i++) {
    const tachy_block_thread t = tachy_head_thread(head, i);
    put_thread(index, &h, &t);
  }
  index->last_ticks = h.end_ticks;
  index->block_count++;
  return status_of(index, error);
}

const void *tachy_index_bytes(tachy_index *index, uint64_t *size) {
  end_process(index);
  memcpy(index->bytes.bytes + 1, &index->base_utc, sizeof index->base_utc);
  *size = index->bytes.size;
  return index->failed ? NULL : index->bytes.bytes;
}
