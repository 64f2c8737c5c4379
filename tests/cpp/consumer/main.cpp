// One event of each kind through the C++ SDK.
#include <tachy/tachy.hpp>

int main() {
  tachy::Session session;
  TACHY_SPAN("Tick");
  TACHY_LOG(TACHY_LEVEL_INFO, "hello from %s", __FILE__);
  TACHY_METRIC("answer", 42, "n");
  return session ? 0 : 1;
}
