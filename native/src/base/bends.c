#include "bends.h"

#include <string.h>

enum { APART_NS = 20 }; /* what a reading of the clocks is good to */

void tachy_bends_add(tachy_bends *b, tachy_clock_pair point) {
  enum { HALF = TACHY_BENDS_MAX / 2 };
  if (b->count && b->points[b->count - 1].ticks == point.ticks) b->count--;
  if (b->count == TACHY_BENDS_MAX) {
    for (uint64_t i = 0; i < HALF / 2; i++) b->points[i] = b->points[2 * i + 1];
    memmove(b->points + HALF / 2, b->points + HALF, HALF * sizeof *b->points);
    b->count -= HALF / 2;
  }
  b->points[b->count++] = point;
}

void tachy_bends_shift(tachy_bends *b, int64_t ns) {
  for (uint64_t i = 0; i < b->count; i++) b->points[i].utc += ns;
}

/* A line from one point to the other passes those between them. */
static int passes(tachy_clock_pair from, tachy_clock_pair to, const tachy_clock_pair *points, uint64_t count) {
  const tachy_clock_line line = tachy_clock_through(from, to, 0);
  for (uint64_t i = 0; i < count; i++) {
    const int64_t apart = (int64_t)((uint64_t)tachy_clock_on_line(&line, points[i].ticks) - (uint64_t)points[i].utc);
    if (apart > APART_NS || apart < -APART_NS) return 0;
  }
  return 1;
}

uint64_t tachy_bends_between(const tachy_bends *b, tachy_clock_pair from, tachy_clock_pair to,
                             tachy_clock_pair *inner) {
  uint64_t end = b ? b->count : 0;
  while (end && b->points[end - 1].ticks >= to.ticks) end--;
  uint64_t first = end;
  while (first && b->points[first - 1].ticks > from.ticks) first--;
  uint64_t kept = TACHY_BENDS_MAX; /* from here on in `inner`, until it is moved to its front */
  for (uint64_t i = first; i < end; i++) {
    const tachy_clock_pair next = i + 1 < end ? b->points[i + 1] : to;
    if (passes(from, next, b->points + first, i + 1 - first)) continue;
    inner[--kept] = from = b->points[i];
    first = i + 1;
  }
  memmove(inner, inner + kept, (TACHY_BENDS_MAX - kept) * sizeof *inner);
  return TACHY_BENDS_MAX - kept;
}
