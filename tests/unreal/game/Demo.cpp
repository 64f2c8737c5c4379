// What `make demo-unreal` plays: enemies that think and move, a render and an RHI thread, levels that stream in, a
// server with clients, garbage collection, and a frame now and then that takes far too long. usage: game Demo
// -Seconds=10
#include "Async/Async.h"
#include "Engine/NetDriver.h"
#include "HAL/Event.h"
#include "HAL/PlatformProcess.h"
#include "HAL/PlatformTime.h"
#include "HAL/Runnable.h"
#include "HAL/RunnableThread.h"
#include "Misc/CommandLine.h"
#include "Misc/Parse.h"
#include "RenderingThread.h"
#include "Scene.h"
#include "Tachy.h"
#include "UObject/UObjectGlobals.h"
#include "unreal_shim/Engine.h"

DEFINE_LOG_CATEGORY_STATIC(LogDemo, Log, All);

namespace {

uint32 seed = 1;
uint32 Random(uint32 below) { return (seed = seed * 1664525 + 1013904223) / 256 % below; }

// Keeps the processor busy, as a game would.
void Work(uint32 microseconds) {
  const double end = FPlatformTime::Seconds() + microseconds * 1e-6;
  while (FPlatformTime::Seconds() < end) {
  }
}

// Hands the render thread's work on to the hardware, one frame at a time.
class RhiThread : public FRunnable {
 public:
  uint32 Run() override {
    while (bell_->Wait(), !over_) {
      TACHY_SPAN_SCOPE("RHI", "RHI submit");
      Work(400 + frame_ % 7 * 30);
    }
    return 0;
  }
  void Submit(uint32 frame) {
    frame_ = frame;
    bell_->Trigger();
  }
  void Stop() override {
    over_ = true;
    bell_->Trigger();
  }

 private:
  FEvent *const bell_ = FPlatformProcess::GetSynchEventFromPool(false);
  std::atomic<uint32> frame_{0};
  std::atomic<bool> over_{false};
};

void Draw(RhiThread &rhi, uint32 frame) {
  ENQUEUE_RENDER_COMMAND(DrawScene)
  ([&rhi, frame](FRHICommandListImmediate &) {
    TACHY_SPAN_SCOPE("Renderer", "Scene render");
    {
      TACHY_SPAN_SCOPE("Renderer", "Init views");
      Work(200);
    }
    {
      TACHY_SPAN_SCOPE("Renderer", "Shadow depths");
      Work(600 + frame % 5 * 50);
    }
    {
      TACHY_SPAN_SCOPE("Renderer", "Base pass");
      Work(1200 + frame % 11 * 40);
    }
    rhi.Submit(frame);
  });
}

void StreamLevel(uint32 number) {
  AsyncTask(ENamedThreads::AnyBackgroundThreadNormalTask, [number] {
    TACHY_SPAN_SCOPE("Streaming", "Load package");
    Work(9000);
    UE_LOG(LogDemo, Display, TEXT("Level %u is there"), number);
  });
}

void TickEnemies(uint32 count, bool panic) {
  TACHY_SPAN_SCOPE("Game", "Tick enemies");
  for (uint32 enemy = 0; enemy < count; enemy++) {
    TACHY_SPAN_SCOPE("Game.AI", "Enemy tick");
    Work(8 + Random(10));
    if (enemy % 8 == 0) {
      TACHY_SPAN_SCOPE("Game.AI", "Find path");
      Work(panic ? 1800 : 40 + Random(60));
    }
  }
}

void PlayFrame(uint32 frame, RhiThread &rhi) {
  const bool panic = frame % 211 == 97;  // everybody looks for a new way at once
  const double begin = FPlatformTime::Seconds();
  {
    TACHY_SPAN_SCOPE("Engine", "Frame");
    const uint32 enemies = 60 + frame / 20 % 40;
    TickEnemies(enemies, panic);
    {
      TACHY_SPAN_SCOPE("Engine", "Physics");
      Work(1500 + Random(400));
    }
    {
      TACHY_SPAN_SCOPE("Engine", "Animation");
      Work(900 + Random(300));
    }
    Draw(rhi, frame);
    TACHY_IMETRIC("Game.AI", Tachy::Min, "Enemies", "1", enemies);
    if (panic) TACHY_LOG("Game.AI", Tachy::Warn, FString::Printf(TEXT("%u enemies lost their way"), enemies));
  }
  const double took = FPlatformTime::Seconds() - begin;
  FPlatformProcess::Sleep(float(FMath::Max(0.0, 1.0 / 60 - took)));
  unreal_shim::Tick({.Delta = FPlatformTime::Seconds() - begin,
                     .GameThread = took,
                     .Idle = FMath::Max(0.0, 1.0 / 60 - took),
                     .bInput = true});
}

}  // namespace

SHIM_SCENE(Demo) {
  float seconds = 10;
  FParse::Value(FCommandLine::Get(), TEXT("Seconds="), seconds);
  RhiThread rhi;
  FRunnableThread *const rhi_thread = FRunnableThread::Create(&rhi, TEXT("RHIThread"));
  UWorld *const world = unreal_shim::LoadMap(TEXT("/Game/Maps/Arena"));
  unreal_shim::AddPlayer(world);
  unreal_shim::CreateNetDriver(world, true, 3);
  const double end = FPlatformTime::Seconds() + double(seconds);
  uint32 frame = 0;
  for (; FPlatformTime::Seconds() < end; frame++) {
    if (frame % 90 == 30) StreamLevel(frame / 90);
    if (frame % 240 == 239) CollectGarbage(RF_NoFlags);
    PlayFrame(frame, rhi);
  }
  FlushRenderingCommands();
  rhi_thread->Kill(true);
  delete rhi_thread;
  report.Set("frames", frame);
}
