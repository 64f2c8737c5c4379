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
  bool TryLock() { return pthread_mutex_trylock(&Mutex) == 0; }
  void Unlock() { pthread_mutex_unlock(&Mutex); }

 private:
  pthread_mutex_t Mutex;
};
class CORE_API FRWLock {
 public:
  FRWLock() { pthread_rwlock_init(&RWLock, nullptr); }
  ~FRWLock() { pthread_rwlock_destroy(&RWLock); }
  FRWLock(const FRWLock &) = delete;
  FRWLock &operator=(const FRWLock &) = delete;
  void ReadLock() { pthread_rwlock_rdlock(&RWLock); }
  void ReadUnlock() { pthread_rwlock_unlock(&RWLock); }
  void WriteLock() { pthread_rwlock_wrlock(&RWLock); }
  void WriteUnlock() { pthread_rwlock_unlock(&RWLock); }
  bool TryReadLock() { return pthread_rwlock_tryrdlock(&RWLock) == 0; }
  bool TryWriteLock() { return pthread_rwlock_trywrlock(&RWLock) == 0; }

 private:
  pthread_rwlock_t RWLock;
};
#if UE_SHIM_VERSION >= 505
using FTransactionallySafeCriticalSection = FCriticalSection;
#endif
