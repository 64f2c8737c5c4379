#pragma once
#include "CoreTypes.h"

struct FPlatformAtomics {
  static int32 InterlockedIncrement(volatile int32 *V) { return __sync_add_and_fetch(V, 1); }
  static int64 InterlockedIncrement(volatile int64 *V) { return __sync_add_and_fetch(V, 1); }
  static int32 InterlockedDecrement(volatile int32 *V) { return __sync_sub_and_fetch(V, 1); }
  static int32 InterlockedAdd(volatile int32 *V, int32 N) { return __sync_fetch_and_add(V, N); }
  static int64 InterlockedAdd(volatile int64 *V, int64 N) { return __sync_fetch_and_add(V, N); }
  static int32 InterlockedExchange(volatile int32 *V, int32 N) { return __atomic_exchange_n(V, N, __ATOMIC_SEQ_CST); }
  static int32 InterlockedCompareExchange(volatile int32 *V, int32 N, int32 Expected) {
    return __sync_val_compare_and_swap(V, Expected, N);
  }
  static int64 InterlockedCompareExchange(volatile int64 *V, int64 N, int64 Expected) {
    return __sync_val_compare_and_swap(V, Expected, N);
  }
  static int32 AtomicRead(volatile const int32 *V) { return __atomic_load_n(V, __ATOMIC_SEQ_CST); }
};
