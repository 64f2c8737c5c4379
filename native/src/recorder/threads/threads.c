/* Thread slots: given to a thread at its first event, taken back by the collector after its end. */
#include "threads.h"

#include <string.h>

#include "../../base/bell.h"
#include "../../base/entries.h"
#include "../../base/forking.h"
#include "../../base/inside.h"
#include "../../base/text.h"
#include "../../os/os.h"
#include "../pool/pool.h"
#include "followers.h"
#include "writer.h"

/* Inside records of all kinds: every event of a thread without a slot takes a slow path. */
const tachy_thread tachy_no_thread_ = {.top = TACHY_TOP_UNKNOWN_, .busy = 1};
static TACHY_THREAD_LOCAL char given_name[TACHY_THREAD_NAME_MAX];

/* Slots that lie ready for new threads. */
enum { READY = 16 };

/* A name is a file of the system's, and 3 us: beyond a few threads each is asked for again when so much time has passed
 * for every one of them. */
enum { FEW_NAMES = 16, NAME_NS = 1000000 };

uint32_t tachy_running;

static tachy_os_mutex mutex = TACHY_OS_MUTEX_INIT;
static tachy_slot *first_slot;
static uint32_t last_number;
static tachy_slot *free_slots;
static uint64_t free_count;
static uint64_t attached; /* in this session */
static uint64_t ended;    /* atomic */

/* What a thread arms itself with is its tachy_thread, or NULL: on Windows that is also how it is found. */
#if defined(_WIN32)
uint32_t tachy_thread_offset_;

tachy_thread *tachy_thread_armed(void) {
  tachy_thread *const thread = tachy_os_armed();
  return thread ? thread : (tachy_thread *)(uintptr_t)&tachy_no_thread_;
}

static int stand_at(tachy_slot *slot) { return tachy_os_arm_thread_exit(slot ? &slot->thread : NULL); }
#else
TACHY_THREAD_LOCAL tachy_thread *tachy_this_thread_ = (tachy_thread *)(uintptr_t)&tachy_no_thread_;

static int stand_at(tachy_slot *slot) {
  if (!tachy_os_arm_thread_exit(slot ? &slot->thread : NULL)) return 0;
  tachy_this_thread_ = slot ? &slot->thread : (tachy_thread *)(uintptr_t)&tachy_no_thread_;
  tachy_followers_stand();
  return 1;
}
#endif

/* The forking thread records nothing meanwhile: its slot is not mapped in the child, and others' handlers run there
 * before ours. */
static TACHY_THREAD_LOCAL tachy_slot *forking_slot;

void tachy_threads_fork_begins(void) {
  forking_slot = tachy_slot_here();
  if (forking_slot) stand_at(NULL);
}

void tachy_threads_fork_ends(void) {
  if (forking_slot) stand_at(forking_slot);
}

void tachy_threads_lock(void) { tachy_inside_lock(&mutex); }
void tachy_threads_unlock(void) { tachy_inside_unlock(&mutex); }

static uint64_t to_pages(uint64_t size) {
  const uint64_t page = tachy_os_page_size();
  return (size + page - 1) / page * page;
}

/* Under the lock: a new one, of the pool or, when that has no more, on its own. NULL: no memory. */
static tachy_slot *make_slot(void) {
  tachy_slot *slot = tachy_pool_slot();
  if (!slot) slot = (tachy_slot *)tachy_os_map(sizeof *slot);
  if (!slot) return NULL;
  const uint64_t backed = TACHY_SLOT_BACKED - offsetof(tachy_slot, thread.stack);
  slot->thread.room = TACHY_TOP_OF_(backed / sizeof(tachy_open_span));
  slot->thread.top = TACHY_INSIDE_ | TACHY_TOP_NONE_;
  slot->thread.busy = 1;
  slot->next = first_slot;
  TACHY_STORE_RELEASE(&first_slot, slot);
  return slot;
}

int tachy_slot_deepen(tachy_slot *slot) {
  tachy_thread *const thread = &slot->thread;
  if (thread->room >= TACHY_TOP_MAX_) return 0;
  void *const memory = tachy_span_entry_(thread, thread->room) + 1;
  uint32_t room = thread->room + TACHY_SLOT_STEP;
  if (room > TACHY_TOP_MAX_) room = TACHY_TOP_MAX_;
  if (!tachy_pool_back_slot(slot, memory, to_pages(room - thread->room))) return 0;
  thread->room = room;
  return 1;
}

/* Under the lock. NULL: no memory. */
static tachy_slot *free_slot(void) {
  tachy_slot *const slot = free_slots;
  if (!slot) return make_slot();
  free_slots = slot->next_free;
  free_count--;
  return slot;
}

static void put_back(tachy_slot *slot) {
  if (!tachy_pool_has_slot(slot)) return;
  slot->next_free = free_slots;
  free_slots = slot;
  free_count++;
}

/* Under the lock: a free slot becomes somebody's, who is inside a record, as nobody was. */
static void take_slot(tachy_slot *slot, const char *name, int named, uint64_t os_id) {
  slot->thread.number = ++last_number;
  TACHY_STORE(&slot->thread.top, TACHY_INSIDE_ | TACHY_TOP_NONE_);
  slot->thread.frame_ticks = 0;
  slot->async_count = 0;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    tachy_writer_back *const back = &slot->back[cls];
    *tachy_slot_writer(slot, (tachy_class)cls) = (tachy_writer){0, 0, 0};
    TACHY_ASSERT(slot->sources[cls] == NULL);
    back->chunk = back->lost = slot->begin[cls] = slot->lost_before[cls] = 0;
    back->lost_depth = TACHY_NO_DEPTH;
    TACHY_STORE(&slot->first[cls], 0);
  }
  slot->missed_before = tachy_slot_missed(slot);
  slot->os_id = os_id;
  slot->name_read = 0;
  memcpy(slot->name, name, sizeof slot->name);
  slot->named = (uint32_t)named;
  attached++;
  TACHY_STORE_RELEASE(&slot->state, TACHY_SLOT_LIVE);
}

static tachy_slot *attach(void) {
  char name[TACHY_THREAD_NAME_MAX];
  memcpy(name, given_name, sizeof name);
  if (name[0] == 0) tachy_os_thread_name(name, sizeof name);
  tachy_threads_lock();
  tachy_slot *slot = free_slot();
  if (slot && !stand_at(slot)) {
    put_back(slot);
    slot = NULL;
  }
  if (slot) take_slot(slot, name, given_name[0] != 0, tachy_os_thread_id());
  const int few = free_count < READY / 2;
  tachy_threads_unlock();
  if (few) tachy_bell_ring();
  return slot;
}

static int is_inside(const tachy_thread *thread) {
  return tachy_inside() || (thread != &tachy_no_thread_ && (thread->top > TACHY_TOP_MAX_ || TACHY_LOAD(&thread->busy)));
}

/* Nothing of the slot is read before all three are set. */
static void begin_records(tachy_thread *thread) {
  tachy_inside_begins();
  if (thread == &tachy_no_thread_) return;
  TACHY_STORE(&thread->busy, 1);
  tachy_span_enter_(thread);
}

TACHY_BESIDE tachy_slot *tachy_slot_enter(unsigned cls) {
  if (TACHY_UNLIKELY(tachy_is_forking() || !TACHY_LOAD(&tachy_running))) return NULL;
  tachy_thread *const thread = tachy_here_();
  if (TACHY_UNLIKELY(is_inside(thread))) {
    if (cls < TACHY_CLASSES) tachy_inside_drop(cls);
    return NULL;
  }
  begin_records(thread);
  /* a handler may have given the thread its slot just before */
  tachy_slot *slot = tachy_slot_here();
  if (TACHY_UNLIKELY(thread == &tachy_no_thread_)) {
    if (slot) {
      tachy_inside_ends();
      return tachy_slot_enter(cls);
    }
    slot = attach();
    if (!slot) tachy_inside_ends();
  }
  return slot;
}

TACHY_BESIDE void tachy_slot_leave_to_row(tachy_slot *slot) {
  tachy_thread *const thread = &slot->thread;
  TACHY_STORE_RELEASE(&thread->top, TACHY_TOP_OF_(tachy_depth_of(thread)));
  tachy_inside_ends();
}

TACHY_BESIDE void tachy_slot_leave(tachy_slot *slot) {
  tachy_slot_leave_to_row(slot);
  tachy_row_leave_(&slot->thread);
}

tachy_slot *tachy_slot_stand_in(const char *name) {
  char text[TACHY_THREAD_NAME_MAX] = {0};
  memcpy(text, name, strlen(name));
  tachy_threads_lock();
  tachy_slot *slot = free_slot();
  if (slot) take_slot(slot, text, 1, 0);
  tachy_threads_unlock();
  return slot;
}

/* The thread's end. What it left open ends now. Its thread-local variables may be gone already. */
static void leave(void *value) {
  tachy_thread *const thread = value;
  tachy_slot *const slot = tachy_slot_of(thread);
  begin_records(thread); /* and does not leave them: whatever comes later on this thread attaches anew */
  if (TACHY_LOAD(&tachy_running)) tachy_spans_unwind(slot, 0);
  char name[TACHY_THREAD_NAME_MAX] = {0};
  tachy_os_thread_name(name, sizeof name);
  tachy_threads_lock();
  if (name[0] && !slot->named) memcpy(slot->name, name, sizeof name);
  stand_at(NULL);
  tachy_followers_end();
  slot->ended = tachy_ticks();
  TACHY_STORE_RELEASE(&slot->state, TACHY_SLOT_EXITED);
  const uint64_t count = ended + 1;
  TACHY_STORE(&ended, count);
  tachy_threads_unlock();
  tachy_inside_ends();
  if (count % TACHY_ENDS_RING == 0) tachy_bell_ring();
}

void tachy_own_set_thread_name(const char *name) {
  char text[TACHY_THREAD_NAME_MAX] = {0};
  if (name) {
    const tachy_fit fit = tachy_text_fit(name, strlen(name), sizeof text - 1);
    tachy_text_put(text, name, &fit);
  }
  if (tachy_inside()) return;
  memcpy(given_name, text, sizeof text);
  tachy_slot *const slot = tachy_slot_here();
  if (!slot || tachy_own_forking()) return;
  tachy_threads_lock();
  memcpy(slot->name, text, sizeof text);
  slot->named = text[0] != 0;
  tachy_threads_unlock();
}

void tachy_slot_read_name(tachy_slot *slot, uint64_t threads) {
  const uint64_t now = tachy_os_monotonic();
  if (slot->name_read && threads > FEW_NAMES && now - slot->name_read < threads * NAME_NS) return;
  slot->name_read = now;
  tachy_threads_lock(); /* a thread does not end while we have it: the number is still its own */
  if (TACHY_LOAD(&slot->state) == TACHY_SLOT_LIVE && !slot->named) {
    tachy_os_thread_name_of(slot->os_id, slot->name, sizeof slot->name);
  }
  tachy_threads_unlock();
}

uint32_t tachy_slot_name(tachy_slot *slot, char *name) {
  tachy_threads_lock();
  memcpy(name, slot->name, TACHY_THREAD_NAME_MAX);
  tachy_threads_unlock();
  const uint32_t size = (uint32_t)strlen(name);
  tachy_text_clean((uint8_t *)name, size);
  return size;
}

tachy_slot *tachy_slots_first(void) { return TACHY_LOAD_ACQUIRE(&first_slot); }

void tachy_slot_free(tachy_slot *slot) {
  tachy_threads_lock();
  TACHY_ASSERT(slot->state == TACHY_SLOT_READ);
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    uint64_t size;
    TACHY_STORE(&tachy_slot_own(slot, (tachy_class)cls, &size)->owner, 0);
  }
  TACHY_STORE(&ended, ended - 1);
  TACHY_STORE_RELEASE(&slot->state, TACHY_SLOT_FREE);
  put_back(slot);
  tachy_threads_unlock();
}

void tachy_slots_tend(void) {
  for (int more = 1; more;) {
    tachy_threads_lock(); /* for each anew: a thread may be waiting for its first event */
    tachy_slot *const slot = free_count < READY ? make_slot() : NULL;
    if (slot) put_back(slot);
    more = slot != NULL;
    tachy_threads_unlock();
  }
}

uint64_t tachy_slots_ended(void) { return TACHY_LOAD(&ended); }

uint64_t tachy_slots_attached(void) {
  tachy_threads_lock();
  const uint64_t count = attached;
  tachy_threads_unlock();
  return count;
}

void tachy_slots_begin_session(void) {
  tachy_threads_lock();
  if (free_slots && !tachy_pool_has_slot(free_slots)) {
    free_slots = NULL;
    free_count = 0;
  }
  attached = 0;
  for (const tachy_slot *slot = first_slot; slot; slot = slot->next) {
    attached += TACHY_LOAD(&slot->state) != TACHY_SLOT_FREE;
  }
  tachy_threads_unlock();
}

int tachy_threads_init(void) {
  const int ok = tachy_os_on_thread_exit(leave);
#if defined(_WIN32)
  TACHY_STORE(&tachy_thread_offset_, tachy_os_armed_offset());
#endif
  return ok;
}

void tachy_threads_after_fork(void) {
  forking_slot = NULL;
  tachy_os_mutex_init(&mutex);
  TACHY_STORE(&tachy_running, 0);
  first_slot = free_slots = NULL; /* those in the session file are not mapped here, and the others are of no more use */
  free_count = 0;
  TACHY_STORE(&ended, 0);
}
