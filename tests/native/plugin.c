/* A library with sites of its own, for loading and unloading. */
#include <tachy/tachy.h>

#if defined(_WIN32)
#define SHOW __declspec(dllexport)
#else
#define SHOW __attribute__((visibility("default")))
#endif

/* A session of the plugin's own. */
SHOW int plugin_start(void) { return (int)tachy_start(NULL); }
SHOW void plugin_stop(void) { tachy_stop(60000); }

SHOW void plugin_record(int count) {
  TACHY_DEFINE_SPAN(span, "plugin", "plugin span");
  TACHY_DEFINE_LOG(note, "plugin", TACHY_LEVEL_INFO, "");
  for (int i = 0; i < count; i++) {
    const tachy_scope scope = tachy_span_begin(&span);
    tachy_log_text(&note, 0, "from the plugin", 15);
    tachy_span_end(scope);
  }
}
