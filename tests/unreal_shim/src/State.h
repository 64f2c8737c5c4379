// What the shim's sources share.
#pragma once
#include <atomic>

#include "CoreMinimal.h"
#include "unreal_shim/Loop.h"

class UWorld;
namespace unreal_shim {
struct FState {
  TArray<FString> LaunchedURLs;
  std::atomic<bool> bDebugger{false};
  std::atomic<bool> bCrashHandling{true};
  bool bCommandlet = false, bDedicatedServer = false;
  bool bStarted = false, bObjectsReady = false, bEngineUp = false;
  bool bBackground = false;
  double CurrentTime = 0, LastTime = 0, DeltaTime = 1.0 / 60, Idle = 0, IdleOvershoot = 0, GameTime = 0;
  double LastInput = 0;
  FString ProjectName{TEXT("ShimGame")};
};
FState &State();
bool SetLogVerbosity(const FString &Category, const FString &Level);
void InstallCrashHandler();
void RunGameThreadTasks();
void ForgetPackage(const FString &Package);  // before the library with its classes goes
void HandleError(bool bSignal);              // the engine's error path, up to the end of the process's log
// Hooks of the engine half, which a program may lack.
struct FEngineHooks {
  void (*StartObjects)() = nullptr;
  void (*StartEngine)() = nullptr;
  void (*Tick)(const FFrame &) = nullptr;
  void (*StopEngine)() = nullptr;
  void (*StopObjects)() = nullptr;
  UWorld *(*World)() = nullptr;
};
FEngineHooks &EngineHooks();
}  // namespace unreal_shim
