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
  bool IsStale() const { return Object && !IsValid(); }
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
using FWeakObjectPtr = TWeakObjectPtr<UObject>;
template <typename T>
class TStrongObjectPtr {
 public:
  TStrongObjectPtr() = default;
  explicit TStrongObjectPtr(T *In) { Reset(In); }
  TStrongObjectPtr(const TStrongObjectPtr &O) : TStrongObjectPtr(O.Object) {}
  TStrongObjectPtr &operator=(const TStrongObjectPtr &O) {
    Reset(O.Object);
    return *this;
  }
  ~TStrongObjectPtr() { Reset(); }
  void Reset(T *In = nullptr) {
    if (Object) Object->RemoveFromRoot();
    Object = In;
    if (Object) Object->AddToRoot();
  }
  T *Get() const { return Object; }
  T *operator->() const { return Object; }
  bool IsValid() const { return Object != nullptr; }
  explicit operator bool() const { return Object != nullptr; }

 private:
  T *Object = nullptr;
};
template <typename T>
class TSubclassOf {
 public:
  TSubclassOf(UClass *In = nullptr) : Class(In) {}
  UClass *Get() const { return Class; }
  operator UClass *() const { return Class; }
  UClass *operator->() const { return Class; }

 private:
  UClass *Class;
};
