#pragma once
#include "Templates/UnrealTemplate.h"

template <typename T>
struct TDefaultDelete {
  void operator()(T *P) const { delete P; }
};
template <typename T>
struct TDefaultDelete<T[]> {
  void operator()(T *P) const { delete[] P; }
};
template <typename T, typename Deleter = TDefaultDelete<T>>
class TUniquePtr {
  using E = std::remove_extent_t<T>;

 public:
  TUniquePtr(decltype(nullptr) = nullptr) {}
  explicit TUniquePtr(E *P) : Pointer(P) {}
  TUniquePtr(TUniquePtr &&O) noexcept : Pointer(O.Release()) {}
  template <typename U, typename D, typename = std::enable_if_t<std::is_convertible_v<U *, E *>>>
  TUniquePtr(TUniquePtr<U, D> &&O) noexcept : Pointer(O.Release()) {}
  TUniquePtr &operator=(TUniquePtr &&O) noexcept {
    if (this != &O) Reset(O.Release());
    return *this;
  }
  template <typename U, typename D, typename = std::enable_if_t<std::is_convertible_v<U *, E *>>>
  TUniquePtr &operator=(TUniquePtr<U, D> &&O) noexcept {
    Reset(O.Release());
    return *this;
  }
  TUniquePtr &operator=(decltype(nullptr)) {
    Reset();
    return *this;
  }
  ~TUniquePtr() { Reset(); }
  E *Get() const { return Pointer; }
  E *operator->() const { return Pointer; }
  E &operator*() const { return *Pointer; }
  E &operator[](SIZE_T I) const { return Pointer[I]; }
  bool IsValid() const { return Pointer != nullptr; }
  explicit operator bool() const { return Pointer != nullptr; }
  bool operator!() const { return !Pointer; }
  E *Release() {
    E *Old = Pointer;
    Pointer = nullptr;
    return Old;
  }
  void Reset(E *P = nullptr) {
    E *Old = Pointer;
    Pointer = P;
    if (Old) Deleter()(Old);
  }

 private:
  E *Pointer = nullptr;
};
template <typename T, typename... A>
TUniquePtr<T> MakeUnique(A &&...Args) {
  return TUniquePtr<T>(new T(Forward<A>(Args)...));
}
template <typename A, typename B>
bool operator==(const TUniquePtr<A> &L, const TUniquePtr<B> &R) {
  return L.Get() == R.Get();
}
template <typename A>
bool operator==(const TUniquePtr<A> &L, decltype(nullptr)) {
  return !L.Get();
}
