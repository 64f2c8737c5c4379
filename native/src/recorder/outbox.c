/* The outbox: what waits for the sender, within its bounds, and the stats that say what became of every event. */
#include "outbox.h"

#include "clock.h"
#include "description.h"
#include "registry.h"
#include "session.h"

static tachy_os_mutex mutex = TACHY_OS_MUTEX_INIT;
static tachy_os_condition changed;
static tachy_batch *first; /* by ordinal: those that wait, and those that are taken */
static uint64_t limit;
static uint64_t waiting; /* bytes of batches that are not taken */
static uint64_t session;
static uint64_t ordinal;
static int closed; /* nothing is put any more; 2: nothing is taken back either */
static uint8_t process_id[16];
static tachy_stats stats;
static tachy_progress progress;
static uint64_t lost_blocks[TACHY_CLASSES]; /* events in blocks that nobody has sent and nobody will */

void tachy_outbox_lock(void) { tachy_os_lock(&mutex); }
void tachy_outbox_unlock(void) { tachy_os_unlock(&mutex); }
void tachy_outbox_init(void) { tachy_os_condition_init(&changed); }

/* The memory that a batch holds, nearly. */
static uint64_t size_of(const tachy_batch *batch) {
  uint64_t size = sizeof *batch + batch->description.size + batch->bytes.size;
  for (const tachy_block *block = batch->blocks; block; block = block->next) size += tachy_block_size(block);
  return size;
}

static void unlink_batch(const tachy_batch *batch) {
  tachy_batch **link = &first;
  while (*link != batch) link = &(*link)->next;
  *link = batch->next;
}

/* Counts the batch's events as lost and frees it. */
static void discard(tachy_batch *batch) {
  unlink_batch(batch);
  if (!batch->taken) waiting -= size_of(batch);
  for (const tachy_block *block = batch->blocks; block; block = block->next) {
    if (batch->session == session) lost_blocks[block->head->cls] += block->head->events;
  }
  tachy_batch_free(batch);
}

/* Takes the class's first block out of the batch. 0: it has none. */
static int drop_block(tachy_batch *batch, tachy_class cls) {
  tachy_block **link = &batch->blocks;
  while (*link && (*link)->head->cls != cls) link = &(*link)->next;
  tachy_block *const block = *link;
  if (!block) return 0;
  waiting -= size_of(batch);
  *link = block->next;
  batch->block_count--;
  lost_blocks[cls] += block->head->events;
  tachy_block_free(block);
  tachy_batch_changed(batch);
  waiting += size_of(batch);
  return 1;
}

/* Keeps within the limit: the oldest spans go first, the logs last. */
static void enforce_limit(void) {
  static const tachy_class order[] = {TACHY_CLASS_SPAN, TACHY_CLASS_METRIC, TACHY_CLASS_LOG};
  for (unsigned i = 0; i < 3 && waiting > limit; i++) {
    for (tachy_batch *batch = first; batch && waiting > limit;) {
      tachy_batch *const next = batch->next;
      while (!batch->taken && waiting > limit && drop_block(batch, order[i])) {
      }
      if (!batch->taken && !batch->blocks && !batch->last) discard(batch);
      batch = next;
    }
  }
}

static void forget_waiting(void) {
  for (tachy_batch *batch = first; batch;) {
    tachy_batch *const next = batch->next;
    if (!batch->taken) discard(batch);
    batch = next;
  }
}

void tachy_outbox_start(uint64_t bytes, const uint8_t id[16]) {
  tachy_os_lock(&mutex);
  forget_waiting();
  session++;
  ordinal = 0;
  limit = bytes;
  closed = 0;
  memcpy(process_id, id, sizeof process_id);
  memset(&stats, 0, sizeof stats);
  memset(&progress, 0, sizeof progress);
  memset(lost_blocks, 0, sizeof lost_blocks);
  tachy_os_unlock(&mutex);
}

void tachy_outbox_tell(const tachy_progress *totals) {
  tachy_os_lock(&mutex);
  progress = *totals;
  tachy_os_unlock(&mutex);
}

void tachy_outbox_drop(tachy_class cls, uint64_t events) {
  tachy_os_lock(&mutex);
  lost_blocks[cls] += events;
  tachy_os_unlock(&mutex);
}

static tachy_batch *make_batch(tachy_block *blocks, const tachy_bytes *description, int last) {
  tachy_batch *const batch = tachy_os_allocate(sizeof *batch);
  if (!batch) return NULL;
  memset(batch, 0, sizeof *batch);
  if (!tachy_uuid_random(batch->id)) {
    tachy_os_release(batch);
    return NULL;
  }
  batch->blocks = blocks;
  batch->description = *description;
  batch->last = last;
  batch->session = session;
  memcpy(batch->process_id, process_id, sizeof process_id);
  for (const tachy_block *block = blocks; block; block = block->next) batch->block_count++;
  return batch;
}

static void free_blocks(tachy_block *blocks) {
  while (blocks) {
    tachy_block *const next = blocks->next;
    lost_blocks[blocks->head->cls] += blocks->head->events;
    tachy_block_free(blocks);
    blocks = next;
  }
}

tachy_batch *tachy_outbox_make(tachy_block *blocks, tachy_bytes description, int last) {
  tachy_os_lock(&mutex);
  tachy_batch *const batch = description.size ? make_batch(blocks, &description, last) : NULL;
  if (!batch) {
    free_blocks(blocks);
    tachy_bytes_free(&description);
  }
  tachy_os_unlock(&mutex);
  return batch;
}

int tachy_outbox_has_files(void) { return 0; }

void tachy_outbox_put(tachy_batch *batch, int last) {
  tachy_os_lock(&mutex);
  if (batch) {
    batch->ordinal = ++ordinal;
    tachy_batch **link = &first;
    while (*link) link = &(*link)->next;
    *link = batch;
    waiting += size_of(batch);
    stats.batches++;
    stats.blocks += batch->block_count;
    for (const tachy_block *block = batch->blocks; block; block = block->next) stats.raw_bytes += block->raw_size;
    enforce_limit();
  }
  if (last) closed = 1;
  tachy_os_wake_all(&changed);
  tachy_os_unlock(&mutex);
}

uint64_t tachy_outbox_last_ordinal(void) {
  tachy_os_lock(&mutex);
  const uint64_t last = ordinal;
  tachy_os_unlock(&mutex);
  return last;
}

static int pending_up_to(uint64_t last) {
  for (const tachy_batch *batch = first; batch; batch = batch->next) {
    if (batch->session == session && batch->ordinal <= last) return 1;
  }
  return 0;
}

int tachy_outbox_wait(uint64_t last, uint64_t deadline) {
  tachy_os_lock(&mutex);
  const uint64_t waited_for = session;
  int in_time = 1;
  while (in_time && session == waited_for && pending_up_to(last)) in_time = tachy_os_wait(&changed, &mutex, deadline);
  const int done = session != waited_for || !pending_up_to(last);
  tachy_os_unlock(&mutex);
  return done;
}

void tachy_outbox_close(void) {
  tachy_os_lock(&mutex);
  closed = 2;
  forget_waiting();
  tachy_os_wake_all(&changed);
  tachy_os_unlock(&mutex);
}

tachy_batch *tachy_batch_take(uint32_t timeout_ms, int *ended) {
  tachy_library_init();
  const uint64_t deadline = tachy_os_monotonic() + (uint64_t)timeout_ms * 1000000u;
  tachy_os_lock(&mutex);
  tachy_batch *batch;
  int over;
  int in_time = 1;
  for (;;) {
    int busy = 0;
    for (batch = first; batch && batch->taken; batch = batch->next) busy |= batch->session == session;
    over = !batch && (closed == 2 || (closed == 1 && !busy));
    if (batch || over || !in_time) break;
    in_time = tachy_os_wait(&changed, &mutex, deadline);
  }
  if (batch) {
    batch->taken = 1;
    waiting -= size_of(batch);
  }
  tachy_os_unlock(&mutex);
  if (ended) *ended = over;
  return batch;
}

void tachy_batch_done(tachy_batch *batch, tachy_outcome outcome) {
  if (!batch) return;
  tachy_os_lock(&mutex);
  const int current = batch->session == session;
  if (outcome == TACHY_RETRY && current && closed != 2) {
    batch->taken = 0;
    waiting += size_of(batch);
    enforce_limit();
  } else if (outcome == TACHY_SENT) {
    for (const tachy_block *block = batch->blocks; current && block; block = block->next) {
      stats.sent[block->head->cls] += block->head->events;
    }
    if (current) stats.wire_bytes += batch->bytes.size;
    unlink_batch(batch);
    tachy_batch_free(batch);
  } else {
    discard(batch);
  }
  tachy_os_wake_all(&changed);
  tachy_os_unlock(&mutex);
}

void tachy_get_stats(tachy_stats *out) {
  if (!out) return;
  tachy_os_lock(&mutex);
  *out = stats;
  memcpy(out->process_id, process_id, sizeof process_id);
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    out->recorded[cls] = progress.recorded[cls];
    out->dropped[cls] = progress.lost[cls] + lost_blocks[cls];
  }
  out->collector_ns = progress.collector_ns;
  out->clock_backwards = progress.clock_backwards;
  out->too_deep = progress.too_deep;
  out->mismatched = progress.mismatched;
  out->async_untracked = progress.async_untracked;
  out->outbox_bytes = waiting;
  tachy_os_unlock(&mutex);
  out->threads = tachy_slots_attached();
  out->sites = tachy_registry_site_count();
  out->refused = tachy_registry_refused();
  out->frequency = tachy_clock_frequency();
  out->clock = tachy_clock_name();
}

void tachy_outbox_after_fork(void) {
  tachy_os_mutex_init(&mutex);
  tachy_os_condition_init(&changed);
  forget_waiting();
  closed = 2;
}
