// check, ensure, and what happens when the process dies.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "HAL/PlatformMallocCrash.h"
#include "HAL/PlatformMemory.h"
#include "Misc/CoreDelegates.h"
#include "Misc/OutputDeviceError.h"
#include "Misc/OutputDeviceRedirector.h"
#include "State.h"

namespace {
std::atomic<bool> bAsserted, bMallocCrash, bHandling;
std::atomic<int32> Ensures;
thread_local bool bEnsuring;

class FErrorDevice final : public FOutputDeviceError {
 public:
  using FOutputDevice::Serialize;
  void Serialize(const TCHAR *V, ELogVerbosity::Type, const FName &) override {
    GIsCriticalError = true;
    FCString::Strncpy(GErrorHist, V, UE_ARRAY_COUNT(GErrorHist));
    HandleError();
  }
  void HandleError() override { unreal_shim::HandleError(false); }
};
void OnSignal(int Signal, siginfo_t *, void *) {
  bMallocCrash = true;  // the engine changes to a bump allocator here
  if (!bHandling.exchange(true)) {
    if (!GIsCriticalError) {
      GIsCriticalError = true;
      const TCHAR *const What = Signal == SIGSEGV   ? TEXT("Unhandled Exception: SIGSEGV")
                                : Signal == SIGABRT ? TEXT("Unhandled Exception: SIGABRT")
                                : Signal == SIGFPE  ? TEXT("Unhandled Exception: SIGFPE")
                                : Signal == SIGILL  ? TEXT("Unhandled Exception: SIGILL")
                                                    : TEXT("Unhandled Exception: signal");
      FCString::Strncpy(GErrorHist, What, UE_ARRAY_COUNT(GErrorHist));
    }
    unreal_shim::HandleError(true);
  }
  signal(Signal, SIG_DFL);
  raise(Signal);
}
}  // namespace

static FErrorDevice ErrorDevice;
FOutputDeviceError *GError = &ErrorDevice;

bool FGenericPlatformMallocCrash::IsActive() { return bMallocCrash; }
bool FDebug::HasAsserted() { return bAsserted; }
void unreal_shim::InstallCrashHandler() {
  struct sigaction Action = {};
  Action.sa_sigaction = OnSignal;
  Action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (const int Signal : {SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGABRT, SIGTRAP, SIGSYS})
    sigaction(Signal, &Action, nullptr);
}
void unreal_shim::HandleError(bool) {
  if (State().bCrashHandling) FCoreDelegates::OnHandleSystemError.Broadcast();
  GLog->Panic();
#if !NO_LOGGING
  GLog->Serialize(TEXT("=== Critical error: ==="), ELogVerbosity::Error, LogCore.GetCategoryName());
  GLog->Serialize(GErrorHist, ELogVerbosity::Error, LogCore.GetCategoryName());
#endif
  GLog->Flush();
}
void unreal_shim::CheckFailed(const char *Expression, const char *File, int32 Line, const TCHAR *Message) {
  bAsserted = true;
  FString Text = FString::Printf(TEXT("Assertion failed: %hs [File:%hs] [Line: %d]"), Expression, File, Line);
  if (Message) Text += FString(TEXT("\n")) + Message;
  if (!FGenericPlatformMemory::bIsOOM) fprintf(stderr, "%s\n", TCHAR_TO_UTF8(*Text));
  GIsCriticalError = true;
  FCString::Strncpy(GErrorHist, *Text, UE_ARRAY_COUNT(GErrorHist));
  raise(SIGSEGV);  // the engine writes to address 3
  _exit(134);
}
bool unreal_shim::EnsureFailed(const char *Expression, const char *File, int32 Line, const TCHAR *Message) {
  if (bEnsuring) return false;
  bEnsuring = true;
  ++Ensures;
  FString Text = FString::Printf(TEXT("Ensure condition failed: %hs [File:%hs] [Line: %d]"), Expression, File, Line);
  if (Message) Text += FString(TEXT("\n")) + Message;
#if !NO_LOGGING
  GLog->Serialize(*Text, ELogVerbosity::Error, LogOutputDevice.GetCategoryName());
#endif
  FCString::Strncpy(GErrorHist, *Text, UE_ARRAY_COUNT(GErrorHist));
  FCoreDelegates::OnHandleSystemEnsure.Broadcast();
  GErrorHist[0] = 0;
  bEnsuring = false;
  return false;
}
void unreal_shim::Crash() {
  static int *volatile Nowhere = nullptr;
  *Nowhere = 1;
  _exit(139);
}
void unreal_shim::OutOfMemory() { FPlatformMemory::OnOutOfMemory(uint64(1) << 40, 16); }
