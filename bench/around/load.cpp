// What is lost when a thread records more than usual.
#include <time.h>

#include <cstdio>
#include <functional>
#include <optional>

#include "around.hpp"

namespace around {

namespace {

volatile unsigned number;

void spans(unsigned n) {
  for (; n; n--) {
    TACHY_SPAN("work");
  }
}

void metrics(unsigned n) {
  for (; n; n--) TACHY_METRIC("bodies", number);
}

void text_logs(unsigned n) {
  const char *const name = "maps/e1m1/textures.pak";
  for (; n; n--) TACHY_LOG(TACHY_LEVEL_INFO, "load %s", name);
}

// Events of one class, in a session of their own: {lost, recorded}.
struct Outcome {
  double lost, recorded;
};

Outcome session_of(tachy_class cls, const std::function<void()> &run) {
  tachy::Session session;
  if (!session) fail("no session");
  spans(1);
  sleep_ms(1000);  // the pause before the burst
  run();
  session.flush(kPatience);
  const tachy_stats stats = tachy::stats();
  return {static_cast<double>(stats.dropped[cls]), static_cast<double>(stats.recorded[cls])};
}

}  // namespace

void burst(const Arguments &arguments) {
  const unsigned events = arguments[0];
  const Outcome of_spans = session_of(TACHY_CLASS_SPAN, [&] { spans(events); });
  const Outcome of_logs = session_of(TACHY_CLASS_LOG, [&] { text_logs(events); });
  std::printf("{\"spans_lost\": %.0f, \"text_logs_lost\": %.0f}\n", of_spans.lost, of_logs.lost);
}

void tight_loop(const Arguments &arguments) {
  const auto share = [&](tachy_class cls, void (*record)(unsigned)) {
    const Outcome outcome = session_of(cls, [&] {
      const std::uint64_t end = clock_ns(CLOCK_MONOTONIC) + arguments[0] * UINT64_C(1000000);
      while (clock_ns(CLOCK_MONOTONIC) < end) record(1000);
    });
    return outcome.lost / outcome.recorded;
  };
  const double of_spans = share(TACHY_CLASS_SPAN, spans);
  const double of_metrics = share(TACHY_CLASS_METRIC, metrics);
  const double of_logs = share(TACHY_CLASS_LOG, text_logs);
  std::printf("{\"spans_lost\": %.4f, \"metrics_lost\": %.4f, \"text_logs_lost\": %.4f}\n", of_spans, of_metrics,
              of_logs);
}

}  // namespace around
