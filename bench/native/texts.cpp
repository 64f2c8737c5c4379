// Logs with texts, as a C++ program writes them. The texts are of a length that the compiler does not know.
#include <string>
#include <tachy/tachy.hpp>

#include "bench.h"

static const char *volatile name = "maps/e1m1/textures.pak";
static std::string *volatile path = new std::string("maps/e1m1/textures.pak");
static volatile int number = 42;

#define CASE(name, ...)                                                        \
  extern "C" __attribute__((noinline)) void once_##name(void) { __VA_ARGS__; } \
  extern "C" __attribute__((noinline)) void loop_##name(uint32_t n) {          \
    for (; n; n--) {                                                           \
      __VA_ARGS__;                                                             \
      __asm__ volatile("" ::: "memory");                                       \
    }                                                                          \
  }

CASE(log_c_string, TACHY_LOG(TACHY_LEVEL_INFO, "load %s", name))
CASE(log_string, TACHY_LOG(TACHY_LEVEL_INFO, "load %s", *path))
CASE(log_c_string_int, TACHY_LOG(TACHY_LEVEL_INFO, "%s %d", name, number))
