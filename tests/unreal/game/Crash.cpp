// Programs that die, and the next start, which sends what they have left.
#include "HAL/PlatformProcess.h"
#include "Scene.h"
#include "Tachy.h"
#include "unreal_shim/Engine.h"

namespace {

void PlayUntilTheEnd(Report &report) {
  unreal_shim::LoadMap(TEXT("/Game/Maps/Arena"));
  for (int i = 0; i < 1000; i++) {
    TACHY_SPAN_SCOPE("Game", "Step");
    TACHY_IMETRIC("Game", Tachy::Min, "Steps", "1", i);
  }
  TACHY_LOG("Game", Tachy::Info, "the last words");
  report.Print();  // what comes now does not return
}

}  // namespace

SHIM_SCENE(CrashBySignal) {
  PlayUntilTheEnd(report);
  unreal_shim::Crash();
}

SHIM_SCENE(CrashByAssert) {
  PlayUntilTheEnd(report);
  unreal_shim::CheckFailed("Health >= 0", __FILE__, 7, TEXT("tot, größer"));
}

SHIM_SCENE(CrashOutOfMemory) {
  PlayUntilTheEnd(report);
  unreal_shim::OutOfMemory();
}

SHIM_SCENE(CrashOfGpu) {
  PlayUntilTheEnd(report);
  GIsGPUCrashed = true;
  unreal_shim::Crash();
}

SHIM_SCENE(Recover) {
  tachy_stats stats = {};
  for (int i = 0; i < 6000 && stats.recovered_batches == 0; i++) {
    tachy_get_stats(&stats);
    FPlatformProcess::Sleep(0.01f);
  }
  report.Set("recovered", double(stats.recovered_batches));
}
