// app frames COUNT: the program has the session; it and both libraries record in each frame, on two threads.
// app lasts: the same until it is killed, a frame each millisecond; prints a line when frames are under way.
// app parts: no session of the program's; a begins one, b joins, a ends its part, b ends the last.
// app reload FIRST SECOND ROUNDS: the plugin is loaded, used by two threads, unloaded, and its other build loaded,
// again and again. Prints at how many addresses.
#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>
#include <thread>

#define TACHY_TARGET "app"
#include "tachy/tachy.hpp"

extern "C" int a_begin();
extern "C" int b_begin();
extern "C" void a_end();
extern "C" void b_end();
extern "C" void a_work(int);
extern "C" void b_work(int);

namespace {

using work = const void *(*)(int);

#if defined(_WIN32)
void *load(const char *path) { return LoadLibraryA(path); }
work find(void *plugin) { return reinterpret_cast<work>(GetProcAddress(static_cast<HMODULE>(plugin), "plugin_work")); }
void unload(void *plugin) { FreeLibrary(static_cast<HMODULE>(plugin)); }
#else
void *load(const char *path) { return dlopen(path, RTLD_NOW | RTLD_LOCAL); }
work find(void *plugin) { return reinterpret_cast<work>(dlsym(plugin, "plugin_work")); }
void unload(void *plugin) { dlclose(plugin); }
#endif

void frames(int first, int end) {
  for (int frame = first; frame < end; ++frame) {
    TACHY_SPAN("Frame");
    TACHY_LOG(TACHY_LEVEL_INFO, "%d", frame);
    TACHY_METRIC("frame", frame);
    a_work(frame);
    b_work(frame);
  }
}

int run_frames(int count) {
  const tachy::Session session;
  if (!session) return 1;
  std::thread other(frames, 0, count / 2);
  frames(count / 2, count);
  other.join();
  return 0;
}

int run_without_end() {
  const tachy::Session session;
  if (!session) return 1;
  for (int frame = 0;; ++frame) {
    frames(frame, frame + 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (frame == 100) std::printf("under way\n"), std::fflush(stdout);
  }
}

int run_parts() {
  const int first = a_begin();
  const int second = b_begin();
  frames(0, 10);
  a_end();
  frames(10, 20);  // now b sends
  b_end();
  frames(20, 30);  // nobody records
  return first == TACHY_OK && second == TACHY_JOINED ? 0 : 1;
}

// A thread that lives through all reloads and does what it is given.
class Worker {
 public:
  Worker() : thread_([this] { run(); }) {}
  ~Worker() {
    give(nullptr, 0);
    thread_.join();
  }
  // Returns when it is done.
  void give(work function, int n) {
    std::unique_lock<std::mutex> lock(mutex_);
    function_ = function;
    n_ = n;
    asked_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !asked_; });
  }

 private:
  void run() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (bool more = true; more;) {
      changed_.wait(lock, [this] { return asked_; });
      more = function_ != nullptr;
      if (more) function_(n_);
      asked_ = false;
      changed_.notify_all();
    }
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  work function_ = nullptr;
  int n_ = 0;
  bool asked_ = false;
  std::thread thread_;
};

int run_reloads(const char *const builds[2], int rounds) {
  const tachy::Session session;
  if (!session) return 1;
  std::set<const void *> addresses;
  Worker worker;
  for (int round = 0; round < rounds; ++round) {
    void *const plugin = load(builds[round % 2]);
    const work function = plugin ? find(plugin) : nullptr;
    if (!function) return 2;
    addresses.insert(function(2 * round));
    worker.give(function, 2 * round + 1);
    std::thread mayfly(function, -1 - round);  // ends while the plugin is there
    mayfly.join();
    frames(round, round + 1);
    unload(plugin);
  }
  std::printf("%d addresses\n", static_cast<int>(addresses.size()));
  return 0;
}

}  // namespace

int main(int count, char **arguments) {
  const char *const what = count > 1 ? arguments[1] : "";
  if (std::strcmp(what, "frames") == 0 && count == 3) return run_frames(std::atoi(arguments[2]));
  if (std::strcmp(what, "lasts") == 0) return run_without_end();
  if (std::strcmp(what, "parts") == 0) return run_parts();
  if (std::strcmp(what, "reload") == 0 && count == 5) return run_reloads(&arguments[2], std::atoi(arguments[4]));
  return 64;
}
