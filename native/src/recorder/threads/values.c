/* Values on spans, off the fast path: texts, async spans, full chunks, threads that another copy knows. */
#include "../../base/entries.h"
#include "../../base/text.h"
#include "writer.h"

/* The thread, which is to be left, and the depth of the span; NULL: it is not open. */
static tachy_slot *owner_of(tachy_scope scope, uint32_t *depth) {
  tachy_slot *const slot = tachy_slot_here() ? tachy_slot_enter(0) : NULL;
  if (!slot) return NULL;
  const uint32_t open = tachy_depth_of(&slot->thread);
  /* the innermost, of who did not know the thread */
  const uint32_t top = scope == TACHY_TOP_UNKNOWN_ ? TACHY_TOP_OF_(open) : (uint32_t)scope;
  *depth = TACHY_DEPTH_AT_(top) - 1;
  if (*depth < open && top == TACHY_TOP_OF_(*depth + 1)) return slot;
  tachy_slot_leave(slot);
  return NULL;
}

/* Where the record goes, or NULL: it finds no room and is counted, but is no event. *head: what to publish then. */
static void *reserve(tachy_slot *slot, uint64_t size, uint64_t *head) {
  uint8_t *const at = tachy_writer_reserve(slot, TACHY_CLASS_SPAN, size, head);
  if (!at) tachy_count(&slot->values_lost, 1);
  return at;
}

static int write_number(tachy_slot *slot, const tachy_async_value_record *front, uint64_t size) {
  uint64_t head;
  void *const record = reserve(slot, size, &head);
  if (!record) return 0;
  memcpy(record, front, size);
  tachy_writer_publish(slot, TACHY_CLASS_SPAN, head);
  return 1;
}

/* `size`: of what goes in front of the text. */
static int write_text(tachy_slot *slot, tachy_async_value_record *front, uint64_t size, const char *text,
                      size_t text_size) {
  uint64_t head;
  const tachy_fit fit = tachy_text_fit(text, text ? text_size : 0, TACHY_VALUE_TEXT_MAX);
  front->value.bits = fit.kept + fit.mark_size;
  const uint64_t whole = tachy_value_size(&front->value);
  uint8_t *const record = reserve(slot, whole, &head);
  if (!record) return 0;
  memset(record + whole - 16, 0, 16);
  memcpy(record, front, size);
  tachy_text_put(record + size, text, &fit);
  tachy_writer_publish(slot, TACHY_CLASS_SPAN, head);
  return 1;
}

static uint64_t control_of(uint32_t type, uint32_t depth, int32_t id) {
  return (TACHY_CONTROL_VALUE | (uint64_t)type << 32) | (depth << TACHY_DEPTH_SHIFT | (uint32_t)id);
}

void tachy_own_span_value_slow_(tachy_scope scope, int32_t id, uint32_t type, uint64_t bits) {
  uint32_t depth;
  tachy_slot *const slot = owner_of(scope, &depth);
  if (!slot) return;
  const tachy_async_value_record front = {{control_of(type, depth, id), bits}, 0, 0};
  write_number(slot, &front, sizeof front.value);
  tachy_slot_leave(slot);
}

void tachy_own_span_value_text(tachy_scope scope, tachy_site *site, const char *text, size_t size) {
  const int32_t id = tachy_site_on_(site);
  uint32_t depth;
  tachy_slot *const slot = id > 0 ? owner_of(scope, &depth) : NULL;
  if (!slot) return;
  tachy_async_value_record front = {{control_of(TACHY_VALUE_TEXT, depth, id), 0}, 0, 0};
  write_text(slot, &front, sizeof front.value, text, size);
  tachy_slot_leave(slot);
}

/* To be left; NULL: the value is not to be recorded. */
static tachy_slot *slot_for(const tachy_async *span, tachy_site *site, uint32_t type, tachy_async_value_record *front) {
  if (!span || span->id == 0) return NULL;
  const int32_t id = tachy_site_on_(site);
  tachy_slot *const slot = id > 0 ? tachy_slot_enter(0) : NULL;
  if (!slot) return NULL;
  const uint64_t control = TACHY_CONTROL_ASYNC_VALUE | (uint64_t)type << 32 | (uint32_t)id;
  *front = (tachy_async_value_record){{control, 0}, span->id, 0};
  return slot;
}

void tachy_own_async_value_(tachy_async *span, tachy_site *site, uint32_t type, uint64_t bits) {
  tachy_async_value_record front;
  tachy_slot *const slot = slot_for(span, site, type, &front);
  if (!slot) return;
  front.value.bits = bits;
  span->values += (uint32_t)write_number(slot, &front, sizeof front);
  tachy_slot_leave(slot);
}

void tachy_own_async_value_text(tachy_async *span, tachy_site *site, const char *text, size_t size) {
  tachy_async_value_record front;
  tachy_slot *const slot = slot_for(span, site, TACHY_VALUE_TEXT, &front);
  if (!slot) return;
  span->values += (uint32_t)write_text(slot, &front, sizeof front, text, size);
  tachy_slot_leave(slot);
}
