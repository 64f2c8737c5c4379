// TObjectPtr, TWeakObjectPtr, TStrongObjectPtr, TSubclassOf.
#pragma once
#include "Delegates/DelegateInstance.h"
#include "UObject/Object.h"

template <typename T>
struct TObjectPtr {
  TObjectPtr(decltype(nullptr) = nullptr) {}
  TObjectPtr(T *In) : Object(In) {}
  template <typename U, typename = std::enable_if_t<std::is_convertible_v<U *, T *>>>
  TObjectPtr(const TObjectPtr<U> &O) : Object(O.Get()) {}
  T *Get() const { return Object; }
  operator T *() const { return Object; }
  T *operator->() const { return Object; }
  T &operator*() const { return *Object; }

 private:
  T *Object = nullptr;
};
template <typename T = UObject>
struct TWeakObjectPtr {
  TWeakObjectPtr(decltype(nullptr) = nullptr) {}
  template <typename U, typename = std::enable_if_t<std::is_convertible_v<U *, T *>>>
  TWeakObjectPtr(U *In) : Object(In) {
    if (In) unreal_shim::WeakReference(In, Index, Serial);
  }
  template <typename U>
  TWeakObjectPtr(const TObjectPtr<U> &In) : TWeakObjectPtr(In.Get()) {}
  template <typename U, typename = std::enable_if_t<std::is_convertible_v<U *, T *>>>
  TWeakObjectPtr(const TWeakObjectPtr<U> &In) : TWeakObjectPtr(In.Get()) {}
  T *Get() const { return IsValid() ? const_cast<std::remove_const_t<T> *>(Object) : nullptr; }
  bool IsValid() const { return Object && unreal_shim::IsAlive(Index, Serial); }
  void Reset() { *this = TWeakObjectPtr(); }
  T *operator->() const { return Get(); }
  explicit operator bool() const { return IsValid(); }
  friend bool operator==(const TWeakObjectPtr &A, const TWeakObjectPtr &B) {
    return A.Index == B.Index && A.Serial == B.Serial;
  }
  friend bool operator==(const TWeakObjectPtr &A, const T *B) { return A.Get() == B; }
  friend uint32 GetTypeHash(const TWeakObjectPtr &P) { return GetTypeHash(P.Index) ^ uint32(P.Serial); }

 private:
  const T *Object = nullptr;
  int32 Index = INDEX_NONE, Serial = 0;
};
