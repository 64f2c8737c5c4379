/* Spans off the fast path: first events, full chunks, long durations, depth, scopes out of order, async spans. */
#include "../../base/entries.h"
#include "../../base/inside.h"
#include "writer.h"

static uint64_t raise(tachy_slot *slot, uint64_t begin, uint64_t end) {
  if ((int64_t)(end - begin) >= 0) return end;
  tachy_count(&slot->backwards, 1);
  return begin;
}

/* One record for a span that ended; counts it when there is no room. */
static void write_span(tachy_slot *slot, uint32_t depth, uint32_t site, uint64_t begin, uint64_t end) {
  const uint64_t duration = end - begin;
  const int is_long = duration >= UINT32_MAX;
  uint64_t head;
  uint8_t *at = tachy_writer_reserve(slot, TACHY_CLASS_SPAN,
                                     sizeof(tachy_span_record) + (is_long ? sizeof(tachy_long_record) : 0), &head);
  if (!at) {
    tachy_writer_drop(slot, TACHY_CLASS_SPAN, depth);
    return;
  }
  if (is_long) {
    *(tachy_long_record *)at = (tachy_long_record){TACHY_CONTROL_LONG, duration};
    at += sizeof(tachy_long_record);
  }
  *(tachy_span_record *)at =
      (tachy_span_record){begin, is_long ? UINT32_MAX : (uint32_t)duration, depth << TACHY_DEPTH_SHIFT | site};
  tachy_writer_publish(slot, TACHY_CLASS_SPAN, head);
}

/* id 0: the caller knows that a handler has interrupted it, and the span is only counted as lost. */
uint32_t tachy_own_span_begin_slow_(int32_t id) {
  if (id == 0 && TACHY_LOAD(&tachy_running)) tachy_inside_drop(TACHY_CLASS_SPAN);
  tachy_slot *const slot = id ? tachy_slot_enter(TACHY_CLASS_SPAN) : NULL;
  if (!slot) return 0;
  uint32_t scope = TACHY_TOP_OF_(tachy_depth_of(&slot->thread) + 1);
  if (scope > slot->thread.room && !tachy_slot_deepen(slot)) {
    scope = 0;
    tachy_count(&slot->too_deep, 1);
  } else {
    tachy_writer_begin(slot, TACHY_CLASS_SPAN); /* before the clock is read: the span is not to count it */
    tachy_span_open_(&slot->thread, scope, id, tachy_ticks());
  }
  tachy_slot_leave(slot);
  return scope;
}

/* The thread is inside a record of spans: the inline half has begun it. */
void tachy_own_span_close_slow_(tachy_thread *thread, uint32_t scope, uint64_t now) {
  tachy_slot *const slot = tachy_slot_of(thread);
  const tachy_open_span *const entry = tachy_span_entry_(thread, scope);
  write_span(slot, (uint32_t)(entry - thread->stack), entry->site, entry->begin, raise(slot, entry->begin, now));
}

void tachy_spans_unwind(tachy_slot *slot, uint32_t depth) {
  tachy_thread *const thread = &slot->thread;
  uint32_t top = tachy_depth_of(thread);
  if (top <= depth) return;
  tachy_count(&slot->mismatched, top - depth);
  const uint64_t now = tachy_ticks();
  for (; top > depth; top--) {
    tachy_span_close_(thread, TACHY_TOP_OF_(top), now);
    TACHY_STORE_RELEASE(&thread->top, TACHY_INSIDE_ | TACHY_TOP_OF_(top - 1));
  }
}

static void repair(uint32_t scope) {
  tachy_slot *const slot = tachy_slot_enter(TACHY_CLASSES);
  if (!slot) return;
  const uint32_t depth = TACHY_DEPTH_AT_(scope);
  const int open = scope == TACHY_TOP_OF_(depth) && depth - 1 < tachy_depth_of(&slot->thread);
  if (open) {
    tachy_spans_unwind(slot, depth);
  } else {
    tachy_count(&slot->mismatched, 1);
  }
  tachy_slot_leave(slot);
  if (open) tachy_span_end(scope);
}

/* Out of order, longer than 32 bits, or no room. The clock is read again, some 10 ns after the caller's reading. */
void tachy_own_span_end_rare_(int32_t ended) {
  const uint32_t scope = (uint32_t)ended;
  const uint64_t now = tachy_ticks();
  tachy_thread *const thread = tachy_here_();
  const int known = thread != &tachy_no_thread_;
  if (known && thread->top == scope) tachy_span_enter_(thread); /* a long one, or of a copy that knows no thread */
  if (!known || TACHY_TOP_OF_(tachy_depth_of(thread)) != scope) {
    repair(scope);
    return;
  }
  tachy_own_span_close_slow_(thread, scope, now);
  TACHY_STORE_RELEASE(&thread->top, scope - (uint32_t)sizeof(tachy_open_span));
}

void tachy_own_span_complete(tachy_site *site, uint64_t begin_ticks, uint64_t end_ticks) {
  const int32_t id = tachy_site_on_(site);
  tachy_slot *const slot = id > 0 ? tachy_slot_enter(TACHY_CLASS_SPAN) : NULL;
  if (!slot) return;
  const uint64_t now = tachy_ticks();
  begin_ticks = tachy_not_after(begin_ticks, now);
  end_ticks = tachy_not_after(end_ticks, now);
  const uint32_t depth = tachy_depth_of(&slot->thread);
  if (depth >= TACHY_DEPTH_MAX) {
    tachy_count(&slot->too_deep, 1);
  } else {
    if (depth > 0) begin_ticks = raise(slot, slot->thread.stack[depth - 1].begin, begin_ticks);
    write_span(slot, depth, (uint32_t)id, begin_ticks, raise(slot, begin_ticks, end_ticks));
  }
  tachy_slot_leave(slot);
}

static int write_async(tachy_slot *slot, uint64_t control, uint32_t site, const tachy_async *span) {
  uint64_t head;
  uint8_t *const at = tachy_writer_reserve(slot, TACHY_CLASS_SPAN, sizeof(tachy_async_record), &head);
  if (!at) {
    tachy_count(&slot->async_lost, 1);
    return 0;
  }
  *(tachy_async_record *)at =
      (tachy_async_record){control, tachy_ticks(), site, span->depth, span->id, span->parent, span->values};
  tachy_writer_publish(slot, TACHY_CLASS_SPAN, head);
  return 1;
}

tachy_async tachy_own_async_begin(tachy_site *site, const tachy_async *parent) {
  tachy_async span = {0, 0, site, 0, 0};
  const int32_t id = tachy_site_on_(site);
  tachy_slot *const slot = id > 0 ? tachy_slot_enter(TACHY_CLASS_SPAN) : NULL;
  if (!slot) return span;
  if (parent && parent->id) {
    span.parent = parent->id;
    span.depth = parent->depth + 1;
  }
  /* unique without an atomic: thread numbers are never reused */
  span.id = (uint64_t)slot->thread.number << TACHY_ASYNC_SHIFT | ++slot->async_count;
  if (!write_async(slot, TACHY_CONTROL_ASYNC_BEGIN, (uint32_t)id, &span)) span.id = 0;
  tachy_slot_leave(slot);
  return span;
}

void tachy_own_async_end(const tachy_async *span) {
  if (!span || span->id == 0 || !span->site) return;
  /* also when the site has been switched off since: a begin without an end would mislead */
  const int32_t id = TACHY_LOAD(&span->site->id);
  tachy_slot *const slot = id != 0 ? tachy_slot_enter(TACHY_CLASS_SPAN) : NULL;
  if (!slot) return;
  write_async(slot, TACHY_CONTROL_ASYNC_END, (uint32_t)(id < 0 ? -id : id), span);
  tachy_slot_leave(slot);
}
