#pragma once
#include <atomic>

#include "CoreTypes.h"

class FThreadSafeCounter {
 public:
  FThreadSafeCounter(int32 V = 0) : Value(V) {}
  int32 Increment() { return Value.fetch_add(1) + 1; }
  int32 Decrement() { return Value.fetch_sub(1) - 1; }
  int32 Add(int32 N) { return Value.fetch_add(N); }
  int32 Set(int32 N) { return Value.exchange(N); }
  int32 Reset() { return Value.exchange(0); }
  int32 GetValue() const { return Value.load(); }

 private:
  std::atomic<int32> Value;
};
class FThreadSafeBool {
 public:
  FThreadSafeBool(bool V = false) : Value(V) {}
  operator bool() const { return Value.load(); }
  bool operator=(bool V) {
    Value.store(V);
    return V;
  }
  bool AtomicSet(bool V) { return Value.exchange(V); }

 private:
  std::atomic<bool> Value;
};
