// Instrumented, and with guards of its own between: their spans nest in each other, and guards' inline code is not
// instrumented.
#include <cstdio>
#include <tachy/tachy.hpp>

#define COUNTED __attribute__((noinline))

namespace {

COUNTED int inner(int n) {
  TACHY_SPAN("InnerGuard");
  TACHY_LOG(TACHY_LEVEL_INFO, "n is %d", n);
  return n + 1;
}

COUNTED int outer(int n) {
  TACHY_SPAN("OuterGuard");
  int sum = 0;
  for (int i = 0; i < n; i++) sum += inner(i);
  return sum;
}

}  // namespace

int main() {
  int sum = 0;
  for (int i = 0; i < 10; i++) sum += outer(10);
  std::printf("sum %d\n", sum);
  return 0;
}
