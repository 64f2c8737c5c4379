// What the collector costs per span (CPU time of its thread, without compression), and when there are none.
#include <time.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "around.hpp"

namespace around {

namespace {

constexpr unsigned kFrameSpans = 40;
constexpr unsigned kFrames = 500;  // of a round: 20,000 spans
constexpr unsigned kWindows = 6;
constexpr unsigned kPlayedFrames = 100;
constexpr unsigned kSlowFrames = 250;  // at 4 ms: a second, after which a block is cut by default
constexpr unsigned kPasses = 5;        // of the 40 sites in a slow frame
constexpr unsigned kThreads = 1000;
constexpr unsigned kRandomSites = 100000;
constexpr unsigned kIdleThreads = 8;

std::uint32_t noise = 2463534242u;

std::uint32_t next_noise() {
  noise ^= noise << 13;
  noise ^= noise >> 17;
  return noise ^= noise << 5;
}

// So many steps of half a nanosecond or so, or up to twice that.
void work(unsigned steps) {
  for (unsigned n = steps + next_noise() % steps; n; n--) __asm__ volatile("");
}

constexpr unsigned kShort = 64;

std::uint64_t columns_ns(const tachy_stats &stats) { return stats.collector_ns - stats.compressor_ns; }

std::vector<tachy_site *> make_sites(unsigned count) {
  std::vector<tachy_site *> sites;
  for (unsigned i = 0; i < count; i++) {
    const std::string name = "site " + std::to_string(i);
    sites.push_back(tachy_site_intern(TACHY_SITE_SPAN, TACHY_LEVEL_NONE, "bench", name.c_str(), "game.cpp", i, ""));
    if (!sites.back()) fail("no room for sites");
  }
  return sites;
}

// 40 spans of as many sites, 3 deep: each site takes a time of its own, or up to twice that, as functions of a game do.
// slow: microseconds instead of tens of nanoseconds, for what travels depends on it.
void frame(const std::vector<tachy_site *> &sites, bool slow = false) {
  const tachy::Span whole(sites[0]);
  for (unsigned i = 0; i < 3; i++) {
    const tachy::Span system(sites[1 + i]);
    for (unsigned j = 0; j < 12; j++) {
      const tachy::Span part(sites[4 + 12 * i + j]);
      work((slow ? 400u : 16u) << (j + i) % 6);
    }
  }
}

struct Cost {
  double ns, wire_bytes;
};

// Per span, of the best of a few windows, each of `rounds` rounds and the block that they make; a session of its own,
// whose first window only warms up. (A flight recorder is warm when it has filled its pool: it makes no memory then.)
Cost cost(const tachy::Options &options, unsigned rounds, const std::function<void()> &round) {
  tachy::Session session(options);
  if (!session) fail("no session");
  const auto is_cold = [&] { return options.config.mode == TACHY_MODE_FLIGHT && tachy::stats().not_retained == 0; };
  Cost best{1e9, 1e9};
  do {
    for (unsigned i = 0; i < rounds; i++) round();
    if (!session.flush(kPatience)) fail("nothing drains");
  } while (is_cold());
  for (unsigned window = 0; window < kWindows; window++) {
    const tachy_stats before = tachy::stats();
    for (unsigned i = 0; i < rounds; i++) round();
    if (!session.flush(kPatience)) fail("nothing drains");
    const tachy_stats after = tachy::stats();
    if (dropped(after)) fail("spans were dropped: the figure means nothing");
    const double all = static_cast<double>(after.recorded[TACHY_CLASS_SPAN] - before.recorded[TACHY_CLASS_SPAN]);
    best.ns = std::min(best.ns, static_cast<double>(columns_ns(after) - columns_ns(before)) / all);
    best.wire_bytes = std::min(best.wire_bytes, static_cast<double>(after.wire_bytes - before.wire_bytes) / all);
  }
  return best;
}

// Threads that do a task whenever they are told to, and wait in between.
class Crowd {
 public:
  Crowd(unsigned count, std::function<void()> task) : task_(std::move(task)) {
    for (unsigned i = 0; i < count; i++) threads_.emplace_back([this] { live(); });
  }
  ~Crowd() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      over_ = true;
    }
    told_.notify_all();
    for (std::thread &thread : threads_) thread.join();
  }
  // Returns when all have done it once more.
  void turn() {
    std::unique_lock<std::mutex> lock(mutex_);
    turn_++;
    busy_ = threads_.size();
    told_.notify_all();
    done_.wait(lock, [this] { return busy_ == 0; });
  }

 private:
  void live() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (unsigned next = 1;; next++) {
      told_.wait(lock, [&] { return over_ || turn_ == next; });
      if (over_) return;
      lock.unlock();
      task_();
      lock.lock();
      if (--busy_ == 0) done_.notify_one();
    }
  }

  const std::function<void()> task_;
  std::mutex mutex_;
  std::condition_variable told_, done_;
  unsigned turn_ = 0;
  std::size_t busy_ = 0;
  bool over_ = false;
  std::vector<std::thread> threads_;
};

void every_4_ms(const std::function<void()> &step, unsigned steps) {
  std::uint64_t next = clock_ns(CLOCK_MONOTONIC);
  for (unsigned i = 0; i < steps; i++) {
    step();
    next += 4000000;
    const timespec until = {static_cast<time_t>(next / 1000000000u), static_cast<long>(next % 1000000000u)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
  }
}

}  // namespace

void collector(const Arguments &arguments) {
  const unsigned rounds = arguments[0];
  const std::vector<tachy_site *> sites = make_sites(kRandomSites);
  const auto frames = [&] {
    for (unsigned i = 0; i < kFrames; i++) frame(sites);
  };
  const Cost one_site = cost({}, rounds, [&] {
    for (unsigned i = 0; i < kFrames * kFrameSpans; i++) {
      const tachy::Span span(sites[0]);
      work(kShort);
    }
  });
  const Cost forty = cost({}, rounds, frames);
  const Cost slow = cost({}, 1, [&] {
    every_4_ms(
        [&] {
          for (unsigned i = 0; i < kPasses; i++) frame(sites);
        },
        kSlowFrames);
  });
  const Cost played = cost({}, rounds, [&] {
    for (unsigned i = 0; i < kPlayedFrames; i++) frame(sites, true);
  });
  const Cost random = cost({}, rounds, [&] {
    for (unsigned i = 0; i < kFrames * kFrameSpans; i++) {
      const tachy::Span span(sites[next_noise() % kRandomSites]);
      work(kShort);
    }
  });
  double threads = 0.0;
  {
    Crowd crowd(kThreads, [&] { frame(sites); });
    threads = cost({}, rounds / 4 + 1, [&] { crowd.turn(); }).ns;
  }
  std::printf(
      "{\"ns_one_site\": %.3f, \"ns_40_sites\": %.3f, \"ns_4_ms_frames\": %.3f, \"ns_1000_threads\": %.3f, "
      "\"ns_100000_sites\": %.3f, \"bytes_per_event\": %.4f}\n",
      one_site.ns, forty.ns, slow.ns, threads, random.ns, played.wire_bytes);
}

// Spans that no trigger asks for.
void flight(const Arguments &arguments) {
  const std::vector<tachy_site *> sites = make_sites(kFrameSpans);
  tachy::Options options;
  options.config.mode = TACHY_MODE_FLIGHT;
  const Cost unwanted = cost(options, arguments[0], [&] {
    for (unsigned i = 0; i < kFrames; i++) frame(sites);
  });
  std::printf("{\"ns_per_event\": %.3f}\n", unwanted.ns);
}

namespace {

// Of the collector per second, and of the whole process.
struct Idle {
  double collector_ms, process_ms;
};

Idle idle_for(std::uint32_t ms) {
  const std::uint64_t process = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  const tachy_stats before = tachy::stats();
  const std::uint64_t begin = clock_ns(CLOCK_MONOTONIC);
  sleep_ms(ms);
  const double seconds = static_cast<double>(clock_ns(CLOCK_MONOTONIC) - begin) * 1e-9;
  tachy::stats();  // the collector looks, and says what it has taken: one pass more than nothing
  sleep_ms(50);
  const tachy_stats after = tachy::stats();
  return {static_cast<double>(after.collector_ns - before.collector_ns) * 1e-6 / seconds,
          static_cast<double>(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - process) * 1e-6 / seconds};
}

// A second of a thread that wakes once in it and does nothing.
double bare_wake(std::uint32_t ms) {
  double spent = 0.0;
  std::thread([&] {
    const std::uint64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    for (std::uint32_t slept = 0; slept < ms; slept += 1000) sleep_ms(ms < 1000 ? ms : 1000);
    spent = static_cast<double>(clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin) * 1e-6;
  }).join();
  return spent * 1000.0 / ms;
}

}  // namespace

// Threads that have recorded, and now do not: in a program's first minute, when the collector looks every second, and
// after it, when it looks every ten.
void idle(const Arguments &arguments) {
  const unsigned young_ms = arguments[0], ms = arguments[1];
  tachy::Session session;
  if (!session) fail("no session");
  const std::uint64_t begin = clock_ns(CLOCK_MONOTONIC);
  Crowd crowd(kIdleThreads, [] { TACHY_SPAN("once"); });
  crowd.turn();
  if (!session.flush(kPatience)) fail("nothing drains");
  sleep_ms(200);
  const Idle young = idle_for(ms);
  const double bare = bare_wake(ms);
  const std::uint64_t passed = (clock_ns(CLOCK_MONOTONIC) - begin) / 1000000u;
  if (passed < young_ms) sleep_ms(young_ms - static_cast<std::uint32_t>(passed));
  const Idle old = idle_for(ms);
  std::printf(
      "{\"ms_per_s\": %.5f, \"ms_per_s_with_the_sender\": %.5f, \"ms_per_s_in_the_first_minute\": %.5f, "
      "\"ms_per_s_of_a_bare_wake\": %.5f}\n",
      old.collector_ms, old.process_ms, young.collector_ms, bare);
}

}  // namespace around
