/* The public functions: each finds the one recorder of the process, and calls it there.
 *
 * A process may hold several copies of the recorder, in the program and in libraries that link it statically, of one
 * version or of several. At its first use a copy looks through the loaded modules for the others (TACHY_OS_LANDMARK).
 * If one of them records already, it joins that; else the first in the order of loading records from now on, which is
 * the program's own if it has one: plugins come and go. The copy that records is never unloaded. A copy that cannot
 * join, since it would speak to the other in another layout, says so once and records nothing. */
#include <string.h>

#include "../base/entries.h"
#include "../base/inside.h"
#include "../os/os.h"
#include "session.h"
#include "threads/followers.h"

enum { LINE_SIZE = 1024 };

#define MAGIC UINT64_C(0x7970632d79686374) /* "tchy-cpy" */

typedef struct tachy_copy {
  /* the same in all versions, for ever */
  uint64_t magic;
  const char *version;   /* for people */
  const char *functions; /* what follows `here`, as text */
  uint64_t layout;       /* a hash of what copies share beside these */
  uint32_t records;      /* atomic: 1: this one, for the process */
  uint32_t size;
  /* the same in those that can join */
  void (*begin)(void);
  tachy_thread *(*here)(void);
  void (*follow)(tachy_thread **where, tachy_thread *nobody, const void *copy);
  void (*forget)(const void *copy);
  uint32_t (*thread_offset)(void);
#define MEMBER(type, name, parameters, arguments, otherwise) type(*name) parameters;
#define MEMBER_VOID(name, parameters, arguments) void(*name) parameters;
#define MEMBER_SPECIAL(type, name, parameters) type(*name) parameters;
  TACHY_ENTRIES(MEMBER, MEMBER_VOID, MEMBER, MEMBER_VOID, MEMBER_SPECIAL)
} tachy_copy;

/* Whatever the inline halves of several modules read and write together. GENERATION is to be raised when that means
 * something else in the same layout. */
#define GENERATION 2
#define MIX(hash, number) (((hash) ^ (uint64_t)(number)) * UINT64_C(0x100000001b3))
#if defined(TACHY_CLOCK_TSC)
#define CLOCK 1
#elif defined(TACHY_CLOCK_CNTVCT)
#define CLOCK 2
#else
#define CLOCK 3
#endif
#define LAYOUT_OF_THREADS                                                                                     \
  MIX(MIX(MIX(MIX(MIX(UINT64_C(0xcbf29ce484222325), GENERATION * 4 + CLOCK), offsetof(tachy_thread, metric)), \
              offsetof(tachy_thread, log)),                                                                   \
          offsetof(tachy_thread, busy)),                                                                      \
      offsetof(tachy_thread, stack))
#define LAYOUT_OF_RECORDS                                                                                          \
  MIX(MIX(MIX(MIX(LAYOUT_OF_THREADS, sizeof(tachy_writer)), sizeof(tachy_span_record)), sizeof(tachy_log_record)), \
      sizeof(tachy_metric_record))
#define LAYOUT                                                                                             \
  MIX(MIX(MIX(MIX(MIX(LAYOUT_OF_RECORDS, sizeof(tachy_site)), sizeof(tachy_config)), sizeof(tachy_stats)), \
          sizeof(tachy_async)),                                                                            \
      sizeof(tachy_recovery))

static tachy_thread *get_thread(void) { return tachy_here_(); }

static uint32_t get_thread_offset(void) {
#if defined(_WIN32)
  return TACHY_LOAD(&tachy_thread_offset_);
#else
  return 0;
#endif
}

#define TEXT(type, name, parameters, arguments, otherwise) #type " " #name #parameters ";"
#define TEXT_VOID(name, parameters, arguments) #name #parameters ";"
#define TEXT_SPECIAL(type, name, parameters) #type " " #name #parameters ";"
#define OWN(type, name, parameters, arguments, otherwise) tachy_own_##name,
#define OWN_VOID(name, parameters, arguments) tachy_own_##name,
#define OWN_SPECIAL(type, name, parameters) tachy_own_##name,

#ifdef __cplusplus
extern "C" {
#endif
TACHY_OS_LANDMARK_STORAGE tachy_copy tachy_copy_ = {MAGIC,
                                                    TACHY_VERSION,
                                                    TACHY_ENTRIES(TEXT, TEXT_VOID, TEXT, TEXT_VOID, TEXT_SPECIAL),
                                                    LAYOUT,
                                                    0,
                                                    (uint32_t)sizeof(tachy_copy),
                                                    tachy_library_init,
                                                    get_thread,
                                                    tachy_followers_add,
                                                    tachy_followers_forget,
                                                    get_thread_offset,
                                                    TACHY_ENTRIES(OWN, OWN_VOID, OWN, OWN_VOID, OWN_SPECIAL)};
#ifdef __cplusplus
}
#endif
TACHY_OS_LANDMARK(tachy_copy_)

static tachy_copy *joined; /* atomic: the copy that records; NULL: not looked for yet, or not ours to join */
static uint32_t silent;    /* atomic: 1: it was not ours to join */

static int can_join(const tachy_copy *copy) {
  return copy->size == tachy_copy_.size && copy->layout == tachy_copy_.layout &&
         strcmp(copy->functions, tachy_copy_.functions) == 0;
}

typedef struct search {
  tachy_copy *recorder;
  tachy_copy *first; /* that could become it */
} search;

/* 1: that is enough. */
static int look_at(void *context, void *landmark) {
  search *const s = (search *)context;
  tachy_copy *const copy = (tachy_copy *)landmark;
  if (copy->magic != MAGIC) return 0;
  if (TACHY_LOAD_ACQUIRE(&copy->records)) s->recorder = copy;
  if (!s->first && can_join(copy)) s->first = copy;
  return s->recorder != NULL;
}

/* Copies that look at the same time find the same first one: nothing need be agreed between them. */
static tachy_copy *elect(void) {
  for (;;) {
    search s = {NULL, NULL};
    tachy_os_landmarks(look_at, &s);
    if (s.recorder) return s.recorder;
    tachy_copy *const first = s.first ? s.first : &tachy_copy_;
    if (!tachy_os_keep_loaded(first)) continue; /* it has just been unloaded */
    TACHY_STORE_RELEASE(&first->records, 1);
    return first;
  }
}

static size_t put(char line[LINE_SIZE], size_t used, const char *text) {
  while (*text && used < LINE_SIZE - 1) line[used++] = *text++;
  line[used] = 0;
  return used;
}

static void complain(const tachy_copy *other) {
  char line[LINE_SIZE];
  char module[400];
  size_t used = put(line, 0, "the recorder ");
  used = put(line, used, tachy_copy_.version);
  used = put(line, used, " in ");
  tachy_os_module_name(&tachy_copy_, module, sizeof module);
  used = put(line, used, module);
  used = put(line, used, " cannot join ");
  used = put(line, used, other->version);
  used = put(line, used, " in ");
  tachy_os_module_name(other, module, sizeof module);
  used = put(line, used, module);
  put(line, used,
      ", which records for this process: the former records nothing. Build both with one version of tachy.");
  tachy_os_complain(line);
}

static tachy_copy *look(void) {
  tachy_copy *const found = elect();
  if (!can_join(found)) {
    if (TACHY_EXCHANGE(&silent, 1) == 0) complain(found);
    return NULL;
  }
  found->begin();
#if defined(_WIN32)
  TACHY_STORE(&tachy_thread_offset_, found->thread_offset());
#endif
  TACHY_STORE_RELEASE(&joined, found);
  return found;
}

/* A handler that has interrupted its thread here records nothing, nor is that counted: nobody is found to count it. */
static tachy_copy *find(void) {
  if (TACHY_LOAD(&silent) || tachy_inside()) return NULL;
  tachy_inside_begins();
  tachy_copy *const found = look();
  tachy_inside_ends();
  return found;
}

/* NULL: this copy records nothing. */
static inline const tachy_copy *get_recorder(void) {
  const tachy_copy *const found = TACHY_LOAD_ACQUIRE(&joined);
  return TACHY_LIKELY(found != NULL) ? found : find();
}

#if defined(_WIN32)
/* Before the first use of this copy nobody looks for the recorder: the caller takes a slow path anyway. */
tachy_thread *tachy_thread_far_(void) {
  const tachy_copy *const by = TACHY_LOAD_ACQUIRE(&joined);
  return by && by != &tachy_copy_ ? by->here() : tachy_thread_armed();
}

static void follow_thread(const tachy_copy *by) { (void)by; }
#else
static uint32_t unloaded; /* atomic: 1: the module with this copy is going */

/* After an event of a thread that has none here yet. */
static void follow_thread(const tachy_copy *by) {
  tachy_thread *const nobody = (tachy_thread *)(uintptr_t)&tachy_no_thread_;
  if (by == &tachy_copy_ || tachy_this_thread_ != nobody || TACHY_LOAD(&unloaded)) return;
  by->follow(&tachy_this_thread_, nobody, &tachy_copy_);
}

/* Of a library that is unloaded, or of the program when it ends. */
__attribute__((destructor)) static void leave(void) {
  const tachy_copy *const by = TACHY_LOAD_ACQUIRE(&joined);
  TACHY_STORE(&unloaded, 1);
  if (by && by != &tachy_copy_) by->forget(&tachy_copy_);
}
#endif

#define ANSWER(type, name, parameters, arguments, otherwise) \
  type tachy_##name parameters {                             \
    const tachy_copy *const by = get_recorder();             \
    return by ? by->name arguments : otherwise;              \
  }
#define DO(name, parameters, arguments)          \
  void tachy_##name parameters {                 \
    const tachy_copy *const by = get_recorder(); \
    if (by) by->name arguments;                  \
  }
#define RECORD_AND_ANSWER(type, name, parameters, arguments, otherwise) \
  type tachy_##name parameters {                                        \
    const tachy_copy *const by = get_recorder();                        \
    if (!by) return otherwise;                                          \
    const type answer = by->name arguments;                             \
    follow_thread(by);                                                  \
    return answer;                                                      \
  }
#define RECORD(name, parameters, arguments)      \
  void tachy_##name parameters {                 \
    const tachy_copy *const by = get_recorder(); \
    if (!by) return;                             \
    by->name arguments;                          \
    follow_thread(by);                           \
  }
#define BY_HAND(type, name, parameters)
TACHY_ENTRIES(ANSWER, DO, RECORD_AND_ANSWER, RECORD, BY_HAND)

/* Where this copy may not record the site is off for good: its events cost a load and a test. */
int32_t tachy_site_register_(tachy_site *site) {
  const tachy_copy *const by = get_recorder();
  if (by) return by->site_register_(site);
  TACHY_STORE(&site->id, -1);
  return -1;
}

uint32_t tachy_span_begin_rare_(tachy_site *site) {
  const int32_t id = tachy_site_on_(site);
  return id > 0 ? tachy_span_begin_slow_(id) : 0;
}

tachy_async tachy_async_begin(tachy_site *site, const tachy_async *parent) {
  const tachy_copy *const by = get_recorder();
  const tachy_async none = {0, 0, site, 0, 0};
  if (!by) return none;
  const tachy_async span = by->async_begin(site, parent);
  follow_thread(by);
  return span;
}

/* Mostly this copy records, and finds that out without looking into the table. */
TACHY_BESIDE tachy_thread *tachy_log_begin_slow_(int32_t id, uint32_t set, uint32_t types, uint64_t size) {
  const tachy_copy *const by = get_recorder();
  if (TACHY_LIKELY(by == &tachy_copy_)) return tachy_own_log_begin_slow_(id, set, types, size);
  if (!by) return NULL;
  tachy_thread *const thread = by->log_begin_slow_(id, set, types, size);
  follow_thread(by);
  return thread;
}

static void log_slowly(tachy_site *site, uint32_t set, const char *text, size_t size) {
  const tachy_copy *const by = get_recorder();
  if (!by) return;
  by->log_text(site, set, text, size);
  follow_thread(by);
}

/* A text of usual length is written here, as the inline half writes what is in its reach. */
void tachy_log_text(tachy_site *site, uint32_t set, const char *text, size_t size) {
  const int32_t id = TACHY_LOAD(&site->id);
  const uint64_t record_size = sizeof(tachy_log_record) + tachy_log_text_room_(size);
  if (TACHY_UNLIKELY(id <= 0 || size > TACHY_LOG_INLINE_MAX_ || !text)) {
    log_slowly(site, set, text, size);
    return;
  }
  tachy_thread *thread;
  tachy_log_record *const record = tachy_log_begin_(&thread, id, set, TACHY_ARG_TEXT, record_size);
  if (TACHY_UNLIKELY(!record)) return;
  tachy_log_put_text_((uint8_t *)(record + 1), text, (uint32_t)size);
  tachy_log_end_(thread, record_size);
  tachy_log_sends_(site->level);
}

void tachy_get_stats(tachy_stats *stats) {
  const tachy_copy *const by = get_recorder();
  if (by) {
    by->get_stats(stats);
  } else if (stats) {
    memset(stats, 0, sizeof *stats);
  }
}

/* A sender of a copy that may not record has nothing to wait for. */
tachy_batch *tachy_batch_take(uint32_t timeout_ms, int *ended) {
  const tachy_copy *const by = get_recorder();
  if (by) return by->batch_take(timeout_ms, ended);
  if (ended) *ended = 1;
  return NULL;
}
