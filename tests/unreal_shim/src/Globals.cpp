// The core's globals and delegates.
#include "CoreGlobals.h"
#include "Delegates/Delegate.h"
#include "Misc/CommandLine.h"
#include "Misc/ConfigCacheIni.h"
#include "Misc/CoreDelegates.h"
#include "Misc/OutputDeviceError.h"
#include "State.h"

#if !NO_LOGGING
#define UE_SHIM_DEFINE_LOG(Name) DEFINE_LOG_CATEGORY(Name);
#else
#define UE_SHIM_DEFINE_LOG(Name) FNoLoggingCategory Name;
#endif
UE_SHIM_DEFINE_LOG(LogTemp)
UE_SHIM_DEFINE_LOG(LogCore)
UE_SHIM_DEFINE_LOG(LogOutputDevice)
UE_SHIM_DEFINE_LOG(LogConsoleResponse)

FConfigCacheIni *GConfig = nullptr;
FString GEngineIni(TEXT("Engine.ini")), GGameIni(TEXT("Game.ini")), GGameUserSettingsIni(TEXT("GameUserSettings.ini"));
TCHAR GErrorHist[16384];
bool GIsCriticalError, GIsGPUCrashed, GIsGameThreadIdInitialized;
double GStartTime = FPlatformTime::Seconds();
uint64 GFrameCounter;
uint32 GGameThreadId, GRenderThreadId;
int32 GCycleStatsShouldEmitNamedEvents;

unreal_shim::FState &unreal_shim::State() {
  static FState *const The = new FState;
  return *The;
}
unreal_shim::FEngineHooks &unreal_shim::EngineHooks() {
  static FEngineHooks The;
  return The;
}
bool IsInGameThread() { return !GIsGameThreadIdInitialized || FPlatformTLS::GetCurrentThreadId() == GGameThreadId; }
bool IsInActualRenderingThread() {
  return GRenderThreadId != 0 && FPlatformTLS::GetCurrentThreadId() == GRenderThreadId;
}
bool IsInRenderingThread() { return GRenderThreadId == 0 ? IsInGameThread() : IsInActualRenderingThread(); }
bool IsRunningCommandlet() { return unreal_shim::State().bCommandlet; }
bool IsRunningDedicatedServer() { return UE_SERVER || unreal_shim::State().bDedicatedServer; }
void unreal_shim::SetDebuggerPresent(bool bPresent) { State().bDebugger = bPresent; }

#define UE_SHIM_DELEGATE(Name) FSimpleMulticastDelegate FCoreDelegates::Name
UE_SHIM_DELEGATE(OnHandleSystemEnsure);
UE_SHIM_DELEGATE(OnHandleSystemError);
UE_SHIM_DELEGATE(OnEndFrame);
UE_SHIM_DELEGATE(OnPreExit);
UE_SHIM_DELEGATE(OnCommandletPostMain);
UE_SHIM_DELEGATE(OnInit);
UE_SHIM_DELEGATE(ApplicationWillEnterBackgroundDelegate);
UE_SHIM_DELEGATE(ApplicationHasEnteredForegroundDelegate);
PRAGMA_DISABLE_DEPRECATION_WARNINGS
UE_SHIM_DELEGATE(OnPostEngineInit);
#if UE_SHIM_VERSION >= 508
FSimpleMulticastDelegate &FCoreDelegates::GetOnPostEngineInit() { return OnPostEngineInit; }
#endif
PRAGMA_ENABLE_DEPRECATION_WARNINGS
TMulticastDelegate<void()> &FCoreDelegates::GetApplicationWillTerminateDelegate() {
  static TMulticastDelegate<void()> The;
  return The;
}
uint64 FDelegateHandle::NewId() {
  static std::atomic<uint64> Last{0};
  return ++Last;
}
