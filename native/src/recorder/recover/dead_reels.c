/* The flight recorder's memory of a dead process. */
#include <stdlib.h>

#include "../collect/reel.h"
#include "dead.h"

enum { PADDING = 64 }; /* the longest entry: a damaged one ends here */

typedef struct padded {
  tachy_reel_chunk chunk;
  uint8_t zeros[PADDING];
} padded;

static int by_thread(const void *a, const void *b) {
  const tachy_reel_chunk *const x = *(const tachy_reel_chunk *const *)a, *const y = *(const tachy_reel_chunk *const *)b;
  if (x->number != y->number) return x->number < y->number ? -1 : 1;
  return x->ordinal < y->ordinal ? -1 : x->ordinal > y->ordinal;
}

static void feed_entry(tachy_channel *channel, tachy_stream *s, const tachy_reel_entry *entry) {
  uint64_t words[6];
  if (entry->kind == TACHY_REEL_GAP) {
    if (entry->depth < TACHY_DEPTH_MAX && entry->count < UINT64_C(1) << 48) {
      tachy_stream_gap(channel, s, entry->count, (uint32_t)entry->depth);
    }
    return;
  }
  const uint64_t size = tachy_reel_record(entry, words) * sizeof *words;
  if (tachy_dead_records(TACHY_CLASS_SPAN, (const uint8_t *)words, size) == size) {
    tachy_span_records(channel, s, (const uint8_t *)words, size);
  }
}

/* What is not in a batch already: whatever has a later key than `from`. */
static void feed_chunk(tachy_channel *channel, tachy_stream *s, const tachy_reel_chunk *chunk, uint64_t from) {
  padded copy;
  memset(&copy, 0, sizeof copy);
  copy.chunk = *chunk;
  copy.chunk.next = NULL;
  copy.chunk.size = (uint32_t)chunk->done;
  if (copy.chunk.size > sizeof chunk->bytes) return;
  tachy_reel_cursor cursor = {.chunk = &copy.chunk, .at = 0, .state = {.end = 0, .key = 0, .id = 0, .words = {0}}};
  tachy_reel_entry entry;
  while (tachy_reel_next(&cursor, &entry)) {
    if (cursor.state.key > from) feed_entry(channel, s, &entry);
  }
  s->position = chunk->position + (chunk->done >> 32);
}

int tachy_dead_reels(tachy_channel *channel, const uint8_t *memory, uint64_t size) {
  const uint64_t count = size / sizeof(tachy_reel_chunk);
  const tachy_reel_chunk **const chunks = tachy_os_allocate(count ? count * sizeof *chunks : 1);
  if (!chunks) return 0;
  uint64_t used = 0;
  for (uint64_t i = 0; i < count; i++) {
    const tachy_reel_chunk *const chunk =
        (const tachy_reel_chunk *)(const void *)(memory + i * sizeof(tachy_reel_chunk));
    if (chunk->number) chunks[used++] = chunk;
  }
  if (used) qsort(chunks, used, sizeof *chunks, by_thread);
  int ok = 1;
  for (uint64_t i = 0; i < used && ok; i++) {
    const tachy_reel_chunk *const chunk = chunks[i];
    tachy_stream *s = tachy_stream_find(channel, chunk->number);
    if (!s) {
      s = tachy_stream_new(channel, chunk->number);
      if (s) s->seen_missed = TACHY_UNSEEN;
    }
    ok = s != NULL;
    if (!ok) break;
    s->os_id = chunk->os_id;
    if (chunk->name_size < TACHY_THREAD_NAME_MAX) {
      memcpy(s->name, chunk->name, chunk->name_size);
      s->name_size = chunk->name_size;
    }
    s->known = 1;
    feed_chunk(channel, s, chunk, channel->from.ticks);
  }
  tachy_os_release(chunks);
  return ok;
}
