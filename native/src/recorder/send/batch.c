/* A batch in the sender's hands: bodies, their compressed forms, the bytes that travel. */
#include "batch.h"

#include "../../base/entries.h"
#include "../../base/hash.h"
#include "../../base/text.h"
#include "description.h"

static tachy_block *block_at(const tachy_batch *batch, uint32_t i) {
  tachy_block *block = batch->blocks;
  while (block && i-- > 0) block = block->next;
  return block;
}

void tachy_batch_unload(tachy_batch *batch) {
  tachy_blocks_free(batch->blocks);
  batch->blocks = NULL;
  tachy_bytes_free(&batch->description);
  tachy_bytes_free(&batch->bytes);
  batch->loaded = 0;
}

void tachy_batch_free(tachy_batch *batch) {
  tachy_batch_unload(batch);
  tachy_os_release(batch->path);
  tachy_os_release(batch);
}

void tachy_batch_count(tachy_batch *batch) {
  batch->block_count = 0;
  batch->classes = 0;
  memset(batch->events, 0, sizeof batch->events);
  for (const tachy_block *block = batch->blocks; block; block = block->next) {
    batch->block_count++;
    batch->classes |= 1u << block->head->cls;
    batch->events[block->head->cls] += block->head->events;
  }
}

int tachy_batch_drop(tachy_batch *batch, unsigned classes, uint64_t events[TACHY_CLASSES]) {
  tachy_block *dropped = NULL;
  for (tachy_block **link = &batch->blocks; *link;) {
    tachy_block *const block = *link;
    if (!(classes >> block->head->cls & 1u)) {
      link = &block->next;
      continue;
    }
    events[block->head->cls] += block->head->events;
    *link = block->next;
    block->next = dropped;
    dropped = block;
  }
  if (!dropped) return 0;
  tachy_blocks_free(dropped);
  tachy_bytes_free(&batch->bytes);
  tachy_uuid_of_time(batch->id, tachy_os_utc());
  tachy_batch_count(batch);
  batch->sealed = 0;
  batch->changed = 1;
  return 1;
}

uint32_t tachy_own_batch_block_count(const tachy_batch *batch) { return batch ? batch->block_count : 0; }

const uint8_t *tachy_own_batch_id(const tachy_batch *batch) { return batch ? batch->id : NULL; }

const void *tachy_own_batch_body(const tachy_batch *batch, uint32_t i, uint64_t *size) {
  const tachy_block *const block = batch ? block_at(batch, i) : NULL;
  if (size) *size = block ? block->head->stored_size : 0;
  return block ? block->body : NULL;
}

tachy_codec tachy_own_batch_codec(const tachy_batch *batch, uint32_t i) {
  const tachy_block *const block = batch ? block_at(batch, i) : NULL;
  return block ? (tachy_codec)block->head->codec : TACHY_CODEC_NONE;
}

/* The block takes the bytes over in place of its body. */
static void put_compressed(tachy_block *block, tachy_codec codec, uint8_t *bytes, uint64_t size) {
  tachy_os_release(block->memory);
  block->memory = block->body = bytes;
  block->head->stored_size = size;
  block->head->codec = (uint8_t)codec;
}

tachy_status tachy_own_batch_replace(tachy_batch *batch, uint32_t i, tachy_codec codec, const void *bytes,
                                     uint64_t size) {
  tachy_block *const block = batch ? block_at(batch, i) : NULL;
  if (!block || !bytes || codec <= TACHY_CODEC_NONE || codec > TACHY_CODEC_GZIP) return TACHY_ERROR_ARGUMENT;
  if (batch->sealed || block->head->codec != TACHY_CODEC_NONE || size >= block->head->stored_size) return TACHY_OK;
  uint8_t *const copy = tachy_os_allocate(size ? size : 1);
  if (!copy) return TACHY_ERROR_MEMORY;
  memcpy(copy, bytes, size);
  put_compressed(block, codec, copy, size);
  batch->changed = 1;
  return TACHY_OK;
}

void tachy_batch_compress(tachy_batch *batch, tachy_codec codec, tachy_compressor *compress, void *context) {
  for (tachy_block *block = batch->blocks; block; block = block->next) {
    const uint64_t size = block->head->stored_size;
    uint8_t *const packed = size > 1 ? tachy_os_allocate(size) : NULL;
    const uint64_t done = packed ? compress(context, block->body, size, packed, size - 1) : 0;
    if (!done || done >= size) {
      tachy_os_release(packed);
      continue;
    }
    uint8_t *const fits = tachy_os_resize(packed, done);
    put_compressed(block, codec, fits ? fits : packed, done);
  }
}

static void seal_block(tachy_block *block) {
  tachy_block_header *const head = block->head;
  head->body_hash = tachy_hash(block->body, head->stored_size);
  head->header_hash = 0;
  head->header_hash = tachy_hash(head, head->header_size);
}

uint64_t tachy_batch_size(const tachy_batch *batch) {
  uint64_t size = sizeof(tachy_batch_header) + tachy_pad8(batch->description.size);
  for (const tachy_block *block = batch->blocks; block; block = block->next) {
    size += block->head->header_size + tachy_pad8(block->head->stored_size);
  }
  return size;
}

/* The header and the description. 0: no memory. */
static int make_front(const tachy_batch *batch, tachy_bytes *front) {
  static const uint8_t zeros[8] = {0};
  const uint64_t described = sizeof(tachy_batch_header) + batch->description.size;
  if (!tachy_bytes_reserve(front, tachy_pad8(described))) return 0;
  tachy_batch_header head = {0};
  head.magic = TACHY_BATCH_MAGIC;
  head.version = TACHY_FORMAT_VERSION;
  memcpy(head.batch_id, batch->id, sizeof head.batch_id);
  memcpy(head.process_id, batch->process_id, sizeof head.process_id);
  head.description_size = (uint32_t)batch->description.size;
  head.block_count = batch->block_count;
  head.total_size = tachy_batch_size(batch);
  tachy_bytes_put(front, &head, sizeof head);
  tachy_bytes_put(front, batch->description.bytes, batch->description.size);
  head.header_hash = tachy_hash(front->bytes, front->size);
  memcpy(front->bytes, &head, sizeof head);
  tachy_bytes_put(front, zeros, tachy_pad8(described) - described);
  return 1;
}

int tachy_batch_write(tachy_batch *batch, tachy_batch_writer *writer, void *context) {
  static const uint8_t zeros[8] = {0};
  tachy_bytes front = {0};
  int ok = make_front(batch, &front) && writer(context, front.bytes, front.size);
  tachy_bytes_free(&front);
  for (tachy_block *block = batch->blocks; block && ok; block = block->next) {
    seal_block(block);
    const uint64_t stored = block->head->stored_size;
    ok = writer(context, block->head, block->head->header_size) && writer(context, block->body, stored) &&
         writer(context, zeros, tachy_pad8(stored) - stored);
  }
  return ok;
}

static int append(void *context, const void *bytes, uint64_t size) {
  tachy_bytes *const to = context;
  return tachy_bytes_append(to, bytes, size);
}

const void *tachy_own_batch_bytes(tachy_batch *batch, uint64_t *size) {
  if (size) *size = 0;
  if (!batch) return NULL;
  if (batch->bytes.size == 0 && !(tachy_bytes_reserve(&batch->bytes, tachy_batch_size(batch)) &&
                                  tachy_batch_write(batch, append, &batch->bytes))) {
    tachy_bytes_free(&batch->bytes);
    return NULL;
  }
  batch->sealed = 1;
  if (size) *size = batch->bytes.size;
  return batch->bytes.bytes;
}
