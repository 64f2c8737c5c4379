/* What the server's answer to a batch says: read whole, then applied whole; the collector ends it when its time is up.
 */
#include "control.h"

#include <string.h>

#include "../../base/bell.h"
#include "../../base/entries.h"
#include "../../base/inside.h"
#include "../../os/os.h"
#include "../sites/filter.h"
#include "../sites/registry.h"
#include "triggers.h"

enum { SECONDS_MAX = 1000000000 };
#define WATCHED_NS UINT64_C(30000000000) /* that an answer asks for */

/* One text. */
typedef struct order {
  uint64_t version;
  uint64_t seconds; /* 0: until the session's end, or (has_seconds) over at once */
  int has_seconds;
  tachy_mode mode;
  int watched; /* "flush=1s": of any version, or of none */
  int marks;
  char mark[256];
  tachy_rules rules;
} order;

static tachy_os_mutex mutex = TACHY_OS_MUTEX_INIT;
static int running;
static uint64_t applied; /* version */
static uint64_t refused;
static uint64_t ends_at;       /* atomic: monotonic; 0: no end */
static uint64_t watched_until; /* atomic: monotonic */
static order draft;

void tachy_control_lock(void) { tachy_os_lock(&mutex); }
void tachy_control_unlock(void) { tachy_os_unlock(&mutex); }

void tachy_control_after_fork(void) {
  tachy_os_mutex_init(&mutex);
  running = 0;
}

static int is(const char *text, size_t size, const char *word) {
  return size == strlen(word) && memcmp(text, word, size) == 0;
}

static int read_number(const char *text, size_t size, uint64_t *number) {
  *number = 0;
  for (size_t i = 0; i < size; i++) {
    const uint64_t digit = (uint64_t)(uint8_t)text[i] - '0';
    if (digit > 9 || *number > (UINT64_MAX - digit) / 10) return 0;
    *number = *number * 10 + digit;
  }
  return size > 0;
}

static int read_level(const char *text, size_t size, tachy_level *level) {
  static const char *const names[] = {"none", "fatal", "error", "warn", "info", "debug", "trace"};
  for (unsigned i = 0; i <= TACHY_LEVEL_TRACE; i++) {
    if (!is(text, size, names[i])) continue;
    *level = (tachy_level)i;
    return 1;
  }
  return 0;
}

static int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent-decoded, terminated. 0: not well-formed, a zero byte, or more than `room` - 1 bytes. */
static int decode(const char *text, size_t size, char *to, size_t room) {
  size_t used = 0;
  for (size_t i = 0; i < size; i++) {
    int byte = (uint8_t)text[i];
    if (text[i] == '%') {
      if (size - i < 3 || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) return 0;
      byte = hex(text[i + 1]) * 16 + hex(text[i + 2]);
      i += 2;
    }
    if (byte == 0 || used + 1 == room) return 0;
    to[used++] = (char)byte;
  }
  to[used] = 0;
  return 1;
}

/* 0: not what it should be. An unknown key is a newer server's. */
static int read_pair(order *o, const char *key, size_t key_size, const char *value, size_t size) {
  static const char prefix[] = "level.";
  if (is(key, key_size, "version")) return read_number(value, size, &o->version) && o->version > 0;
  if (is(key, key_size, "seconds")) {
    o->has_seconds = 1;
    return read_number(value, size, &o->seconds);
  }
  if (is(key, key_size, "flush")) {
    o->watched = is(value, size, "1s");
    return 1;
  }
  if (is(key, key_size, "mode")) {
    o->mode = is(value, size, "flight") ? TACHY_MODE_FLIGHT : TACHY_MODE_ALL;
    return o->mode == TACHY_MODE_FLIGHT || is(value, size, "all");
  }
  if (is(key, key_size, "mark")) {
    o->marks = 1;
    return decode(value, size, o->mark, sizeof o->mark);
  }
  if (is(key, key_size, "level")) {
    o->rules.has_level = 1;
    return read_level(value, size, &o->rules.level);
  }
  if (key_size > strlen(prefix) && memcmp(key, prefix, strlen(prefix)) == 0) {
    char category[TACHY_CATEGORY_MAX + 1];
    tachy_level level;
    return decode(key + strlen(prefix), key_size - strlen(prefix), category, sizeof category) &&
           read_level(value, size, &level) && tachy_rules_put(&o->rules, category, strlen(category), level);
  }
  return key_size > 0;
}

static void trim(const char **text, size_t *size) {
  while (*size && (**text == ' ' || **text == '\t')) (*text)++, (*size)--;
  while (*size && ((*text)[*size - 1] == ' ' || (*text)[*size - 1] == '\t')) (*size)--;
}

static int read_order(order *o, const char *text) {
  o->version = o->seconds = 0;
  o->has_seconds = o->rules.has_level = o->marks = o->watched = 0;
  o->mode = TACHY_MODE_DEFAULT;
  o->rules.count = 0;
  while (*text) {
    const char *part = text;
    size_t size = 0;
    while (text[size] && text[size] != ';') size++;
    text += size + (text[size] == ';');
    trim(&part, &size);
    if (size == 0) continue;
    const char *const equals = memchr(part, '=', size);
    if (!equals) return 0;
    size_t key_size = (size_t)(equals - part);
    const char *value = equals + 1;
    size_t value_size = size - key_size - 1;
    trim(&part, &key_size);
    trim(&value, &value_size);
    if (!read_pair(o, part, key_size, value, value_size)) return 0;
  }
  return o->version > 0 || o->watched;
}

/* The sites follow when the lock is free again. NULL: the program's own settings. */
static void apply(const order *o) {
  tachy_triggers_set_mode(o ? o->mode : TACHY_MODE_DEFAULT);
  tachy_registry_lock();
  tachy_filter_lay_over(o ? &o->rules : NULL);
  tachy_registry_unlock();
}

void tachy_own_control(const char *text) {
  if (!text || tachy_own_forking() || tachy_inside()) return;
  tachy_os_lock(&mutex);
  const int readable = running && read_order(&draft, text);
  if (running && !readable) refused++;
  const int newer = readable && draft.version > applied;
  const int turns = readable && draft.watched && !tachy_control_is_watched();
  if (readable && draft.watched) TACHY_STORE(&watched_until, tachy_os_monotonic() + WATCHED_NS);
  if (newer) {
    applied = draft.version;
    const uint64_t seconds = draft.seconds < SECONDS_MAX ? draft.seconds : SECONDS_MAX;
    TACHY_STORE(&ends_at, draft.has_seconds ? tachy_os_monotonic() + seconds * 1000000000u : 0);
    apply(draft.has_seconds && seconds == 0 ? NULL : &draft);
    if (draft.marks) tachy_own_mark(draft.mark);
  }
  tachy_os_unlock(&mutex);
  if (newer) tachy_registry_switch_again();
  if (newer || turns) tachy_bell_ring();
}

uint64_t tachy_control_ends(void) { return TACHY_LOAD(&ends_at); }

int tachy_control_is_watched(void) { return tachy_os_monotonic() < TACHY_LOAD(&watched_until); }

void tachy_control_poll(void) {
  const uint64_t end = TACHY_LOAD(&ends_at);
  if (end == 0 || tachy_os_monotonic() < end) return;
  tachy_os_lock(&mutex);
  const int over = TACHY_LOAD(&ends_at) == end;
  if (over) {
    TACHY_STORE(&ends_at, 0);
    apply(NULL);
  }
  tachy_os_unlock(&mutex);
  if (over) tachy_registry_switch_again();
}

void tachy_control_start(void) {
  tachy_os_lock(&mutex);
  running = 1;
  applied = refused = 0;
  TACHY_STORE(&ends_at, 0);
  TACHY_STORE(&watched_until, 0);
  apply(NULL);
  tachy_os_unlock(&mutex);
}

void tachy_control_stop(void) {
  tachy_os_lock(&mutex);
  running = 0;
  tachy_os_unlock(&mutex);
}

void tachy_control_stats(uint64_t *version, uint64_t *count) {
  tachy_os_lock(&mutex);
  *version = applied;
  *count = refused;
  tachy_os_unlock(&mutex);
}
