#pragma once
#include "Templates/UnrealTemplate.h"

struct FNullOpt {
  explicit constexpr FNullOpt(int) {}
};
inline constexpr FNullOpt NullOpt{0};

template <typename T>
class TOptional {
 public:
  TOptional() {}
  TOptional(FNullOpt) {}
  TOptional(const T &V) { Emplace(V); }
  TOptional(T &&V) { Emplace(MoveTemp(V)); }
  TOptional(const TOptional &O) {
    if (O.bSet) Emplace(*O);
  }
  TOptional(TOptional &&O) {
    if (O.bSet) Emplace(MoveTemp(*O));
  }
  TOptional &operator=(const TOptional &O) {
    if (this != &O) {
      Reset();
      if (O.bSet) Emplace(*O);
    }
    return *this;
  }
  TOptional &operator=(TOptional &&O) {
    if (this != &O) {
      Reset();
      if (O.bSet) Emplace(MoveTemp(*O));
    }
    return *this;
  }
  ~TOptional() { Reset(); }
  template <typename... A>
  T &Emplace(A &&...Args) {
    Reset();
    T *P = new (Storage) T(Forward<A>(Args)...);
    bSet = true;
    return *P;
  }
  void Reset() {
    if (bSet) GetValue().~T();
    bSet = false;
  }
  bool IsSet() const { return bSet; }
  explicit operator bool() const { return bSet; }
  T &GetValue() { return *reinterpret_cast<T *>(Storage); }
  const T &GetValue() const { return *reinterpret_cast<const T *>(Storage); }
  T &operator*() { return GetValue(); }
  const T &operator*() const { return GetValue(); }
  T *operator->() { return &GetValue(); }
  const T *operator->() const { return &GetValue(); }
  T Get(const T &Default) const { return bSet ? GetValue() : Default; }
  friend bool operator==(const TOptional &A, const TOptional &B) {
    return A.bSet == B.bSet && (!A.bSet || A.GetValue() == B.GetValue());
  }

 private:
  alignas(T) unsigned char Storage[sizeof(T)];
  bool bSet = false;
};
