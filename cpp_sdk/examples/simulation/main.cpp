// A small game without pictures: jobs, physics, steering, animation, draw commands, asset streaming, at 60 frames a
// second.
//
//   simulation [--seconds 10] [--threads N] [--bodies 3000] [--seed 1] [--url http://127.0.0.1:9000] [--report FILE]
//
// Prints its process id; --report writes what it recorded, dropped and sent as JSON. The work of a frame depends on the
// seed alone.
#define TACHY_TARGET "sim"
#include <tachy/report.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <tachy/tachy.hpp>
#include <thread>
#include <vector>

#include "actors.hpp"
#include "streaming.hpp"
#include "world.hpp"

#if defined(_WIN32)
#include <windows.h>
// after it
#include <psapi.h>
#else
#include <unistd.h>

#include <fstream>
#endif

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr Clock::duration kFrame = std::chrono::nanoseconds(16666667);
constexpr float kStep = 1.0f / 120;  // two steps of physics a frame
constexpr std::size_t kAgents = 256;
constexpr std::size_t kCharacters = 64;
constexpr std::size_t kFieldSize = 512;

using Options = std::map<std::string, std::string>;

// Every option has a value; false: one that is not known, or without a value.
bool parse(int count, char **arguments, Options &options) {
  for (int i = 1; i + 1 < count; i += 2) {
    const auto option = options.find(arguments[i]);
    if (option == options.end()) return false;
    option->second = arguments[i + 1];
  }
  return count % 2 == 1;
}

// Distances to the exit for every field of the map, by breadth first search: what a changed level costs, all in one
// frame.
std::size_t rebuild_navigation(Random &random) {
  TACHY_SPAN_FUNCTION("sim.ai");
  constexpr std::size_t kWidth = kFieldSize + 2;  // with a wall around
  std::vector<int> distance(kWidth * kWidth, 0);  // 0: a wall; -1: not reached
  {
    TACHY_SPAN("PlaceWalls");
    for (std::size_t y = 1; y <= kFieldSize; y++) {
      for (std::size_t x = 1; x <= kFieldSize; x++) distance[y * kWidth + x] = random.next() % 10 < 3 ? 0 : -1;
    }
  }
  TACHY_SPAN("FloodFill");
  std::vector<std::size_t> open{kWidth + 1};
  distance[open[0]] = 1;
  for (std::size_t at = 0; at < open.size(); at++) {
    const std::size_t field = open[at];
    for (const std::size_t next : {field - 1, field + 1, field - kWidth, field + kWidth}) {
      if (distance[next] >= 0) continue;
      distance[next] = distance[field] + 1;
      open.push_back(next);
    }
  }
  return open.size();
}

// What the process has of the machine's memory.
std::size_t resident_bytes() {
#if defined(_WIN32)
  PROCESS_MEMORY_COUNTERS memory{};
  return GetProcessMemoryInfo(GetCurrentProcess(), &memory, sizeof memory) ? memory.WorkingSetSize : 0;
#else
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
#endif
}

class Game {
 public:
  Game(std::size_t bodies, unsigned threads, std::uint64_t seed)
      : random_(seed + 1),
        world_(bodies, seed),
        agents_(world_, kAgents),
        animation_(kCharacters),
        renderer_(world_),
        jobs_(threads > 1 ? threads - 1 : 1),
        streaming_(jobs_, seed) {}

  int run(double seconds) {
    const Clock::time_point begin = Clock::now();
    const Clock::time_point end = begin + std::chrono::duration_cast<Clock::duration>(Milliseconds(seconds * 1000));
    next_second_ = begin + std::chrono::seconds(1);
    for (Clock::time_point due = begin + kFrame; Clock::now() < end; due += kFrame) {
      frame(due);
      if (Clock::now() > due + kFrame) due = Clock::now();  // late: no catching up
    }
    TACHY_LOG(TACHY_LEVEL_INFO, "%d frames, %d over budget, world %016llx", frames_, late_,
              static_cast<unsigned long long>(world_.checksum()));
    return frames_;
  }

 private:
  void frame(Clock::time_point due) {
    const Clock::time_point begin = Clock::now();
    {
      TACHY_SPAN("Frame");
      const float time = static_cast<float>(frames_) / 60;
      TACHY_PHASES(phase, "Input");
      input();
      TACHY_PHASE(phase, "Simulate");
      simulate(time);
      TACHY_PHASE(phase, "Stream");
      streaming_.finish();
      TACHY_PHASE(phase, "Report");
      report(begin);
      TACHY_PHASE(phase, "Pace");
      std::this_thread::sleep_until(due);
    }
    TACHY_FRAME();
    frames_++;
  }

  void input() {
    if (random_.next() % 4 == 0) streaming_.request();
    if (random_.next() % 150 == 0) {
      const std::size_t fields = rebuild_navigation(random_);
      TACHY_LOG(TACHY_LEVEL_INFO, "the level changed: %zu of %zu fields can be reached", fields,
                kFieldSize * kFieldSize);
    }
  }

  void simulate(float time) {
    Graph graph;
    Task *const steered = agents_.add_update(graph, time);
    animation_.add_update(graph, time);
    Task *const half = world_.add_step(graph, kStep, steered);
    Task *const whole = world_.add_step(graph, kStep, half);
    renderer_.add_build(graph, time, whole);
    TACHY_METRIC("jobs queued", jobs_.queued());
    jobs_.run(graph);
  }

  void report(Clock::time_point begin) {
    static const tachy::Properties arena{{"map", "arena"}, {"mode", "demo"}};
    const Clock::time_point now = Clock::now();
    const double work = Milliseconds(now - begin).count();
    TACHY_METRIC("frame work", work, "ms", arena);
    TACHY_METRIC("contacts", world_.contacts(), "", arena);
    TACHY_METRIC("draw commands", renderer_.commands(), "", arena);
    if (begin + kFrame < now) {
      late_++;
      TACHY_LOG_WITH(arena, TACHY_LEVEL_WARN, "frame %d took %.2f ms, %.2f ms over budget", frames_, work,
                     work - Milliseconds(kFrame).count());
    }
    TACHY_LOG(TACHY_LEVEL_TRACE, "frame %d: %d contacts, hands at %.3f", frames_, world_.contacts(),
              animation_.height());
    if (now < next_second_) return;
    next_second_ += std::chrono::seconds(1);
    TACHY_METRIC("fps", frames_ - frames_before_, "1/s");
    TACHY_METRIC("bodies", world_.count());
    TACHY_METRIC("memory", resident_bytes(), "bytes");
    TACHY_METRIC("streamed", streaming_.bytes(), "bytes");
    TACHY_LOG(TACHY_LEVEL_DEBUG, "%d frames in the last second, %zu assets on their way", frames_ - frames_before_,
              streaming_.waiting());
    frames_before_ = frames_;
  }

  int frames_ = 0, frames_before_ = 0, late_ = 0;
  Clock::time_point next_second_;
  Random random_;
  World world_;
  Agents agents_;
  Animation animation_;
  Renderer renderer_;
  Jobs jobs_;
  Streaming streaming_;
};

}  // namespace

int main(int count, char **arguments) {
  const unsigned processors = std::max<unsigned>(4, std::thread::hardware_concurrency());
  Options options = {{"--seconds", "10"}, {"--threads", std::to_string(processors)}, {"--bodies", "3000"},
                     {"--seed", "1"},     {"--url", tachy_http_url(nullptr)},        {"--report", ""}};
  if (!parse(count, arguments, options)) {
    std::fprintf(stderr, "usage: %s [--seconds S] [--threads N] [--bodies N] [--seed N] [--url URL] [--report FILE]\n",
                 arguments[0]);
    return 2;
  }
  tachy::Options telemetry;
  telemetry.http.url = options["--url"].c_str();
  telemetry.stop_timeout = 10000;
  tachy::Session session(telemetry);
  if (!session) {
    std::fprintf(stderr, "tachy did not start (%d)\n", static_cast<int>(session.status()));
    return 1;
  }
  tachy::set_thread_name("main");
  tachy::set_process_property("seed", options["--seed"].c_str());
  const auto number = [&](const char *option) { return std::strtoull(options[option].c_str(), nullptr, 10); };
  int frames = 0;
  {
    Game game(static_cast<std::size_t>(number("--bodies")), static_cast<unsigned>(number("--threads")),
              number("--seed"));
    TACHY_LOG(TACHY_LEVEL_INFO, "%s bodies on %s threads, seed %s", options["--bodies"], options["--threads"],
              options["--seed"]);
    frames = game.run(std::atof(options["--seconds"].c_str()));
  }
  session.stop();
  char id[37];
  tachy_process_id_text(id);
  const tachy_stats stats = tachy::stats();
  std::printf("process %s: %d frames\n", id, frames);
  for (const auto &[name, cls] : {std::pair("log", TACHY_CLASS_LOG), std::pair("metric", TACHY_CLASS_METRIC),
                                  std::pair("span", TACHY_CLASS_SPAN)}) {
    std::printf("  %-6s recorded %llu, dropped %llu, sent %llu\n", name,
                static_cast<unsigned long long>(stats.recorded[cls]),
                static_cast<unsigned long long>(stats.dropped[cls]), static_cast<unsigned long long>(stats.sent[cls]));
  }
  const std::string &report = options["--report"];
  if (!report.empty() && tachy_write_report(report.c_str()) != TACHY_OK) {
    std::fprintf(stderr, "cannot write %s\n", report.c_str());
    return 1;
  }
  return 0;
}
