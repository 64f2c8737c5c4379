/* The head: the threads of all blocks, and what the header says of all of them. */
#include <stdlib.h>

#include "merge.h"

static const tachy_block_thread *thread_at(const merge *m, const merge_entry *entry) {
  return &m->sources[entry->source].block.threads[entry->thread];
}

static int by_number(const void *a, const void *b) {
  const merge_entry *const x = a, *const y = b;
  if (x->number != y->number) return x->number < y->number ? -1 : 1;
  return x->source < y->source ? -1 : x->source > y->source;
}

/* A thread's name is that of the block: where it changes, another block begins. */
static int same_thread(const merge *m, const merge_entry *a, const merge_entry *b) {
  const tachy_text x = m->sources[a->source].block.thread_names[a->thread];
  const tachy_text y = m->sources[b->source].block.thread_names[b->thread];
  return thread_at(m, a)->os_id == thread_at(m, b)->os_id && x.size == y.size && memcmp(x.bytes, y.bytes, x.size) == 0;
}

static void add_times(tachy_block_thread *to, const tachy_block_thread *thread) {
  if (thread->begin_ticks < to->begin_ticks) to->begin_ticks = thread->begin_ticks;
  if (thread->end_ticks > to->end_ticks) to->end_ticks = thread->end_ticks;
  if (thread->begin_utc < to->begin_utc) to->begin_utc = thread->begin_utc;
  if (thread->end_utc > to->end_utc) to->end_utc = thread->end_utc;
}

static tachy_block_thread thread_of(const merge *m, merge_run run) {
  tachy_block_thread to = *thread_at(m, &run.entries[0]);
  int based = to.rows || to.async_rows; /* what the first delta counts from */
  for (uint64_t i = 1; i < run.count; i++) {
    const tachy_block_thread *const thread = thread_at(m, &run.entries[i]);
    if (!based) to.base_ticks = thread->base_ticks;
    based = based || thread->rows || thread->async_rows;
    if (to.events && thread->events) {
      add_times(&to, thread);
    } else if (!to.events) { /* without events there is no time but the end of the block */
      to.begin_ticks = thread->begin_ticks;
      to.end_ticks = thread->end_ticks;
      to.begin_utc = thread->begin_utc;
      to.end_utc = thread->end_utc;
    }
    to.rows += thread->rows;
    to.async_rows += thread->async_rows;
    to.events += thread->events;
    to.dropped += thread->dropped;
    to.open_at_end = thread->open_at_end;
  }
  return to;
}

void merge_threads(merge *m) {
  uint64_t count = 0;
  for (uint64_t i = 0; i < m->count; i++) count += m->sources[i].block.thread_count;
  m->entries = malloc((count + 1) * sizeof *m->entries);
  m->runs = malloc((count + 1) * sizeof *m->runs);
  m->threads = malloc((count + 1) * sizeof *m->threads);
  if (!m->entries || !m->runs || !m->threads) {
    m->failed = 1;
    return;
  }
  for (uint32_t i = 0; i < m->count; i++) {
    const tachy_block *const block = &m->sources[i].block;
    for (uint32_t t = 0; t < block->thread_count; t++) {
      m->entries[m->entry_count++] = (merge_entry){block->threads[t].number, i, t};
    }
  }
  if (count) qsort(m->entries, count, sizeof *m->entries, by_number);
  for (uint64_t i = 0; i < count; i++) {
    const merge_entry *const entry = &m->entries[i];
    if (i == 0 || entry[-1].number != entry->number) {
      m->runs[m->thread_count++] = (merge_run){entry, 1};
      continue;
    }
    m->runs[m->thread_count - 1].count++;
    if (!same_thread(m, entry - 1, entry)) merge_refuse(m, entry->source);
  }
  for (uint32_t t = 0; t < m->thread_count; t++) m->threads[t] = thread_of(m, m->runs[t]);
}

static tachy_block_header header_of(const merge *m) {
  tachy_block_header to = m->sources[0].block.header;
  uint64_t sequences = 0;
  for (uint64_t i = 0; i < m->count; i++) {
    const tachy_block_header *const h = &m->sources[i].block.header;
    sequences += h->sequences ? h->sequences : 1;
    to.ticks1 = h->ticks1;
    to.utc1 = h->utc1;
    if (h->begin_ticks < to.begin_ticks) to.begin_ticks = h->begin_ticks;
    if (h->end_ticks > to.end_ticks) to.end_ticks = h->end_ticks;
    if (h->begin_utc < to.begin_utc) to.begin_utc = h->begin_utc;
    if (h->end_utc > to.end_utc) to.end_utc = h->end_utc;
    if (i == 0) continue;
    to.events += h->events;
    to.dropped += h->dropped;
  }
  to.sequences = sequences;
  to.codec = TACHY_CODEC_NONE;
  to.thread_count = m->thread_count;
  to.body_hash = to.header_hash = 0;
  return to;
}

static tachy_text name_of(const merge *m, uint32_t t) {
  const merge_entry *const entry = &m->runs[t].entries[0];
  return m->sources[entry->source].block.thread_names[entry->thread];
}

tachy_block_header *merge_head(const merge *m, uint64_t body_size) {
  const uint64_t fixed = sizeof(tachy_block_header) + m->thread_count * sizeof(tachy_block_thread);
  uint64_t names = 0;
  for (uint32_t t = 0; t < m->thread_count; t++) names += name_of(m, t).size;
  const uint64_t size = tachy_pad8(fixed + names);
  tachy_block_header *const head = size <= UINT32_MAX ? calloc(1, (size_t)size) : NULL;
  if (!head) return NULL;
  *head = header_of(m);
  head->header_size = (uint32_t)size;
  head->raw_size = head->stored_size = body_size;
  uint8_t *const bytes = (uint8_t *)head;
  uint64_t offset = fixed;
  for (uint32_t t = 0; t < m->thread_count; t++) {
    const tachy_text name = name_of(m, t);
    tachy_block_thread thread = m->threads[t];
    thread.name_offset = offset;
    thread.name_size = (uint32_t)name.size;
    if (name.size) memcpy(bytes + offset, name.bytes, name.size);
    offset += name.size;
    memcpy(bytes + sizeof *head + t * sizeof thread, &thread, sizeof thread);
  }
  return head;
}
