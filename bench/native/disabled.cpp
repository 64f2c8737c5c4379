// What TACHY_ENABLED=0 leaves of instrumented code: nothing, counted by callgrind.
#define TACHY_ENABLED 0
#include <tachy/tachy.hpp>

extern "C" {
void once_compiled_out(void);

__attribute__((noinline)) void once_compiled_out(void) {
  TACHY_SPAN("span");
  TACHY_LOG(TACHY_LEVEL_INFO, "%d of %d", 1, 2);
  TACHY_METRIC("metric", 3);
  TACHY_FRAME();
}
}
