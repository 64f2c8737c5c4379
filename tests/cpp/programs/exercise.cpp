// Records a known number of events of every kind on several threads: exercise URL REPORT THREADS ROUNDS [STOP_MS
// [PAUSE_MS [OUTBOX_BYTES [TIMES]]]]. TIMES: the whole again, each after all of the one before was sent. HEADERS of the
// environment are sent too; with UNTIL_RETRIES the session ends once so many requests are to be tried again. Prints the
// sender's counters as JSON.
#define TACHY_TARGET "exercise"
#include <tachy/report.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <tachy/tachy.hpp>
#include <thread>
#include <utility>
#include <vector>

namespace {

void pause(int milliseconds) {
  if (milliseconds > 0) std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

// Per round: 4 spans, 4 async events, 2 logs, 3 metrics and, but for the first round, a frame mark.
void work(int number, int rounds, int pause_ms) {
  tachy::set_thread_name(("exercise " + std::to_string(number)).c_str());
  const tachy::Properties who{{"thread", "some"}};
  for (int i = 0; i < rounds; i++) {
    TACHY_SPAN("Round");
    tachy::AsyncSpan load = TACHY_ASYNC("Load");
    {
      TACHY_SPAN_FUNCTION();
      TACHY_LOG(TACHY_LEVEL_INFO, "round %d of %s: %.2f%%", i, std::string("exercise"), 100.0 * i / rounds);
      TACHY_LOG_WITH(who, TACHY_LEVEL_WARN, "plain");
    }
    TACHY_PHASES(phase, "First");
    TACHY_METRIC("round", i, "n", who);
    TACHY_METRIC("share", static_cast<double>(i) / rounds);
    TACHY_PHASE(phase, "Second");
    TACHY_METRIC("big", ~0ull >> 1, "bytes");
    TACHY_FRAME();
    tachy::AsyncSpan moved = std::move(load);
    { const tachy::AsyncSpan child = TACHY_ASYNC("Decode", "io", moved); }
    moved.end();
    moved.end();
    if (i % 64 == 0) pause(pause_ms);
  }
}

}  // namespace

int main(int count, char **arguments) {
  if (count < 5) return 2;
  tachy::Options options;
  options.http.url = arguments[1];
  options.http.headers = std::getenv("HEADERS");
  options.http.retry_ms = 20;
  options.http.retry_limit_ms = 200;
  options.http.timeout_ms = 5000;
  options.config.flush_ms = 50;
  options.stop_timeout = count > 5 ? static_cast<unsigned>(std::atoi(arguments[5])) : 5000;
  const int threads = std::atoi(arguments[3]), rounds = std::atoi(arguments[4]);
  const int pause_ms = count > 6 ? std::atoi(arguments[6]) : 0;
  if (count > 7) options.config.outbox_bytes = static_cast<unsigned>(std::atoi(arguments[7]));
  tachy::Session session(options);
  if (!session) return 3;
  for (int times = count > 8 ? std::atoi(arguments[8]) : 1; times > 0; times--) {
    std::vector<std::thread> running;
    for (int i = 0; i < threads; i++) running.emplace_back(work, i, rounds, pause_ms);
    for (std::thread &thread : running) thread.join();
    if (options.stop_timeout >= 5000) session.flush(options.stop_timeout);
  }
  const char *const retries = std::getenv("UNTIL_RETRIES");
  while (retries && session.sender_stats().retries < std::strtoull(retries, nullptr, 10)) pause(1);
  const tachy_http_stats stats = session.sender_stats();
  const auto begin = std::chrono::steady_clock::now();
  session.stop();
  const std::chrono::duration<double> stopped = std::chrono::steady_clock::now() - begin;
  std::printf(
      "{\"requests\": %llu, \"sent\": %llu, \"retries\": %llu, \"refused\": %llu, \"error\": \"%s\", \"stop\": %.3f}\n",
      static_cast<unsigned long long>(stats.requests), static_cast<unsigned long long>(stats.sent),
      static_cast<unsigned long long>(stats.retries), static_cast<unsigned long long>(stats.refused), stats.error,
      stopped.count());
  return tachy_write_report(arguments[2]) == TACHY_OK ? 0 : 1;
}
