/* The session's clock. Written by tachy_clock_start and by the collector only. */
#include "clock.h"

#include <tachy/tachy.h>

#include "../os/os.h"
#include "entries.h"

enum { READINGS = 32, ROUGHLY_NS = 300000, CALIBRATION_NS = 3000000, STEP_SAMPLES = 256, SETTLE_NS = 250000000 };

static tachy_clock_pair begin;
static uint64_t begin_monotonic;
static int64_t measured;        /* UTC at the last reading, as the system's clock has it */
static tachy_clock_pair newest; /* what tachy_clock_now said last */
static uint64_t frequency;      /* atomic */
static uint64_t first_ticks;    /* atomic: those of `begin` */
static uint64_t step = 1;
static int stated;
static unsigned refined;

uint64_t tachy_os_ticks_(void) { return tachy_os_monotonic(); }

uint64_t tachy_gcd(uint64_t a, uint64_t b) {
  while (b) {
    const uint64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/* Ticks and the monotonic clock at one moment. That clock may move in steps (Windows': 100 ns), so of the readings that
 * nothing disturbed the one counts that came soonest after a step: at which it is furthest ahead of the ticks. hz: of
 * the ticks, roughly; 0: not known, then the least disturbed one counts. */
static uint64_t read_pair(uint64_t hz, uint64_t *monotonic) {
  uint64_t ticks[READINGS];
  uint64_t clock[READINGS];
  uint64_t widths[READINGS];
  uint64_t narrow = UINT64_MAX;
  for (unsigned i = 0; i < READINGS; i++) {
    const uint64_t before = tachy_ticks();
    clock[i] = tachy_os_monotonic();
    widths[i] = tachy_ticks() - before;
    ticks[i] = before + widths[i] / 2;
    if (widths[i] < narrow) narrow = widths[i];
  }
  unsigned best = READINGS;
  double most = 0;
  for (unsigned i = 0; i < READINGS; i++) {
    if (widths[i] > narrow + narrow / 8) continue;
    const double elapsed = hz ? (double)(ticks[i] - ticks[0]) * 1e9 / (double)hz : 0;
    const double ahead = hz ? (double)(clock[i] - clock[0]) - elapsed : -(double)widths[i];
    if (best < READINGS && ahead <= most) continue;
    best = i;
    most = ahead;
  }
  *monotonic = clock[best];
  return ticks[best];
}

static int64_t utc_at(uint64_t monotonic) { return begin.utc + (int64_t)(monotonic - begin_monotonic); }

static uint64_t rate(uint64_t ticks, uint64_t ns) { return (uint64_t)((double)ticks * 1e9 / (double)ns + 0.5); }

/* Ticks per second, counted against the clock. hz: as read_pair has it. */
static uint64_t count_ticks(uint64_t hz, uint64_t ns) {
  uint64_t from = 0, to = 0;
  const uint64_t first = read_pair(hz, &from);
  tachy_os_sleep(ns);
  const uint64_t last = read_pair(hz, &to);
  return rate(last - first, to - from);
}

void tachy_clock_start(void) {
  uint64_t hz = tachy_os_tick_frequency();
  stated = hz != 0;
  refined = 0;
  uint64_t divisor = 0;
  uint64_t last = tachy_ticks();
  for (unsigned i = 0; i < STEP_SAMPLES; i++) {
    const uint64_t now = tachy_ticks();
    divisor = tachy_gcd(now - last, divisor);
    last = now;
  }
  step = divisor && divisor < 65536 ? divisor : 1;
  if (!stated) hz = count_ticks(count_ticks(0, ROUGHLY_NS), CALIBRATION_NS);
  begin.utc = tachy_os_utc();
  begin.ticks = read_pair(hz, &begin_monotonic);
  TACHY_STORE(&frequency, hz);
  TACHY_STORE(&first_ticks, begin.ticks);
  newest = begin;
}

tachy_clock_pair tachy_clock_now(void) {
  uint64_t monotonic = 0;
  tachy_clock_pair now;
  now.ticks = read_pair(TACHY_LOAD(&frequency), &monotonic);
  /* a counter that a suspended machine set back: time stands still until it has caught up */
  if (now.ticks < newest.ticks) now.ticks = newest.ticks;
  measured = utc_at(monotonic);
  /* A reading is some 20 ns off. Over a short interval that would bend the clock, and spans that began before it would
   * be dated by the bent one: so the nominal rate leads, and the readings correct it within SETTLE_NS. */
  const double elapsed = (double)(now.ticks - newest.ticks) * 1e9 / (double)TACHY_LOAD(&frequency);
  const double error = (double)(measured - newest.utc) - elapsed;
  const double weight = elapsed < SETTLE_NS ? elapsed / SETTLE_NS : 1.0;
  now.utc = newest.utc + (int64_t)(elapsed + error * weight);
  newest = now;
  return now;
}

tachy_clock_pair tachy_clock_begin(void) { return begin; }

uint64_t tachy_clock_frequency(void) { return TACHY_LOAD(&frequency); }

void tachy_clock_refine(tachy_clock_pair now) {
  static const int64_t after[] = {1000000000, 10000000000};
  const int64_t elapsed = measured - begin.utc;
  if (stated || refined == 2 || elapsed < after[refined]) return;
  refined++;
  TACHY_STORE(&frequency, rate(now.ticks - begin.ticks, (uint64_t)elapsed));
}

uint64_t tachy_own_ticks_of(int64_t utc_ns) {
  const uint64_t now = tachy_ticks();
  const uint64_t first = TACHY_LOAD(&first_ticks);
  const int64_t utc = tachy_os_utc();
  if (utc_ns >= utc || now <= first) return now;
  const double ago = ((double)utc - (double)utc_ns) * 1e-9 * (double)TACHY_LOAD(&frequency);
  return ago < (double)(now - first) ? now - (uint64_t)ago : first;
}

uint64_t tachy_clock_step(void) { return step; }

const char *tachy_clock_name(void) {
#if defined(TACHY_CLOCK_TSC)
  return "tsc";
#elif defined(TACHY_CLOCK_CNTVCT)
  return "cntvct";
#else
  return "os";
#endif
}
