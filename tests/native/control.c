/* Scenarios: categories have levels of their own, and what the server says holds for its time. */
#include "harness.h"

TACHY_DEFINE_LOG(net_info, "net", TACHY_LEVEL_INFO, "");
TACHY_DEFINE_LOG(http_info, "net.http", TACHY_LEVEL_INFO, "");
TACHY_DEFINE_LOG(http_debug, "net.http", TACHY_LEVEL_DEBUG, "");
TACHY_DEFINE_LOG(network_info, "network", TACHY_LEVEL_INFO, "");
TACHY_DEFINE_SPAN(http_span, "net.http", "span");
TACHY_DEFINE_ASYNC_SPAN(http_async, "net.http", "async");
TACHY_DEFINE_INT_METRIC(net_metric, "net", "metric", "");
TACHY_DEFINE_SPAN(bare_span, "", "span");

/* Which of the sites above are on, a letter each. */
static const char *on(void) {
  static TACHY_THREAD_LOCAL char text[9];
  tachy_site *const sites[] = {&net_info,  &http_info,  &http_debug, &network_info,
                               &http_span, &http_async, &net_metric, &bare_span};
  for (int i = 0; i < 8; i++) text[i] = tachy_enabled(sites[i]) ? "nhdwsamb"[i] : '-';
  return text;
}

#define CHECK_ON(expected) CHECK(strcmp(on(), expected) == 0)

static void categories(void) {
  tachy_set_category("net.http", TACHY_LEVEL_NONE); /* before a session: kept */
  const tachy_config config = {.level = TACHY_LEVEL_INFO};
  begin_session(&config);
  CHECK_ON("n--w--mb");
  tachy_site *const made = tachy_site_intern(TACHY_SITE_SPAN, TACHY_LEVEL_NONE, "net.http.cache", "n", "f", 1, "");
  CHECK(!tachy_enabled(made));
  tachy_set_category("net.http.cache", TACHY_LEVEL_FATAL);
  CHECK(tachy_enabled(made)); /* no level: only NONE switches it off */
  tachy_set_category("net", TACHY_LEVEL_DEBUG);
  CHECK_ON("n--w--mb");
  tachy_unset_category("net.http");
  CHECK_ON("nhdwsamb");
  tachy_set_level(TACHY_LEVEL_ERROR);
  CHECK_ON("nhd-samb");
  tachy_set_category("net", TACHY_LEVEL_NONE);
  CHECK_ON("-------b");
  CHECK(tachy_enabled(made));
  tachy_span_end(tachy_span_begin(&http_span));
  const tachy_async async = tachy_async_begin(&http_async, NULL);
  CHECK(async.id == 0);
  tachy_async_end(&async);
  tachy_metric_int(&net_metric, 0, 1);
  tachy_span_end(tachy_span_begin(&bare_span));
  tachy_unset_category("net");
  tachy_unset_category("unknown");
  tachy_unset_category(NULL);
  tachy_set_category(NULL, TACHY_LEVEL_NONE);
  tachy_set_category("net", (tachy_level)7);
  CHECK_ON("----samb");
  const tachy_stats s = end_session();
  CHECK(s.recorded[TACHY_CLASS_SPAN] == 1 && s.recorded[TACHY_CLASS_METRIC] == 0);
  CHECK_ON("--------");
}

static void categories_full(void) {
  begin_session(NULL);
  char name[16];
  for (int i = 0; i < 64; i++) {
    snprintf(name, sizeof name, "category %d", i);
    tachy_set_category(name, TACHY_LEVEL_WARN);
  }
  const uint64_t before = get_stats().refused;
  tachy_set_category("net", TACHY_LEVEL_NONE);
  char longer[200];
  memset(longer, 'x', sizeof longer - 1);
  longer[sizeof longer - 1] = 0;
  tachy_set_category(longer, TACHY_LEVEL_NONE);
  tachy_set_category("", TACHY_LEVEL_NONE);
  CHECK(get_stats().refused == before + 3);
  CHECK_ON("nhdwsamb");
  tachy_set_category("category 7", TACHY_LEVEL_ERROR); /* there already */
  tachy_unset_category("category 9");
  tachy_set_category("net", TACHY_LEVEL_NONE);
  CHECK(get_stats().refused == before + 3);
  CHECK_ON("---w---b");
  end_session();
}

static void classes(void) {
  tachy_set_class(TACHY_CLASS_SPAN, 0); /* before a session: kept */
  begin_session(NULL);
  CHECK_ON("nhdw--m-");
  tachy_set_class(TACHY_CLASS_LOG, 0);
  CHECK_ON("------m-");
  tachy_set_category("net", TACHY_LEVEL_TRACE);
  tachy_control("version=1; level=trace; level.net.http=trace"); /* nobody's word is stronger */
  CHECK_ON("------m-");
  tachy_site *const made = tachy_site_intern(TACHY_SITE_VALUE, TACHY_LEVEL_NONE, "net", "n", "f", 1, "");
  tachy_site *const frame = tachy_site_intern(TACHY_SITE_FRAME, TACHY_LEVEL_NONE, "net", "n", "f", 2, "");
  CHECK(!tachy_enabled(made) && tachy_enabled(frame));
  tachy_mark("all the same");
  tachy_set_class(TACHY_CLASS_METRIC, 0);
  CHECK(!tachy_enabled(frame));
  CHECK_ON("--------");
  tachy_set_class(TACHY_CLASS_SPAN, 1);
  tachy_set_class((tachy_class)0, 0);
  tachy_set_class((tachy_class)4, 0);
  CHECK_ON("----sa-b");
  CHECK(tachy_enabled(made));
  tachy_set_class(TACHY_CLASS_LOG, 1);
  tachy_set_class(TACHY_CLASS_METRIC, 1);
  CHECK_ON("nhdwsamb");
  tachy_unset_category("net");
  const tachy_stats s = end_session();
  CHECK(s.recorded[TACHY_CLASS_LOG] == 1);
}

static void control(void) {
  const tachy_config config = {.level = TACHY_LEVEL_ERROR};
  tachy_control("version=9; level=none"); /* nothing runs */
  begin_session(&config);
  CHECK(get_stats().control_version == 0);
  tachy_set_category("net.http", TACHY_LEVEL_NONE);
  CHECK_ON("------mb");
  tachy_control("version=7; seconds=3600; level=info; level.net.http=debug; colour=red");
  CHECK(get_stats().control_version == 7);
  CHECK_ON("nhdwsamb");
  tachy_control("version=7; level=none");
  tachy_control("version=6; level=none");
  CHECK_ON("nhdwsamb");
  tachy_set_level(TACHY_LEVEL_WARN); /* the program's own, for afterwards */
  CHECK_ON("nhdwsamb");
  tachy_control("version=8;level.net=none"); /* lacks `level`: the program's own; its longer category wins */
  CHECK_ON("-------b");
  tachy_unset_category("net.http");
  tachy_set_category("net", TACHY_LEVEL_TRACE); /* as long: the server's wins */
  CHECK_ON("-------b");
  tachy_control("version = 10 ;\tlevel = none ; level.net%2ehttp = info;;");
  CHECK_ON("nh--sam-");
  tachy_control("version=11; seconds=0; level=none");
  CHECK_ON("nhd-samb");
  tachy_set_level(TACHY_LEVEL_INFO);
  tachy_unset_category("net");
  CHECK_ON("nh-wsamb");
  tachy_control("version=12;level=none");
  CHECK_ON("--------");
  CHECK(get_stats().control_refused == 0);
  end_session();
  CHECK_ON("--------");
  /* versions are a session's */
  begin_session(NULL);
  CHECK_ON("nhdwsamb");
  CHECK(get_stats().control_version == 0);
  tachy_control("version=1; level=warn");
  CHECK_ON("----samb");
  end_session();
}

static void control_malformed(void) {
  static const char *const texts[] = {"",
                                      "level=none",
                                      "version=0; level=none",
                                      "version=; level=none",
                                      "version=-1; level=none",
                                      "version=1x; level=none",
                                      "version=18446744073709551616; level=none",
                                      "version=1; level=none; seconds=soon",
                                      "version=1; level=none; loud",
                                      "version=1; level=none; =1",
                                      "version=1; level=loud",
                                      "version=1; level=none; level.net=7",
                                      "version=1; level=none; level.net%2=info",
                                      "version=1; level=none; level.net%zz=info",
                                      "version=1; level=none; level.%00=info"};
  const uint64_t count = sizeof texts / sizeof *texts;
  begin_session(NULL);
  for (uint64_t i = 0; i < count; i++) {
    tachy_control(texts[i]);
    CHECK(get_stats().control_refused == i + 1);
    CHECK_ON("nhdwsamb");
  }
  tachy_control(NULL);
  char many[4000] = "version=2; level=none";
  for (int i = 0; i < 65; i++) {
    char more[24];
    snprintf(more, sizeof more, "; level.c%d=info", i);
    strcat(many, more);
  }
  tachy_control(many);
  CHECK(get_stats().control_refused == count + 1);
  CHECK_ON("nhdwsamb");
  tachy_control("version=18446744073709551615; level=none");
  CHECK_ON("--------");
  end_session();
}

static void control_expires(void) {
  const tachy_config config = {.level = TACHY_LEVEL_INFO};
  begin_session(&config);
  tachy_control("version=1; seconds=1; level=none");
  CHECK_ON("--------");
  const struct timespec step = {0, 1000000};
  while (!tachy_enabled(&net_info)) nanosleep(&step, NULL);
  CHECK_ON("nh-wsamb");
  /* a newer one in force takes the end of the older one with it */
  tachy_control("version=2; seconds=1; level=none");
  tachy_control("version=3; level=debug");
  sleep_ms(1500);
  CHECK_ON("nhdwsamb");
  end_session();
}

static void *give_orders(void *argument) {
  const int first = (int)(intptr_t)argument;
  for (int i = 0; i < 300; i++) {
    char text[80];
    snprintf(text, sizeof text, "version=%d; seconds=%d; level.net=%s", first + 2 * i, i % 3, i % 2 ? "none" : "info");
    tachy_control(text);
    tachy_set_category("net.http", i % 2 ? TACHY_LEVEL_NONE : TACHY_LEVEL_DEBUG);
    if (i % 3 == 0) tachy_unset_category("net.http");
    tachy_set_level(i % 2 ? TACHY_LEVEL_INFO : TACHY_LEVEL_TRACE);
    on();
  }
  return NULL;
}

static void *record_always(void *argument) {
  const int *const stop = argument;
  while (!TACHY_LOAD(stop)) {
    const tachy_scope scope = tachy_span_begin(&http_span);
    tachy_log_text(&http_info, 0, "x", 1);
    tachy_span_end(scope);
    sleep_ms(0);
  }
  return NULL;
}

/* From many threads, while others record: the sanitizers look on. */
static void control_races(void) {
  static int stop;
  team recorders = {.count = 0};
  team givers = {.count = 0};
  begin_session(NULL);
  for (int i = 0; i < 2; i++) team_add(&recorders, record_always, &stop);
  for (intptr_t i = 1; i <= 2; i++) team_add(&givers, give_orders, (void *)i);
  team_join(&givers);
  TACHY_STORE(&stop, 1);
  team_join(&recorders);
  const tachy_stats s = end_session();
  CHECK(s.control_version == 600 && s.control_refused == 0 && s.mismatched == 0);
}

const scenario control_scenarios[] = {{"categories", categories},
                                      {"categories_full", categories_full},
                                      {"classes", classes},
                                      {"control", control},
                                      {"control_malformed", control_malformed},
                                      {"control_expires", control_expires},
                                      {"control_races", control_races},
                                      {NULL, NULL}};
