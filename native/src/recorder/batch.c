/* A batch in the sender's hands: bodies, their compressed forms, the bytes that travel. */
#include "../format/hash.h"
#include "description.h"
#include "outbox.h"

static tachy_block *block_at(const tachy_batch *batch, uint32_t i) {
  tachy_block *block = batch->blocks;
  while (block && i-- > 0) block = block->next;
  return block;
}

void tachy_batch_free(tachy_batch *batch) {
  for (tachy_block *block = batch->blocks; block;) {
    tachy_block *const next = block->next;
    tachy_block_free(block);
    block = next;
  }
  tachy_bytes_free(&batch->description);
  tachy_bytes_free(&batch->bytes);
  tachy_os_release(batch);
}

void tachy_batch_changed(tachy_batch *batch) {
  tachy_bytes_free(&batch->bytes);
  tachy_uuid_random(batch->id);
}

uint32_t tachy_batch_block_count(const tachy_batch *batch) { return batch ? batch->block_count : 0; }

const uint8_t *tachy_batch_id(const tachy_batch *batch) { return batch ? batch->id : NULL; }

const void *tachy_batch_body(const tachy_batch *batch, uint32_t i, uint64_t *size) {
  const tachy_block *const block = batch ? block_at(batch, i) : NULL;
  if (size) *size = block ? block->stored_size : 0;
  return block ? block->body : NULL;
}

tachy_status tachy_batch_replace(tachy_batch *batch, uint32_t i, tachy_codec codec, const void *bytes, uint64_t size) {
  tachy_block *const block = batch ? block_at(batch, i) : NULL;
  if (!block || !bytes || codec <= TACHY_CODEC_NONE || codec > TACHY_CODEC_GZIP) return TACHY_ERROR_ARGUMENT;
  /* What has been serialised or compressed stays as it is: a batch that is taken again has both behind it. */
  if (batch->bytes.size || block->codec != TACHY_CODEC_NONE || size >= block->stored_size) return TACHY_OK;
  uint8_t *const copy = tachy_os_allocate(size ? size : 1);
  if (!copy) return TACHY_ERROR_MEMORY;
  memcpy(copy, bytes, size);
  tachy_os_release(block->body);
  block->body = copy;
  block->stored_size = size;
  block->codec = codec;
  return TACHY_OK;
}

static void seal_block(tachy_block *block) {
  tachy_block_header *const head = block->head;
  head->codec = (uint8_t)block->codec;
  head->raw_size = block->raw_size;
  head->stored_size = block->stored_size;
  head->body_hash = tachy_hash(block->body, block->stored_size);
  head->header_hash = 0;
  head->header_hash = tachy_hash(head, head->header_size);
}

static void put_padded(tachy_bytes *to, const void *bytes, uint64_t size) {
  static const uint8_t zeros[8] = {0};
  tachy_bytes_put(to, bytes, size);
  tachy_bytes_put(to, zeros, tachy_pad8(size) - size);
}

static int serialise(tachy_batch *batch) {
  uint64_t size = sizeof(tachy_batch_header) + tachy_pad8(batch->description.size);
  for (tachy_block *block = batch->blocks; block; block = block->next) {
    seal_block(block);
    size += block->head->header_size + tachy_pad8(block->stored_size);
  }
  if (!tachy_bytes_reserve(&batch->bytes, size)) return 0;
  tachy_batch_header head = {0};
  head.magic = TACHY_BATCH_MAGIC;
  head.version = TACHY_FORMAT_VERSION;
  memcpy(head.batch_id, batch->id, sizeof head.batch_id);
  memcpy(head.process_id, batch->process_id, sizeof head.process_id);
  head.description_size = (uint32_t)batch->description.size;
  head.block_count = batch->block_count;
  head.total_size = size;
  tachy_bytes_put(&batch->bytes, &head, sizeof head);
  tachy_bytes_put(&batch->bytes, batch->description.bytes, batch->description.size);
  head.header_hash = tachy_hash(batch->bytes.bytes, batch->bytes.size);
  memcpy(batch->bytes.bytes, &head, sizeof head);
  static const uint8_t zeros[8] = {0};
  tachy_bytes_put(&batch->bytes, zeros, tachy_pad8(batch->description.size) - batch->description.size);
  for (const tachy_block *block = batch->blocks; block; block = block->next) {
    tachy_bytes_put(&batch->bytes, block->head, block->head->header_size);
    put_padded(&batch->bytes, block->body, block->stored_size);
  }
  return 1;
}

const void *tachy_batch_bytes(tachy_batch *batch, uint64_t *size) {
  if (size) *size = 0;
  if (!batch || (batch->bytes.size == 0 && !serialise(batch))) return NULL;
  if (size) *size = batch->bytes.size;
  return batch->bytes.bytes;
}
