// What threads cost: the first event of one, many that live shortly.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <optional>
#include <thread>

#include "around.hpp"

namespace around {

namespace {

void record() { TACHY_SPAN("task"); }

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

}  // namespace

// Threads that begin 1 ms after another, as a game's do, and live on until all have recorded: CPU time in the thread,
// above that of its second event (which is nearly all the clock's own system call).
void first_event(const Arguments &arguments) {
  tachy::Session session;
  if (!session) fail("no session");
  record();
  std::vector<double> us;
  std::mutex all_recorded;
  std::vector<std::thread> threads;
  all_recorded.lock();
  for (unsigned i = 0; i < arguments[0]; i++) {
    double mine = 0.0;
    std::mutex recorded;
    recorded.lock();
    threads.emplace_back([&] {
      const std::uint64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
      record();
      const std::uint64_t middle = clock_ns(CLOCK_THREAD_CPUTIME_ID);
      record();
      const std::uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID);
      mine = (static_cast<double>(middle - begin) - static_cast<double>(end - middle)) * 1e-3;
      recorded.unlock();
      const std::lock_guard<std::mutex> wait(all_recorded);
    });
    recorded.lock();
    us.push_back(mine);
    sleep_ms(1);
  }
  all_recorded.unlock();
  for (std::thread &thread : threads) thread.join();
  std::printf("{\"us_median\": %.3f, \"us_p99\": %.3f}\n", quantile(us, 0.5), quantile(us, 0.99));
}

// Threads that record one span and end; the CPU time is the whole process's, so the collector's too.
void thread_lives(const Arguments &arguments) {
  const bool traced = arguments[0] != 0;
  const unsigned total = arguments[1];
  const unsigned at_a_time = arguments[2];
  std::optional<tachy::Session> session;
  if (traced) {
    session.emplace();
    if (!*session) fail("no session");
    record();
    session->flush(kPatience);
  }
  const std::uint64_t begin = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  std::vector<std::thread> threads;
  for (unsigned done = 0; done < total; done += at_a_time) {
    for (unsigned i = 0; i < at_a_time; i++) {
      threads.emplace_back([traced] {
        if (traced) record();
      });
    }
    for (std::thread &thread : threads) thread.join();
    threads.clear();
  }
  if (session && !session->flush(kPatience)) fail("nothing drains");
  const double us = static_cast<double>(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin) * 1e-3;
  const double lost = traced ? static_cast<double>(dropped(tachy::stats())) : 0.0;
  std::printf("{\"us_cpu\": %.3f, \"mb\": %.3f, \"mb_peak\": %.3f, \"lost\": %.0f}\n", us / total, status_mb("VmRSS:"),
              status_mb("VmHWM:"), lost);
}

}  // namespace around
