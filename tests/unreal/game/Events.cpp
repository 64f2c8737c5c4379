// Maps, garbage and settings that change, ensures, and a game thread that stands still.
#include <csignal>

#include "Engine/GameViewportClient.h"
#include "HAL/IConsoleManager.h"
#include "HAL/PlatformProcess.h"
#include "HAL/Runnable.h"
#include "HAL/RunnableThread.h"
#include "Scalability.h"
#include "Scene.h"
#include "Tachy.h"
#include "UObject/UObjectGlobals.h"
#include "unreal_shim/Engine.h"

namespace {

void TickSecond() { unreal_shim::Tick({.Delta = 1.0}); }

class Worker : public FRunnable {
 public:
  uint32 Run() override {
    (void)ensureMsgf(GFrameCounter > 1000, TEXT("on a worker, größer than %d"), 1000);
    return 0;
  }
};

void Fail(bool good) { (void)ensure(good); }

// Until a log has been recorded that is none of ours.
bool WaitForLog(uint64 before) {
  for (int i = 0; i < 6000; i++) {
    tachy_stats stats;
    tachy_get_stats(&stats);
    if (stats.recorded[TACHY_CLASS_LOG] > before) return true;
    FPlatformProcess::Sleep(0.01f);
  }
  return false;
}

bool HangUntilItIsLogged() {
  unreal_shim::Exec(TEXT("tachy.HangSeconds 0.5"));  // as of the next frame
  Tachy::Flush(20.0f);                               // so that all that was logged is counted
  tachy_stats stats;
  tachy_get_stats(&stats);
  TickSecond();
  return WaitForLog(stats.recorded[TACHY_CLASS_LOG]);
}

// Four looks long without a frame; before and after it a slow machine has ten seconds for one.
void StandStill(const TCHAR *limit = TEXT("tachy.HangSeconds 0.25")) {
  unreal_shim::Exec(limit);
  TickSecond();
  FPlatformProcess::Sleep(1.0f);
  unreal_shim::Exec(TEXT("tachy.HangSeconds 10"));
  TickSecond();
}

}  // namespace

SHIM_SCENE(Events) {
  unreal_shim::LoadMap(TEXT("/Game/Maps/Arena"));
  TACHY_LOG("Game", Tachy::Info, "in the arena");
  TickSecond();
  Scalability::FQualityLevels levels = Scalability::GetQualityLevels();
  levels.ShadowQuality = 1;
  Scalability::SetQualityLevels(levels);
  IConsoleManager::Get().FindConsoleVariable(TEXT("r.VSync"))->Set(1, ECVF_SetByCode);
  if (GEngine->GameViewport) GEngine->GameViewport->Viewport->Size = FIntPoint(1920, 1080);
  TickSecond();
  TickSecond();
  unreal_shim::LoadMap(TEXT("/Game/Maps/Hall"));
  TACHY_LOG("Game", Tachy::Info, "in the hall");
  CollectGarbage(GARBAGE_COLLECTION_KEEPFLAGS);
  CollectGarbage(GARBAGE_COLLECTION_KEEPFLAGS);
}

SHIM_SCENE(Ensures) {
  Fail(false);
  Fail(false);  // reported once
  Worker worker;
  FRunnableThread *const thread = FRunnableThread::Create(&worker, TEXT("Worker"));
  thread->WaitForCompletion();
  delete thread;
}

SHIM_SCENE(Hang) {
  unreal_shim::LoadMap(TEXT("/Game/Maps/Arena"));
  report.Set("hung", HangUntilItIsLogged());
  FPlatformProcess::Sleep(1.0f);  // one hang is one log, however long it is
  TickSecond();
  TickSecond();
}

// What is no hang, though no frame ends for long; and at the end one, which shows that somebody looks.
SHIM_SCENE(NoHang) {
  StandStill();  // nothing is played yet
  unreal_shim::LoadMap(TEXT("/Game/Maps/Arena"));
  FCoreUObjectDelegates::PreLoadMap.Broadcast(TEXT("/Game/Maps/Hall"));
  StandStill();
  FCoreUObjectDelegates::PostLoadMapWithWorld.Broadcast(unreal_shim::CurrentWorld());
  unreal_shim::EnterBackground();
  StandStill();
  unreal_shim::EnterForeground();
#if !UE_BUILD_SHIPPING
  unreal_shim::SetDebuggerPresent(true);
  StandStill();
  unreal_shim::SetDebuggerPresent(false);
#endif
  StandStill(TEXT("tachy.HangSeconds 0"));
  report.Set("hung", HangUntilItIsLogged());
  TickSecond();
}

SHIM_SCENE(KilledWhileItHangs) {
  unreal_shim::LoadMap(TEXT("/Game/Maps/Arena"));
  report.Set("hung", HangUntilItIsLogged());
  report.Print();
  (void)std::raise(SIGKILL);
}

SHIM_SCENE(KilledAfterAHang) {
  unreal_shim::LoadMap(TEXT("/Game/Maps/Arena"));
  report.Set("hung", HangUntilItIsLogged());
  TickSecond();
  report.Print();
  (void)std::raise(SIGKILL);
}
