/* The session's clock. Written by tachy_clock_start and by the collector only.
 *
 * UTC is a line over the ticks, which is steered towards the wall clock: its rate is corrected at most four times a
 * second, so that blocks of a millisecond lie on one line, and so gently that an error takes seconds to go. What cannot
 * be steered away without bending durations (somebody has set the wall clock, the machine was suspended, the counter
 * began anew) waits for tachy_clock_jump. */
#include "clock.h"

#include <tachy/tachy.h>

#include "../os/os.h"
#include "entries.h"

enum {
  READINGS = 32,
  OFFSET_READINGS = 8,
  ROUGHLY_NS = 30000,   /* the ticks are counted for so long before anything is known of them: some thousandths off */
  LEAST_NS = 300000,    /* and for so long before the first event is dated: 0.01 % off at most */
  COUNTED_NS = 3000000, /* the collector goes on counting until then, as long as nothing is dated by it */
  UNDISTURBED_NS = 1000000 /* a reading that took longer says nothing */
};
static const double STEER_NS = 25e7; /* the rate is left alone for so long */
static const double NEAR_NS = 100.0; /* and while the line is so close: a reading is good to some 20 ns */
static const double JUMP_NS = 2e7;   /* what is farther off is no drift */
static const double SLEW_NS = 4e9;   /* that an error takes to go */
static const double SLEW_MAX = 1e-4; /* of the rate */

static tachy_clock_pair begin;
static tachy_clock_line line;   /* UTC over ticks */
static tachy_bends bends;       /* of the line */
static double pace;             /* UTC ns per tick, as far as it is known; line.rate takes an error away besides */
static tachy_clock_pair newest; /* what tachy_clock_now said last */
static uint64_t newest_monotonic;
static uint64_t shown;         /* by the counter at that moment */
static int64_t offset;         /* of the wall clock to the monotonic one, smoothed */
static double apart;           /* ns by which the wall clock is ahead of the line */
static int restarted;          /* the counter has begun anew */
static uint64_t counted_ticks; /* since when the frequency is counted */
static uint64_t counted_monotonic;
static uint64_t frequency;   /* atomic */
static uint64_t first_ticks; /* atomic: where the counter began, as far as we know */
static int stated;
static unsigned refined;

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

/* The least disturbed of some readings. 0: all of them were. */
static int read_offset(int64_t *found) {
  uint64_t narrow = UNDISTURBED_NS;
  for (unsigned i = 0; i < OFFSET_READINGS; i++) {
    const uint64_t before = tachy_os_monotonic();
    const int64_t utc = tachy_os_utc();
    const uint64_t width = tachy_os_monotonic() - before;
    if (width >= narrow) continue;
    narrow = width;
    *found = utc - (int64_t)(before + width / 2);
  }
  return narrow < UNDISTURBED_NS;
}

/* Where UTC stands to the monotonic clock moves slowly on systems that steer the one and not the other. */
static void follow_offset(void) {
  int64_t found = 0;
  if (!read_offset(&found)) return;
  const int64_t change = found - offset;
  offset = change > (int64_t)JUMP_NS || change < -(int64_t)JUMP_NS ? found : offset + change / 16;
}

static uint64_t rate(uint64_t ticks, uint64_t ns) { return (uint64_t)((double)ticks * 1e9 / (double)ns + 0.5); }

/* Ticks per second, counted against the clock for a moment: good to some thousandths. */
static uint64_t count_roughly(void) {
  uint64_t from = 0, to = 0;
  const uint64_t first = read_pair(0, &from);
  while (tachy_os_monotonic() - from < ROUGHLY_NS) {
  }
  const uint64_t last = read_pair(0, &to);
  return rate(last - first, to - from);
}

/* What the counting has come to at that moment, in ticks per second. */
static uint64_t count_ticks(uint64_t ticks, uint64_t monotonic) {
  return rate(ticks - counted_ticks, monotonic - counted_monotonic);
}

/* The frequency is known better. */
static void set_frequency(uint64_t hz) {
  TACHY_STORE(&frequency, hz);
  pace = 1e9 / (double)hz;
}

/* Until the line has dated anything, it is the one through the beginning and now. */
static int is_open(void) { return !stated && newest.ticks == begin.ticks; }

static void lay(uint64_t ticks, uint64_t monotonic) {
  if (!is_open() || ticks <= counted_ticks || monotonic <= counted_monotonic) return;
  set_frequency(count_ticks(ticks, monotonic));
  line.rate = pace;
}

void tachy_clock_start(void) {
  uint64_t hz = tachy_os_tick_frequency();
  stated = hz != 0;
  refined = 0;
  if (!stated) hz = count_roughly();
  counted_ticks = read_pair(hz, &counted_monotonic);
  if (!read_offset(&offset)) offset = tachy_os_utc() - (int64_t)tachy_os_monotonic();
  begin = (tachy_clock_pair){counted_ticks, (int64_t)counted_monotonic + offset};
  set_frequency(hz);
  line = (tachy_clock_line){begin, UINT64_MAX, pace};
  newest = begin;
  newest_monotonic = counted_monotonic;
  bends.count = 0;
  apart = 0;
  restarted = 0;
  TACHY_STORE(&first_ticks, begin.ticks);
}

/* What the counter shows has nothing to do with what it showed: not one that another processor is a little behind. */
static int is_restart(uint64_t ticks) {
  return ticks < newest.ticks && newest.ticks - ticks > TACHY_LOAD(&frequency) / 1000;
}

/* The first pair that is given out decides how the line goes on: the ticks are to be counted for a little while. */
static void wait_for_count(void) {
  const uint64_t passed = tachy_os_monotonic() - counted_monotonic;
  if (is_open() && passed < LEAST_NS) tachy_os_sleep(LEAST_NS - passed);
}

/* Reads all clocks; `newest` is what the line says. A counter that began anew is continued by the monotonic clock. */
static void read_clocks(void) {
  uint64_t monotonic;
  wait_for_count();
  shown = read_pair(TACHY_LOAD(&frequency), &monotonic);
  follow_offset();
  restarted = is_restart(shown);
  lay(shown, monotonic);
  uint64_t now = shown > newest.ticks ? shown : newest.ticks;
  if (restarted && monotonic > newest_monotonic) {
    now += (uint64_t)((double)(monotonic - newest_monotonic) * 1e-9 * (double)TACHY_LOAD(&frequency));
  }
  newest = (tachy_clock_pair){now, tachy_clock_on_line(&line, now)};
  newest_monotonic = monotonic;
  apart = (double)((int64_t)monotonic + offset - newest.utc);
}

static double within(double value, double bound) { return value > bound ? bound : value < -bound ? -bound : value; }

static void bend(double slew) {
  line = (tachy_clock_line){newest, UINT64_MAX, pace * (1 + slew)};
  tachy_bends_add(&bends, newest);
}

/* Counted against the monotonic clock for longer, the frequency is known better. */
static void refine(void) {
  static const uint64_t after[] = {COUNTED_NS, 1000000000, 10000000000};
  if (stated || refined == 3 || newest_monotonic - counted_monotonic < after[refined]) return;
  const uint64_t known = TACHY_LOAD(&frequency);
  const uint64_t better = count_ticks(shown, newest_monotonic);
  if (better > known + known / 1000 || better < known - known / 1000) { /* one of them slept */
    counted_ticks = shown;
    counted_monotonic = newest_monotonic;
    return;
  }
  refined++;
  set_frequency(better);
  bend(within(apart / SLEW_NS, SLEW_MAX));
}

/* A controller of two terms, damped so that it does not overshoot: the rate takes the error away within SLEW_NS, and
 * what keeps coming back changes the pace. */
static void steer(void) {
  const double elapsed = (double)(newest.ticks - line.from.ticks) * pace;
  if (elapsed < STEER_NS || (apart < NEAR_NS && apart > -NEAR_NS)) return;
  const double time = elapsed > SLEW_NS ? elapsed : SLEW_NS;
  const double slew = within(apart / time, SLEW_MAX);
  if (slew < SLEW_MAX && slew > -SLEW_MAX) pace *= 1 + slew * elapsed / time / 4;
  bend(slew);
}

int tachy_clock_count(void) {
  uint64_t monotonic = 0;
  const uint64_t ticks = read_pair(TACHY_LOAD(&frequency), &monotonic);
  lay(ticks, monotonic);
  return !is_open() || monotonic - counted_monotonic >= COUNTED_NS;
}

static int is_elsewhere(void) { return restarted || apart > JUMP_NS || apart < -JUMP_NS; }

tachy_clock_pair tachy_clock_now(void) {
  read_clocks();
  if (is_elsewhere()) return newest;
  refine();
  steer();
  return newest;
}

int tachy_clock_jumped(void) {
  tachy_clock_now();
  return is_elsewhere();
}

int tachy_clock_restarted(void) { return is_restart(tachy_ticks()); }

tachy_clock_pair tachy_clock_jump(void) {
  newest.utc += (int64_t)apart;
  tachy_bends_shift(&bends, (int64_t)apart);
  if (restarted) {
    bends.count = 0;
    newest.ticks = counted_ticks = shown;
    counted_monotonic = newest_monotonic;
    TACHY_STORE(&first_ticks, shown);
  }
  restarted = 0;
  apart = 0;
  bend(0);
  return newest;
}

tachy_clock_pair tachy_clock_begin(void) { return begin; }

const tachy_bends *tachy_clock_bends(void) { return &bends; }

uint64_t tachy_clock_first_ticks(void) { return TACHY_LOAD(&first_ticks); }

uint64_t tachy_clock_frequency(void) { return TACHY_LOAD(&frequency); }

uint64_t tachy_own_ticks_of(int64_t utc_ns) {
  const uint64_t now = tachy_ticks();
  const uint64_t first = TACHY_LOAD(&first_ticks);
  const int64_t utc = tachy_os_utc();
  if (utc_ns >= utc || now <= first) return now;
  const double ago = ((double)utc - (double)utc_ns) * 1e-9 * (double)TACHY_LOAD(&frequency);
  return ago < (double)(now - first) ? now - (uint64_t)ago : first;
}

const char *tachy_clock_name(void) {
#if defined(TACHY_CLOCK_TSC)
  return "tsc";
#elif defined(TACHY_CLOCK_CNTVCT)
  return "cntvct";
#else
  return "os";
#endif
}
