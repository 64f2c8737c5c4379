/* The life of a session: start, stop, flush, and what fork() leaves of it. */
#include "session.h"

#include "../base/clock.h"
#include "../base/entries.h"
#include "../base/forking.h"
#include "../base/inside.h"
#include "collect/collector.h"
#include "collect/control.h"
#include "collect/triggers.h"
#include "pool/folder.h"
#include "pool/session_file.h"
#include "recover/recover.h"
#include "send/description.h"
#include "send/orphans.h"
#include "send/outbox.h"
#include "sites/filter.h"
#include "sites/registry.h"
#include "threads/followers.h"
#include "threads/late.h"
#include "threads/threads.h"

#define POOL_STANDARD (UINT64_C(64) << 20)
#define POOL_MAX (UINT64_C(16) << 30)

typedef enum life { IDLE, STARTING, RUNNING, ENDING, ENDED, STOPPING } life;

static tachy_os_mutex mutex = TACHY_OS_MUTEX_INIT;
static tachy_os_once_flag once = TACHY_OS_ONCE_INIT;
static life state = IDLE;
static uint32_t starts; /* of the session that runs, which its stops have not taken back */
static int usable;

static void lock_life(void) { tachy_os_lock(&mutex); }
static void unlock_life(void) { tachy_os_unlock(&mutex); }

static void life_after_fork(void) {
  tachy_os_mutex_init(&mutex);
  state = IDLE;
}

/* What fork() takes, in the order in which it is nested, so that the child finds all in one piece. Meanwhile the
 * forking thread may run anything, signal handlers and other libraries' fork handlers, in the child too: it waits for
 * none of these, since every public function that takes one asks tachy_forking() first. */
static const struct {
  void (*lock)(void);
  void (*unlock)(void);
  void (*after_fork)(void);
} locks[] = {
    {lock_life, unlock_life, life_after_fork},
    {tachy_control_lock, tachy_control_unlock, tachy_control_after_fork},
    {tachy_triggers_lock, tachy_triggers_unlock, tachy_triggers_after_fork},
    {tachy_collector_lock, tachy_collector_unlock, tachy_collector_after_fork},
    {tachy_outbox_lock, tachy_outbox_unlock, tachy_outbox_after_fork},
    {tachy_description_lock, tachy_description_unlock, tachy_description_after_fork},
    {tachy_registry_lock, tachy_registry_unlock, tachy_registry_after_fork},
    {tachy_late_lock, tachy_late_unlock, tachy_late_after_fork},
    {tachy_threads_lock, tachy_threads_unlock, tachy_threads_after_fork},
    {tachy_followers_lock, tachy_followers_unlock, tachy_followers_after_fork},
    {tachy_recover_lock, tachy_recover_unlock, tachy_recover_after_fork},
};
enum { LOCKS = sizeof locks / sizeof locks[0] };
static uint32_t held;          /* of these, a bit each; the forking thread's */
static uint32_t inside_before; /* the same thread's */

/* A handler that forks while its thread forks finds that the outer fork has begun: its child takes what the outer one
 * has not reached yet, and the outer one lets go of that alone. */
static void before_fork(void) {
  if (!tachy_forking_begins()) return;
  inside_before = tachy_inside_before_fork();
  tachy_threads_fork_begins();
  for (unsigned i = 0; i < LOCKS; i++) {
    locks[i].lock();
    held |= 1u << i;
  }
}

static void after_fork_parent(void) {
  if (!tachy_forking_is_over()) return;
  for (unsigned i = LOCKS; i-- > 0;) {
    if (held >> i & 1u) locks[i].unlock();
  }
  held = 0;
  tachy_threads_fork_ends();
  tachy_forking_ends();
}

static void after_fork_child(void) {
  const int over = tachy_forking_is_over();
  tachy_orphans_after_fork();
  tachy_session_file_after_fork();
  for (unsigned i = LOCKS; i-- > 0;) locks[i].after_fork();
  tachy_inside_after_fork(inside_before);
  held = 0;
  if (!over) return;
  tachy_threads_fork_ends();
  tachy_forking_ends();
}

static void init(void) {
  tachy_orphans_init(tachy_recover_has);
  tachy_outbox_init();
  tachy_collector_init();
  usable = tachy_threads_init();
  tachy_os_on_fork(before_fork, after_fork_parent, after_fork_child);
}

void tachy_library_init(void) { tachy_os_once(&once, init); }

/* Goes from one state to another; 0: it was not in the first. */
static int move(life from, life to) {
  tachy_os_lock(&mutex);
  const int ok = state == from;
  if (ok) state = to;
  tachy_os_unlock(&mutex);
  return ok;
}

/* The session's file and pool, and the names of what is registered already. */
static int open_pool(const tachy_config *config, const char *folder) {
  int fresh;
  tachy_registry_lock(); /* nothing registers between the file's making and the saving of what there is */
  const int ok = tachy_session_file_open(folder, config->destination ? config->destination : "",
                                         config->pool_bytes ? config->pool_bytes : POOL_STANDARD, &fresh);
  if (fresh) tachy_registry_save();
  tachy_registry_unlock();
  return ok;
}

/* The sites follow at once if they are not all off. */
static void set_level(tachy_level level) {
  tachy_registry_lock();
  tachy_filter_set_level(level);
  tachy_registry_unlock();
  tachy_registry_switch_again();
}

static tachy_status start(const tachy_config *config) {
  if ((config->pool_bytes && (config->pool_bytes < TACHY_CHUNK_BYTES || config->pool_bytes > POOL_MAX)) ||
      config->level > TACHY_LEVEL_TRACE || config->mode > TACHY_MODE_FLIGHT) {
    return TACHY_ERROR_ARGUMENT;
  }
  if (!usable) return TACHY_ERROR_SYSTEM;
  const tachy_status status = tachy_description_start(config);
  if (status != TACHY_OK) return status;
  uint8_t process_id[16];
  tachy_description_process_id(process_id);
  tachy_clock_start();
  tachy_triggers_start(config);
  char folder[TACHY_FOLDER_MAX];
  tachy_folder_resolve(config->session_folder, folder, sizeof folder);
  if (!open_pool(config, folder)) return TACHY_ERROR_MEMORY;
  if (!tachy_session_file_id()) folder[0] = 0; /* batches of a process that runs have an owner */
  const tachy_outbox_bounds bounds = {
      config->outbox_bytes ? config->outbox_bytes : UINT64_C(64) << 20,
      config->spool_bytes ? config->spool_bytes : UINT64_C(256) << 20,
      config->write_bytes,
      (config->spool_seconds ? config->spool_seconds : 7u * 86400u) * INT64_C(1000000000),
  };
  tachy_outbox_start(&bounds, folder, process_id);
  tachy_slots_begin_session();
  tachy_os_on_termination(tachy_session_file_ends); /* before the collector's first commit: from then on the file says
                                                       that whoever is gone was killed, unless this has said more */
  if (!tachy_collector_start(config->flush_ms, config->block_bytes ? config->block_bytes : 1u << 20, process_id)) {
    tachy_os_on_termination(NULL);
    tachy_outbox_close();
    tachy_session_file_done();
    return TACHY_ERROR_SYSTEM;
  }
  TACHY_STORE(&tachy_running, 1);
  tachy_session_file_crash(TACHY_CRASH_UNKNOWN);
  set_level(config->level ? config->level : TACHY_LEVEL_TRACE);
  tachy_control_start();
  tachy_registry_switch(1);
  return TACHY_OK;
}

/* STARTING: the caller has taken that state. RUNNING: it has joined. Another part of the program that is starting is
 * waited for. */
static life start_or_join(void) {
  for (;;) {
    tachy_os_lock(&mutex);
    const life found = state;
    if (found == IDLE) {
      state = STARTING;
      starts = 1;
    } else if (found == RUNNING) {
      starts++;
    }
    tachy_os_unlock(&mutex);
    if (found != STARTING) return found == IDLE ? STARTING : found;
    tachy_os_sleep(1000000);
  }
}

/* What a stop has found. */
typedef enum end { NOTHING, OTHERS, LAST } end;

/* OTHERS: they go on, and the caller's start has been taken back, if it was to be. LAST: the caller has taken the state
 * ENDING. */
static end end_or_leave(int take_back) {
  end found = NOTHING;
  tachy_os_lock(&mutex);
  if (state == RUNNING && starts > 1) {
    found = OTHERS;
    if (take_back) starts--;
  } else if (state == RUNNING) {
    found = LAST;
    state = ENDING;
  }
  tachy_os_unlock(&mutex);
  return found;
}

tachy_status tachy_own_start(const tachy_config *config) {
  static const tachy_config standard = {0};
  if (tachy_own_forking()) return TACHY_ERROR_STATE;
  const life begun = start_or_join();
  if (begun != STARTING) return begun == RUNNING ? TACHY_JOINED : TACHY_ERROR_STATE;
  const tachy_status status = start(config ? config : &standard);
  move(STARTING, status == TACHY_OK ? RUNNING : IDLE);
  return status;
}

static void end_recording(void) {
  tachy_registry_switch(0);
  uint8_t process_id[16];
  tachy_description_process_id(process_id);
  tachy_recover_children(process_id); /* first: after the last batch the sender goes as soon as nothing waits */
  tachy_collector_stop();             /* which may still record what was lost */
  tachy_control_stop();
  TACHY_STORE(&tachy_running, 0);
  tachy_os_on_termination(NULL);
  move(ENDING, ENDED);
}

void tachy_own_stop_recording(void) {
  if (!tachy_own_forking() && end_or_leave(0) == LAST) end_recording();
}

void tachy_own_stop(uint32_t timeout_ms) {
  const uint64_t deadline = tachy_os_monotonic() + (uint64_t)timeout_ms * 1000000u;
  if (tachy_own_forking()) return;
  const end found = end_or_leave(1);
  if (found == OTHERS) return;
  if (found == LAST) end_recording();
  const int ended = move(ENDED, STOPPING);
  /* without a session: what tachy_recover has taken over is left to somebody else */
  if (!ended && !(tachy_recover_holds() && move(IDLE, STOPPING))) return;
  if (ended) tachy_outbox_wait(UINT64_MAX, deadline);
  tachy_outbox_close();
  tachy_recover_let_go();
  tachy_session_file_leave();
  move(STOPPING, IDLE);
}

void tachy_own_get_stats(tachy_stats *out) {
  if (!out) return;
  memset(out, 0, sizeof *out);
  if (tachy_own_forking() || tachy_inside()) return;
  tachy_collector_look();
  tachy_outbox_stats(out);
  out->survives = (uint64_t)tachy_session_file_protects();
  out->threads = tachy_slots_attached();
  out->sites = tachy_registry_site_count();
  out->refused = tachy_registry_refused();
  tachy_control_stats(&out->control_version, &out->control_refused);
  out->frequency = tachy_clock_frequency();
  out->clock = tachy_clock_name();
}

/* What a flush waits for: the number of the last batch, from 1, and above it how many events had been lost before. */
enum { BATCH_BITS = 40 };
#define BATCH_MASK ((UINT64_C(1) << BATCH_BITS) - 1)

uint64_t tachy_own_flush_begin(uint32_t timeout_ms) {
  uint64_t ordinal = 0;
  if (tachy_own_forking()) return 0;
  const uint64_t deadline = tachy_os_monotonic() + (uint64_t)timeout_ms * 1000000u;
  const uint64_t lost = tachy_outbox_lost();
  return tachy_collector_cut(deadline, &ordinal) ? lost << BATCH_BITS | (ordinal + 1) : 0;
}

int tachy_own_flush_wait(uint64_t flush, uint32_t timeout_ms) {
  const uint64_t deadline = tachy_os_monotonic() + (uint64_t)timeout_ms * 1000000u;
  if (flush == 0 || tachy_own_forking()) return 0;
  if (flush == TACHY_FLUSH_ALL) return tachy_outbox_wait(UINT64_MAX, deadline);
  if (!tachy_outbox_wait((flush & BATCH_MASK) - 1, deadline)) return 0;
  return tachy_outbox_lost() << BATCH_BITS == (flush & ~BATCH_MASK) ? 1 : -1;
}

int tachy_own_flush(uint32_t timeout_ms) {
  const uint64_t deadline = tachy_os_monotonic() + (uint64_t)timeout_ms * 1000000u;
  const uint64_t flush = tachy_own_flush_begin(timeout_ms);
  const uint64_t now = tachy_os_monotonic();
  return tachy_own_flush_wait(flush, deadline > now ? (uint32_t)((deadline - now) / 1000000u) : 0) == 1;
}

void tachy_own_set_crash_kind(tachy_crash_kind kind) {
  if (!tachy_own_forking()) tachy_session_file_crash((uint32_t)kind);
}

void tachy_own_set_level(tachy_level level) {
  if (level < TACHY_LEVEL_FATAL || level > TACHY_LEVEL_TRACE || tachy_own_forking() || tachy_inside()) return;
  set_level(level);
}
