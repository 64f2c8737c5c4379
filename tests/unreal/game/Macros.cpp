// Every macro of Tachy.h, UE_LOG, and a thread beside the game's.
#include <atomic>

#include "HAL/Runnable.h"
#include "HAL/RunnableThread.h"
#include "Scene.h"
#include "Tachy.h"

DEFINE_LOG_CATEGORY_STATIC(LogShimGame, Log, All);

namespace {

class Worker : public FRunnable {
 public:
  uint32 Run() override {
    for (int i = 0; i < 1000; i++) {
      TACHY_SPAN_SCOPE("Game.Worker", "Job");
      TACHY_SPAN_SCOPE_CONDITIONAL("Game.Worker", i % 2 == 0, TEXT("Half"));
      if (i % 100 == 0) UE_LOG(LogShimGame, Display, TEXT("job %d"), i);
    }
    return 0;
  }
};

void PlayFrame(int frame) {
  TACHY_SPAN_FUNCTION("Game");
  {
    TACHY_SPAN_SCOPE(TEXT("Game.Ai"), TEXT("Größe \U0001F600"));
    TACHY_LOG("Game.Ai", Tachy::Info, FString::Printf(TEXT("%d foes, größer"), frame));
    TACHY_LOG("Game.Ai", Tachy::Warn, "plain");
    static const Tachy::FProperties boss({{TEXT("boss"), TEXT("Ogre")}});
    TACHY_LOG_PROPERTIES("Game.Ai", Tachy::Error, boss, TEXT("the boss"));
    UE_LOG(LogShimGame, Warning, TEXT("frame %d"), frame);
  }
  TACHY_IMETRIC("Game", Tachy::Min, "Foes", "1", frame);
  TACHY_FMETRIC("Game", Tachy::Max, TEXT("Speed"), TEXT("m/s"), 1.5 * frame);
  TACHY_FRAME();
}

}  // namespace

SHIM_SCENE(Macros) {
  Tachy::SetContext(TEXT("map"), TEXT("Arena"));
  Worker worker;
  FRunnableThread *const thread = FRunnableThread::Create(&worker, TEXT("Worker"));
  for (int frame = 0; frame < 50; frame++) {
    PlayFrame(frame);
    unreal_shim::Tick();
  }
  thread->WaitForCompletion();
  delete thread;
}
