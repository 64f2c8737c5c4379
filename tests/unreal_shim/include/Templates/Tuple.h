#pragma once
#include "Templates/UnrealTemplate.h"

template <typename K, typename V>
struct TPair {
  using KeyType = K;
  using ValueType = V;
  K Key;
  V Value;
  TPair() : Key(), Value() {}
  template <typename A, typename B>
  TPair(A &&InKey, B &&InValue) : Key(Forward<A>(InKey)), Value(Forward<B>(InValue)) {}
  friend bool operator==(const TPair &L, const TPair &R) { return L.Key == R.Key && L.Value == R.Value; }
};
template <typename K, typename V>
TPair<std::decay_t<K>, std::decay_t<V>> MakeTuple(K &&Key, V &&Value) {
  return {Forward<K>(Key), Forward<V>(Value)};
}
