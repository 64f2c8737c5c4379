// GLog, categories, verbosity.
#include <stdio.h>

#include <mutex>
#include <shared_mutex>

#include "HAL/PlatformTLS.h"
#include "Misc/OutputDeviceRedirector.h"
#include "Misc/ScopeLock.h"
#include "State.h"

const TCHAR *ToString(ELogVerbosity::Type Verbosity) {
  static const TCHAR *const Names[] = {TEXT("NoLogging"), TEXT("Fatal"), TEXT("Error"),   TEXT("Warning"),
                                       TEXT("Display"),   TEXT("Log"),   TEXT("Verbose"), TEXT("VeryVerbose")};
  const int32 I = Verbosity & ELogVerbosity::VerbosityMask;
  return I < int32(UE_ARRAY_COUNT(Names)) ? Names[I] : TEXT("UknownVerbosity");
}

namespace {
struct FCategories {
  FCriticalSection Mutex;
  TMap<FName, FLogCategoryBase *> ByName;
};
FCategories &Categories() {
  static FCategories *const The = new FCategories;
  return *The;
}
}  // namespace
FLogCategoryBase::FLogCategoryBase(const TCHAR *Name, ELogVerbosity::Type Default, ELogVerbosity::Type CompileTime)
    : Verbosity(Default), CompileTimeVerbosity(CompileTime), CategoryName(Name) {
  const FScopeLock Lock(&Categories().Mutex);
  Categories().ByName.Add(CategoryName, this);
}
FLogCategoryBase::~FLogCategoryBase() {
  const FScopeLock Lock(&Categories().Mutex);
  FLogCategoryBase **Registered = Categories().ByName.Find(CategoryName);
  if (Registered && *Registered == this) Categories().ByName.Remove(CategoryName);
}
bool unreal_shim::SetLogVerbosity(const FString &Category,
                                  const FString &Level) {  // the console's "Log LogTemp Verbose"
  const FScopeLock Lock(&Categories().Mutex);
  FLogCategoryBase **Found = Categories().ByName.Find(FName(Category));
  for (int32 I = 0; Found && I < ELogVerbosity::NumVerbosity; ++I)
    if (Level == ToString(ELogVerbosity::Type(I))) {
      (*Found)->SetVerbosity(FMath::Min(ELogVerbosity::Type(I), (*Found)->GetCompileTimeVerbosity()));
      return true;
    }
  return false;
}

void FMsg::LogfImpl(const ANSICHAR *, int32, const FName &Category, ELogVerbosity::Type Verbosity, const TCHAR *Format,
                    const unreal_shim::FFormatArgument *Args, int32 NumArgs) {
  FString Text;
  Text.AppendFormat(Format, Args, NumArgs);
  GLog->Serialize(*Text, Verbosity, Category);
}

namespace UE {
class FLogRecord {
 public:
  FString Text;
  ELogVerbosity::Type Verbosity = ELogVerbosity::Log;
  FName Category;
};
}  // namespace UE
struct FOutputDeviceRedirector::FState {
  struct FDevice {
    FOutputDevice *Device;
    bool bMultipleThreads, bPanicThread;
  };
  struct FLine {
    FString Text;
    ELogVerbosity::Type Verbosity;
    FName Category;
    double Time;
  };
  std::shared_mutex DevicesMutex;  // held while a device is called: Remove waits for that
  TArray<FDevice> Devices;
  FCriticalSection LinesMutex;
  TArray<FLine> Queued;   // from other threads, for devices that want the game thread
  TArray<FLine> Backlog;  // what came before anybody listened
  bool bBacklog = true;
  std::atomic<uint32> PanicThread{0};
  uint32 PrimaryThread = FPlatformTLS::GetCurrentThreadId();
  static thread_local int32 Depth;  // a device that logs

  template <typename F>
  void ForEach(F Function) {
    if (Depth++ == 0) DevicesMutex.lock_shared();
    for (int32 I = 0; I < Devices.Num(); ++I) Function(Devices[I]);
    if (--Depth == 0) DevicesMutex.unlock_shared();
  }
  bool IsPrimary() const { return FPlatformTLS::GetCurrentThreadId() == PrimaryThread; }
  void Deliver() {  // on the primary thread: what others queued
    TArray<FLine> Lines;
    {
      const FScopeLock Lock(&LinesMutex);
      Swap(Lines, Queued);
    }
    for (const FLine &Line : Lines)
      ForEach([&](const FDevice &D) {
        if (!D.bMultipleThreads) D.Device->Serialize(*Line.Text, Line.Verbosity, Line.Category, Line.Time);
      });
  }
};
thread_local int32 FOutputDeviceRedirector::FState::Depth = 0;

FOutputDeviceRedirector::FOutputDeviceRedirector() : State(new FState) {}
FOutputDeviceRedirector::~FOutputDeviceRedirector() { delete State; }
FOutputDeviceRedirector *FOutputDeviceRedirector::Get() {
  static FOutputDeviceRedirector *const The = new FOutputDeviceRedirector;
  return The;
}
FOutputDeviceRedirector *GetGlobalLogSingleton() { return FOutputDeviceRedirector::Get(); }

void FOutputDeviceRedirector::AddOutputDevice(FOutputDevice *Device) {
  if (!Device) return;
  check(FState::Depth == 0);
  const FState::FDevice New{Device, Device->CanBeUsedOnMultipleThreads(), Device->CanBeUsedOnPanicThread()};
  const std::unique_lock Lock(State->DevicesMutex);
  if (!State->Devices.ContainsByPredicate([&](const FState::FDevice &D) { return D.Device == Device; }))
    State->Devices.Add(New);
}
void FOutputDeviceRedirector::RemoveOutputDevice(FOutputDevice *Device) {
  check(FState::Depth == 0);
  const std::unique_lock Lock(State->DevicesMutex);
  State->Devices.RemoveAll([&](const FState::FDevice &D) { return D.Device == Device; });
}
void FOutputDeviceRedirector::FlushThreadedLogs(EOutputDeviceRedirectorFlushOptions) {
  if (State->IsPrimary()) State->Deliver();
}
void FOutputDeviceRedirector::Flush() {
  FlushThreadedLogs();
  const uint32 Panic = State->PanicThread;
  State->ForEach([&](const FState::FDevice &D) {
    if (Panic ? D.bPanicThread : D.bMultipleThreads || State->IsPrimary()) D.Device->Flush();
  });
}
void FOutputDeviceRedirector::TearDown() {
  FlushThreadedLogs();
  TArray<FState::FDevice> Devices;
  {
    const std::unique_lock Lock(State->DevicesMutex);
    Swap(Devices, State->Devices);
  }
  for (const FState::FDevice &D : Devices) D.Device->TearDown();
}
void FOutputDeviceRedirector::Panic() {
  State->PanicThread = FPlatformTLS::GetCurrentThreadId();
  Flush();
}
void FOutputDeviceRedirector::SetCurrentThreadAsPrimaryThread() {
  State->PrimaryThread = FPlatformTLS::GetCurrentThreadId();
}
void FOutputDeviceRedirector::Serialize(const TCHAR *V, ELogVerbosity::Type Verbosity, const FName &Category) {
  Serialize(V, Verbosity, Category, -1.0);
}
void FOutputDeviceRedirector::Serialize(const TCHAR *V, ELogVerbosity::Type Verbosity, const FName &Category,
                                        double Time) {
  if (Time == -1.0) Time = FPlatformTime::Seconds() - GStartTime;
  if (const uint32 Panic = State->PanicThread) {  // the panic thread only, others' lines are lost
    if (Panic != FPlatformTLS::GetCurrentThreadId()) return;
    State->ForEach([&](const FState::FDevice &D) {
      if (D.bPanicThread) D.Device->Serialize(V, Verbosity, Category, Time);
    });
    return;
  }
  if (State->bBacklog) {
    const FScopeLock Lock(&State->LinesMutex);
    if (State->Backlog.Num() < 10000) State->Backlog.Add({FString(V), Verbosity, Category, Time});
  }
  const bool bPrimary = State->IsPrimary();
  if (bPrimary && FState::Depth == 0) State->Deliver();
  bool bQueue = false;
  State->ForEach([&](const FState::FDevice &D) {
    if (D.bMultipleThreads || bPrimary)
      D.Device->Serialize(V, Verbosity, Category, Time);
    else
      bQueue = true;
  });
  if (bQueue) {
    const FScopeLock Lock(&State->LinesMutex);
    State->Queued.Add({FString(V), Verbosity, Category, Time});
  }
}

namespace {
class FStdOutDevice final : public FOutputDevice {
  using FOutputDevice::Serialize;
  void Serialize(const TCHAR *V, ELogVerbosity::Type Verbosity, const FName &Category) override {
    printf("%s: %s%s%s\n", TCHAR_TO_UTF8(*Category.ToString()),
           TCHAR_TO_UTF8(Verbosity == ELogVerbosity::Log ? TEXT("") : ToString(Verbosity)),
           Verbosity == ELogVerbosity::Log ? "" : ": ", TCHAR_TO_UTF8(V));
  }
  void Flush() override { fflush(stdout); }
  bool CanBeUsedOnAnyThread() const override { return true; }
  bool CanBeUsedOnMultipleThreads() const override { return true; }
  bool CanBeUsedOnPanicThread() const override { return true; }
};
}  // namespace
void unreal_shim::PrintLog(bool bEnable) {
  static FStdOutDevice *const Device = new FStdOutDevice;
  bEnable ? GLog->AddOutputDevice(Device) : GLog->RemoveOutputDevice(Device);
}
