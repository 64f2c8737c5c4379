// Threads, events, thread-local slots and thread names over pthreads.
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "Containers/Map.h"
#include "CoreGlobals.h"
#include "HAL/CriticalSection.h"
#include "HAL/PlatformProcess.h"
#include "HAL/PlatformTLS.h"
#include "HAL/RunnableThread.h"
#include "HAL/ThreadManager.h"
#include "ProfilingDebugging/ExternalProfiler.h"
#include "Templates/SharedPointer.h"

FCriticalSection::FCriticalSection() {
  pthread_mutexattr_t Attributes;
  pthread_mutexattr_init(&Attributes);
  pthread_mutexattr_settype(&Attributes, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&Mutex, &Attributes);
  pthread_mutexattr_destroy(&Attributes);
}
FCriticalSection::~FCriticalSection() { pthread_mutex_destroy(&Mutex); }

namespace {
class FPthreadEvent final : public FEvent {
 public:
  explicit FPthreadEvent(bool bInManual) : bManual(bInManual) {}
  bool Create(bool bInManual) override {
    bManual = bInManual;
    return true;
  }
  bool IsManualReset() override { return bManual; }
  void Trigger() override {
    const std::lock_guard Lock(Mutex);
    bSet = true;
    bManual ? Condition.notify_all() : Condition.notify_one();
  }
  void Reset() override {
    const std::lock_guard Lock(Mutex);
    bSet = false;
  }
  bool Wait(uint32 Milliseconds, bool) override {
    std::unique_lock Lock(Mutex);
    const auto Ready = [this] { return bSet; };
    if (Milliseconds == 0xffffffffu)
      Condition.wait(Lock, Ready);
    else if (!Condition.wait_for(Lock, std::chrono::milliseconds(Milliseconds), Ready))
      return false;
    if (!bManual) bSet = false;
    return true;
  }

 private:
  std::mutex Mutex;
  std::condition_variable Condition;
  bool bManual;
  bool bSet = false;
};

struct FThreadNames {
  std::mutex Mutex;
  TMap<uint32, TSharedPtr<FString>> Names;  // never dropped, so that what GetThreadName gave stays good
  TArray<TSharedPtr<FString>> Old;
};
FThreadNames &ThreadNames() {
  static FThreadNames *const The = new FThreadNames;
  return *The;
}

class FPthreadRunnable final : public FRunnableThread {
 public:
  FPthreadRunnable(FRunnable *InRunnable, const TCHAR *Name) : Runnable(InRunnable) {
    ThreadName = Name;
    Thread = std::thread([this] { Main(); });
    Started.Wait(0xffffffffu, false);
  }
  ~FPthreadRunnable() override { Kill(true); }
  void SetThreadPriority(EThreadPriority) override {}  // the engine on Linux has no right to it either
  void Suspend(bool) override { check(!"threads are not suspended on Linux"); }
  bool Kill(bool bShouldWait) override {
    Runnable->Stop();
    if (bShouldWait) WaitForCompletion();
    return true;
  }
  void WaitForCompletion() override {
    if (Thread.joinable()) Thread.join();
  }

 private:
  void Main() {
    ThreadID = FPlatformTLS::GetCurrentThreadId();
    pthread_setname_np(pthread_self(), TCHAR_TO_ANSI(*ThreadName.Left(15)));
    {
      const std::lock_guard Lock(ThreadNames().Mutex);
      TSharedPtr<FString> &Name = ThreadNames().Names.FindOrAdd(ThreadID);
      if (Name.IsValid()) ThreadNames().Old.Add(Name);
      Name = MakeShared<FString>(ThreadName);
    }
#if UE_EXTERNAL_PROFILING_ENABLED
    if (FExternalProfiler *Profiler = FActiveExternalProfilerBase::GetActiveProfiler())
      Profiler->SetThreadName(*ThreadName);
#endif
    const bool bInit = Runnable->Init();
    Started.Trigger();
    if (bInit) {
      Runnable->Run();
      Runnable->Exit();
    }
  }
  FRunnable *Runnable;
  FPthreadEvent Started{true};
  std::thread Thread;
};
}  // namespace

FEvent *FPlatformProcess::GetSynchEventFromPool(bool bIsManualReset) { return new FPthreadEvent(bIsManualReset); }
void FPlatformProcess::ReturnSynchEventToPool(FEvent *Event) { delete Event; }
FEventRef::FEventRef(EEventMode Mode)
    : Event(FPlatformProcess::GetSynchEventFromPool(Mode == EEventMode::ManualReset)) {}
FEventRef::~FEventRef() { FPlatformProcess::ReturnSynchEventToPool(Event); }

FRunnableThread *FRunnableThread::Create(FRunnable *Runnable, const TCHAR *Name, uint32, EThreadPriority, uint64,
                                         EThreadCreateFlags) {
  check(Runnable);
  return new FPthreadRunnable(Runnable, Name);
}
FThreadManager &FThreadManager::Get() {
  static FThreadManager The;
  return The;
}
const FString &FThreadManager::GetThreadName(uint32 ThreadId) {
  static const FString GameThread(TEXT("GameThread")), None;
  if (ThreadId == GGameThreadId) return GameThread;
  const std::lock_guard Lock(ThreadNames().Mutex);
  const TSharedPtr<FString> *Name = ThreadNames().Names.Find(ThreadId);
  return Name ? **Name : None;
}

uint32 FPlatformTLS::GetCurrentThreadId() {
  static thread_local const uint32 Id = uint32(syscall(SYS_gettid));
  return Id;
}
void FPlatformProcess::Sleep(float Seconds) { std::this_thread::sleep_for(std::chrono::duration<float>(Seconds)); }
