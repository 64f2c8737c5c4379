#pragma once
#include <atomic>

#include "Templates/UnrealTemplate.h"

enum class EMemoryOrder { Relaxed, SequentiallyConsistent };
template <typename T>
class TAtomic : private FNoncopyable {
 public:
  TAtomic() = default;
  constexpr TAtomic(T V) : Value(V) {}
  operator T() const { return Value.load(); }
  T operator=(T V) {
    Value.store(V);
    return V;
  }
  T Load(EMemoryOrder Order = EMemoryOrder::SequentiallyConsistent) const { return Value.load(Std(Order)); }
  void Store(T V, EMemoryOrder Order = EMemoryOrder::SequentiallyConsistent) { Value.store(V, Std(Order)); }
  T Exchange(T V) { return Value.exchange(V); }
  bool CompareExchange(T &Expected, T V) { return Value.compare_exchange_strong(Expected, V); }
  T IncrementExchange() { return Value.fetch_add(1); }
  T DecrementExchange() { return Value.fetch_sub(1); }
  T AddExchange(T V) { return Value.fetch_add(V); }
  T operator++() { return Value.fetch_add(1) + 1; }
  T operator++(int) { return Value.fetch_add(1); }
  T operator--() { return Value.fetch_sub(1) - 1; }
  T operator+=(T V) { return Value.fetch_add(V) + V; }

 private:
  static constexpr std::memory_order Std(EMemoryOrder Order) {
    return Order == EMemoryOrder::Relaxed ? std::memory_order_relaxed : std::memory_order_seq_cst;
  }
  std::atomic<T> Value{};
};
