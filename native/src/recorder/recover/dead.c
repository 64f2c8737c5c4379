/* From a dead process's session file to its last blocks. */
#include "dead.h"

#include "../../encode/open_async.h"
#include "../collect/state.h"
#include "../pool/pool.h"

enum { AFTER_MS = 1 }; /* the last interval ends so long after the last event */

static tachy_status read_part(const tachy_os_file *file, uint64_t offset, uint64_t size, uint8_t **bytes) {
  uint8_t *const memory = tachy_os_allocate(size ? size : 1);
  if (!memory) return TACHY_ERROR_MEMORY;
  if (!tachy_os_file_read(file, offset, memory, size)) {
    tachy_os_release(memory);
    return TACHY_ERROR_SYSTEM;
  }
  *bytes = memory;
  return TACHY_OK;
}

static tachy_status read_state(const tachy_os_file *file, const tachy_session_record *record, tachy_channel *channel,
                               tachy_bends *bends) {
  const uint64_t region = 2 * ((uint64_t)channel->cls - 1) + (record->which[channel->cls] & 1u);
  const uint64_t offset = TACHY_SESSION_STATES + region * TACHY_SESSION_STATE_SIZE;
  uint64_t size;
  uint8_t *bytes;
  if (!tachy_os_file_read(file, offset, &size, sizeof size)) return TACHY_ERROR_SYSTEM;
  if (size > TACHY_SESSION_STATE_SIZE - sizeof size) return TACHY_ERROR_FORMAT;
  const tachy_status status = read_part(file, offset + sizeof size, size, &bytes);
  if (status != TACHY_OK) return status;
  const int ok = tachy_state_read(channel, bends, bytes, size);
  tachy_os_release(bytes);
  return ok ? TACHY_OK : TACHY_ERROR_FORMAT;
}

int tachy_dead_thin(tachy_os_file *file, const tachy_session_head *head) {
  const uint64_t chunks = TACHY_SESSION_POOL + head->slots * TACHY_SLOT_BYTES;
  int some = 0;
  for (uint64_t i = 0; i < head->chunks; i++) {
    const uint64_t at = chunks + i * TACHY_CHUNK_BYTES;
    uint64_t owner;
    if (!tachy_os_file_read(file, at, &owner, sizeof owner)) break;
    if (owner == 0) some |= tachy_os_file_discard(file, at, TACHY_CHUNK_BYTES);
  }
  return some;
}

/* A moment after everything that was recorded. */
static tachy_clock_pair end_of(const tachy_channel *channels, uint64_t frequency) {
  tachy_clock_pair from = channels[1].from;
  for (unsigned cls = 2; cls < TACHY_CLASSES; cls++) {
    if (channels[cls].from.ticks > from.ticks) from = channels[cls].from;
  }
  uint64_t last = from.ticks;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    for (const tachy_stream *s = channels[cls].streams; s; s = s->next) {
      if (s->end_ticks > last) last = s->end_ticks;
      for (uint32_t k = s->open; k < s->depth; k++) {
        if (s->ends[k].ticks > last) last = s->ends[k].ticks;
      }
      const tachy_async_record *const records = (const tachy_async_record *)(const void *)s->raw.bytes;
      for (uint64_t i = 0; i < s->async_rows; i++) {
        if (records[i].ticks > last) last = records[i].ticks;
      }
    }
  }
  last += frequency / 1000 * AFTER_MS;
  const tachy_clock_line line = {from, UINT64_MAX, 1e9 / (double)frequency};
  return (tachy_clock_pair){last, tachy_clock_on_line(&line, last)};
}

static tachy_status make_blocks(tachy_channel *channels, uint64_t frequency, tachy_dead *dead) {
  const tachy_clock_pair to = end_of(channels, frequency);
  tachy_block **link = &dead->blocks;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    int failed;
    *link = tachy_block_make(&channels[cls], dead->process_id, to, 1, 0, &failed);
    if (failed) return TACHY_ERROR_MEMORY;
    if (!*link) continue;
    dead->events[cls] = (*link)->head->events;
    link = &(*link)->next;
  }
  return TACHY_OK;
}

static tachy_status read_all(const tachy_os_file *file, const tachy_session_head *head, tachy_channel *channels,
                             tachy_dead *dead) {
  const tachy_session_record *const record = &head->records[head->commit & 1];
  tachy_bends bends[TACHY_CLASSES];
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    const tachy_status status = read_state(file, record, &channels[cls], &bends[cls]);
    if (status != TACHY_OK) return status;
  }
  if (!tachy_dead_chunks(channels, file, head)) return TACHY_ERROR_MEMORY;
  return make_blocks(channels, record->frequency, dead);
}

tachy_status tachy_dead_description(const tachy_os_file *file, const tachy_session_head *head, tachy_bytes *json) {
  const uint64_t size = head->records[head->commit & 1].description_size;
  const uint64_t offset = TACHY_SESSION_DESCRIPTIONS + (head->commit & 1) * TACHY_SESSION_DESCRIPTION_SIZE;
  if (size > TACHY_SESSION_DESCRIPTION_SIZE) return TACHY_ERROR_FORMAT;
  if (!tachy_bytes_reserve(json, size)) return TACHY_ERROR_MEMORY;
  json->size = size;
  return tachy_os_file_read(file, offset, json->bytes, size) ? TACHY_OK : TACHY_ERROR_SYSTEM;
}

tachy_status tachy_dead_read(const tachy_os_file *file, const tachy_session_head *head, tachy_dead *dead) {
  const tachy_session_record *const record = &head->records[head->commit & 1];
  memset(dead, 0, sizeof *dead);
  if (record->ordinal != head->commit || record->frequency == 0) return TACHY_ERROR_FORMAT;
  if (head->slots > TACHY_SLOTS_MAX || head->chunks > TACHY_DEAD_CHUNKS_MAX) return TACHY_ERROR_FORMAT;
  memcpy(dead->process_id, record->process_id, sizeof dead->process_id);
  tachy_status status = tachy_dead_description(file, head, &dead->description);
  if (status != TACHY_OK) return status;
  tachy_dead_names names;
  tachy_channel channels[TACHY_CLASSES];
  memset(channels, 0, sizeof channels);
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    channels[cls].cls = (tachy_class)cls;
    channels[cls].frequency = record->frequency;
    channels[cls].names = &names.names;
  }
  status = tachy_dead_names_read(&names, file, head->names_size) ? TACHY_OK : TACHY_ERROR_MEMORY;
  if (status == TACHY_OK) status = read_all(file, head, channels, dead);
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    for (const tachy_stream *s = channels[cls].streams; s; s = s->next) tachy_os_release(s->source);
    tachy_channel_free(&channels[cls]);
  }
  tachy_dead_names_free(&names);
  return status;
}

void tachy_dead_free(tachy_dead *dead) {
  tachy_blocks_free(dead->blocks);
  dead->blocks = NULL;
  tachy_bytes_free(&dead->description);
}
