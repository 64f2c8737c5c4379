// Modules are unloaded and loaded again, one often where the other has been, while a thread of this one records.
#include <stdio.h>
#include <string.h>

#include <atomic>

#include "HAL/Runnable.h"
#include "HAL/RunnableThread.h"
#include "Modules/ModuleManager.h"
#include "Scene.h"
#include "Tachy.h"
#include "unreal_shim/Loop.h"

namespace {

class Steady : public FRunnable {
 public:
  uint32 Run() override {
    while (!over) {
      TACHY_SPAN_SCOPE("Steady", "Step");
      spans++;
      if (spans % 1000 == 0) FPlatformProcess::Sleep(0.001f);
    }
    return 0;
  }
  void Stop() override { over = true; }

  std::atomic<bool> over{false};
  std::atomic<int> spans{0};
};

// Whether the library of a level is still in memory.
bool IsMapped() {
  FILE *const maps = fopen("/proc/self/maps", "r");
  char line[4096];
  bool found = false;
  while (maps && fgets(line, sizeof line, maps)) found = found || strstr(line, "libUnrealEditor-Level");
  if (maps) fclose(maps);
  return found;
}

}  // namespace

SHIM_SCENE(Reload) {
  Steady steady;
  FRunnableThread *const thread = FRunnableThread::Create(&steady, TEXT("Steady"));
  int unloaded = 0;
  for (int turn = 0; turn < 20; turn++) {
    const FName name(turn % 2 == 0 ? TEXT("LevelOne") : TEXT("LevelTwo"));
    FModuleManager::Get().LoadModuleChecked(name);
    unreal_shim::Tick();
    unloaded += FModuleManager::Get().UnloadModule(name) && !IsMapped();
  }
  thread->Kill(true);
  delete thread;
  report.Set("unloaded", unloaded);
  report.Set("steady", steady.spans);
}
