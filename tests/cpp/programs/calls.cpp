// An instrumented C++ program: methods, templates, overloads, static functions, lambdas, exceptions, destructors,
// recursion beyond the shadow stack. Counts its calls itself and prints "calls N", and "deep N": those beyond the depth
// that can be recorded.
#include <atomic>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#define QUIET __attribute__((no_instrument_function))
#define COUNTED __attribute__((noinline))

namespace {

std::atomic<long> calls{0};
QUIET void count() { __atomic_fetch_add(reinterpret_cast<long *>(&calls), 1, __ATOMIC_RELAXED); }

}  // namespace

namespace game {

class Actor {
 public:
  COUNTED void tick(float) { count(); }
  COUNTED void tick(int times) {
    count();
    for (int i = 0; i < times; i++) tick(1.0f);
  }
  COUNTED virtual int update() {
    count();
    return 1;
  }
};

struct Guard {
  COUNTED Guard() { count(); }
  COUNTED ~Guard() { count(); }
};

template <class T>
COUNTED T twice(T value) {
  count();
  return value + value;
}

COUNTED static void fail(int depth) {
  count();
  const Guard guard;
  if (depth == 0) throw 42;
  fail(depth - 1);
}

COUNTED static int catches(int rounds) {
  count();
  int caught = 0;
  for (int i = 0; i < rounds; i++) {
    try {
      fail(10);
    } catch (int) {
      caught++;
    }
  }
  return caught;
}

COUNTED static long too_deep(int depth) {
  count();
  return depth == 0 ? 0 : 1 + too_deep(depth - 1);
}

}  // namespace game

QUIET int main(int argc, char **) {
  game::Actor object;
  game::Actor *volatile actor = &object;
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; t++) {
    threads.emplace_back([] {
      for (int i = 0; i < 200; i++) game::twice(i);
    });
  }
  actor->tick(10);
  actor->update();
  int sum = game::twice(3) + static_cast<int>(game::twice(2.5)) + game::catches(50);
  for (std::thread &thread : threads) thread.join();
  const long before = calls;
  if (argc > 1) sum += static_cast<int>(game::too_deep(2999));
  const long deep = calls - before;
  sum += game::twice(1);
  std::printf("calls %ld\ndeep %ld\n", calls.load(), deep);
  return sum == 7;
}
