/* A library with sites of its own, for loading and unloading. */
#include <tachy/tachy.h>

#if defined(_WIN32)
__declspec(dllexport)
#else
__attribute__((visibility("default")))
#endif
    void plugin_record(int count) {
  TACHY_DEFINE_SPAN(span, "plugin", "plugin span");
  TACHY_DEFINE_LOG(note, "plugin", TACHY_LEVEL_INFO, "");
  for (int i = 0; i < count; i++) {
    const tachy_scope scope = tachy_span_begin(&span);
    tachy_log_text(&note, 0, "from the plugin", 15);
    tachy_span_end(scope);
  }
}
