#pragma once
#include "HAL/CriticalSection.h"

class FReadScopeLock {
 public:
  explicit FReadScopeLock(FRWLock &In) : Lock(In) { Lock.ReadLock(); }
  ~FReadScopeLock() { Lock.ReadUnlock(); }
  FReadScopeLock(const FReadScopeLock &) = delete;

 private:
  FRWLock &Lock;
};
class FWriteScopeLock {
 public:
  explicit FWriteScopeLock(FRWLock &In) : Lock(In) { Lock.WriteLock(); }
  ~FWriteScopeLock() { Lock.WriteUnlock(); }
  FWriteScopeLock(const FWriteScopeLock &) = delete;

 private:
  FRWLock &Lock;
};
