/* What the collector has read of a session and not cut yet, and the passes over all threads that read it. */
#ifndef TACHY_SRC_RECORDER_COLLECT_DRAIN_H
#define TACHY_SRC_RECORDER_COLLECT_DRAIN_H

#include "flight.h"
#include "report.h"
#include "source.h"

enum { TACHY_ALL_CLASSES = (1 << TACHY_CLASSES) - 2 }; /* a bit each */

typedef struct tachy_collection {
  tachy_intake intakes[TACHY_CLASSES];
  tachy_report report;
  uint8_t process_id[16];
  uint64_t too_deep;
  uint64_t mismatched;
  uint64_t backwards;
  uint64_t values_lost;
  uint64_t seen_inside[TACHY_CLASSES]; /* tachy_inside_dropped, as far as it has been counted */
  tachy_flight flight;
  tachy_watch watches[TACHY_CLASSES];
} tachy_collection;

/* Whether a pass would find something, or something has been read that is in no block. A glance: counters of what was
 * dropped alone are no reason for a pass. */
int tachy_collection_has_news(const tachy_collection *c);
/* Whether a quarter of the pool waits for a class's cut. */
int tachy_collection_is_full(const tachy_collection *c);
/* One pass over all threads, until a class has a quarter of the pool waiting for its cut. (The flight recorder follows
 * those of spans.) 0: there is more. */
int tachy_collection_read(tachy_collection *c);
/* Everything that is there of these classes, for a cut. */
void tachy_collection_drain(tachy_collection *c, unsigned classes);
/* Nothing more of these: their threads' names alone. */
void tachy_collection_name(tachy_collection *c, unsigned classes);
/* Says how far it has come: tachy_get_stats. */
void tachy_collection_report(tachy_collection *c);

#endif
