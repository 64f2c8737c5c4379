/* Perfetto's C SDK with a session of its own process: the service thread copies what was written into a buffer in
 * memory. */
#include "peer.h"
#include "perfetto_c.h"

#define CATEGORIES(C) \
  C(on, "on", "")     \
  C(off, "off", "")
PERFETTO_TE_CATEGORIES_DEFINE(CATEGORIES)

static struct PerfettoTracingSessionImpl *session;
static struct PerfettoTeRegisteredTrack counter;
static volatile int64_t integer = 42;

#define LOOP(name, ...)                  \
  static void loop_##name(uint32_t n) {  \
    for (; n; n--) {                     \
      __VA_ARGS__;                       \
      __asm__ volatile("" ::: "memory"); \
    }                                    \
  }

LOOP(empty, (void)0)
LOOP(span, PERFETTO_TE(on, PERFETTO_TE_SLICE_BEGIN("span")); PERFETTO_TE(on, PERFETTO_TE_SLICE_END()))
LOOP(span_off, PERFETTO_TE(off, PERFETTO_TE_SLICE_BEGIN("span")); PERFETTO_TE(off, PERFETTO_TE_SLICE_END()))
LOOP(two_ints,
     PERFETTO_TE(on, PERFETTO_TE_INSTANT("log"), PERFETTO_TE_ARG_INT64("a", integer), PERFETTO_TE_ARG_INT64("b", 7)))
LOOP(text, PERFETTO_TE(on, PERFETTO_TE_INSTANT("log"), PERFETTO_TE_ARG_STRING("text", "short text")))
LOOP(counter,
     PERFETTO_TE(on, PERFETTO_TE_COUNTER(), PERFETTO_TE_REGISTERED_TRACK(&counter), PERFETTO_TE_INT_COUNTER(integer)))

static void drain(void) {
  if (!PerfettoTracingSessionFlushBlocking(session, 60000)) {
    fprintf(stderr, "nothing drains\n");
    exit(1);
  }
}

static const char *const names[] = {"frame", "physics", "ai", "render", "audio", "part", "entity", "query"};
#define BENCH_OPEN(scope, site) PERFETTO_TE(on, PERFETTO_TE_SLICE_BEGIN(names[site]))
#define BENCH_CLOSE(scope) PERFETTO_TE(on, PERFETTO_TE_SLICE_END())
#include "frame.h"

static uint64_t no_viewer(void) { return 0; }

static void add(struct PerfettoTracingSessionImpl *of, const void *data, size_t size, bool more, void *total) {
  (void)of, (void)data, (void)more;
  *(uint64_t *)total += size;
}

static uint64_t bytes(void) {
  uint64_t total = 0;
  PerfettoTracingSessionStopBlocking(session);
  PerfettoTracingSessionReadTraceBlocking(session, add, &total);
  return total;
}

int main(int argc, char **argv) {
  static const bench_case cases[] = {{"empty", loop_empty, NULL, 0, 1, NULL},
                                     {"perfetto_span", loop_span, NULL, 2, 2, NULL},
                                     {"perfetto_span_off", loop_span_off, NULL, 0, 1, NULL},
                                     {"perfetto_two_ints", loop_two_ints, NULL, 1, 2, NULL},
                                     {"perfetto_text", loop_text, NULL, 1, 2, NULL},
                                     {"perfetto_counter", loop_counter, NULL, 1, 2, NULL},
                                     {NULL, NULL, NULL, 0, 0, NULL}};
  /* A TraceConfig: a buffer of 64 MiB that overwrites the oldest; the data source track_event, of category "on". */
  static char config[] =
      "\x0a\x04\x08\x80\x80\x04"
      "\x12\x16\x0a\x14\x0a\x0btrack_event\x8a\x07\x04\x12\x02on";
  PerfettoProducerInit((struct PerfettoProducerInitArgs){PERFETTO_BACKEND_IN_PROCESS, 32 << 10});
  PerfettoTeInit();
  PERFETTO_TE_REGISTER_CATEGORIES(CATEGORIES);
  PerfettoTeCounterTrackRegister(&counter, "int", PerfettoTeProcessTrackUuid(), true);
  session = PerfettoTracingSessionCreate(PERFETTO_BACKEND_IN_PROCESS);
  PerfettoTracingSessionSetup(session, config, sizeof config - 1);
  PerfettoTracingSessionStartBlocking(session);
  if (!*on.enabled || *off.enabled) {
    fprintf(stderr, "its session records another category\n");
    return 1;
  }
  static const peer_frames frames = {bench_frame, drain, no_viewer, bytes};
  const int status = peer_run(argc, argv, cases, drain, &frames);
  fflush(stdout);
  _exit(status); /* its session ends with the process */
}
