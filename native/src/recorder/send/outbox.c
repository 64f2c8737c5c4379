/* The outbox: what waits for the sender, and what became of every event. */
#include "outbox.h"

#include "../../base/clock.h"
#include "../../base/entries.h"
#include "../../base/text.h"
#include "../pool/folder.h"
#include "../pool/session_file.h"
#include "description.h"
#include "queue.h"
#include "spool.h"
#include "write_budget.h"

enum { LOOKED_AT = 64 /* the part of the disk's limit that may come before the next look at the folder */ };
#define LOOK_EVERY UINT64_C(5000000000) /* ns */
enum { ROOM_MIN = 1 << 20 };            /* with less storage than that, batches wait in memory */

#define QUIET_NS UINT64_C(300000000)
#define STEP_NS UINT64_C(20000000)
#define A_WHILE UINT64_C(1000000000) /* of a wait that is looked at again: it has no end of its own */

static tachy_os_mutex mutex = TACHY_OS_MUTEX_INIT;
static tachy_os_condition changed;
static tachy_queue queue;
static char folder[TACHY_FOLDER_MAX]; /* "": none */
static uint64_t ordinal;
static int64_t age;        /* ns: what has waited longer is dropped */
static uint64_t look_at;   /* when the folder is looked at again */
static uint64_t look_disk; /* what was ours then */
static uint64_t period;    /* of claims: a close of the outbox ends one; their batches are not taken back in the next */
static int claiming;       /* without a session: there has been a claim */
static int next_list;      /* whose batch is taken next */
static int closed;         /* nothing is put any more; 2: nothing is taken back either */
static uint64_t waited;    /* ns that ends of programs have waited, in steps that count as STEP_NS at most: a machine
                            * that is too busy to wake us in time is too busy to send as well */
static uint64_t waited_to; /* monotonic: what is in `waited` */
static uint64_t resolved_at; /* by `waited`: when the last batch was put, or sent or dropped by the sender */
static uint64_t moved_at;    /* by `waited`: when a try began or its bytes last moved, unless it has failed */
static int tried;            /* in this session */
static uint64_t sender;      /* whose turn it is; 0: nobody's, or there is one that does not ask */
static uint64_t last_sender;
static tachy_codec codec;            /* the sender's, with its compressor */
static tachy_compressor *compressor; /* NULL: bodies are left to the sender */
static void *compressor_context;
static int compressing;
static uint64_t interruptions; /* of senders that wait */
static uint8_t process_id[16];
static tachy_stats stats;
static tachy_progress progress;

void tachy_outbox_lock(void) { tachy_os_lock(&mutex); }
void tachy_outbox_unlock(void) { tachy_os_unlock(&mutex); }
void tachy_outbox_init(void) { tachy_os_condition_init(&changed); }

/* Unlocks, then calls back the claims that have been resolved. */
static void unlock(void) {
  tachy_claim *claim = queue.resolved;
  queue.resolved = NULL;
  tachy_os_unlock(&mutex);
  while (claim) {
    tachy_claim *const next = claim->next_resolved;
    claim->resolved(claim);
    claim = next;
  }
}

/* Looks at the folder, since others write there too: not at every batch, for it costs 2 µs per file. */
static void look(void) {
  tachy_folder_use use;
  tachy_os_lock(&mutex);
  const uint64_t now = tachy_os_monotonic();
  const int due = folder[0] && (now >= look_at || queue.disk > look_disk + queue.disk_limit / LOOKED_AT);
  char where[TACHY_FOLDER_MAX];
  memcpy(where, folder, strlen(folder) + 1);
  tachy_os_unlock(&mutex);
  if (!due) return;
  tachy_orphans_measure(where, &use);
  tachy_os_lock(&mutex);
  queue.use = use;
  look_at = now + LOOK_EVERY;
  look_disk = queue.disk;
  tachy_queue_expire(&queue, tachy_os_utc() - age);
  unlock();
}

void tachy_outbox_start(const tachy_outbox_bounds *bounds, const char *where, const uint8_t id[16]) {
  /* the rest of the system lives there too */
  const uint64_t room = where[0] ? tachy_os_folder_free(where) / 2 : 0;
  if (room < ROOM_MIN) where = "";
  tachy_os_lock(&mutex);
  queue.session++;
  ordinal = 0;
  queue.memory_limit = bounds->memory;
  queue.disk_limit = bounds->disk < room ? bounds->disk : room;
  age = bounds->age;
  tachy_write_budget_set(bounds->writes);
  closed = 0;
  tried = 0;
  memcpy(process_id, id, sizeof process_id);
  memcpy(folder, where, strlen(where) + 1);
  memset(&stats, 0, sizeof stats);
  memset(&progress, 0, sizeof progress);
  memset(queue.dropped, 0, sizeof queue.dropped);
  queue.recovered_lost = 0;
  queue.folder = folder;
  memset(&queue.use, 0, sizeof queue.use);
  memset(&queue.orphans_dropped, 0, sizeof queue.orphans_dropped);
  queue.use.oldest = INT64_MAX;
  look_at = 0;
  tachy_os_unlock(&mutex);
}

void tachy_outbox_report(const tachy_progress *totals) {
  tachy_os_lock(&mutex);
  progress = *totals;
  tachy_os_unlock(&mutex);
}

void tachy_outbox_drop(tachy_class cls, uint64_t events) {
  tachy_os_lock(&mutex);
  queue.dropped[cls] += events;
  tachy_os_unlock(&mutex);
}

void tachy_outbox_dropped(uint64_t dropped[TACHY_CLASSES]) {
  tachy_os_lock(&mutex);
  for (unsigned cls = 0; cls < TACHY_CLASSES; cls++) dropped[cls] = progress.dropped[cls] + queue.dropped[cls];
  tachy_os_unlock(&mutex);
}

static tachy_batch *make_batch(tachy_block *blocks, const tachy_bytes *description, int last) {
  tachy_batch *const batch = tachy_os_allocate(sizeof *batch);
  if (!batch) return NULL;
  memset(batch, 0, sizeof *batch);
  batch->utc = tachy_os_utc();
  if (!tachy_uuid_of_time(batch->id, batch->utc)) {
    tachy_os_release(batch);
    return NULL;
  }
  batch->list = TACHY_OURS;
  batch->blocks = blocks;
  batch->description = *description;
  batch->last = last;
  batch->loaded = 1;
  tachy_batch_count(batch);
  tachy_os_lock(&mutex);
  batch->ordinal = ++ordinal;
  batch->session = queue.session;
  memcpy(batch->process_id, process_id, sizeof process_id);
  if (folder[0]) batch->path = tachy_spool_path(folder, tachy_session_file_id(), tachy_session_file_next());
  tachy_os_unlock(&mutex);
  return batch;
}

/* With the sender's compressor, if it has brought one, whose turn does not end meanwhile. */
static void compress(tachy_batch *batch) {
  tachy_os_lock(&mutex);
  tachy_compressor *const given = batch->blocks ? compressor : NULL;
  compressing = given != NULL;
  tachy_os_unlock(&mutex);
  if (!given) return;
  const uint64_t before = tachy_os_thread_cpu();
  tachy_batch_compress(batch, codec, given, compressor_context);
  batch->offered = 1;
  tachy_os_lock(&mutex);
  compressing = 0;
  progress.collector_ns = tachy_os_thread_cpu();
  stats.compressor_ns += progress.collector_ns - before;
  tachy_os_wake_all(&changed);
  tachy_os_unlock(&mutex);
}

tachy_batch *tachy_outbox_make(tachy_block *blocks, tachy_bytes description, int last) {
  tachy_batch *const batch = description.size ? make_batch(blocks, &description, last) : NULL;
  if (batch) {
    compress(batch); /* this and the file outside the lock: nobody knows the batch yet */
    if (batch->path) tachy_spool_write(batch);
    return batch;
  }
  tachy_os_lock(&mutex);
  for (const tachy_block *at = blocks; at; at = at->next) queue.dropped[at->head->cls] += at->head->events;
  tachy_os_unlock(&mutex);
  tachy_blocks_free(blocks);
  tachy_bytes_free(&description);
  return NULL;
}

void tachy_outbox_put(tachy_batch *batch, int last) {
  if (batch) look();
  tachy_os_lock(&mutex);
  if (batch) {
    stats.batches++;
    stats.blocks += batch->block_count;
    stats.unprotected += batch->file_size == 0;
    for (const tachy_block *block = batch->blocks; block; block = block->next) stats.raw_bytes += block->head->raw_size;
    tachy_queue_append(&queue, batch);
  }
  if (last) closed = 1;
  resolved_at = moved_at = waited;
  tachy_os_wake_all(&changed);
  unlock();
}

uint64_t tachy_outbox_last_ordinal(void) {
  tachy_os_lock(&mutex);
  const uint64_t last = ordinal;
  tachy_os_unlock(&mutex);
  return last;
}

uint64_t tachy_outbox_lost(void) {
  uint64_t lost = 0;
  tachy_os_lock(&mutex);
  for (unsigned cls = 0; cls < TACHY_CLASSES; cls++) lost += queue.dropped[cls];
  tachy_os_unlock(&mutex);
  return lost;
}

static int pending_up_to(uint64_t last) {
  for (const tachy_batch *batch = queue.lists[TACHY_OURS].first; batch; batch = batch->next) {
    if (batch->session == queue.session) return batch->ordinal <= last;
  }
  if (!closed) return 0;
  for (const tachy_batch *batch = queue.lists[TACHY_CLAIMED].first; batch; batch = batch->next) {
    if (batch->session == period && batch->claim && batch->claim->awaited) return 1;
  }
  return 0;
}

/* 0: a program that ends is to wait no longer for a server that takes nothing, because its batches lie in files. 1: it
 * does not end, one of them would be dropped, or on a busy machine the sender has not come to its first try. */
static int has_patience(void) {
  if (!closed || !tried) return 1;
  for (const tachy_batch *batch = queue.lists[TACHY_OURS].first; batch; batch = batch->next) {
    if (batch->session == queue.session && !batch->disk_accounted) return 1;
  }
  return waited < moved_at + QUIET_NS;
}

int tachy_outbox_wait(uint64_t last, uint64_t deadline) {
  tachy_os_lock(&mutex);
  const uint64_t waited_for = queue.session;
  int done;
  for (;;) {
    const uint64_t now = tachy_os_monotonic();
    waited += now - waited_to < STEP_NS ? now - waited_to : STEP_NS;
    waited_to = now;
    done = queue.session != waited_for || !pending_up_to(last) || !has_patience();
    if (done || now >= deadline) break;
    tachy_os_wait(&changed, &mutex, closed && now + STEP_NS < deadline ? now + STEP_NS : deadline);
  }
  tachy_os_unlock(&mutex);
  return done;
}

void tachy_own_batch_moves(void) {
  if (tachy_own_forking()) return;
  tachy_os_lock(&mutex);
  moved_at = waited;
  tachy_os_unlock(&mutex);
}

/* A batch of the session that will not be taken back: kept in its file, or dropped. */
static void keep(tachy_batch *batch) {
  if (!batch->file_size) {
    tachy_queue_discard(&queue, batch);
    return;
  }
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (batch->session == queue.session) stats.kept[cls] += batch->events[cls];
  }
  tachy_queue_remove(&queue, batch);
}

void tachy_outbox_close(void) {
  tachy_os_lock(&mutex);
  closed = 2;
  period++;
  claiming = 0;
  for (tachy_batch *batch = queue.lists[TACHY_OURS].first; batch;) {
    tachy_batch *const next = batch->next;
    if (!batch->taken && !batch->file_size) tachy_spool_renew(batch); /* the last chance */
    if (!batch->taken) keep(batch);
    batch = next;
  }
  for (tachy_batch *batch = queue.lists[TACHY_CLAIMED].first; batch;) {
    tachy_batch *const next = batch->next;
    if (!batch->taken) tachy_queue_remove(&queue, batch);
    batch = next;
  }
  tachy_os_wake_all(&changed);
  unlock();
}

void tachy_outbox_add_claimed(tachy_claim *claim, const char *path, uint64_t size) {
  tachy_batch *const batch = tachy_os_allocate(sizeof *batch);
  char *const copy = tachy_os_allocate(strlen(path) + 1);
  int64_t utc = INT64_MAX;
  uint64_t storage;
  tachy_os_file_look(path, &storage, &utc);
  tachy_os_lock(&mutex);
  claim->batches++;
  if (batch && copy) {
    memset(batch, 0, sizeof *batch);
    memcpy(copy, path, strlen(path) + 1);
    batch->list = TACHY_CLAIMED;
    batch->utc = utc;
    batch->session = period;
    batch->claim = claim;
    batch->path = copy;
    batch->file_size = size ? size : 1; /* an empty one is damaged, and goes like any other */
    batch->offered = 1;
    batch->classes = (1u << TACHY_CLASSES) - 2u; /* who knows */
    claiming = 1;
    if (queue.session == 0 || closed == 2) queue.memory_limit = queue.disk_limit = UINT64_MAX;
    tachy_queue_append(&queue, batch);
    tachy_os_wake_all(&changed);
  } else {
    tachy_os_release(batch);
    tachy_os_release(copy);
  }
  unlock();
}

void tachy_outbox_close_claim(tachy_claim *claim) {
  tachy_os_lock(&mutex);
  claim->closed = 1;
  tachy_queue_check_claim(&queue, claim);
  unlock();
}

/* Whether the batch may wait again. */
static int is_wanted(const tachy_batch *batch) {
  if (batch->list == TACHY_CLAIMED) return batch->session == period;
  return batch->session == queue.session && closed != 2;
}

/* Whether nothing will come any more, now that nothing waits. */
static int is_over(void) {
  for (int list = 0; list < TACHY_LISTS; list++) {
    for (const tachy_batch *batch = queue.lists[list].first; batch; batch = batch->next) {
      if (is_wanted(batch)) return 0; /* it is taken, and may come back */
    }
  }
  return closed || (queue.session == 0 && claiming);
}

/* The next that waits: the lists in turns. */
static tachy_batch *next_waiting(void) {
  tachy_batch *batch = tachy_queue_first(&queue, next_list);
  if (!batch) next_list = !next_list;
  if (!batch) batch = tachy_queue_first(&queue, next_list);
  if (batch) next_list = !next_list;
  return batch;
}

/* Takes a batch and sees to it that its blocks are in memory, for which it unlocks. NULL: it was unreadable and is
 * dropped, or there is no memory for it (*status): then it waits on. */
static tachy_batch *take_loaded(tachy_batch *batch, tachy_spool_status *status) {
  *status = TACHY_SPOOL_OK;
  batch->taken = 1;
  tachy_queue_account(&queue, batch);
  if (!batch->loaded) {
    tachy_os_unlock(&mutex);
    *status = tachy_spool_load(batch);
    tachy_os_lock(&mutex);
    if (*status == TACHY_SPOOL_NO_MEMORY) tachy_queue_admit(&queue, batch);
    if (*status == TACHY_SPOOL_DAMAGED) tachy_queue_discard(&queue, batch);
    if (*status != TACHY_SPOOL_OK) tachy_os_wake_all(&changed);
  }
  if (*status != TACHY_SPOOL_OK) return NULL;
  batch->offered = 1;
  return batch;
}

uint64_t tachy_own_sender_begin(uint32_t timeout_ms) {
  if (tachy_own_forking()) return 0;
  const uint64_t deadline = tachy_os_monotonic() + (uint64_t)timeout_ms * 1000000u;
  tachy_os_lock(&mutex);
  const uint64_t seen = interruptions;
  int in_time = 1;
  while (sender && interruptions == seen && in_time) in_time = tachy_os_wait(&changed, &mutex, deadline);
  const uint64_t turn = sender ? 0 : ++last_sender;
  if (turn) sender = turn;
  tachy_os_unlock(&mutex);
  return turn;
}

/* Once the one before is not in use, for which it unlocks. 0: it is not, or no longer, this sender's turn. */
static int set_compressor(uint64_t turn, tachy_codec with, tachy_compressor *compress_with, void *context) {
  if (!turn || turn != sender) return 0;
  compressor = NULL;
  while (compressing) tachy_os_wait(&changed, &mutex, tachy_os_monotonic() + A_WHILE);
  if (turn != sender) return 0;
  codec = with;
  compressor = compress_with;
  compressor_context = context;
  return 1;
}

void tachy_own_sender_end(uint64_t turn) {
  if (tachy_own_forking()) return;
  tachy_os_lock(&mutex);
  if (set_compressor(turn, TACHY_CODEC_NONE, NULL, NULL)) sender = 0;
  interruptions++;
  tachy_os_wake_all(&changed);
  tachy_os_unlock(&mutex);
}

void tachy_own_sender_compresses(uint64_t turn, tachy_codec with, tachy_compressor *compress_with, void *context) {
  if (tachy_own_forking() || (compress_with && (with <= TACHY_CODEC_NONE || with > TACHY_CODEC_GZIP))) return;
  tachy_os_lock(&mutex);
  set_compressor(turn, with, compress_with, context);
  tachy_os_unlock(&mutex);
}

tachy_batch *tachy_own_batch_take(uint32_t timeout_ms, int *ended) {
  if (ended) *ended = 0;
  if (tachy_own_forking()) return NULL;
  const uint64_t deadline = tachy_os_monotonic() + (uint64_t)timeout_ms * 1000000u;
  tachy_spool_status status = TACHY_SPOOL_OK;
  tachy_os_lock(&mutex);
  const uint64_t seen = interruptions;
  tachy_batch *batch;
  int over;
  int in_time = 1;
  for (;;) {
    batch = next_waiting();
    if (batch) batch = take_loaded(batch, &status);
    over = !batch && status == TACHY_SPOOL_OK && is_over();
    if (batch || over || !in_time || interruptions != seen) break;
    if (status != TACHY_SPOOL_DAMAGED) in_time = tachy_os_wait(&changed, &mutex, deadline);
    status = TACHY_SPOOL_OK;
  }
  if (batch) {
    tried = 1;
    moved_at = waited;
  }
  unlock();
  if (ended) *ended = over;
  return batch;
}

tachy_batch *tachy_own_batch_take_raw(void) {
  tachy_spool_status status;
  if (tachy_own_forking()) return NULL;
  tachy_os_lock(&mutex);
  tachy_batch *batch = queue.lists[TACHY_OURS].first;
  while (batch && (batch->taken || batch->offered)) batch = batch->next;
  if (batch) batch = take_loaded(batch, &status);
  unlock();
  return batch;
}

/* The sender has given it back: it waits again, or what it was is over. */
static void put_back(tachy_batch *batch) {
  if (is_wanted(batch)) {
    tachy_queue_admit(&queue, batch);
  } else if (batch->list == TACHY_OURS) {
    keep(batch);
  } else {
    tachy_queue_remove(&queue, batch);
  }
}

static void count_sent(tachy_batch *batch) {
  if (batch->list == TACHY_CLAIMED) {
    stats.recovered_batches++;
  } else if (batch->session == queue.session) {
    for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) stats.sent[cls] += batch->events[cls];
    stats.wire_bytes += batch->bytes.size;
  }
  tachy_queue_resolve(&queue, batch);
  tachy_queue_remove(&queue, batch);
}

void tachy_own_batch_done(tachy_batch *batch, tachy_outcome outcome) {
  if (!batch || tachy_own_forking()) return;
  tachy_os_lock(&mutex);
  const int again = outcome == TACHY_RETRY && is_wanted(batch);
  tachy_os_unlock(&mutex);
  /* outside the lock: the batch is the caller's still */
  if (again) tachy_spool_renew(batch);
  if (outcome != TACHY_RETRY) tachy_spool_remove(batch);
  tachy_os_lock(&mutex);
  /* a try that failed was no progress, however far it came: a proxy may take all and have no server */
  if (outcome != TACHY_RETRY) resolved_at = waited;
  moved_at = resolved_at;
  if (outcome == TACHY_RETRY) {
    put_back(batch);
  } else if (outcome == TACHY_SENT) {
    count_sent(batch);
  } else {
    tachy_queue_discard(&queue, batch);
  }
  tachy_os_wake_all(&changed);
  unlock();
}

void tachy_outbox_stats(tachy_stats *out) {
  tachy_os_lock(&mutex);
  *out = stats;
  memcpy(out->process_id, process_id, sizeof process_id);
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    out->recorded[cls] = progress.recorded[cls];
    out->dropped[cls] = progress.dropped[cls] + queue.dropped[cls];
  }
  out->collector_ns = progress.collector_ns;
  out->clock_backwards = progress.clock_backwards;
  out->too_deep = progress.too_deep;
  out->mismatched = progress.mismatched;
  out->async_untracked = progress.async_untracked;
  out->values_dropped = progress.values_dropped;
  out->outbox_bytes = queue.memory;
  out->spool_bytes = queue.disk;
  out->recovered_lost = queue.recovered_lost + queue.orphans_dropped.unreadable;
  memcpy(out->left_dropped, queue.orphans_dropped.events, sizeof out->left_dropped);
  out->not_retained = progress.not_retained;
  out->flight_overwritten = progress.overwritten;
  tachy_os_unlock(&mutex);
}

/* The child has copies of the parent's batches: files and claims are not its own. */
void tachy_outbox_after_fork(void) {
  tachy_write_budget_after_fork();
  tachy_os_mutex_init(&mutex);
  tachy_os_condition_init(&changed);
  for (int list = 0; list < TACHY_LISTS; list++) {
    for (tachy_batch *batch = queue.lists[list].first; batch;) {
      tachy_batch *const next = batch->next;
      batch->file_size = 0;
      batch->claim = NULL;
      tachy_os_release(batch->path);
      batch->path = NULL;
      if (batch->taken) {
        tachy_queue_account(&queue, batch);
      } else {
        tachy_queue_discard(&queue, batch);
      }
      batch = next;
    }
  }
  queue.resolved = NULL;
  period++;
  claiming = 0;
  closed = 2;
  sender = 0;
  compressor = NULL;
  compressing = 0;
}
