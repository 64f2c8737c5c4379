/* The recorder alone, without a sender. */
#include <tachy/tachy.h>

int main(void) {
  const tachy_config config = {.sdk = "consumer"};
  TACHY_DEFINE_SPAN(tick, "consumer", "Tick");
  if (tachy_start(&config) != TACHY_OK) return 1;
  tachy_span_end(tachy_span_begin(&tick));
  tachy_stop(0);
  tachy_stats stats;
  tachy_get_stats(&stats);
  return stats.recorded[TACHY_CLASS_SPAN] == 1 ? 0 : 2;
}
