/* What a host sees whose system can run no collector: a clear status, and calls that do nothing. */
#include <stdio.h>
#include <tachy/tachy.h>

#define CHECK(condition)                                                \
  do {                                                                  \
    if (!(condition)) {                                                 \
      fprintf(stderr, "line %d: not true: %s\n", __LINE__, #condition); \
      return 1;                                                         \
    }                                                                   \
  } while (0)

int main(void) {
  TACHY_DEFINE_SPAN(work, "refused", "work");
  TACHY_DEFINE_INT_METRIC(count, "refused", "count", "");
  CHECK(tachy_start(NULL) == TACHY_ERROR_SYSTEM);
  CHECK(tachy_start(NULL) == TACHY_ERROR_SYSTEM); /* and not _STATE: nothing is half started */
  tachy_set_thread_name("main");
  tachy_set_level(TACHY_LEVEL_INFO);
  tachy_span_end(tachy_span_begin(&work));
  tachy_metric_int(&count, 0, 1);
  tachy_site *const note = tachy_site_intern(TACHY_SITE_LOG, TACHY_LEVEL_INFO, "refused", "", "", 0, "");
  CHECK(note != NULL);
  tachy_log_text(note, 0, "text", 4);
  CHECK(!tachy_flush(1000));
  CHECK(tachy_batch_take(1000, NULL) == NULL);
  tachy_stats stats;
  tachy_get_stats(&stats);
  for (int cls = 1; cls < 4; cls++) CHECK(stats.recorded[cls] == 0 && stats.dropped[cls] == 0);
  tachy_stop(1000);
  return 0;
}
