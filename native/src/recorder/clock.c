/* The session's clock. Written by tachy_clock_start and by the collector only. */
#include "clock.h"

#include <tachy/tachy.h>

#include "../os/os.h"

enum { READINGS = 16, CALIBRATION_NS = 3000000, STEP_SAMPLES = 256, SETTLE_NS = 250000000 };

static tachy_clock_pair begin;
static uint64_t begin_monotonic;
static int64_t measured;        /* UTC at the last reading, as the system's clock has it */
static tachy_clock_pair newest; /* what tachy_clock_now said last */
static uint64_t frequency;      /* atomic */
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

/* Ticks and the monotonic clock at one moment: one at which it has just moved, since Windows' moves by 100 ns. */
static uint64_t read_pair(uint64_t *monotonic) {
  uint64_t best = UINT64_MAX;
  uint64_t ticks = 0;
  int best_moved = 0;
  uint64_t last = tachy_os_monotonic();
  for (unsigned i = 0; i < READINGS; i++) {
    const uint64_t before = tachy_ticks();
    const uint64_t now = tachy_os_monotonic();
    const uint64_t width = tachy_ticks() - before;
    const int moved = now != last;
    last = now;
    if (moved < best_moved || (moved == best_moved && width >= best)) continue;
    best_moved = moved;
    best = width;
    ticks = before + width / 2;
    *monotonic = now;
  }
  return ticks;
}

static int64_t utc_at(uint64_t monotonic) { return begin.utc + (int64_t)(monotonic - begin_monotonic); }

static uint64_t rate(uint64_t ticks, uint64_t ns) { return (uint64_t)((double)ticks * 1e9 / (double)ns + 0.5); }

void tachy_clock_start(void) {
  begin.utc = tachy_os_utc();
  begin.ticks = read_pair(&begin_monotonic);
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
  if (!stated) {
    tachy_os_sleep(CALIBRATION_NS);
    uint64_t monotonic = 0;
    const uint64_t ticks = read_pair(&monotonic);
    hz = rate(ticks - begin.ticks, monotonic - begin_monotonic);
  }
  TACHY_STORE(&frequency, hz);
  newest = begin;
}

tachy_clock_pair tachy_clock_now(void) {
  uint64_t monotonic = 0;
  tachy_clock_pair now;
  now.ticks = read_pair(&monotonic);
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
