/* What waits: lists, what they take, bounds. */
#include "queue.h"

#include "spool.h"

enum {
  STORAGE_UNIT = 4096, /* what a file system hands out */
  CLEARED = 16 /* the part of the disk's limit that is cleared at once, so that not every batch goes through all */
};

/* What goes first when there is too much. */
static const tachy_class by_worth[] = {TACHY_CLASS_SPAN, TACHY_CLASS_METRIC, TACHY_CLASS_LOG};
enum { CLASSES = 3 };

/* The memory that a batch holds, nearly. */
static uint64_t memory_of(const tachy_batch *batch) {
  uint64_t size = sizeof *batch + batch->description.size + batch->bytes.size;
  if (batch->path) size += strlen(batch->path) + 1;
  for (const tachy_block *block = batch->blocks; block; block = block->next) size += tachy_block_size(block);
  return size;
}

void tachy_queue_account(tachy_queue *q, tachy_batch *batch) {
  q->memory -= batch->memory_accounted;
  q->disk -= batch->disk_accounted;
  batch->memory_accounted = batch->taken ? 0 : memory_of(batch);
  batch->disk_accounted = (batch->file_size + STORAGE_UNIT - 1) / STORAGE_UNIT * STORAGE_UNIT;
  q->memory += batch->memory_accounted;
  q->disk += batch->disk_accounted;
}

static void unload(tachy_queue *q, tachy_batch *batch) {
  tachy_batch_unload(batch);
  tachy_queue_account(q, batch);
}

void tachy_queue_remove(tachy_queue *q, tachy_batch *batch) {
  tachy_batch_list *const list = &q->lists[batch->list];
  q->memory -= batch->memory_accounted;
  q->disk -= batch->disk_accounted;
  if (batch->before) {
    batch->before->next = batch->next;
  } else {
    list->first = batch->next;
  }
  if (batch->next) {
    batch->next->before = batch->before;
  } else {
    list->last = batch->before;
  }
  tachy_batch_free(batch);
}

void tachy_queue_check_claim(tachy_queue *q, tachy_claim *claim) {
  if (!claim->closed || claim->batches > 0) return;
  claim->next_resolved = q->resolved;
  q->resolved = claim;
}

void tachy_queue_resolve(tachy_queue *q, tachy_batch *batch) {
  tachy_claim *const claim = batch->claim;
  if (!claim) return;
  batch->claim = NULL;
  claim->batches--;
  tachy_queue_check_claim(q, claim);
}

/* Counts events of a class as dropped. */
static void count_dropped(tachy_queue *q, tachy_batch *batch, unsigned cls, uint64_t events) {
  if (batch->list == TACHY_OURS && batch->session == q->session) q->dropped[cls] += events;
  if (batch->list == TACHY_CLAIMED && !batch->damaged) {
    batch->damaged = 1;
    q->recovered_lost++;
  }
}

void tachy_queue_discard(tachy_queue *q, tachy_batch *batch) {
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) count_dropped(q, batch, cls, batch->events[cls]);
  tachy_spool_remove(batch);
  tachy_queue_resolve(q, batch);
  tachy_queue_remove(q, batch);
}

tachy_batch *tachy_queue_first(const tachy_queue *q, int list) {
  tachy_batch *batch = q->lists[list].first;
  while (batch && batch->taken) batch = batch->next;
  return batch;
}

/* Drops the class out of a loaded batch that waits. 0: it has none of it. */
static int drop_blocks(tachy_queue *q, tachy_batch *batch, tachy_class cls) {
  uint64_t events[TACHY_CLASSES] = {0};
  if (!tachy_batch_drop(batch, 1u << cls, events)) return 0;
  count_dropped(q, batch, cls, events[cls]);
  if (batch->list == TACHY_CLAIMED) q->orphans_dropped.events[cls] += events[cls];
  tachy_queue_account(q, batch);
  return 1;
}

static int is_void(const tachy_batch *batch) { return batch->loaded && !batch->blocks && !batch->last; }

/* Drops the blocks of a class out of a batch's file. Where the storage has no room for a second file, the first goes
 * before, and the batch may be left in memory alone. */
static void drop_class(tachy_queue *q, tachy_batch *batch, tachy_class cls) {
  const int loaded = batch->loaded;
  if (!loaded) {
    const tachy_spool_status status = tachy_spool_load(batch);
    if (status == TACHY_SPOOL_NO_MEMORY) return;
    if (status == TACHY_SPOOL_DAMAGED) {
      tachy_queue_discard(q, batch);
      return;
    }
  }
  if (drop_blocks(q, batch, cls) && is_void(batch)) {
    tachy_queue_discard(q, batch);
    return;
  }
  if (batch->changed && !tachy_spool_rewrite(batch)) {
    tachy_spool_remove(batch);
    tachy_spool_rewrite(batch);
  }
  if (!loaded && batch->file_size) tachy_batch_unload(batch);
  tachy_queue_account(q, batch);
}

/* What the processes that run have to leave us: what they do not take, and our share at least, for they clear theirs in
 * turn. Orphans have to fit in, too. */
static uint64_t room_for_us(const tachy_queue *q, uint64_t limit) {
  const uint64_t kept = q->use.ours > q->disk ? q->use.ours - q->disk : 0; /* of earlier sessions of this process */
  const uint64_t others = q->use.others + kept;
  const uint64_t rest = others < limit ? limit - others : 0;
  const uint64_t share = limit / (q->use.sessions + 1);
  return rest > share ? rest : share;
}

static int is_full(const tachy_queue *q) { return q->disk + q->use.orphans > room_for_us(q, q->disk_limit); }

/* Class by class: first orphans, the oldest first, then what is in the queue. */
static void bound_disk(tachy_queue *q) {
  tachy_orphans orphans;
  const int open = q->folder && q->folder[0] && tachy_orphans_open(&orphans, q->folder);
  q->use.orphans = open ? orphans.storage : 0; /* else another process is about it */
  const uint64_t goal = room_for_us(q, q->disk_limit - q->disk_limit / CLEARED);
  for (unsigned i = 0; i < CLASSES && q->disk + q->use.orphans > goal; i++) {
    if (open) {
      tachy_orphans_drop(&orphans, by_worth[i], goal > q->disk ? goal - q->disk : 0, &q->orphans_dropped);
      q->use.orphans = orphans.storage;
    }
    for (int list = 0; list < TACHY_LISTS; list++) {
      for (tachy_batch *batch = q->lists[list].first; batch && q->disk + q->use.orphans > goal;) {
        tachy_batch *const next = batch->next;
        if (!batch->taken && batch->file_size && batch->classes >> by_worth[i] & 1u) drop_class(q, batch, by_worth[i]);
        batch = next;
      }
    }
  }
  if (open) tachy_orphans_close(&orphans);
}

void tachy_queue_expire(tachy_queue *q, int64_t before) {
  tachy_orphans orphans;
  if (q->use.oldest < before && tachy_orphans_open(&orphans, q->folder)) {
    tachy_orphans_expire(&orphans, before, &q->orphans_dropped);
    q->use.orphans = orphans.storage;
    q->use.oldest = INT64_MAX;
    tachy_orphans_close(&orphans);
  }
  for (int list = 0; list < TACHY_LISTS; list++) {
    for (tachy_batch *batch = q->lists[list].first; batch;) {
      tachy_batch *const next = batch->next;
      if (!batch->taken && batch->utc < before) {
        if (list == TACHY_CLAIMED && (batch->loaded || tachy_spool_load(batch) == TACHY_SPOOL_OK)) {
          for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) q->orphans_dropped.events[cls] += batch->events[cls];
        }
        tachy_queue_discard(q, batch);
      }
      batch = next;
    }
  }
}

/* What has a file leaves the memory, the newest first; of what has none the oldest spans go first and logs last. The
 * batches themselves take memory too: claimed ones are left to a later start, then the oldest of ours are dropped. */
static void bound_memory(tachy_queue *q) {
  tachy_batch_list *const ours = &q->lists[TACHY_OURS];
  for (tachy_batch *batch = ours->last; batch && q->memory > q->memory_limit; batch = batch->before) {
    if (!batch->taken && batch->loaded && batch->file_size) unload(q, batch);
  }
  for (unsigned i = 0; i < CLASSES; i++) {
    for (tachy_batch *batch = ours->first; batch && q->memory > q->memory_limit;) {
      tachy_batch *const next = batch->next;
      if (!batch->taken && !batch->file_size) drop_blocks(q, batch, by_worth[i]);
      if (!batch->taken && is_void(batch)) tachy_queue_discard(q, batch);
      batch = next;
    }
  }
  for (tachy_batch *batch = q->lists[TACHY_CLAIMED].last; batch && q->memory > q->memory_limit;) {
    tachy_batch *const before = batch->before;
    if (!batch->taken) tachy_queue_remove(q, batch);
    batch = before;
  }
  for (tachy_batch *batch = ours->first; batch && q->memory > q->memory_limit;) {
    tachy_batch *const next = batch->next;
    if (!batch->taken && !batch->last) tachy_queue_discard(q, batch);
    batch = next;
  }
}

void tachy_queue_admit(tachy_queue *q, tachy_batch *batch) {
  batch->taken = 0;
  tachy_queue_account(q, batch);
  /* claimed ones are read when they are taken, and what comes beyond the limit waits in its file */
  if (batch->file_size && (q->memory > q->memory_limit || batch->list == TACHY_CLAIMED)) unload(q, batch);
  if (q->memory > q->memory_limit) bound_memory(q);
  if (is_full(q)) bound_disk(q);
}

void tachy_queue_append(tachy_queue *q, tachy_batch *batch) {
  tachy_batch_list *const list = &q->lists[batch->list];
  batch->before = list->last;
  if (list->last) {
    list->last->next = batch;
  } else {
    list->first = batch;
  }
  list->last = batch;
  tachy_queue_admit(q, batch);
}
