/* What was lost, told as data: the metric tachy.dropped_events. */
#ifndef TACHY_SRC_RECORDER_COLLECT_REPORT_H
#define TACHY_SRC_RECORDER_COLLECT_REPORT_H

#include "source.h"

typedef struct tachy_report {
  uint64_t told[TACHY_CLASSES]; /* events lost that rows tell of */
  uint64_t rows;                /* that were recorded last */
} tachy_report;

/* For the collector, before a cut: records, as any thread does, a row for each class that lost events since the last
 * time. Returns whether there was something to tell. last: nothing comes after it. */
int tachy_report_losses(tachy_report *report, tachy_intake *metrics, int last);

#endif
