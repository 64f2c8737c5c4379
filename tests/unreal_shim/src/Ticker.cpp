// FTSTicker and tasks for the game thread.
#include "Containers/Ticker.h"

#include <sched.h>

#include <thread>

#include "Async/Async.h"
#include "HAL/PlatformTLS.h"
#include "Misc/ScopeLock.h"
#include "State.h"

struct FTSTicker::FElement {
  FTickerDelegate Delegate;
  float Delay;
  double Next;
  std::atomic<uint32> RunningOn{0};
  std::atomic<bool> bRemoved{false};
};
struct FTSTicker::FState {
  FCriticalSection Mutex;
  TArray<TSharedRef<FElement>> Elements;
  double Now = 0;
};
FTSTicker::FTSTicker() : State(new FState) {}
FTSTicker::~FTSTicker() { delete State; }
FTSTicker &FTSTicker::GetCoreTicker() {
  static FTSTicker *const The = new FTSTicker;
  return *The;
}
FTSTicker::FDelegateHandle FTSTicker::AddTicker(const FTickerDelegate &Delegate, float Delay) {
  const FScopeLock Lock(&State->Mutex);
  const TSharedRef<FElement> New(new FElement{Delegate, Delay, State->Now + double(Delay), {0}, {false}});
  State->Elements.Add(New);
  return New;
}
FTSTicker::FDelegateHandle FTSTicker::AddTicker(const TCHAR *, float Delay, TFunction<bool(float)> Function) {
  return AddTicker(FTickerDelegate::CreateLambda(MoveTemp(Function)), Delay);
}
void FTSTicker::RemoveTicker(FDelegateHandle Handle) {
  const TSharedPtr<FElement> Element = Handle.Pin();
  if (!Element) return;
  Element->bRemoved = true;
  while (Element->RunningOn != 0 && Element->RunningOn != FPlatformTLS::GetCurrentThreadId()) sched_yield();
}
void FTSTicker::Tick(float DeltaTime) {
  TArray<TSharedRef<FElement>> Now;
  {
    const FScopeLock Lock(&State->Mutex);
    State->Now += double(DeltaTime);
    Now = State->Elements;
  }
  for (const TSharedRef<FElement> &Element : Now) {
    if (Element->Next > State->Now) continue;
    Element->RunningOn = FPlatformTLS::GetCurrentThreadId();
    if (!Element->bRemoved && (!Element->Delegate.IsBound() || !Element->Delegate.Execute(DeltaTime)))
      Element->bRemoved = true;
    Element->RunningOn = 0;
    Element->Next = State->Now + double(Element->Delay);
  }
  const FScopeLock Lock(&State->Mutex);
  State->Elements.RemoveAll([](const TSharedRef<FElement> &E) { return E->bRemoved.load(); });
}
void FTSTicker::Reset() {
  const FScopeLock Lock(&State->Mutex);
  State->Elements.Empty();
}
FTSTickerObjectBase::FTSTickerObjectBase(float Delay, FTSTicker &Ticker)
    : TickerHandle(Ticker.AddTicker(TEXT("Object"), Delay, [this](float Delta) { return Tick(Delta); })) {}
FTSTickerObjectBase::~FTSTickerObjectBase() { FTSTicker::RemoveTicker(TickerHandle); }

namespace {
FCriticalSection TasksMutex;
TArray<TUniqueFunction<void()>> Tasks;
}  // namespace
void AsyncTask(ENamedThreads::Type Thread, TUniqueFunction<void()> Function) {
  if (Thread != ENamedThreads::GameThread) {
    std::thread([Task = MoveTemp(Function)] { Task(); }).detach();
    return;
  }
  const FScopeLock Lock(&TasksMutex);
  Tasks.Add(MoveTemp(Function));
}
void unreal_shim::RunGameThreadTasks() {
  TArray<TUniqueFunction<void()>> Now;
  {
    const FScopeLock Lock(&TasksMutex);
    Swap(Now, Tasks);
  }
  for (const TUniqueFunction<void()> &Task : Now) Task();
}
