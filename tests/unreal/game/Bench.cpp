// What the macros cost through the modules' exports, beside the recorder's own calls in the same module: nanoseconds an
// event, each the best of many short samples that take turns. For bench/unreal.py.
#include "HAL/PlatformTime.h"
#include "Math/Color.h"
#include "ProfilingDebugging/ExternalProfiler.h"
#include "Scene.h"
#include "Tachy.h"

namespace {

constexpr int ROUNDS = 300, EVENTS = 1000;

TACHY_DEFINE_SPAN(native_span, "Bench", "native");
TACHY_DEFINE_INT_METRIC(native_int, "Bench", "native int", "1");
TACHY_DEFINE_FLOAT_METRIC(native_float, "Bench", "native float", "1");
TACHY_DEFINE_LOG(native_log, "Bench", TACHY_LEVEL_INFO, "");
const char text[] = "a message of some length";

void NativeSpan() { tachy_span_end(tachy_span_begin(&native_span)); }
void Span() { TACHY_SPAN_SCOPE("Bench", TEXT("macro")); }
void SpanConditional() { TACHY_SPAN_SCOPE_CONDITIONAL("Bench", true, "conditional"); }
void SpanName() {
  static const FName name(TEXT("Enemy"), 8);
  TACHY_SPAN_NAME("Bench", name);
}
void SpanText() { TACHY_SPAN_NAME("Bench", TEXT("twenty characters it is")); }
void SpanValue() {
  TACHY_SPAN_SCOPE("Bench", "with a value");
  TACHY_SPAN_VALUE("foes", 7);
}
void NativeInt() { tachy_metric_int(&native_int, 0, 7); }
void Int() { TACHY_IMETRIC("Bench", Tachy::Med, TEXT("int"), TEXT("1"), 7); }
void NativeFloat() { tachy_metric_float(&native_float, 0, 7.5); }
void Float() { TACHY_FMETRIC("Bench", Tachy::Med, TEXT("float"), TEXT("1"), 7.5); }
void NativeLog() { tachy_log_text(&native_log, 0, text, sizeof text - 1); }
void LogAnsi() { TACHY_LOG("Bench", Tachy::Info, text); }
void LogText() { TACHY_LOG("Bench", Tachy::Info, TEXT("a message of some length")); }
#if UE_EXTERNAL_PROFILING_ENABLED
void ProfilerScope() {
  static FExternalProfiler *const profiler = FActiveExternalProfilerBase::GetActiveProfiler();
  if (!profiler) return;
  profiler->StartScopedEvent(FColor(), TEXT("Scoped event"));
  profiler->EndScopedEvent();
}
#endif

template <void (*Function)()>
void Loop() {
  for (int i = 0; i < EVENTS; i++) Function();
}

struct {
  const char *const name;
  void (*const run)();
  double best = 1e9;
} cases[] = {
    {"native_span", Loop<NativeSpan>},
    {"span", Loop<Span>},
    {"span_conditional", Loop<SpanConditional>},
    {"span_name", Loop<SpanName>},
    {"span_name_text", Loop<SpanText>},
    {"span_with_value", Loop<SpanValue>},
    {"native_metric_int", Loop<NativeInt>},
    {"metric_int", Loop<Int>},
    {"native_metric_float", Loop<NativeFloat>},
    {"metric_float", Loop<Float>},
    {"native_log", Loop<NativeLog>},
    {"log_ansi", Loop<LogAnsi>},
    {"log_text", Loop<LogText>},
#if UE_EXTERNAL_PROFILING_ENABLED
    {"profiler_scope", Loop<ProfilerScope>},
#endif
};

}  // namespace

SHIM_SCENE(Bench) {
  for (int round = 0; round < ROUNDS; round++) {
    for (auto &each : cases) {
      const double begin = FPlatformTime::Seconds();
      each.run();
      each.best = FMath::Min(each.best, (FPlatformTime::Seconds() - begin) * 1e9 / EVENTS);
    }
    Tachy::Flush(5);
  }
  for (const auto &each : cases) report.Set(each.name, each.best);
}
