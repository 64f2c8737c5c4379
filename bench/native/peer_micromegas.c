/* Micromegas: loops of bench/rust/micromegas.rs. */
#include "peer.h"

int micromegas_start(void);
void micromegas_spans(uint32_t n);
void micromegas_logs_two_ints(uint32_t n);
void micromegas_logs_text(uint32_t n);
void micromegas_metrics(uint32_t n);

static void nothing(void) {} /* full blocks are thrown away where they were filled */

int main(int argc, char **argv) {
  static const bench_case cases[] = {{"micromegas_span", micromegas_spans, NULL, 2, 2, NULL},
                                     {"micromegas_two_ints", micromegas_logs_two_ints, NULL, 1, 2, NULL},
                                     {"micromegas_text", micromegas_logs_text, NULL, 1, 2, NULL},
                                     {"micromegas_metric", micromegas_metrics, NULL, 1, 2, NULL},
                                     {NULL, NULL, NULL, 0, 0, NULL}};
  if (!micromegas_start()) {
    fprintf(stderr, "its telemetry does not start\n");
    return 1;
  }
  return peer_run(argc, argv, cases, nothing, NULL);
}
