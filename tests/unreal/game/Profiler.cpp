// The engine's own instrumentation, among ours.
#include "HAL/IConsoleManager.h"
#include "HAL/Runnable.h"
#include "HAL/RunnableThread.h"
#include "HAL/UnrealMemory.h"
#include "ProfilingDebugging/ExternalProfiler.h"
#include "Scene.h"
#include "Stats/Stats.h"
#include "Tachy.h"
#include "TachySession.h"

namespace {

class Worker : public FRunnable {
 public:
  uint32 Run() override {
    for (int i = 0; i < 1000; i++) {
      SCOPED_NAMED_EVENT(WorkerJob, FColor::Red);
      TACHY_SPAN_SCOPE("Game", "Step");
    }
    return 0;
  }
};

void PlayFrame([[maybe_unused]] int number) {
  SCOPED_NAMED_EVENT(PlayerTick, FColor::Red);
  {
    TACHY_SPAN_SCOPE("Game", "Think");
    SCOPED_NAMED_EVENT_TEXT("Größe", FColor::Red);
  }
  QUICK_SCOPE_CYCLE_COUNTER(STAT_Move);
  SCOPED_NAMED_EVENT_F(TEXT("Frame %d"), FColor::Red, number % 10);
}

#if UE_EXTERNAL_PROFILING_ENABLED

void Begin(const ANSICHAR *name) { FPlatformMisc::BeginNamedEvent(FColor::Red, name); }
void End() { FPlatformMisc::EndNamedEvent(); }

void PlayEnds() {
  for (int i = 0; i < 5; i++) End();  // of events that began before anybody listened
  Begin("Outer");
  Begin("Inner");
  End();
  End();
  End();
  for (int i = 0; i < 300; i++) Begin("Deep");
  for (int i = 0; i < 300; i++) End();
  Begin("After");
  End();
}

void PlayPause() {
  FActiveExternalProfilerBase::SetActiveProfilerRecording(true);
  Begin("Whole");
  FActiveExternalProfilerBase::SetActiveProfilerRecording(false);
  Begin("Paused");
  End();
  End();
  FActiveExternalProfilerBase::SetActiveProfilerRecording(true);
  Begin("Resumed");
  End();
}

#if UE_SHIM_VERSION >= 506
void PlaySwitch() {
  Begin("CutOff");
  FActiveExternalProfilerBase::EnableScopedEvents(false);
  End();
  FActiveExternalProfilerBase::EnableScopedEvents(true);
  End();
  Begin("Again");
  End();
}
#endif

// The fewest of several rounds: other threads may allocate in one.
uint64 AllocationsOf(int rounds, int scopes) {
  uint64 fewest = ~uint64(0);
  for (int round = 0; round < rounds; round++) {
    const uint64 before = unreal_shim::Allocations();
    for (int i = 0; i < scopes; i++) {
      Begin("Counted");
      End();
    }
    fewest = FMath::Min(fewest, unreal_shim::Allocations() - before);
  }
  return fewest;
}

#endif

}  // namespace

SHIM_SCENE(Profiler) {
  for (int i = 0; i < 100; i++) PlayFrame(i);
  Worker worker;
  FRunnableThread *const thread = FRunnableThread::Create(&worker, TEXT("EventWorker"));
  thread->WaitForCompletion();
  delete thread;
#if UE_EXTERNAL_PROFILING_ENABLED
  PlayEnds();
  PlayPause();
#if UE_SHIM_VERSION >= 506
  PlaySwitch();
#endif
  report.Set("allocations", double(AllocationsOf(5, 200)));
#endif
  unreal_shim::Exec(TEXT("tachy.Status"));
}

#if UE_EXTERNAL_PROFILING_ENABLED
// The session that reports is the second one.
SHIM_SCENE(EventsAcrossSessions) {
  Begin("Old");
  Begin("OldInner");
  Tachy::Stop();
  Begin("Unrecorded");
  report.Set("started", Tachy::Start(TEXT("")));
  { TACHY_SPAN_SCOPE("Game", "Ours"); }
  End();
  End();
  End();
  Begin("New");
  End();
}

SHIM_SCENE(ManyNames) {
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 9000; i++) {
      SCOPED_NAMED_EVENT_F(TEXT("Name %d"), FColor::Red, i);
    }
  }
}
#endif
