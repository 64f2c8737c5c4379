/* Spans off the fast path: first events, full chunks, long durations, depth, scopes out of order, async spans. */
#include "../../base/entries.h"
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

tachy_scope tachy_own_span_begin_slow_(int32_t id) {
  tachy_slot *const slot = tachy_slot_attach();
  if (!slot || !TACHY_LOAD(&tachy_running)) return 0;
  const uint32_t depth = slot->thread.depth;
  if (depth >= TACHY_DEPTH_MAX || (depth >= slot->thread.room && !tachy_slot_deepen(slot))) {
    tachy_count(&slot->too_deep, 1);
    return 0;
  }
  tachy_writer_begin(slot, TACHY_CLASS_SPAN); /* before the clock is read: the span is not to count it */
  tachy_span_open_(&slot->thread, depth, id, tachy_ticks());
  return depth + 1u;
}

void tachy_own_span_close_slow_(tachy_thread *thread, uint32_t depth, uint64_t now) {
  tachy_slot *const slot = tachy_slot_of(thread);
  const tachy_open_span *const entry = &thread->stack[depth];
  write_span(slot, depth, entry->site, entry->begin, raise(slot, entry->begin, now));
}

void tachy_spans_unwind(tachy_slot *slot, uint32_t depth) {
  tachy_thread *const thread = &slot->thread;
  if (thread->depth <= depth) return;
  tachy_count(&slot->mismatched, thread->depth - depth);
  const uint64_t now = tachy_ticks();
  while (thread->depth > depth) {
    tachy_span_close_(thread, thread->depth - 1u, now);
    TACHY_STORE_RELEASE(&thread->depth, thread->depth - 1u);
  }
}

static void repair(tachy_scope scope) {
  tachy_slot *const slot = tachy_slot_here();
  if (!slot) {
    tachy_slot *const made = tachy_slot_attach();
    if (made) tachy_count(&made->mismatched, 1);
    return;
  }
  if (scope > slot->thread.depth) {
    tachy_count(&slot->mismatched, 1);
    return;
  }
  tachy_spans_unwind(slot, scope);
  tachy_span_end(scope);
}

/* Out of order, longer than 32 bits, or no room. The clock is read again, some 10 ns after the caller's reading. */
void tachy_own_span_end_rare_(tachy_scope scope) {
  const uint64_t now = tachy_ticks();
  tachy_thread *const thread = tachy_here_();
  if (thread->depth != scope) {
    repair(scope);
    return;
  }
  tachy_own_span_close_slow_(thread, scope - 1u, now);
  TACHY_STORE_RELEASE(&thread->depth, scope - 1u);
}

void tachy_own_span_complete(tachy_site *site, uint64_t begin_ticks, uint64_t end_ticks) {
  const int32_t id = tachy_site_on_(site);
  if (id <= 0) return;
  tachy_slot *const slot = tachy_slot_attach();
  if (!slot || !TACHY_LOAD(&tachy_running)) return;
  const uint64_t now = tachy_ticks();
  begin_ticks = tachy_not_after(begin_ticks, now);
  end_ticks = tachy_not_after(end_ticks, now);
  const uint32_t depth = slot->thread.depth;
  if (depth >= TACHY_DEPTH_MAX) {
    tachy_count(&slot->too_deep, 1);
    return;
  }
  if (depth > 0) begin_ticks = raise(slot, slot->thread.stack[depth - 1].begin, begin_ticks);
  write_span(slot, depth, (uint32_t)id, begin_ticks, raise(slot, begin_ticks, end_ticks));
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
  if (id <= 0) return span;
  tachy_slot *const slot = tachy_slot_attach();
  if (!slot || !TACHY_LOAD(&tachy_running)) return span;
  if (parent && parent->id) {
    span.parent = parent->id;
    span.depth = parent->depth + 1;
  }
  /* unique without an atomic: thread numbers are never reused */
  span.id = (uint64_t)slot->thread.number << TACHY_ASYNC_SHIFT | ++slot->async_count;
  if (!write_async(slot, TACHY_CONTROL_ASYNC_BEGIN, (uint32_t)id, &span)) span.id = 0;
  return span;
}

void tachy_own_async_end(const tachy_async *span) {
  if (!span || span->id == 0 || !span->site) return;
  /* also when the site has been switched off since: a begin without an end would mislead */
  const int32_t id = TACHY_LOAD(&span->site->id);
  tachy_slot *const slot = tachy_slot_attach();
  if (id == 0 || !slot || !TACHY_LOAD(&tachy_running)) return;
  write_async(slot, TACHY_CONTROL_ASYNC_END, (uint32_t)(id < 0 ? -id : id), span);
}
