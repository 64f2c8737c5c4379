// The thread of all transfers.
#pragma once
#include <atomic>
#include <thread>

#include "HttpRequest.h"

namespace unreal_shim {
class FHttpThread {
 public:
  static FHttpThread *Get();  // while the module is loaded
  FHttpThread();
  ~FHttpThread();  // cancels what is under way
  void Add(const TSharedRef<FHttpRequest> &Request);
  void Wake();
  bool FinishOnGameThread();  // what waits for it; whether there was anything
  bool IsIdle();
  void CancelAll();

 private:
  void Main();
  void Ended(void *Easy, int CurlCode);
  FCriticalSection Mutex;
  TArray<TSharedRef<FHttpRequest>> Waiting, Running, Finished;
  void *Multi;
  std::atomic<bool> bStop{false};
  std::atomic<int32> Completing{0};
  std::thread Thread;
};
}  // namespace unreal_shim
