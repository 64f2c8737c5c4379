#pragma once
#include "HAL/CriticalSection.h"
#include "Misc/AssertionMacros.h"

class FScopeLock {
 public:
  explicit FScopeLock(FCriticalSection *In) : Mutex(In) {
    check(Mutex);
    Mutex->Lock();
  }
  ~FScopeLock() { Unlock(); }
  void Unlock() {
    if (Mutex) Mutex->Unlock();
    Mutex = nullptr;
  }
  FScopeLock(const FScopeLock &) = delete;
  FScopeLock &operator=(const FScopeLock &) = delete;

 private:
  FCriticalSection *Mutex;
};
