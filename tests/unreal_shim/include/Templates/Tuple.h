#pragma once
#include "Templates/UnrealTemplate.h"

template <typename K, typename V>
struct TPair {
  using ValueType = V;
  K Key;
  V Value;
  TPair() : Key(), Value() {}
  template <typename A, typename B>
  TPair(A &&InKey, B &&InValue) : Key(Forward<A>(InKey)), Value(Forward<B>(InValue)) {}
  friend bool operator==(const TPair &L, const TPair &R) { return L.Key == R.Key && L.Value == R.Value; }
};
