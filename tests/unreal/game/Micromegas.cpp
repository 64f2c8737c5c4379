// A game that was written for Micromegas: its macros and classes as its documentation uses them, with their own names.
#include "HAL/PlatformTime.h"
#include "Scene.h"
#include "TachyFromMicromegas.h"
#include "unreal_shim/Engine.h"

namespace {

void AnActorsTick(UObject *actor, double health) {
  MICROMEGAS_SPAN_UOBJECT("Game.Actors", actor);
  MICROMEGAS_SPAN_FUNCTION("Game.Actors");
  MICROMEGAS_FMETRIC("Game", MicromegasTracing::Verbosity::High, TEXT("HealthPercent"), TEXT("percent"),
                     (health / 200) * 100.0f);
  MICROMEGAS_IMETRIC("Game", MicromegasTracing::Verbosity::Med, TEXT("PlayerCount"), TEXT("count"), size_t(3));
  if (health > 150)
    MICROMEGAS_LOG("Game", MicromegasTracing::LogLevel::Info, TEXT("healthy"));
  else
    MICROMEGAS_LOG("Game", MicromegasTracing::LogLevel::Error,
                   FString::Printf(TEXT("Connection failed: %s"), *actor->GetName()));
}

void Spans(const FString &path, bool detailed) {
  const FName asset(*path);
  MICROMEGAS_SPAN_NAME("Content", asset);
  MICROMEGAS_SPAN_NAME("Content.AsyncLoad", *path);
  MICROMEGAS_SPAN_SCOPE("AI", "Pathfinding");
  MICROMEGAS_SPAN_NAME_CONDITIONAL("Render", detailed, TEXT("DetailedFrame"));
  MICROMEGAS_SPAN_UOBJECT_CONDITIONAL("Render", detailed, unreal_shim::CurrentWorld());
}

void Properties() {
  MicromegasTracing::DefaultContext *const context = MicromegasTracing::Dispatch::GetDefaultContext();
  if (!context) return;
  context->Set(FName("map"), FName(TEXT("Arena")));
  context->Set(FName("temp_flag"), FName("on"));
  context->Unset(FName("temp_flag"));
  TMap<FName, FName> copied;
  context->Copy(copied);
  check(copied.Contains(FName("map")) == bool(TACHY_ENABLED));
  check(!copied.Contains(FName("temp_flag")));
  const MicromegasTracing::PropertySet *const login = MicromegasTracing::Dispatch::GetPropertySet(
      {{FName("player_id"), FName("12345")}, {FName("action"), FName("login")}});
  check(login == MicromegasTracing::Dispatch::GetPropertySet(login->GetContext()));
  MICROMEGAS_LOG_PROPERTIES("Game", MicromegasTracing::LogLevel::Warn, login, TEXT("Player action recorded"));
  static const MicromegasTracing::MetricMetadata logins(MicromegasTracing::Verbosity::Low, TEXT("Logins"),
                                                        TEXT("count"), "Game", __FILE__, __LINE__);
  static const MicromegasTracing::MetricMetadata wait(MicromegasTracing::Verbosity::Low, TEXT("Wait"), TEXT("s"),
                                                      "Game", __FILE__, __LINE__);
  FPlatformProcess::Sleep(0.03f);
  MicromegasTracing::Dispatch::IntMetric(&logins, 3, FPlatformTime::Cycles64() - 20000);  // 20 ms ago
  MicromegasTracing::Dispatch::IntMetric(&logins, login, 2, FPlatformTime::Cycles64());
  MicromegasTracing::Dispatch::FloatMetric(&wait, login, 0.5, FPlatformTime::Cycles64());
  MicromegasTracing::Dispatch::FloatMetric(&wait, 1.5, FPlatformTime::Cycles64());
}

struct Writer {
  uint32 bits = 0;
  uint32 GetNumBits() const { return bits; }
};

void Write([[maybe_unused]] Writer &bunch, [[maybe_unused]] const TCHAR *name) {
  MICROMEGAS_NET_OBJECT_SCOPE(FName(name), bunch.GetNumBits());
  bunch.bits += 100;
  {
    MICROMEGAS_NET_OBJECT_SCOPE(TEXT("Component"), bunch.GetNumBits());
    MICROMEGAS_NET_PROPERTY_SCOPE(FName("Health"), bunch.GetNumBits());
    bunch.bits += 20;
  }
  MICROMEGAS_NET_PROPERTY(FName("Speed"), 8);
  bunch.bits += 8;
}

void Send(int32 verbosity) {
  MicromegasTracing::Dispatch::SetNetTraceVerbosity(MicromegasTracing::ENetTraceVerbosity(verbosity));
  Writer bunch;
  MICROMEGAS_NET_CONNECTION_SCOPE(FName(TEXT("Player"), 1 + verbosity), true);
  MicromegasTracing::Dispatch::SetNetTraceVerbosity(MicromegasTracing::ENetTraceVerbosity::Properties);  // not yet
  Write(bunch, TEXT("Ogre"));
  {
    MICROMEGAS_NET_RPC_SCOPE(FName("ClientRPC"), bunch.GetNumBits());
    bunch.bits += 40;
  }
  MICROMEGAS_NET_OBJECT_EVENT(FName("Pickup"), 5);
  {
    [[maybe_unused]] uint32 size = 0;
    MICROMEGAS_NET_OBJECT_SIZE_SCOPE(FName("Sized"), size);
    size = 7;
  }
  {
    MICROMEGAS_NET_SUSPEND_SCOPE();
    Write(bunch, TEXT("Replay"));
  }
  {
    MICROMEGAS_NET_CONNECTION_SCOPE(FName("Other"), true);  // absorbed
    Write(bunch, TEXT("Elf"));
  }
  {
    MICROMEGAS_NET_CONNECTION_SCOPE(FName("Other"), false);  // the other direction: nothing
    Write(bunch, TEXT("Reply"));
  }
}

}  // namespace

SHIM_SCENE(Micromegas) {
  unreal_shim::LoadMap(TEXT("/Game/Maps/Arena"));
  Properties();
  for (int i = 0; i < 10; i++) {
    AnActorsTick(unreal_shim::CurrentWorld(), 20.0 * i);
    Spans(TEXT("/Game/Mesh"), i % 2 == 0);
  }
  for (int32 verbosity = 0; verbosity <= 4; verbosity++) Send(verbosity);
  unreal_shim::Exec(TEXT("telemetry.net.verbosity 3"));
  report.Set("verbosity", int(MicromegasTracing::Dispatch::GetNetTraceVerbosity()));
  report.Set("net", MICROMEGAS_NET_TRACE_ENABLED);
  report.Set("world", unreal_shim::CurrentWorld()->GetName());
  const uint8 pixels[] = {7, 8, 9, 10};
  MicromegasTracing::Dispatch::SendImage(TEXT("minimap"), TEXT("image/png"), pixels, sizeof pixels);
  unreal_shim::Exec(TEXT("telemetry.global_context_set_property mode coop"));
  unreal_shim::Exec(TEXT("telemetry.global_context_print"));
  unreal_shim::Exec(TEXT("telemetry.spans.enable 0"));
  Spans(TEXT("/Game/Off"), true);
  unreal_shim::Exec(TEXT("telemetry.spans.enable 1"));
  unreal_shim::Exec(TEXT("telemetry.metrics.enable 0"));
  MICROMEGAS_IMETRIC("Game", MicromegasTracing::Verbosity::Min, TEXT("Off"), TEXT("count"), 1);
  unreal_shim::Exec(TEXT("telemetry.metrics.enable 1"));
  unreal_shim::Exec(TEXT("telemetry.log.enable 0"));
  MICROMEGAS_LOG("Game", MicromegasTracing::LogLevel::Fatal, "off");
  unreal_shim::Exec(TEXT("telemetry.log.enable 1"));
  MICROMEGAS_LOG("Game.End", MicromegasTracing::LogLevel::Info, "over");
  MicromegasTracing::Dispatch::FlushLogStream();
  MicromegasTracing::Dispatch::FlushMetricStream();
  MicromegasTracing::Dispatch::FlushCurrentThreadStream();
  MicromegasTracing::Dispatch::GetDefaultContext()->Clear();
}
