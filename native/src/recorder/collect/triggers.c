/* Triggers of the flight recorder: tachy_mark, slow frames, errors, the server. */
#include "triggers.h"

#include "../../base/bell.h"
#include "../../base/entries.h"
#include "../../base/inside.h"
#include "../../base/text.h"
#include "../threads/writer.h"

enum { WINDOWS_MAX = 64, TEXT_SIZE = 512 };

static tachy_os_mutex mutex = TACHY_OS_MUTEX_INIT;
static tachy_mode own;  /* of the configuration */
static tachy_mode over; /* the server's */
static uint64_t before; /* ticks */
static uint64_t after;
static uint64_t budget;                   /* of a frame, ticks; 0: none */
static int errors;                        /* trigger */
static tachy_window windows[WINDOWS_MAX]; /* ascending, apart from each other */
static uint32_t window_count;

void tachy_triggers_lock(void) { tachy_inside_lock(&mutex); }
void tachy_triggers_unlock(void) { tachy_inside_unlock(&mutex); }
void tachy_triggers_after_fork(void) { tachy_os_mutex_init(&mutex); }

static uint64_t ticks_of(uint64_t count, uint64_t per_second) {
  return (uint64_t)((double)count * (double)tachy_clock_frequency() / (double)per_second);
}

void tachy_triggers_start(const tachy_config *config) {
  tachy_inside_lock(&mutex);
  own = config->mode ? config->mode : TACHY_MODE_ALL;
  over = TACHY_MODE_DEFAULT;
  before = ticks_of(config->flight_before_ms ? config->flight_before_ms : 10000, 1000);
  after = ticks_of(config->flight_after_ms ? config->flight_after_ms : 2000, 1000);
  budget = ticks_of(config->frame_budget_us, 1000000);
  errors = !config->flight_ignore_errors;
  window_count = 0;
  tachy_inside_unlock(&mutex);
}

uint64_t tachy_triggers_before(void) {
  tachy_inside_lock(&mutex);
  const uint64_t ticks = before;
  tachy_inside_unlock(&mutex);
  return ticks;
}

tachy_mode tachy_triggers_mode(void) {
  tachy_inside_lock(&mutex);
  const tachy_mode mode = over ? over : own;
  tachy_inside_unlock(&mutex);
  return mode;
}

void tachy_triggers_set_mode(tachy_mode mode) {
  tachy_inside_lock(&mutex);
  over = mode;
  tachy_inside_unlock(&mutex);
}

void tachy_own_set_mode(tachy_mode mode) {
  if (mode < TACHY_MODE_ALL || mode > TACHY_MODE_FLIGHT || tachy_own_forking() || tachy_inside()) return;
  tachy_inside_lock(&mutex);
  own = mode;
  tachy_inside_unlock(&mutex);
  tachy_bell_ring();
}

/* Unites the window with those that it touches. Where there is no room it becomes one with its neighbour: more is
 * shipped then, never less. */
static void add_window(tachy_window window) {
  uint32_t at = 0;
  while (at < window_count && windows[at].until + 1 < window.from) at++;
  uint32_t end = at;
  while (end < window_count && windows[end].from <= window.until + 1) end++;
  if (at == end && window_count == WINDOWS_MAX) {
    if (at == window_count) at--;
    end = at + 1;
  }
  for (uint32_t i = at; i < end; i++) {
    if (windows[i].from < window.from) window.from = windows[i].from;
    if (windows[i].until > window.until) window.until = windows[i].until;
  }
  if (at == end) {
    memmove(&windows[at + 1], &windows[at], (window_count - at) * sizeof *windows);
    window_count++;
  } else {
    memmove(&windows[at + 1], &windows[end], (window_count - end) * sizeof *windows);
    window_count -= end - at - 1;
  }
  windows[at] = window;
}

/* 1: that moment was not in a window. */
static int want(uint64_t ticks) {
  int fresh = 1;
  tachy_inside_lock(&mutex);
  for (uint32_t i = 0; i < window_count; i++) fresh &= ticks < windows[i].from || ticks > windows[i].until;
  if ((over ? over : own) == TACHY_MODE_FLIGHT) {
    add_window((tachy_window){ticks > before ? ticks - before : 0, ticks + after});
  }
  tachy_inside_unlock(&mutex);
  return fresh;
}

static uint64_t put(char *text, uint64_t used, const char *more, uint64_t size) {
  const tachy_fit fit = tachy_text_fit(more, size, TEXT_SIZE - used);
  return used + tachy_text_put(text + used, more, &fit);
}

static void record(uint64_t ticks, const char *reason, const char *what, uint64_t size) {
  static const char head[] = "flight recorder: ";
  static tachy_site site = {0, 0, TACHY_SITE_LOG, TACHY_LEVEL_INFO, 0, "", "tachy", "", ""};
  /* whatever level the session has: who looks for what was shipped must find it */
  int32_t id = TACHY_LOAD(&site.id);
  if (id == 0) id = tachy_own_site_register_(&site);
  tachy_slot *const slot = id != 0 ? tachy_slot_enter(TACHY_CLASS_LOG) : NULL;
  if (!slot) return;
  char text[TEXT_SIZE];
  uint64_t used = put(text, 0, head, strlen(head));
  used = put(text, used, reason, strlen(reason));
  if (what) {
    used = put(text, used, ": ", 2);
    used = put(text, used, what, size);
  }
  tachy_log_write(slot, (uint32_t)(id < 0 ? -id : id), 0, ticks, text, used);
  tachy_slot_leave(slot);
  tachy_bell_urge();
}

void tachy_trigger(uint64_t ticks, const char *reason, const char *what, uint64_t size, int always) {
  if (want(ticks) || always) record(ticks, reason, what, size);
}

int tachy_triggers_window(uint64_t fed, tachy_window *window) {
  tachy_inside_lock(&mutex);
  uint32_t gone = 0;
  while (gone < window_count && windows[gone].until <= fed) gone++;
  window_count -= gone;
  memmove(windows, windows + gone, window_count * sizeof *windows);
  const int found = window_count > 0;
  if (found) *window = windows[0];
  tachy_inside_unlock(&mutex);
  return found;
}

void tachy_triggers_forget(void) {
  tachy_inside_lock(&mutex);
  window_count = 0;
  tachy_inside_unlock(&mutex);
}

void tachy_own_mark(const char *reason) {
  if (!TACHY_LOAD(&tachy_running) || tachy_own_forking() || tachy_inside()) return;
  tachy_trigger(tachy_ticks(), reason ? reason : "", NULL, 0, 1);
}

static int looked_at(const tachy_channel *channel, uint32_t position) {
  const tachy_site_entry *const site =
      tachy_names_site(channel->names, tachy_index_number(&channel->tables.sites, position - 1));
  if (site->kind == TACHY_SITE_FRAME) return budget > 0;
  return errors && site->kind == TACHY_SITE_LOG && site->level != TACHY_LEVEL_NONE && site->level <= TACHY_LEVEL_ERROR;
}

/* The site, if its rows are looked at. Each is asked for once in a block. */
static const tachy_site_entry *site_of(tachy_channel *channel, uint32_t position) {
  tachy_bytes *const kinds = &channel->watch->kinds;
  while (kinds->size < position) {
    const uint8_t kind = (uint8_t)looked_at(channel, (uint32_t)kinds->size + 1);
    if (!tachy_bytes_append(kinds, &kind, 1)) return NULL;
  }
  if (TACHY_LIKELY(!kinds->bytes[position - 1])) return NULL;
  return tachy_names_site(channel->names, tachy_index_number(&channel->tables.sites, position - 1));
}

static void watch_metric(tachy_channel *channel, uint32_t position, const tachy_metric_record *record_) {
  const tachy_site_entry *const site = site_of(channel, position);
  if (!site || record_->value <= budget) return;
  const tachy_string name = tachy_names_string(channel->names, site->strings[TACHY_TEXT_NAME]);
  tachy_trigger(record_->ticks, "slow frame", name.text, name.size, 0);
}

static void watch_log(tachy_channel *channel, uint32_t position, const tachy_log_record *record_) {
  const tachy_site_entry *const site = site_of(channel, position);
  if (!site) return;
  const tachy_string target = tachy_names_string(channel->names, site->strings[TACHY_TEXT_TARGET]);
  tachy_trigger(record_->ticks, site->level == TACHY_LEVEL_FATAL ? "fatal" : "error", target.text, target.size, 0);
}

void tachy_triggers_watch(tachy_watch *watch) {
  watch->metric = watch_metric;
  watch->log = watch_log;
  watch->kinds.size = 0;
}
