// A plugin: both builds are of one size, so that the second is loaded where the first was.
#define TACHY_TARGET "plugin" BUILD
#include "tachy/tachy.hpp"

#if defined(_WIN32)
#define SHOW extern "C" __declspec(dllexport)
#else
#define SHOW extern "C"
#endif

SHOW const void *plugin_work(int n) {
  static int here;
  TACHY_SPAN("plugin " BUILD);
  TACHY_LOG(TACHY_LEVEL_INFO, "build " BUILD " says %d", n);
  TACHY_METRIC("of build " BUILD, n);
  return &here;
}
