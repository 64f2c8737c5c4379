/* What was dropped, reported as data: the metric tachy.dropped_events. */
#ifndef TACHY_SRC_RECORDER_COLLECT_REPORT_H
#define TACHY_SRC_RECORDER_COLLECT_REPORT_H

#include "source.h"

typedef struct tachy_report {
  uint64_t reported[TACHY_CLASSES]; /* dropped events that rows have counted */
  uint64_t rows;                    /* that were recorded last */
} tachy_report;

/* For the collector, before a cut: records, as any thread does, a row for each class of which events were dropped
 * since the last time. Returns whether it recorded one. last: nothing comes after it. */
int tachy_report_losses(tachy_report *report, tachy_intake *metrics, int last);

#endif
