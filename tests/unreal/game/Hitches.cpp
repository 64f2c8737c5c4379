// Frames that are hitches, and frames that only look so. The report says what was played, for the test to tell which.
#include "HAL/PlatformProcess.h"
#include "Scene.h"
#include "unreal_shim/Engine.h"

namespace {

FString played;

void Play(double delta, double idle = 0, bool input = false) {
  unreal_shim::FFrame frame;
  frame.Delta = delta;
  frame.Idle = idle;
  frame.bInput = input;
  unreal_shim::Tick(frame);
  played += FString::Printf(TEXT("%.6f:%.6f "), delta, idle);
}

void PlayMany(int count) {
  for (int i = 0; i < count; i++) Play(1.0 / 64);
}

// What holds for the next frames.
void Note(const TCHAR *word) { played += FString(word) + TEXT(" "); }

}  // namespace

SHIM_SCENE(Hitches) {
  unreal_shim::Exec(TEXT("tachy.Hitch.IdleSeconds 0"));
  Play(0.5);  // no world yet
  Note(TEXT("world"));
  unreal_shim::AddPlayer(unreal_shim::LoadMap(TEXT("/Game/Maps/Arena")));
  Note(TEXT("held"));
  Play(0.7);
  PlayMany(64);
  Play(0.1);  // a hitch
  PlayMany(64);
  Play(0.1, 0.09);                // it slept for the frame limiter
  Play(0.04);                     // within the budget
  for (int i = 0; i < 60; i++) {  // a game that stutters
    Play(0.12);
    PlayMany(8);
  }
  PlayMany(64 * 180);  // three quiet minutes
  Play(0.06);          // a hitch again

  unreal_shim::LoadMap(TEXT("/Game/Maps/Hall"));
  Note(TEXT("held"));
  Play(0.5);
  unreal_shim::EnterBackground();
  Note(TEXT("held"));
  Play(0.5);
  unreal_shim::EnterForeground();
  Note(TEXT("held"));
  PlayMany(64);
  unreal_shim::SetDebuggerPresent(true);
  Note(TEXT("debugged"));
  Play(0.5);
  unreal_shim::SetDebuggerPresent(false);
  Note(TEXT("alone"));
  PlayMany(256);

  unreal_shim::Exec(TEXT("tachy.Hitch.IdleSeconds 1"));
  FPlatformProcess::Sleep(1.1f);
  Note(TEXT("away"));
  Play(0.5);
  Note(TEXT("back"));
  Play(1.0 / 64, 0, true);
  unreal_shim::Exec(TEXT("tachy.Hitch.IdleSeconds 0"));
  PlayMany(256);
  Play(0.5);  // a hitch

  unreal_shim::Exec(TEXT("tachy.Flight 1"));
  unreal_shim::Exec(TEXT("tachy.Hitch.HeartbeatSeconds 5"));
  Note(TEXT("flight"));
  PlayMany(64 * 17);  // three heartbeats
  unreal_shim::Exec(TEXT("tachy.Hitch.HeartbeatSeconds 0"));
  unreal_shim::Exec(TEXT("tachy.Hitch.BudgetMs 0"));
  Note(TEXT("off"));
  PlayMany(64 * 10);
  Play(0.9);
  report.Set("played", played);
}
