// How long the slowest events take: one every 10 us, with the collector and the sender at work. In each turn two
// readings of the clock without an event come first, to say what the machine itself does to the slowest.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "around.hpp"

namespace around {

namespace {

constexpr std::uint32_t kPerSecond = 100000;

void span() { TACHY_SPAN("tail"); }

void two_ints() {
  static int number;
  number++;
  TACHY_LOG(TACHY_LEVEL_INFO, "%d of %d", number, 7);
}

void text() {
  static const std::string name = "maps/e1m1/textures.pak";
  TACHY_LOG(TACHY_LEVEL_INFO, "load %s", name);
}

long page_faults() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_minflt + usage.ru_majflt;
}

// The time that 1 of 1,000 exceeds, in ns.
double p999(std::vector<std::uint32_t> &ticks, double ns_per_tick) {
  const auto at = ticks.begin() + static_cast<std::ptrdiff_t>(ticks.size() * 999 / 1000);
  std::nth_element(ticks.begin(), at, ticks.end());
  return *at * ns_per_tick;
}

void measure(const char *name, void (*event)(), std::uint32_t ms, const char *end) {
  tachy::Session session;
  if (!session) fail("no session");
  const std::uint64_t frequency = tachy::stats().frequency;
  const std::uint64_t step = frequency / kPerSecond;
  const std::size_t turns = static_cast<std::size_t>(kPerSecond) * ms / 1000;
  std::vector<std::uint32_t> with(turns), without(turns);  // zeroed: resident before the first is measured
  for (unsigned i = 0; i < 100; i++) event();              // the first ones are first_event's
  const long faults = page_faults();
  std::uint64_t next = tachy_ticks();
  for (std::size_t i = 0; i < turns; i++) {
    while (tachy_ticks() < next) {
    }
    const std::uint64_t begin = tachy_ticks();
    __asm__ volatile("" ::: "memory");
    const std::uint64_t between = tachy_ticks();
    __asm__ volatile("" ::: "memory");
    event();
    __asm__ volatile("" ::: "memory");
    const std::uint64_t done = tachy_ticks();
    without[i] = static_cast<std::uint32_t>(between - begin);
    with[i] = static_cast<std::uint32_t>(done - between);
    next = std::max(next + step, done);  // what was late is not made up for
  }
  const long more_faults = page_faults() - faults;
  if (!session.flush(kPatience)) fail("nothing drains");
  if (dropped(tachy::stats())) fail("events were dropped: the figure means nothing");
  const double ns = 1e9 / static_cast<double>(frequency);
  std::printf("\"%s\": {\"ns_p999\": %.1f, \"ns_p999_of_none\": %.1f, \"page_faults\": %ld}%s", name, p999(with, ns),
              p999(without, ns), more_faults, end);
}

}  // namespace

void tail(const Arguments &arguments) {
  std::printf("{");
  measure("tail_span", span, arguments[0], ", ");
  measure("tail_log_two_ints", two_ints, arguments[0], ", ");
  measure("tail_log_text", text, arguments[0], "}\n");
}

}  // namespace around
