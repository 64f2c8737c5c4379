/* What was dropped, reported as data: the metric tachy.dropped_events, with the class as its property. */
#include "report.h"

#include "../../base/entries.h"
#include "../send/outbox.h"
#include "../threads/threads.h"

static const char *const names[TACHY_CLASSES] = {"", "log", "metric", "span"};

/* As if this thread had recorded it: its row must not be lost because the pool is empty. Whatever the level, and also
 * when all sites are off because the session ends. */
static void record(tachy_intake *metrics, tachy_source *source, const tachy_site *site, unsigned cls, uint64_t events) {
  const tachy_property property = {"class", names[cls]};
  const int32_t id = TACHY_LOAD(&site->id);
  const tachy_metric_record row = {tachy_ticks(), events, (uint32_t)(id < 0 ? -id : id),
                                   tachy_own_property_set(&property, 1)};
  tachy_row_records(&metrics->channel, source->stream, (const uint8_t *)&row, sizeof row);
}

static tachy_source *own_source(tachy_intake *metrics) {
  tachy_slot *const slot = tachy_slot_enter(TACHY_CLASSES);
  if (!slot) return NULL;
  tachy_slot_leave(slot);
  tachy_source *const known = slot->sources[TACHY_CLASS_METRIC];
  return known ? known : tachy_source_make(metrics, slot);
}

int tachy_report_losses(tachy_report *report, tachy_intake *metrics, int last) {
  uint64_t lost[TACHY_CLASSES];
  uint64_t news = 0;
  tachy_outbox_dropped(lost);
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) news += lost[cls] - report->reported[cls];
  if (news == 0) return 0;
  /* What was dropped may be no more than the rows of the last report: reporting it would go on for ever. So it is
   * reported with the next event that is dropped, or at the end. */
  if (!last && news == lost[TACHY_CLASS_METRIC] - report->reported[TACHY_CLASS_METRIC] && news <= report->rows)
    return 0;
  tachy_site *const site =
      tachy_own_site_intern(TACHY_SITE_METRIC_INT, TACHY_LEVEL_NONE, "tachy", "tachy.dropped_events", "", 0, "events");
  tachy_source *const source = site ? own_source(metrics) : NULL;
  if (!source) return 0;
  report->rows = 0;
  for (unsigned cls = 1; cls < TACHY_CLASSES; cls++) {
    if (lost[cls] == report->reported[cls]) continue;
    record(metrics, source, site, cls, lost[cls] - report->reported[cls]);
    report->reported[cls] = lost[cls];
    report->rows++;
  }
  return 1;
}
