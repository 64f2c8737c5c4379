/* The session's clock (src/base/clock.c) under clocks of our own: the operating system's and the processor's counter
 * are functions here (--wrap). In a simulation time passes by reading clocks and by tachy_os_sleep, and clocks run as
 * the scenario says; where a program records, they are the real ones with errors added. usage: clock_tests SCENARIO
 * [CAPTURE]
 *
 * random_program, flight_random: what random_program.c and flight.c do, with environment CLOCK_DELAYS (1: readings take
 * their time at random), CLOCK_JUMPS (so many ns, forward and back in turns, the wall clock is set, every few cuts),
 * CLOCK_RESTART (after so many readings the counter begins anew). Their counter is up to 240 ppm faster or slower than
 * it says. */
#include <math.h>

#include "../../native/src/base/clock.h"
#include "../../native/src/recorder/send/write_budget.h"
#include "harness.h"

#define SECOND INT64_C(1000000000)
#define HOUR (3600 * SECOND)
#define HZ 3e9

uint64_t __real_tachy_os_monotonic(void);
int64_t __real_tachy_os_utc(void);
void __real_tachy_os_sleep(uint64_t ns);
uint64_t __wrap_tachy_os_monotonic(void);
int64_t __wrap_tachy_os_utc(void);
void __wrap_tachy_os_sleep(uint64_t ns);
uint64_t __wrap_tachy_os_ticks_(void);
uint64_t __wrap_tachy_os_tick_frequency(void);

/* Simulated ------------------------------------------------------------------------------------------------------- */

static struct {
  int on;
  double now;   /* ns of true time */
  double ticks; /* the counter at `since` */
  double rate;  /* ticks per ns from then on */
  double since;
  double monotonic;      /* that the monotonic clock is behind: it does not count what the machine sleeps */
  double utc;            /* that the wall clock is ahead of true time */
  double monotonic_step; /* by which they move */
  double utc_step;
  double reading;     /* ns that one takes, at most */
  double disturbance; /* ns that a reading of the wall clock takes besides */
  uint64_t random;
} sim;

static double chance(void) { return (double)(next_random(&sim.random) >> 11) * 0x1p-53; }

static double in_steps(double value, double step) { return step > 0 ? floor(value / step) * step : floor(value); }

static double sim_ticks(void) { return sim.ticks + (sim.now - sim.since) * sim.rate; }

static double sim_wall(void) { return 1.7e18 + sim.now + sim.utc; }

static void read_one(void) { sim.now += sim.reading * (0.5 + chance() / 2); }

static void set_counter(double ticks, double rate) {
  sim.ticks = ticks;
  sim.rate = rate;
  sim.since = sim.now;
}

static void sim_start(double ppm) {
  sim.on = 1;
  sim.now = 100 * 1e9;
  sim.reading = 20;
  sim.monotonic_step = sim.utc_step = 1;
  sim.random = 7;
  sim.utc = sim.monotonic = sim.disturbance = 0;
  set_counter(1e12, HZ / 1e9 * (1 + ppm * 1e-6));
  tachy_clock_start();
}

/* The machine sleeps: the monotonic clock does not see it, the counter if it goes on. */
static void suspend(double ns, int counts) {
  const double ticks = sim_ticks();
  sim.now += ns;
  sim.monotonic += ns;
  if (!counts) set_counter(ticks, sim.rate);
}

/* Recorded -------------------------------------------------------------------------------------------------------- */

static struct {
  uint64_t start; /* monotonic; 0: the clocks are the real ones */
  int64_t jumps;
  uint64_t readings;      /* atomic: of the wall clock */
  uint64_t restart_after; /* readings of the counter; 0: never */
  uint64_t counted;       /* atomic: readings of the counter */
  uint64_t restart;       /* atomic: when that was */
  int delays;
} real;

static uint64_t real_monotonic(void) { return __real_tachy_os_monotonic(); }

static void delay(void) {
  static _Thread_local uint64_t random;
  if (!real.delays) return;
  if (!random) random = (uint64_t)(uintptr_t)&random;
  const uint64_t r = next_random(&random);
  if (r % 1000 == 0) sched_yield();
  if (r % 20000 == 1) __real_tachy_os_sleep(r >> 32 & 0x3FFFF);
}

/* The rate is 20 ppm off, and swings by 200 ppm within 40 ms and by 20 ppm within 3 ms. */
static uint64_t real_ticks(void) {
  if (real.restart_after && __atomic_fetch_add(&real.counted, 1, __ATOMIC_RELAXED) == real.restart_after) {
    TACHY_STORE_RELEASE(&real.restart, real_monotonic() - real.start);
  }
  const uint64_t restart = TACHY_LOAD_ACQUIRE(&real.restart);
  const uint64_t passed = real_monotonic() - real.start;
  const double t = (double)passed;
  const double slow = 4e7 / 6.28318530718, fast = 3e6 / 6.28318530718;
  const double error = 20e-6 * t + 200e-6 * slow * (1 - cos(t / slow)) + 20e-6 * fast * (1 - cos(t / fast));
  const uint64_t ticks = (uint64_t)((t + error) * (HZ / 1e9));
  if (restart) return ticks - (uint64_t)((double)restart * (HZ / 1e9));
  return (UINT64_C(1) << 45) + ticks;
}

static uint64_t number_of(const char *name) {
  const char *const text = getenv(name);
  return text ? strtoull(text, NULL, 10) : 0;
}

static void record(const scenario *what) {
  real.delays = (int)number_of("CLOCK_DELAYS");
  real.jumps = (int64_t)number_of("CLOCK_JUMPS");
  real.restart_after = number_of("CLOCK_RESTART");
  real.start = real_monotonic();
  what->run();
}

static void random_program(void) { record(&random_scenarios[0]); }

static void flight_random(void) { record(&flight_scenarios[0]); }

/* The clocks ------------------------------------------------------------------------------------------------------ */

uint64_t __wrap_tachy_os_monotonic(void) {
  if (!sim.on) return real_monotonic();
  read_one();
  return (uint64_t)in_steps(sim.now - sim.monotonic, sim.monotonic_step);
}

int64_t __wrap_tachy_os_utc(void) {
  if (!sim.on) {
    delay();
    const uint64_t readings = __atomic_fetch_add(&real.readings, 1, __ATOMIC_RELAXED);
    return __real_tachy_os_utc() + (readings / 32 % 2 ? real.jumps : 0);
  }
  read_one();
  const double wall = sim_wall();
  sim.now += sim.disturbance;
  return (int64_t)in_steps(wall, sim.utc_step);
}

uint64_t __wrap_tachy_os_ticks_(void) {
  if (!sim.on) {
    const uint64_t ticks = real_ticks();
    delay();
    return ticks;
  }
  read_one();
  return (uint64_t)sim_ticks();
}

void __wrap_tachy_os_sleep(uint64_t ns) {
  if (sim.on) {
    sim.now += (double)ns;
  } else {
    __real_tachy_os_sleep(ns);
  }
}

static uint64_t stated = (uint64_t)HZ;
uint64_t __wrap_tachy_os_tick_frequency(void) { return stated; }

/* Scenarios ------------------------------------------------------------------------------------------------------- */

/* How far the pair is from the wall clock, which has gone on since by one reading at most. */
static double off(tachy_clock_pair now) {
  const double then = ((double)now.ticks - sim.ticks) / sim.rate + sim.since; /* when the counter showed that */
  return (double)now.utc - (1.7e18 + then + sim.utc);
}

/* Reads the clock every `every` ns, for `ns`. Never backwards, and no slope that bends a duration by more than 1 in
 * 5,000. Returns the last one. */
static tachy_clock_pair run_for(double ns, double every) {
  tachy_clock_pair last = tachy_clock_now();
  for (const double end = sim.now + ns; sim.now < end;) {
    sim.now += every * (0.5 + chance());
    CHECK(!tachy_clock_jumped() && !tachy_clock_restarted());
    const tachy_clock_pair now = tachy_clock_now();
    CHECK(now.ticks > last.ticks && now.utc >= last.utc);
    const double true_ns = (double)(now.ticks - last.ticks) / sim.rate;
    CHECK(fabs((double)(now.utc - last.utc) - true_ns) < 2 + true_ns / 5000);
    last = now;
  }
  return last;
}

static void rates(void) {
  for (int said = 0; said < 2; said++) {
    for (int ppm = -20; ppm <= 20; ppm += 20) {
      stated = said ? (uint64_t)HZ : 0;
      sim_start(ppm);
      CHECK(fabs(off(run_for(3e9, 1e6))) < 100e3);
      CHECK(fabs(off(run_for(60e9, 50e6))) < 1e3);
      CHECK(fabs(off(run_for(600e9, 1e9))) < 500);
      CHECK(fabs(off(run_for(3e12, 60e9))) < 10e3); /* a collector that wakes once a minute */
      if (!said) CHECK(fabs((double)tachy_clock_frequency() / (sim.rate * 1e9) - 1) < 1e-7);
    }
  }
  stated = (uint64_t)HZ;
}

/* Where the processor does not say it, the frequency is counted until something is dated by it. */
static void counts(void) {
  stated = 0;
  sim_start(20);
  CHECK(!tachy_clock_count());
  sim.now += 5e6;
  CHECK(tachy_clock_count() && fabs((double)tachy_clock_frequency() / (sim.rate * 1e9) - 1) < 20e-6);
  sim.now += 1e9;
  CHECK(!tachy_clock_jumped() && fabs(off(tachy_clock_now())) < 500);
  CHECK(fabs((double)tachy_clock_frequency() / (sim.rate * 1e9) - 1) < 1e-7);
  sim_start(20); /* a pair is wanted at once */
  const tachy_clock_pair first = tachy_clock_now();
  CHECK(tachy_clock_count() && fabs(off(first)) < 500);
  CHECK(fabs((double)tachy_clock_frequency() / (sim.rate * 1e9) - 1) < 200e-6);
  stated = (uint64_t)HZ;
}

/* Between two corrections all readings lie on one line. */
static void straight(void) {
  sim_start(15);
  run_for(20e9, 1e8);
  unsigned bent = 0;
  tachy_clock_pair a = run_for(1e6, 1e6);
  tachy_clock_pair b = run_for(1e6, 1e6);
  for (int i = 0; i < 10000; i++) {
    const tachy_clock_pair c = run_for(1e6, 1e6);
    const double there = (double)(c.utc - a.utc) / (double)(c.ticks - a.ticks) * (double)(b.ticks - a.ticks);
    bent += fabs(there - (double)(b.utc - a.utc)) > 1.5;
    a = b;
    b = c;
  }
  CHECK(bent == 0);
}

/* A line from any reading to any other one, and over the bends that lie between them, passes all readings. */
static void bends(void) {
  enum { READINGS_KEPT = 3000, EVERY = 100 };
  static tachy_clock_pair readings[READINGS_KEPT];
  sim_start(20);
  uint64_t kept = 0;
  for (unsigned i = 0; i < READINGS_KEPT; i++) {
    if (i == 1000) sim.utc += 300e3;
    readings[i] = run_for(1e7, 1e7);
  }
  for (unsigned i = 0; i < READINGS_KEPT; i += EVERY) {
    for (unsigned k = i + EVERY; k < READINGS_KEPT; k += EVERY) {
      tachy_clock_pair points[TACHY_BENDS_MAX + 1];
      const uint64_t inner = tachy_bends_between(tachy_clock_bends(), readings[i], readings[k], points);
      points[inner] = readings[i];
      const tachy_block_clock clock = tachy_clock_from(readings[k], points, inner + 1, (uint64_t)HZ);
      for (unsigned at = i; at <= k; at++) {
        const int64_t apart = tachy_ticks_to_utc(&clock, readings[at].ticks) - readings[at].utc;
        CHECK(apart >= -22 && apart <= 22); /* a nanosecond for the rounding of either */
      }
      kept += inner;
    }
  }
  CHECK(kept > 0);
  CHECK(tachy_bends_between(tachy_clock_bends(), readings[0], readings[100], (tachy_clock_pair[TACHY_BENDS_MAX]){{0}}) <
        10);
}

/* What is not much is slewed, over seconds: no duration is off by more than 1 in 5,000 meanwhile (run_for). */
static void slewed(void) {
  sim_start(0);
  run_for(10e9, 1e7);
  sim.utc += 300e3;
  const double before = off(run_for(1e9, 1e7));
  CHECK(before < -150e3);
  CHECK(fabs(off(run_for(100e9, 1e7))) < 1e3);
  sim.utc -= 10e6; /* at most 100 ppm: this takes longer */
  CHECK(off(run_for(10e9, 1e7)) > 5e6);
  CHECK(fabs(off(run_for(300e9, 1e8))) < 1e3);
}

/* A jump comes when it is asked for, and not before. */
static void expect_jump(tachy_clock_pair before, double ns) {
  sim.now += 1e6;
  CHECK(tachy_clock_jumped());
  const tachy_clock_pair end = tachy_clock_now();
  const double passed = (double)(end.ticks - before.ticks) / sim.rate;
  CHECK(fabs((double)(end.utc - before.utc) - passed) < 1e3 + passed / 5000);
  const tachy_clock_pair start = tachy_clock_jump();
  CHECK(start.ticks == end.ticks);
  CHECK(fabs((double)(start.utc - end.utc) - ns) < 100e3); /* besides what was being slewed */
  CHECK(!tachy_clock_jumped());
  CHECK(fabs(off(tachy_clock_now())) < 1e3);
  run_for(30e9, 1e7);
}

static void jumps(void) {
  sim_start(-20);
  double set[] = {(double)HOUR, -(double)HOUR, 50e6, -50e6, 86400e9 * 365, (double)-HOUR};
  for (unsigned i = 0; i < sizeof set / sizeof *set; i++) {
    const tachy_clock_pair before = run_for(5e9, 1e7);
    sim.utc += set[i];
    expect_jump(before, set[i]);
  }
}

/* The counter stands still, or goes on, while the machine sleeps. */
static void suspends(void) {
  for (int early = 0; early < 2; early++) {
    stated = early ? 0 : (uint64_t)HZ; /* not counted to the end yet */
    sim_start(20);
    const tachy_clock_pair before = run_for(early ? 5e8 : 30e9, 1e7);
    suspend((double)HOUR, 0);
    expect_jump(before, (double)HOUR);
    const double hz = (double)tachy_clock_frequency();
    suspend((double)HOUR / 360, 1); /* within what the rate is off */
    const tachy_clock_pair after = tachy_clock_now();
    CHECK(!tachy_clock_jumped() && fabs(off(after)) < 10e9 * 50e-6);
    run_for(60e9, 1e7);
    CHECK(fabs((double)tachy_clock_frequency() / hz - 1) < 50e-6);
    CHECK(fabs(off(tachy_clock_now())) < 1e3);
  }
  stated = (uint64_t)HZ;
}

/* The counter is set back to nothing, with and without a sleep of an hour. */
static void restarts(void) {
  for (int slept = 0; slept < 2; slept++) {
    sim_start(20);
    CHECK(tachy_clock_first_ticks() >= 1000000000000u);
    const tachy_clock_pair before = run_for(100e9, 1e8);
    const double wall = sim_wall();
    if (slept) suspend((double)HOUR, 0);
    set_counter(1000, sim.rate);
    sim.now += 3e6;
    CHECK(tachy_clock_restarted() && tachy_clock_jumped());
    tachy_clock_pair end = tachy_clock_now();
    CHECK(end.ticks > before.ticks && fabs((double)end.utc - wall - 3e6) < 300e3); /* the monotonic clock goes on */
    sim.now += 1e9;
    end = tachy_clock_now();
    CHECK(fabs((double)end.utc - wall - 1003e6) < 300e3);
    const tachy_clock_pair start = tachy_clock_jump();
    CHECK(start.ticks < 4e9 && fabs(off(start)) < 1e3);
    CHECK(fabs((double)(start.utc - end.utc) - (slept ? (double)HOUR : 0)) < 300e3);
    CHECK(!tachy_clock_restarted() && !tachy_clock_jumped());
    CHECK(tachy_clock_first_ticks() == start.ticks);
    CHECK(fabs(off(run_for(60e9, 1e8))) < 1e3);
    const uint64_t ago = tachy_ticks_of((int64_t)sim_wall() - SECOND);
    CHECK(fabs((double)ago - (sim_ticks() - sim.rate * 1e9)) < 1e6);
  }
}

/* One processor's counter is a little behind another's. */
static void behind(void) {
  sim_start(0);
  const tachy_clock_pair before = run_for(1e9, 1e7);
  set_counter(sim_ticks() - 3e5, sim.rate);
  CHECK(!tachy_clock_restarted() && !tachy_clock_jumped());
  const tachy_clock_pair after = tachy_clock_now();
  CHECK(after.ticks == before.ticks && after.utc == before.utc);
  sim.now += 1e6;
  CHECK(tachy_clock_now().ticks > before.ticks);
}

/* Readings that take long, and clocks that move by much, are no jumps. */
static void coarse(void) {
  sim_start(20);
  sim.monotonic_step = 100;
  sim.utc_step = 15.625e6;
  run_for(300e9, 1e8);
  sim_start(20);
  sim.disturbance = 40e6;
  run_for(30e9, 1e9);
}

/* Of what may be written: at no moment more than that in the five minutes before, and never refused where ten seconds
 * more would still be below it. */
static void writes(void) {
  enum { ROUNDS = 5000, LIMIT = 1000 };
  static struct {
    double at;
    uint64_t bytes;
  } given[ROUNDS];
  int count = 0;
  sim_start(0);
  tachy_write_budget_set(LIMIT);
  for (int i = 0; i < ROUNDS; i++) {
    sim.now += chance() * (i % 100 ? 20e9 : 900e9);
    const uint64_t bytes = next_random(&sim.random) % 200 + 1;
    uint64_t in_five_minutes = 0, in_ten_seconds_more = 0;
    for (int k = count; k-- > 0 && given[k].at > sim.now - 310e9;) {
      in_ten_seconds_more += given[k].bytes;
      if (given[k].at > sim.now - 300e9) in_five_minutes += given[k].bytes;
    }
    if (tachy_write_budget_take(bytes)) {
      CHECK(in_five_minutes + bytes <= LIMIT);
      given[count].at = sim.now;
      given[count++].bytes = bytes;
    } else {
      CHECK(in_ten_seconds_more + bytes > LIMIT);
    }
  }
  CHECK(count > ROUNDS / 10 && count < ROUNDS);
  sim.now += 310e9;
  CHECK(!tachy_write_budget_take(LIMIT + 1) && tachy_write_budget_take(LIMIT) && !tachy_write_budget_take(1));
  tachy_write_budget_set(0);
  CHECK(tachy_write_budget_take(UINT64_MAX / 2));
}

static const scenario scenarios[] = {{"rates", rates},
                                     {"counts", counts},
                                     {"straight", straight},
                                     {"bends", bends},
                                     {"slewed", slewed},
                                     {"jumps", jumps},
                                     {"suspends", suspends},
                                     {"restarts", restarts},
                                     {"behind", behind},
                                     {"coarse", coarse},
                                     {"writes", writes},
                                     {"random_program", random_program},
                                     {"flight_random", flight_random},
                                     {NULL, NULL}};

int main(int argc, char **argv) { return run_named(argc, argv, scenarios); }
