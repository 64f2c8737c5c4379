/* Logs and metrics off the fast path. */
#include <string.h>

#include "../../base/entries.h"
#include "../../base/inside.h"
#include "../../base/text.h"
#include "writer.h"

enum { TEXT_MAX = 32768 };

static void write_metric(tachy_slot *slot, uint32_t site, uint32_t set, uint64_t ticks, uint64_t value) {
  uint64_t head;
  uint8_t *const at = tachy_writer_reserve(slot, TACHY_CLASS_METRIC, sizeof(tachy_metric_record), &head);
  if (!at) {
    tachy_writer_drop(slot, TACHY_CLASS_METRIC, 0);
    return;
  }
  *(tachy_metric_record *)at = (tachy_metric_record){ticks, value, site, set};
  tachy_writer_publish(slot, TACHY_CLASS_METRIC, head);
}

static void metric(int32_t id, uint32_t set, uint64_t ticks, uint64_t value) {
  tachy_slot *const slot = tachy_slot_enter(TACHY_CLASS_METRIC);
  if (!slot) return;
  write_metric(slot, (uint32_t)id, set, ticks, value);
  tachy_slot_leave(slot);
}

void tachy_own_metric_slow_(int32_t id, uint32_t set, uint64_t value) { metric(id, set, tachy_ticks(), value); }

void tachy_own_metric_at(tachy_site *site, uint32_t set, uint64_t ticks, uint64_t value_bits) {
  const int32_t id = tachy_site_on_(site);
  if (id > 0) metric(id, set, tachy_not_after(ticks, tachy_ticks()), value_bits);
}

void tachy_own_frame_slow_(int32_t id) {
  const uint64_t now = tachy_ticks();
  tachy_slot *const slot = tachy_slot_enter(TACHY_CLASS_METRIC);
  if (!slot) return;
  uint64_t *const last = &slot->thread.frame_ticks;
  if (*last) write_metric(slot, (uint32_t)id, 0, now, now - *last);
  *last = now;
  tachy_slot_leave(slot);
}

/* The slot to log to, which is to be left, or NULL when this log is not wanted. */
static tachy_slot *log_slot(tachy_site *site, uint32_t *number) {
  const int32_t id = tachy_site_on_(site);
  *number = (uint32_t)id;
  return id > 0 ? tachy_slot_enter(TACHY_CLASS_LOG) : NULL;
}

/* Until tachy_log_end_ the thread is inside a record of a row, no more: as after tachy_row_enter_. */
TACHY_BESIDE tachy_thread *tachy_own_log_begin_slow_(int32_t id, uint32_t set, uint32_t types, uint64_t size) {
  tachy_slot *const slot = tachy_slot_enter(TACHY_CLASS_LOG);
  if (!slot) return NULL;
  uint64_t head;
  uint8_t *const at = tachy_writer_reserve(slot, TACHY_CLASS_LOG, size, &head);
  if (TACHY_UNLIKELY(!at)) {
    tachy_writer_drop(slot, TACHY_CLASS_LOG, 0);
    tachy_slot_leave(slot);
    return NULL;
  }
  *(tachy_log_record *)at = (tachy_log_record){tachy_ticks(), (uint32_t)id, set, (uint32_t)size, types};
  tachy_slot_leave_to_row(slot);
  return &slot->thread;
}

static uint8_t *put_text(uint8_t *at, const char *text, const tachy_fit *fit) {
  const uint32_t size = (uint32_t)(fit->kept + fit->mark_size);
  const uint64_t padded = tachy_log_text_room_(size);
  memset(at + padded - 8, 0, 8);
  memcpy(at, &size, sizeof size);
  tachy_text_put(at + sizeof size, text, fit);
  return at + padded;
}

void tachy_log_write(tachy_slot *slot, uint32_t site, uint32_t set, uint64_t ticks, const char *text, uint64_t size) {
  const tachy_fit fit = tachy_text_fit(text, text ? size : 0, TEXT_MAX);
  const uint64_t record_size = sizeof(tachy_log_record) + tachy_log_text_room_(fit.kept + fit.mark_size);
  uint64_t head;
  uint8_t *const at = tachy_writer_reserve(slot, TACHY_CLASS_LOG, record_size, &head);
  if (!at) {
    tachy_writer_drop(slot, TACHY_CLASS_LOG, 0);
    return;
  }
  *(tachy_log_record *)at = (tachy_log_record){ticks, site, set, (uint32_t)record_size, TACHY_ARG_TEXT};
  put_text(at + sizeof(tachy_log_record), text, &fit);
  tachy_writer_publish(slot, TACHY_CLASS_LOG, head);
}

void tachy_own_log_text(tachy_site *site, uint32_t set, const char *text, size_t size) {
  uint32_t number;
  tachy_slot *const slot = log_slot(site, &number);
  if (!slot) return;
  tachy_log_write(slot, number, set, tachy_ticks(), text, size);
  tachy_slot_leave(slot);
  tachy_log_sent(site);
}

static void write_log(tachy_slot *slot, uint32_t site, uint32_t set, uint32_t types, const uint64_t *values,
                      const uint32_t *sizes) {
  tachy_fit fits[TACHY_LOG_ARGS_MAX];
  uint64_t room = TACHY_RECORD_MAX - sizeof(tachy_log_record) - 16 * TACHY_LOG_ARGS_MAX;
  uint64_t record_size = sizeof(tachy_log_record);
  uint32_t known = 0;
  unsigned count = 0;
  for (; count < TACHY_LOG_ARGS_MAX; count++) {
    const uint32_t type = types >> (4 * count) & 15u;
    if (type == TACHY_ARG_END || type > TACHY_ARG_POINTER) break;
    known |= type << (4 * count);
    if (type != TACHY_ARG_TEXT) {
      record_size += 8;
      continue;
    }
    const char *const text = (const char *)(uintptr_t)values[count];
    const uint64_t limit = room < TEXT_MAX ? room : TEXT_MAX;
    fits[count] = tachy_text_fit(text, text ? sizes[count] : 0, limit);
    const uint64_t length = fits[count].kept + fits[count].mark_size;
    room -= length;
    record_size += tachy_log_text_room_(length);
  }
  uint64_t head;
  uint8_t *at = tachy_writer_reserve(slot, TACHY_CLASS_LOG, record_size, &head);
  if (!at) {
    tachy_writer_drop(slot, TACHY_CLASS_LOG, 0);
    return;
  }
  *(tachy_log_record *)at = (tachy_log_record){tachy_ticks(), site, set, (uint32_t)record_size, known};
  at += sizeof(tachy_log_record);
  for (unsigned i = 0; i < count; i++) {
    if ((known >> (4 * i) & 15u) == TACHY_ARG_TEXT) {
      at = put_text(at, (const char *)(uintptr_t)values[i], &fits[i]);
    } else {
      memcpy(at, &values[i], 8);
      at += 8;
    }
  }
  tachy_writer_publish(slot, TACHY_CLASS_LOG, head);
}

void tachy_own_log_args(tachy_site *site, uint32_t set, uint32_t types, const uint64_t *values, const uint32_t *sizes) {
  uint32_t number;
  tachy_slot *const slot = log_slot(site, &number);
  if (!slot) return;
  write_log(slot, number, set, types, values, sizes);
  tachy_slot_leave(slot);
  tachy_log_sent(site);
}

/* A number that an int metric cannot hold. Its site is made at run time and found again by its text: 0.3 µs. */
void tachy_own_metric_beyond_(tachy_site *site, uint32_t set, double value) {
  if (!tachy_enabled(site)) return;
  tachy_site *const real = tachy_own_site_intern(TACHY_SITE_METRIC_F64, (tachy_level)site->level, site->target,
                                                 site->name, site->file, site->line, site->unit);
  if (real) {
    tachy_metric_float(real, set, value);
  } else if (tachy_inside()) {
    tachy_inside_drop(TACHY_CLASS_METRIC);
  }
}
