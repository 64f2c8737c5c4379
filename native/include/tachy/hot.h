/* The hot path: what runs in the game's threads, inline. Included by tachy.h.
 *
 * The rule of this file: no lock, no read-modify-write atomic, no allocation, no system call, no string work.
 * Everything rare is a call of a function that ends in an underscore and lives in src/recorder. What to run after a
 * change: make bench-native.
 *
 * A signal handler may record anywhere in here. It runs to its end between two instructions of the thread, so whatever
 * it does is nested. While the thread is inside a record it says so, by the highest byte of its top (spans) or by
 * `busy` (metrics, logs), and a handler's events are dropped and counted. Before that the thread holds nothing but its
 * top, which a handler leaves as it was, or the end of a span, to which the collector raises that of what ended later
 * inside it: where a record goes, and when a span begins, is read after. The last store of a record takes the word
 * back; a handler that comes later finds all of it there. Slow paths say both, for all that they do.
 *
 * A thread that has never recorded points to tachy_no_thread_, which is inside a record for ever: the tests that every
 * event needs anyway (too deep? inside?) also find out that there is no thread yet.
 */
#ifndef TACHY_HOT_H
#define TACHY_HOT_H

#include <string.h>

#include "compiler.h"
#include "tachy.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In a top, beside it or its inverse: the thread is inside a record of spans. The highest byte, which is stored alone.
 */
#define TACHY_INSIDE_ UINT32_C(0xFF000000)

/* Where the thread writes events of one class. Byte n of its stream, while n < limit, lies at origin + n. */
typedef struct tachy_writer {
  uint64_t head;    /* written by the thread (release), read by the collector */
  uint64_t limit;   /* the thread's: the end of the chunk that it fills */
  uintptr_t origin; /* the thread's: so that byte `head` lies where the chunk has room */
} tachy_writer;

typedef struct tachy_thread {
  uint32_t top;  /* scope of the innermost open span, and perhaps TACHY_INSIDE_; written by the thread */
  uint32_t room; /* the largest top that the stack has memory for; at most TACHY_TOP_MAX_ */
  tachy_writer span;
  tachy_writer metric;
  uint64_t frame_ticks; /* of the thread's last frame mark, or 0 */
  /* from here on another cache line: a span touches none but the first, a log none but this one */
  tachy_writer log;
  uint8_t busy; /* 1: it is inside a record of a metric or a log */
  uint8_t zeros[3];
  uint32_t number;
  uint8_t more_zeros[32];
  tachy_open_span stack[TACHY_DEPTH_MAX];
} tachy_thread;

/* A scope is where in its thread the span's entry lies, in bytes: an x86 address needs nothing else. The two that no
 * span lies at: without one, and of a thread that is not known. */
#define TACHY_TOP_NONE_ ((uint32_t)(offsetof(tachy_thread, stack) - sizeof(tachy_open_span)))
#define TACHY_TOP_UNKNOWN_ UINT32_C(0x80000000)
#define TACHY_TOP_MAX_ TACHY_TOP_OF_(TACHY_DEPTH_MAX)
/* With so many open spans; and how many there are. */
#define TACHY_TOP_OF_(depth) (TACHY_TOP_NONE_ + (uint32_t)(depth) * (uint32_t)sizeof(tachy_open_span))
#define TACHY_DEPTH_AT_(top) (((uint32_t)(top)-TACHY_TOP_NONE_) / (uint32_t)sizeof(tachy_open_span))

TACHY_STATIC_ASSERT(offsetof(tachy_thread, log) == 64 && offsetof(tachy_thread, stack) == 128,
                    "two cache lines before the stack");
TACHY_STATIC_ASSERT(sizeof(tachy_span_record) == 16 && sizeof(tachy_long_record) % 16 == 0 &&
                        sizeof(tachy_async_record) % 16 == 0 && sizeof(tachy_value_record) == 16,
                    "what is left of a chunk of spans is nothing or room for a span");

TACHY_EXPORT const tachy_thread tachy_no_thread_;
#if defined(_WIN32)
/* A DLL cannot export a thread-local variable. So the pointer lies in a slot of TlsAlloc; `offset` is that of the slot
 * in the thread's own block (TEB), or 0 when the slot is none of the 64 there, or the recorder has not started yet. */
TACHY_EXPORT uint32_t tachy_thread_offset_;
TACHY_EXPORT tachy_thread *tachy_thread_far_(void);
#else
TACHY_EXPORT TACHY_THREAD_LOCAL tachy_thread *tachy_this_thread_;
#endif

TACHY_EXPORT int32_t tachy_site_register_(tachy_site *site);
TACHY_EXPORT TACHY_RARE uint32_t tachy_span_begin_rare_(tachy_site *site); /* a scope */
TACHY_EXPORT TACHY_RARE uint32_t tachy_span_begin_slow_(int32_t id);
TACHY_EXPORT TACHY_RARE void tachy_span_close_slow_(tachy_thread *thread, uint32_t scope, uint64_t now);
TACHY_EXPORT TACHY_RARE void tachy_span_end_rare_(int32_t scope);
TACHY_EXPORT TACHY_RARE void tachy_span_value_slow_(tachy_scope scope, int32_t id, uint32_t type, uint64_t bits);
TACHY_EXPORT void tachy_async_value_(tachy_async *span, tachy_site *site, uint32_t type, uint64_t bits);
TACHY_EXPORT void tachy_metric_slow_(int32_t id, uint32_t set, uint64_t value);
TACHY_EXPORT void tachy_metric_beyond_(tachy_site *site, uint32_t set, double value);
TACHY_EXPORT void tachy_frame_slow_(int32_t id);
TACHY_EXPORT tachy_thread *tachy_log_begin_slow_(int32_t id, uint32_t set, uint32_t types, uint64_t size);
TACHY_EXPORT TACHY_RARE void tachy_log_urges_(void);
TACHY_EXPORT uint64_t tachy_os_ticks_(void);

/* The calling thread, or tachy_no_thread_. */
TACHY_INLINE tachy_thread *tachy_here_(void) {
#if !defined(_WIN32)
  return tachy_this_thread_;
#elif defined(__x86_64__) || (defined(_M_X64) && !defined(_M_ARM64EC))
  const uint32_t offset = TACHY_LOAD(&tachy_thread_offset_);
  if (TACHY_UNLIKELY(offset == 0)) return tachy_thread_far_();
#if defined(_MSC_VER) && !defined(__clang__)
  tachy_thread *const thread = (tachy_thread *)(uintptr_t)__readgsqword(offset);
#else
  tachy_thread *thread;
  __asm__ volatile("movq %%gs:(%1), %0" : "=r"(thread) : "r"((uint64_t)offset));
#endif
  return TACHY_LIKELY(thread != NULL) ? thread : (tachy_thread *)(uintptr_t)&tachy_no_thread_;
#else
  return tachy_thread_far_();
#endif
}

/* The clock: 9.7 ns for rdtsc on a 2.6 GHz Zen 5 guest, which is nearly the whole price of an event. */
TACHY_INLINE uint64_t tachy_ticks(void) {
#if defined(TACHY_CLOCK_TSC) && defined(_MSC_VER) && !defined(__clang__)
  return __rdtsc();
#elif defined(TACHY_CLOCK_TSC)
  return __builtin_ia32_rdtsc();
#elif defined(TACHY_CLOCK_CNTVCT)
  uint64_t ticks;
  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
  return ticks;
#else
  return tachy_os_ticks_();
#endif
}

/* The site's number if it is on, else <= 0. Off: one load, one test. */
TACHY_INLINE int32_t tachy_site_on_(tachy_site *site) {
  const int32_t id = TACHY_LOAD(&site->id);
  if (TACHY_UNLIKELY(id <= 0)) return id == 0 ? tachy_site_register_(site) : -1; /* the caller's own test falls away */
  return id;
}

/* Whether an event of this site would be recorded: ask before computing costly arguments. */
TACHY_INLINE int tachy_enabled(tachy_site *site) { return tachy_site_on_(site) > 0; }

/* Spans ---------------------------------------------------------------------------------------------------------- */

/* How deep the span lies, as it stands in records. */
TACHY_INLINE uint32_t tachy_depth_word_(uint32_t scope) {
  return (scope - TACHY_TOP_OF_(1)) << (TACHY_DEPTH_SHIFT - 4);
}

/* Begins a record of spans: the top has TACHY_INSIDE_ too until the end, which stores it anew. */
TACHY_INLINE void tachy_span_enter_(tachy_thread *thread) {
  TACHY_STORE((uint8_t *)&thread->top + 3, 0xFF);
  TACHY_SIGNAL_FENCE();
}

TACHY_INLINE tachy_open_span *tachy_span_entry_(tachy_thread *thread, uint32_t scope) {
  return (tachy_open_span *)(void *)((uint8_t *)thread + scope);
}

/* The span of an entry, and the end of a record of spans: after tachy_span_enter_. */
TACHY_INLINE void tachy_span_open_(tachy_thread *thread, uint32_t scope, int32_t id, uint64_t now) {
  tachy_open_span *const entry = tachy_span_entry_(thread, scope);
  /* release: whoever sees the new entry also sees the record that ended the old one */
  TACHY_STORE_RELEASE(&entry->site, (uint32_t)id);
  TACHY_STORE_RELEASE(&entry->begin, now);
  TACHY_STORE_RELEASE(&thread->top, scope);
}

/* The record of entry's span, after tachy_span_enter_. 0: there is no room, nothing is written. */
TACHY_INLINE int tachy_span_write_(tachy_thread *thread, uint32_t scope, const tachy_open_span *entry,
                                   uint32_t duration) {
  const uint64_t head = thread->span.head;
  if (TACHY_UNLIKELY(thread->span.limit == head)) return 0;
  tachy_span_record *const record = (tachy_span_record *)(thread->span.origin + (uintptr_t)head);
  record->begin = entry->begin;
  record->duration = duration;
  record->word = tachy_depth_word_(scope) | entry->site;
  TACHY_STORE_RELEASE(&thread->span.head, head + sizeof(tachy_span_record));
  return 1;
}

/* The record of the span, and nothing else: tachy_span_enter_ comes before, and the caller sets the top. */
TACHY_INLINE void tachy_span_close_(tachy_thread *thread, uint32_t scope, uint64_t now) {
  const tachy_open_span *const entry = tachy_span_entry_(thread, scope);
  const uint64_t duration = now - entry->begin;
  if (TACHY_UNLIKELY(duration >> 32 != 0) || !tachy_span_write_(thread, scope, entry, (uint32_t)duration)) {
    tachy_span_close_slow_(thread, scope, now);
  }
}

#if defined(TACHY_GOTO)
#include "hot_x86_64.h"
#else

/* Ticks since entry->begin, modulo 2^32; *is_long: they are as many or more. x86 has the reading in two halves, which
 * need not be put together: three instructions instead of six. */
TACHY_INLINE uint32_t tachy_elapsed_(const tachy_open_span *entry, int *is_long) {
#if defined(TACHY_TWO_HALVES)
  const tachy_half *const half = (const tachy_half *)&entry->begin;
  uint32_t low, high;
  __asm__ volatile("rdtsc\n\tsub{l %3, %0| %0, %3}\n\tsbb{l %4, %1| %1, %4}"
                   : "=&a"(low), "=&d"(high), "=@ccnz"(*is_long)
                   : "m"(half[0]), "m"(half[1]));
  return low;
#else
  const uint64_t elapsed = tachy_ticks() - entry->begin;
  *is_long = elapsed >> 32 != 0;
  return (uint32_t)elapsed;
#endif
}

/* What is rare is a jump: nothing lives across a call. A site that is off has a negative number, and so has its scope.
 */
TACHY_INLINE tachy_scope tachy_span_begin(tachy_site *site) {
  const int32_t id = TACHY_LOAD(&site->id);
  if (TACHY_UNLIKELY(id <= 0)) return id == 0 ? tachy_span_begin_rare_(site) : (uint32_t)id;
  tachy_thread *const thread = tachy_here_();
  const uint32_t top = thread->top;
  if (TACHY_UNLIKELY(top >= thread->room)) return tachy_span_begin_rare_(site);
  tachy_span_enter_(thread);
  const tachy_scope scope = (tachy_scope)top + sizeof(tachy_open_span);
  tachy_span_open_(thread, (uint32_t)scope, id, tachy_ticks());
  return scope;
}

/* Scopes end in the reverse order of their begins, on the thread that began them. What breaks the rule is repaired and
 * counted. */
TACHY_INLINE void tachy_span_end(tachy_scope scope) {
  if (TACHY_UNLIKELY((int32_t)scope <= 0)) return;
  tachy_thread *const thread = tachy_here_();
  const uint32_t top = (uint32_t)scope;
  if (TACHY_LIKELY(thread->top == top)) {
    const tachy_open_span *const entry = tachy_span_entry_(thread, top);
    int is_long;
    const uint32_t duration = tachy_elapsed_(entry, &is_long);
    if (TACHY_LIKELY(!is_long)) {
      tachy_span_enter_(thread); /* not before the clock has been read: half a nanosecond more */
      if (tachy_span_write_(thread, top, entry, duration)) {
        TACHY_STORE_RELEASE(&thread->top, top - (uint32_t)sizeof(tachy_open_span));
        return;
      }
    }
  }
  tachy_span_end_rare_((int32_t)scope); /* once in the code, for all that is rare */
}
#endif

/* Ends one span and begins the next, with one reading of the clock: for the phases of a frame. */
TACHY_INLINE tachy_scope tachy_phase_next(tachy_scope scope, tachy_site *site) {
  const int32_t id = tachy_site_on_(site);
  tachy_thread *const thread = tachy_here_();
  if (TACHY_UNLIKELY((int32_t)scope <= 0 || id <= 0 || thread->top != (uint32_t)scope)) {
    tachy_span_end(scope);
    return id > 0 ? tachy_span_begin(site) : 0;
  }
  tachy_span_enter_(thread);
  const uint64_t now = tachy_ticks();
  tachy_span_close_(thread, (uint32_t)scope, now);
  tachy_span_open_(thread, (uint32_t)scope, id, now);
  return scope;
}

/* Values on spans: see tachy.h. Two tests and no clock, 1 ns; 16 bytes in the thread's chunk, before the span's. */

/* The innermost open span of the thread, as its begin returned it; where there is none, what takes no values. */
TACHY_INLINE tachy_scope tachy_span_innermost(void) {
  const uint32_t top = tachy_here_()->top;
  return top == TACHY_TOP_NONE_ ? 0 : top;
}

TACHY_INLINE void tachy_span_value_bits_(tachy_scope scope, tachy_site *site, uint32_t type, uint64_t bits) {
  const int32_t id = tachy_site_on_(site);
  if (id <= 0) return;
  tachy_thread *const thread = tachy_here_();
  const uint32_t top = thread->top;
  /* no span, or it has ended */
  if (TACHY_UNLIKELY((uint32_t)scope - TACHY_TOP_OF_(1) >= top - TACHY_TOP_NONE_)) return;
  if (TACHY_UNLIKELY(top > TACHY_TOP_MAX_)) {
    tachy_span_value_slow_(scope, id, type, bits);
    return;
  }
  tachy_span_enter_(thread);
  const uint64_t head = thread->span.head;
  if (TACHY_UNLIKELY(thread->span.limit == head)) {
    TACHY_STORE_RELEASE(&thread->top, top);
    tachy_span_value_slow_(scope, id, type, bits);
    return;
  }
  tachy_value_record *const record = (tachy_value_record *)(thread->span.origin + (uintptr_t)head);
  record->control = (TACHY_CONTROL_VALUE | (uint64_t)type << 32) | (tachy_depth_word_((uint32_t)scope) | (uint32_t)id);
  record->bits = bits;
  TACHY_STORE_RELEASE(&thread->span.head, head + sizeof(tachy_value_record));
  TACHY_STORE_RELEASE(&thread->top, top);
}

TACHY_INLINE void tachy_span_value_int(tachy_scope scope, tachy_site *site, int64_t value) {
  tachy_span_value_bits_(scope, site, TACHY_VALUE_I64, (uint64_t)value);
}

TACHY_INLINE void tachy_span_value_unsigned(tachy_scope scope, tachy_site *site, uint64_t value) {
  tachy_span_value_bits_(scope, site, TACHY_VALUE_U64, value);
}

TACHY_INLINE void tachy_span_value_bool(tachy_scope scope, tachy_site *site, int value) {
  tachy_span_value_bits_(scope, site, TACHY_VALUE_BOOL, value != 0);
}

TACHY_INLINE uint64_t tachy_bits_of_(double value) {
  union {
    double value;
    uint64_t bits;
  } word;
  word.value = value;
  return word.bits;
}

TACHY_INLINE void tachy_span_value_float(tachy_scope scope, tachy_site *site, double value) {
  tachy_span_value_bits_(scope, site, TACHY_VALUE_F64, tachy_bits_of_(value));
}

TACHY_INLINE void tachy_span_flow(tachy_scope scope, tachy_site *site, uint64_t flow) {
  tachy_span_value_bits_(scope, site, TACHY_VALUE_FLOW, flow);
}

TACHY_INLINE void tachy_async_value_int(tachy_async *span, tachy_site *site, int64_t value) {
  tachy_async_value_(span, site, TACHY_VALUE_I64, (uint64_t)value);
}

TACHY_INLINE void tachy_async_value_unsigned(tachy_async *span, tachy_site *site, uint64_t value) {
  tachy_async_value_(span, site, TACHY_VALUE_U64, value);
}

TACHY_INLINE void tachy_async_value_bool(tachy_async *span, tachy_site *site, int value) {
  tachy_async_value_(span, site, TACHY_VALUE_BOOL, value != 0);
}

TACHY_INLINE void tachy_async_value_float(tachy_async *span, tachy_site *site, double value) {
  tachy_async_value_(span, site, TACHY_VALUE_F64, tachy_bits_of_(value));
}

TACHY_INLINE void tachy_async_flow(tachy_async *span, tachy_site *site, uint64_t flow) {
  tachy_async_value_(span, site, TACHY_VALUE_FLOW, flow);
}

/* Metrics -------------------------------------------------------------------------------------------------------- */

/* Begins a record of a metric or a log. 0: the thread is inside one, or is not known yet. */
TACHY_INLINE int tachy_row_enter_(tachy_thread *thread) {
  if (TACHY_UNLIKELY(thread->busy != 0)) return 0;
  *(volatile uint8_t *)&thread->busy = 1; /* a TACHY_STORE would have its address kept for what ends the record */
  TACHY_SIGNAL_FENCE();
  return 1;
}

TACHY_INLINE void tachy_row_leave_(tachy_thread *thread) { TACHY_STORE_RELEASE(&thread->busy, 0); }

/* Between these two. 0: there is no room, nothing is written. */
TACHY_INLINE int tachy_metric_write_(tachy_thread *thread, int32_t id, uint32_t set, uint64_t ticks, uint64_t value) {
  const uint64_t head = thread->metric.head;
  if (TACHY_UNLIKELY(thread->metric.limit - head < sizeof(tachy_metric_record))) return 0;
  tachy_metric_record *const record = (tachy_metric_record *)(thread->metric.origin + (uintptr_t)head);
  record->ticks = ticks;
  record->value = value;
  record->site = (uint32_t)id;
  record->set = set;
  TACHY_STORE_RELEASE(&thread->metric.head, head + sizeof(tachy_metric_record));
  return 1;
}

TACHY_INLINE void tachy_metric_bits_(int32_t id, uint32_t set, uint64_t value) {
  tachy_thread *const thread = tachy_here_();
  if (TACHY_LIKELY(tachy_row_enter_(thread))) {
    const int written = tachy_metric_write_(thread, id, set, tachy_ticks(), value);
    tachy_row_leave_(thread);
    if (TACHY_LIKELY(written)) return;
  }
  tachy_metric_slow_(id, set, value);
}

/* set: from tachy_property_set, or 0. */
TACHY_INLINE void tachy_metric_int(tachy_site *site, uint32_t set, int64_t value) {
  const int32_t id = tachy_site_on_(site);
  if (id > 0) tachy_metric_bits_(id, set, (uint64_t)value);
}

TACHY_INLINE void tachy_metric_float(tachy_site *site, uint32_t set, double value) {
  const int32_t id = tachy_site_on_(site);
  if (id > 0) tachy_metric_bits_(id, set, tachy_bits_of_(value));
}

/* The same for a number that may be too large for int64: from 2^63 on it is recorded as a double, as a float metric
 * with the site's description. */
TACHY_INLINE void tachy_metric_unsigned(tachy_site *site, uint32_t set, uint64_t value) {
  if (TACHY_LIKELY(value >> 63 == 0)) {
    tachy_metric_int(site, set, (int64_t)value);
  } else {
    tachy_metric_beyond_(site, set, (double)value);
  }
}

/* The end of a frame: a metric whose value is the ticks since the thread's last frame mark (SQL shows seconds). The
 * first one only starts the count. */
TACHY_INLINE void tachy_frame_mark(tachy_site *site) {
  const int32_t id = tachy_site_on_(site);
  if (id <= 0) return;
  tachy_thread *const thread = tachy_here_();
  if (TACHY_LIKELY(thread->frame_ticks != 0 && tachy_row_enter_(thread))) {
    const uint64_t now = tachy_ticks();
    const int written = tachy_metric_write_(thread, id, 0, now, now - thread->frame_ticks);
    if (TACHY_LIKELY(written)) thread->frame_ticks = now;
    tachy_row_leave_(thread);
    if (TACHY_LIKELY(written)) return;
  }
  tachy_frame_slow_(id);
}

/* Logs ----------------------------------------------------------------------------------------------------------- */

/* A log of at most so many bytes may be written inline: no text of it can be one that must be cut. */
enum { TACHY_LOG_INLINE_MAX_ = 1024 };

/* Begins the record of a log of `size` bytes, at most TACHY_LOG_INLINE_MAX_, and reads its clock. The arguments go
 * behind it, and then tachy_log_end_ is told *thread. NULL: the log is lost, and counted. Where there is no room the
 * next chunk is begun out of line, and nothing but that: once in a thousand logs, so that nothing of it lies in a
 * cache. */
TACHY_INLINE tachy_log_record *tachy_log_begin_(tachy_thread **where, int32_t id, uint32_t set, uint32_t types,
                                                uint64_t size) {
  tachy_thread *thread = tachy_here_();
  *where = thread;
  if (TACHY_LIKELY(tachy_row_enter_(thread))) {
    const uint64_t head = thread->log.head;
    if (TACHY_LIKELY(thread->log.limit - head >= size)) {
      tachy_log_record *const record = (tachy_log_record *)(thread->log.origin + (uintptr_t)head);
      record->ticks = tachy_ticks();
      record->site = (uint32_t)id;
      record->set = set;
      record->size = (uint32_t)size;
      record->types = types;
      return record;
    }
    tachy_row_leave_(thread);
  }
  *where = thread = tachy_log_begin_slow_(id, set, types, size);
  return thread ? (tachy_log_record *)(thread->log.origin + (uintptr_t)thread->log.head) : NULL;
}

TACHY_INLINE void tachy_log_end_(tachy_thread *thread, uint64_t size) {
  TACHY_STORE_RELEASE(&thread->log.head, thread->log.head + size);
  tachy_row_leave_(thread);
}

/* After the end of a log: those that are to be sent at once (tachy_config.flush_ms) wake the collector. */
TACHY_INLINE void tachy_log_sends_(unsigned level) {
  if (TACHY_UNLIKELY(level - TACHY_LEVEL_FATAL <= TACHY_LEVEL_WARN - TACHY_LEVEL_FATAL)) tachy_log_urges_();
}

/* The bytes that a text takes in a record: its size, itself, zeros up to 8. */
TACHY_INLINE uint64_t tachy_log_text_room_(uint64_t size) { return (sizeof(uint32_t) + size + 7) & ~UINT64_C(7); }

/* Writes it; returns where the next argument goes. Most texts are short, and are copied without a call: two pieces that
 * overlap. */
TACHY_INLINE uint8_t *tachy_log_put_text_(uint8_t *at, const char *text, uint32_t size) {
  uint8_t *const end = at + tachy_log_text_room_(size);
  memset(end - 8, 0, 8);
  memcpy(at, &size, sizeof size);
  at += sizeof size;
  if (TACHY_LIKELY(size - 16u <= 16u)) {
    memcpy(at, text, 16);
    memcpy(at + size - 16, text + size - 16, 16);
  } else if (TACHY_LIKELY(size - 8u <= 8u)) {
    memcpy(at, text, 8);
    memcpy(at + size - 8, text + size - 8, 8);
  } else if (size) {
    memcpy(at, text, size);
  }
  return end;
}

/* A log whose arguments are all numbers or pointers, `count` of them: tachy_log_args without the texts, inline. */
TACHY_INLINE void tachy_log_words(tachy_site *site, uint32_t set, uint32_t types, const uint64_t *values,
                                  uint32_t count) {
  const int32_t id = tachy_site_on_(site);
  if (id <= 0) return;
  tachy_thread *thread;
  const uint64_t size = sizeof(tachy_log_record) + sizeof(uint64_t) * count;
  tachy_log_record *const record = tachy_log_begin_(&thread, id, set, types, size);
  if (TACHY_UNLIKELY(!record)) return;
  uint64_t *const words = (uint64_t *)(void *)(record + 1);
  for (uint32_t i = 0; i < count; i++) words[i] = values[i];
  tachy_log_end_(thread, size);
  tachy_log_sends_(site->level);
}

#ifdef __cplusplus
}
#endif
#endif
