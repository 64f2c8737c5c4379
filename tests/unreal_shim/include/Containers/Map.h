#pragma once
#include "Containers/Set.h"

template <typename K, typename V>
class TMap : public unreal_shim::THashed<TPair<K, V>, K> {
 public:
  using ElementType = TPair<K, V>;
  TMap() = default;
  TMap(std::initializer_list<TPair<K, V>> List) {
    for (const TPair<K, V> &P : List) Add(P.Key, P.Value);
  }
  template <typename A, typename B>
  V &Emplace(A &&Key, B &&Value) {
    return Add(K(Forward<A>(Key)), V(Forward<B>(Value)));
  }
  V &Add(K Key, V Value) {
    const int32 I = this->IndexOf(Key);
    if (I == INDEX_NONE) return this->Insert(TPair<K, V>(static_cast<K &&>(Key), static_cast<V &&>(Value))).Value;
    return this->At(I).Value = static_cast<V &&>(Value);
  }
  V &Add(K Key) { return Add(static_cast<K &&>(Key), V()); }
  V &FindOrAdd(K Key) {
    const int32 I = this->IndexOf(Key);
    return I == INDEX_NONE ? Add(static_cast<K &&>(Key)) : this->At(I).Value;
  }
  V &FindOrAdd(K Key, V Value) {
    const int32 I = this->IndexOf(Key);
    return I == INDEX_NONE ? Add(static_cast<K &&>(Key), static_cast<V &&>(Value)) : this->At(I).Value;
  }
  V *Find(const K &Key) {
    const int32 I = this->IndexOf(Key);
    return I == INDEX_NONE ? nullptr : &this->At(I).Value;
  }
  const V *Find(const K &Key) const {
    const int32 I = this->IndexOf(Key);
    return I == INDEX_NONE ? nullptr : &this->At(I).Value;
  }
  V &FindChecked(const K &Key) {
    V *P = Find(Key);
    check(P);
    return *P;
  }
  V &operator[](const K &Key) { return FindChecked(Key); }
  const V &operator[](const K &Key) const {
    const V *P = Find(Key);
    check(P);
    return *P;
  }
  bool Contains(const K &Key) const { return this->IndexOf(Key) != INDEX_NONE; }
  int32 Remove(const K &Key) { return this->RemoveKey(Key); }
  bool RemoveAndCopyValue(const K &Key, V &Out) {
    V *P = Find(Key);
    if (P) Out = MoveTemp(*P);
    return this->RemoveKey(Key) != 0;
  }
  void Append(const TMap &O) {
    for (const TPair<K, V> &P : O) Add(P.Key, P.Value);
  }
};
