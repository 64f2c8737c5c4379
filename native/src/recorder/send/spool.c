/* The files of batches: written, replaced, read back, removed. */
#include "spool.h"

#include "../../base/hash.h"
#include "../../base/text.h"
#include "write_budget.h"

enum { UUID_SIZE = 36, ORDINAL_SIZE = 16 };

typedef struct output {
  tachy_os_file file;
  uint64_t at;
} output;

static char *join(const char *front, const char *back) {
  const size_t size = strlen(front);
  char *const text = tachy_os_allocate(size + strlen(back) + 1);
  if (!text) return NULL;
  memcpy(text, front, size);
  memcpy(text + size, back, strlen(back) + 1);
  return text;
}

char *tachy_spool_path(const char *folder, const uint8_t id[16], uint64_t ordinal) {
  static const char digits[] = "0123456789abcdef";
  char name[1 + UUID_SIZE + 1 + ORDINAL_SIZE + sizeof ".batch"];
  name[0] = '/';
  tachy_uuid_print(id, name + 1);
  char *at = name + 1 + UUID_SIZE;
  *at++ = '.';
  for (unsigned i = 0; i < ORDINAL_SIZE; i++) *at++ = digits[ordinal >> (60 - 4 * i) & 15];
  memcpy(at, ".batch", sizeof ".batch");
  return join(folder, name);
}

static int put(void *context, const void *bytes, uint64_t size) {
  output *const to = context;
  if (size && !tachy_os_file_write(&to->file, to->at, bytes, size)) return 0;
  to->at += size;
  return 1;
}

/* A new file. Returns its size, or 0: there is none. */
static uint64_t write_file(tachy_batch *batch, const char *path) {
  output to;
  if (!tachy_write_budget_take(tachy_batch_size(batch))) return 0;
  to.at = 0;
  if (!tachy_os_file_open(&to.file, path, TACHY_OS_NEW)) return 0;
  const int ok = tachy_batch_write(batch, put, &to);
  tachy_os_file_close(&to.file);
  if (ok) return to.at;
  tachy_os_file_remove(path);
  return 0;
}

int tachy_spool_write(tachy_batch *batch) {
  batch->file_size = write_file(batch, batch->path);
  return batch->file_size != 0;
}

int tachy_spool_rewrite(tachy_batch *batch) {
  char *const path = join(batch->path, ".new");
  if (!path) return 0;
  tachy_os_file_remove(path); /* what a kill may have left */
  const uint64_t size = write_file(batch, path);
  if (size) tachy_os_file_copy_time(batch->path, path); /* what is old stays so */
  const int ok = size && tachy_os_file_rename(path, batch->path);
  if (ok) {
    batch->file_size = size;
    batch->changed = 0;
  } else if (size) {
    tachy_os_file_remove(path);
  }
  tachy_os_release(path);
  return ok;
}

void tachy_spool_renew(tachy_batch *batch) {
  tachy_bytes_free(&batch->bytes);
  if (batch->path && (batch->changed || !batch->file_size)) tachy_spool_rewrite(batch);
}

void tachy_spool_remove(tachy_batch *batch) {
  if (batch->file_size) tachy_os_file_remove(batch->path);
  batch->file_size = 0;
}

/* Reading back: `at` moves over what has been read, `left` is the rest of the file. */
typedef struct input {
  tachy_os_file file;
  uint64_t at;
  uint64_t left;
  int no_memory;
} input;

static int take(input *from, void *bytes, uint64_t size) {
  if (size > from->left || !tachy_os_file_read(&from->file, from->at, bytes, size)) return 0;
  from->at += size;
  from->left -= size;
  return 1;
}

/* Skips the zeros behind so many bytes. */
static int skip_padding(input *from, uint64_t size) {
  const uint64_t padding = tachy_pad8(size) - size;
  if (padding > from->left) return 0;
  from->at += padding;
  from->left -= padding;
  return 1;
}

/* So many bytes, allocated; NULL: they are not there, or no memory. */
static uint8_t *take_new(input *from, uint64_t size) {
  if (size > from->left) return NULL;
  uint8_t *const bytes = tachy_os_allocate(size ? size : 1);
  if (!bytes) {
    from->no_memory = 1;
  } else if (!take(from, bytes, size)) {
    tachy_os_release(bytes);
    return NULL;
  }
  return bytes;
}

static int take_front(input *from, tachy_batch *batch) {
  tachy_batch_header head;
  const uint64_t size = from->left;
  if (!take(from, &head, sizeof head)) return 0;
  if (head.magic != TACHY_BATCH_MAGIC || head.version != TACHY_FORMAT_VERSION || head.total_size != size) return 0;
  uint8_t *const text = take_new(from, head.description_size);
  if (!text) return 0;
  batch->description.bytes = text;
  batch->description.size = batch->description.capacity = head.description_size;
  const uint64_t hash = head.header_hash;
  head.header_hash = 0;
  tachy_bytes front = {0};
  if (!tachy_bytes_append(&front, &head, sizeof head) || !tachy_bytes_append(&front, text, head.description_size)) {
    from->no_memory = 1;
    tachy_bytes_free(&front);
    return 0;
  }
  const int same = tachy_hash(front.bytes, front.size) == hash;
  tachy_bytes_free(&front);
  memcpy(batch->id, head.batch_id, sizeof batch->id);
  memcpy(batch->process_id, head.process_id, sizeof batch->process_id);
  batch->block_count = head.block_count;
  return same && skip_padding(from, head.description_size);
}

static int is_block(const tachy_block_header *head) {
  return head->magic == TACHY_BLOCK_MAGIC && head->version == TACHY_FORMAT_VERSION && head->cls > 0 &&
         head->cls < TACHY_CLASSES && head->header_size >= sizeof *head && head->header_size % 8 == 0;
}

/* The hash of the header with its own field 0. */
static uint64_t hash_of(tachy_block_header *head) {
  const uint64_t stored = head->header_hash;
  head->header_hash = 0;
  const uint64_t hash = tachy_hash(head, head->header_size);
  head->header_hash = stored;
  return hash;
}

static int take_block(input *from, tachy_block *block) {
  tachy_block_header fixed;
  if (!take(from, &fixed, sizeof fixed) || !is_block(&fixed)) return 0;
  from->at -= sizeof fixed;
  from->left += sizeof fixed;
  block->head = (tachy_block_header *)(void *)take_new(from, fixed.header_size);
  if (!block->head || block->head->header_size != fixed.header_size || !is_block(block->head)) return 0;
  if (hash_of(block->head) != block->head->header_hash) return 0;
  const uint64_t stored = block->head->stored_size;
  block->memory = block->body = take_new(from, stored);
  return block->body && tachy_hash(block->body, stored) == block->head->body_hash && skip_padding(from, stored);
}

static int take_blocks(input *from, tachy_batch *batch) {
  tachy_block **link = &batch->blocks;
  for (uint32_t i = 0; i < batch->block_count; i++) {
    tachy_block *const block = tachy_os_allocate(sizeof *block);
    if (!block) {
      from->no_memory = 1;
      return 0;
    }
    memset(block, 0, sizeof *block);
    *link = block;
    link = &block->next;
    if (!take_block(from, block)) return 0;
  }
  return from->left == 0;
}

tachy_spool_status tachy_spool_load(tachy_batch *batch) {
  input from;
  memset(&from, 0, sizeof from);
  if (!batch->path || !tachy_os_file_open(&from.file, batch->path, TACHY_OS_EXISTING)) return TACHY_SPOOL_DAMAGED;
  from.left = tachy_os_file_size(&from.file);
  batch->loaded = take_front(&from, batch) && take_blocks(&from, batch);
  tachy_os_file_close(&from.file);
  if (!batch->loaded) {
    tachy_batch_unload(batch);
    return from.no_memory ? TACHY_SPOOL_NO_MEMORY : TACHY_SPOOL_DAMAGED;
  }
  tachy_batch_count(batch);
  batch->changed = 0;
  return TACHY_SPOOL_OK;
}
