// FCriticalSection (recursive) and FRWLock.
#pragma once
#include <pthread.h>

#include "CoreTypes.h"

class CORE_API FCriticalSection {
 public:
  FCriticalSection();
  ~FCriticalSection();
  FCriticalSection(const FCriticalSection &) = delete;
  FCriticalSection &operator=(const FCriticalSection &) = delete;
  void Lock() { pthread_mutex_lock(&Mutex); }
  void Unlock() { pthread_mutex_unlock(&Mutex); }

 private:
  pthread_mutex_t Mutex;
};
