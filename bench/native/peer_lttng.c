/* LTTng-UST: a pair of tracepoints, recorded by a session that bench/native_peers.py has started. */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "peer.h"
#include "peer_lttng_events.h"

static void loop_span(uint32_t n) {
  for (; n; n--) {
    lttng_ust_tracepoint(bench, span_begin, 1);
    lttng_ust_tracepoint(bench, span_end);
    __asm__ volatile("" ::: "memory");
  }
}

static void nothing(void) {} /* the consumer drains by itself, or the oldest events are overwritten */

int main(int argc, char **argv) {
  static const bench_case cases[] = {{"lttng_ust_span", loop_span, NULL, 2, 2, NULL}, {NULL, NULL, NULL, 0, 0, NULL}};
  if (!lttng_ust_tracepoint_enabled(bench, span_begin) || !lttng_ust_tracepoint_enabled(bench, span_end)) {
    fprintf(stderr, "no session records bench:*\n");
    return 1;
  }
  return peer_run(argc, argv, cases, nothing, NULL);
}
