/* Scenarios: sites are switched by level, interned, and outlive the module that held them. */
#include "harness.h"

static void levels(void) {
  TACHY_DEFINE_LOG(error, "levels", TACHY_LEVEL_ERROR, "");
  TACHY_DEFINE_LOG(debug, "levels", TACHY_LEVEL_DEBUG, "");
  TACHY_DEFINE_SPAN(span, "levels", "always");
  CHECK(!tachy_enabled(&error)); /* registered before the start: off */
  const tachy_config config = {.level = TACHY_LEVEL_WARN};
  begin_session(&config);
  CHECK(tachy_enabled(&error) && !tachy_enabled(&debug) && tachy_enabled(&span));
  tachy_log_text(&debug, 0, "no", 2);
  tachy_log_text(&error, 0, "yes", 3);
  tachy_set_level(TACHY_LEVEL_TRACE);
  CHECK(tachy_enabled(&debug));
  tachy_log_text(&debug, 0, "yes", 3);
  tachy_set_level(TACHY_LEVEL_FATAL);
  CHECK(!tachy_enabled(&error) && tachy_enabled(&span));
  tachy_set_level((tachy_level)99); /* ignored */
  const tachy_stats s = end_session();
  CHECK(s.recorded[TACHY_CLASS_LOG] == 2);
  CHECK(!tachy_enabled(&span));
}

static void interned(void) {
  tachy_site *const a = tachy_site_intern(TACHY_SITE_LOG, TACHY_LEVEL_INFO, "t", "n", "f", 1, NULL);
  CHECK(a != NULL && tachy_site_intern(TACHY_SITE_LOG, TACHY_LEVEL_INFO, "t", "n", "f", 1, "") == a);
  CHECK(tachy_site_intern(TACHY_SITE_LOG, TACHY_LEVEL_INFO, "t", "n", "f", 2, "") != a);
  CHECK(tachy_site_intern(TACHY_SITE_LOG, TACHY_LEVEL_WARN, "t", "n", "f", 1, "") != a);
  char name[] = "will change";
  tachy_site *const b = tachy_site_intern(TACHY_SITE_SPAN, TACHY_LEVEL_NONE, name, name, name, 1, name);
  memset(name, 'x', sizeof name - 1);
  CHECK(strcmp(b->name, "will change") == 0);
  begin_session(NULL);
  CHECK(tachy_enabled(a) && tachy_enabled(b));
  for (int i = 0; i < 3000; i++) {
    char text[16];
    snprintf(text, sizeof text, "many %d", i);
    tachy_site *const site = tachy_site_intern(TACHY_SITE_SPAN, TACHY_LEVEL_NONE, "t", text, "f", 1, "");
    tachy_span_end(tachy_span_begin(site));
  }
  tachy_span_end(tachy_span_begin(b));
  CHECK(end_session().recorded[TACHY_CLASS_SPAN] == 3001);
  CHECK(!tachy_enabled(b));
}

/* A library is loaded, records, goes, and comes back, while levels change. */
static void unloaded(void) {
  CHECK(plugin_path != NULL);
  begin_session(NULL);
  for (int i = 0; i < 5; i++) {
    void *const library = load_plugin();
    void (*const record)(int) = (void (*)(int))find_in_plugin(library, "plugin_record");
    record(10);
    tachy_set_level(TACHY_LEVEL_WARN);
    record(10);
    tachy_set_level(TACHY_LEVEL_TRACE);
    unload_plugin(library);
    tachy_set_level(TACHY_LEVEL_ERROR); /* must not write where the sites were */
    tachy_set_level(TACHY_LEVEL_TRACE);
  }
  const tachy_stats s = end_session();
  CHECK(s.recorded[TACHY_CLASS_SPAN] == 5 * 20 && s.recorded[TACHY_CLASS_LOG] == 5 * 10);
  CHECK(s.sites == 2); /* known again when it comes back */
}

typedef struct switcher {
  int stop;
} switcher;

#if defined(_WIN32)
enum { SWITCHES = 50, PAUSE_MS = 1 }; /* a switch asks the system for all modules: milliseconds; 0 does not sleep */
#else
enum { SWITCHES = 2000, PAUSE_MS = 0 };
#endif

static void *record_levels(void *argument) {
  const switcher *const s = argument;
  TACHY_DEFINE_LOG(info, "switch", TACHY_LEVEL_INFO, "");
  TACHY_DEFINE_SPAN(span, "switch", "span");
  while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
    const tachy_scope scope = tachy_span_begin(&span);
    tachy_log_text(&info, 0, "x", 1);
    tachy_span_end(scope);
    sleep_ms(PAUSE_MS);
  }
  return NULL;
}

/* What has no number is counted, and costs no memory however often it is asked for. */
static void refused(void) {
  TACHY_DEFINE_INT_METRIC(metric, "refused", "metric", "");
  begin_session(NULL);
  const uint64_t before = get_stats().refused;
  uint32_t first = 0;
  for (int i = 0; i < 65535 + 3; i++) {
    char value[32];
    snprintf(value, sizeof value, "%d", i);
    const tachy_property pair = {"number", value};
    const uint32_t set = tachy_property_set(&pair, 1);
    if (i == 0) first = set;
    CHECK((set == 0) == (i >= 65535));
  }
  CHECK(get_stats().refused == before + 3);
  const tachy_property known = {"number", "0"};
  CHECK(tachy_property_set(&known, 1) == first);
  tachy_property many[33];
  for (int i = 0; i < 33; i++) many[i] = known;
  CHECK(tachy_property_set(many, 33) == 0);
  CHECK(get_stats().refused == before + 4);
  tachy_metric_int(&metric, 65535, 1);
  tachy_metric_int(&metric, 4000000, 2); /* nobody gave this number */
  end_session();
}

static void *switch_levels(void *argument) {
  (void)argument;
  for (int i = 0; i < SWITCHES; i++) tachy_set_level(i % 2 ? TACHY_LEVEL_TRACE : TACHY_LEVEL_ERROR);
  return NULL;
}

static void concurrent_levels(void) {
  static switcher s;
  team recorders = {.count = 0};
  team switchers = {.count = 0};
  begin_session(NULL);
  for (int i = 0; i < 2; i++) team_add(&recorders, record_levels, &s);
  for (int i = 0; i < 3; i++) team_add(&switchers, switch_levels, NULL);
  team_join(&switchers);
  __atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
  team_join(&recorders);
  CHECK(end_session().mismatched == 0);
}

const scenario site_scenarios[] = {{"levels", levels},
                                   {"interned", interned},
                                   {"unloaded", unloaded},
                                   {"refused", refused},
                                   {"concurrent_levels", concurrent_levels},
                                   {NULL, NULL}};
