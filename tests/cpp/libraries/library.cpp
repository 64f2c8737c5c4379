// A library that records, and may bring a session of its own.
#include <optional>

#include "tachy/tachy.hpp"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

static std::optional<tachy::Session> session;

#if defined(_WIN32)
#define SHOW extern "C" __declspec(dllexport)
#else
#define SHOW extern "C"
#endif

SHOW int JOIN(LIBRARY, _begin)() { return session.emplace().status(); }
SHOW void JOIN(LIBRARY, _end)() { session.reset(); }
SHOW void JOIN(LIBRARY, _work)(int n) {
  TACHY_SPAN_FUNCTION();
  TACHY_LOG(TACHY_LEVEL_INFO, "%d", n);
  TACHY_METRIC("n", n);
}
