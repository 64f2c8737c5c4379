// The engine's life, for tests and games on the shim. Not the engine's names.
#pragma once
#include "CoreMinimal.h"

namespace unreal_shim {
enum class EPhase { EarliestPossible, PostConfigInit, PreDefault, Default, PostDefault, PostEngineInit };
struct FModuleToLoad {
  const TCHAR *Name;
  EPhase Phase = EPhase::Default;
};
// What a frame is reported to have taken (seconds, cycles are made of them). Zeros: not measured.
struct FFrame {
  double Delta = 1.0 / 60;
  double GameThread = 0, RenderThread = 0, RHIThread = 0, GPU = 0, InputLatency = 0, Idle = 0, IdleOvershoot = 0;
  double FlushAsyncLoading = 0;
  uint32 FlushAsyncLoadingCount = 0;
  int32 DrawCalls = 0, Primitives = 0;
  bool bInput = false;  // the player did something
};
CORE_API void AddModuleFolder(
    const char *Path);  // where libUnrealEditor-Name.so lie; also UE_SHIM_MODULES, separated by ':'
// Reads the command line (all arguments but the first), UE_SHIM_INI (a file for GEngineIni), then loads modules phase
// by phase.
CORE_API void Start(int Argc, const char *const *Argv, const TArray<FModuleToLoad> &Modules = {});
CORE_API void Tick(const FFrame &Frame = FFrame());
CORE_API void End();  // OnPreExit, engine down, OnExit, modules shut down in reverse, GLog torn down
CORE_API bool Exec(const TCHAR *Command);  // the console's line; false when nobody knows it
CORE_API void PrintLog(bool bEnable);      // to stdout; on by default with -stdout
[[noreturn]] CORE_API void Crash();        // writes to address 0: the engine's signal handler does the rest
[[noreturn]] CORE_API void OutOfMemory();
CORE_API void SetDebuggerPresent(bool bPresent);
CORE_API void EnterBackground();
CORE_API void EnterForeground();
CORE_API void Terminate();  // ApplicationWillTerminate
}  // namespace unreal_shim
