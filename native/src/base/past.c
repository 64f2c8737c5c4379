#include "past.h"

#include <string.h>

enum { HALF = TACHY_CLOCK_EARLIER_MAX / 2 };

void tachy_past_start(tachy_past *p, tachy_clock_pair start) {
  p->before = start;
  p->count = 0;
}

/* The rates at which a line from `a` passes `b` within 1 ns: narrows the bounds. */
static void narrow(tachy_past *p, tachy_clock_pair a, tachy_clock_pair b) {
  const double ticks = (double)(b.ticks - a.ticks);
  const double ns = (double)(b.utc - a.utc);
  if ((ns - 1) / ticks > p->least) p->least = (ns - 1) / ticks;
  if ((ns + 1) / ticks < p->most) p->most = (ns + 1) / ticks;
}

/* The clock's rate changes seldom, so most points lie on the line of their neighbours and need not be kept. */
static void keep(tachy_past *p, tachy_clock_pair point) {
  if (p->count > 1) {
    const tachy_clock_pair from = p->earlier[1];
    const double rate = (double)(point.utc - from.utc) / (double)(point.ticks - from.ticks);
    if (rate >= p->least && rate <= p->most) {
      p->earlier[0] = point;
      narrow(p, from, point);
      return;
    }
  }
  if (p->count == TACHY_CLOCK_EARLIER_MAX) { /* of the older half every second one is enough */
    for (uint64_t i = 0; i < HALF / 2; i++) p->earlier[HALF + i] = p->earlier[HALF + 2 * i + 1];
    p->count = HALF + HALF / 2;
  }
  memmove(p->earlier + 1, p->earlier, p->count * sizeof *p->earlier);
  p->earlier[0] = point;
  p->count++;
  if (p->count == 1) return;
  p->least = 0;
  p->most = 1e18;
  narrow(p, p->earlier[1], point);
}

void tachy_past_add(tachy_past *p, tachy_clock_pair point) {
  if (point.ticks == p->before.ticks) return;
  keep(p, p->before);
  p->before = point;
}

void tachy_past_shift(tachy_past *p, int64_t ns) {
  p->before.utc += ns;
  for (uint64_t i = 0; i < p->count; i++) p->earlier[i].utc += ns;
}

uint64_t tachy_past_needed(const tachy_past *p, uint64_t ticks) {
  if (ticks >= p->before.ticks) return 0;
  uint64_t needed = 0;
  while (needed < p->count && p->earlier[needed++].ticks > ticks) {
  }
  return needed;
}
