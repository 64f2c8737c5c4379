// The thread of all transfers, FHttpManager and the module.
#include "HttpThread.h"

#include <curl/curl.h>
#include <pthread.h>

#include "Containers/Ticker.h"
#include "Misc/ScopeLock.h"
#include "Modules/ModuleManager.h"

using unreal_shim::FHttpRequest;
using unreal_shim::FHttpThread;

static std::atomic<FHttpThread *> TheThread;
FHttpThread *FHttpThread::Get() { return TheThread; }
FHttpThread::FHttpThread() {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  Multi = curl_multi_init();
  TheThread = this;
  Thread = std::thread([this] { Main(); });
}
FHttpThread::~FHttpThread() {
  CancelAll();
  bStop = true;
  Wake();
  Thread.join();
  TheThread = nullptr;
  curl_multi_cleanup(Multi);
}
void FHttpThread::Add(const TSharedRef<FHttpRequest> &Request) {
  {
    const FScopeLock Lock(&Mutex);
    Waiting.Add(Request);
  }
  Wake();
}
void FHttpThread::Wake() { curl_multi_wakeup(Multi); }
void FHttpThread::CancelAll() {
  const FScopeLock Lock(&Mutex);
  for (const TSharedRef<FHttpRequest> &R : Waiting) R->CancelRequest();
  for (const TSharedRef<FHttpRequest> &R : Running) R->CancelRequest();
}
bool FHttpThread::IsIdle() {
  const FScopeLock Lock(&Mutex);
  return Waiting.IsEmpty() && Running.IsEmpty() && Finished.IsEmpty() && Completing == 0;
}
bool FHttpThread::FinishOnGameThread() {
  TArray<TSharedRef<FHttpRequest>> Now;
  {
    const FScopeLock Lock(&Mutex);
    Swap(Now, Finished);
  }
  for (const TSharedRef<FHttpRequest> &Request : Now) Request->Finish();
  return !Now.IsEmpty();
}
void FHttpThread::Ended(void *Easy, int CurlCode) {
  char *User = nullptr;
  curl_easy_getinfo(Easy, CURLINFO_PRIVATE, &User);
  FHttpRequest *Raw = reinterpret_cast<FHttpRequest *>(User);
  curl_multi_remove_handle(Multi, Easy);
  Raw->EndTransfer(CurlCode);
  const TSharedRef<FHttpRequest> Request = StaticCastSharedRef<FHttpRequest>(Raw->AsShared());
  const bool bHere = Request->Policy == EHttpRequestDelegateThreadPolicy::CompleteOnHttpThread;
  {
    const FScopeLock Lock(&Mutex);
    Running.Remove(Request);
    if (bHere)
      ++Completing;
    else
      Finished.Add(Request);
  }
  if (!bHere) return;
  Request->Finish();
  --Completing;
}
void FHttpThread::Main() {
  pthread_setname_np(pthread_self(), "HttpManagerThre");
  for (;;) {
    TArray<TSharedRef<FHttpRequest>> New, Now;
    {
      const FScopeLock Lock(&Mutex);
      Swap(New, Waiting);
      Running.Append(New);
      Now = Running;
    }
    if (bStop && Now.IsEmpty()) break;
    for (const TSharedRef<FHttpRequest> &Request : New) {
      Request->BeginTransfer();
      curl_multi_add_handle(Multi, Request->Easy);
    }
    for (const TSharedRef<FHttpRequest> &Request : Now)
      if (Request->bCancelled && Request->Easy) Ended(Request->Easy, CURLE_ABORTED_BY_CALLBACK);
    int Active = 0;
    curl_multi_perform(Multi, &Active);
    int Left = 0;
    while (const CURLMsg *Message = curl_multi_info_read(Multi, &Left))
      if (Message->msg == CURLMSG_DONE) Ended(Message->easy_handle, Message->data.result);
    curl_multi_poll(Multi, nullptr, 0, 1000, nullptr);
  }
}

struct FHttpManager::FState {
  FHttpThread Thread;
  FTSTicker::FDelegateHandle Ticker;
};
FHttpManager::FHttpManager() : State(new FState) {
  State->Ticker =
      FTSTicker::GetCoreTicker().AddTicker(TEXT("HttpManager"), 0.0f, [this](float Delta) { return Tick(Delta); });
}
FHttpManager::~FHttpManager() {
  FTSTicker::RemoveTicker(State->Ticker);
  Flush(EHttpFlushReason::Shutdown);
  delete State;
}
bool FHttpManager::Tick(float) {
  State->Thread.FinishOnGameThread();
  return true;
}
void FHttpManager::Flush(EHttpFlushReason Reason) {
  check(IsInGameThread());
  const double End = FPlatformTime::Seconds() + (Reason == EHttpFlushReason::Default ? 1e9 : 2.0);
  while (!State->Thread.IsIdle()) {
    if (FPlatformTime::Seconds() > End) State->Thread.CancelAll();
    Tick(0);
    FPlatformProcess::Sleep(0.001f);
  }
}
#if UE_SHIM_VERSION < 508
void FHttpManager::Flush(bool bShutdown) { Flush(bShutdown ? EHttpFlushReason::Shutdown : EHttpFlushReason::Default); }
#endif
FHttpModule &FHttpModule::Get() { return FModuleManager::LoadModuleChecked<FHttpModule>(TEXT("HTTP")); }
void FHttpModule::StartupModule() { Manager = new FHttpManager; }
void FHttpModule::ShutdownModule() {
  delete Manager;
  Manager = nullptr;
}
FHttpRequestRef FHttpModule::CreateRequest() { return MakeShared<FHttpRequest>(); }
static const FStaticallyLinkedModuleRegistrant<FHttpModule> Registrant(TEXT("HTTP"));
