// TSharedPtr, TSharedRef, TWeakPtr, TSharedFromThis. Counts are always atomic here; ESPMode only makes distinct types.
#pragma once
#include <atomic>

#include "Misc/AssertionMacros.h"
#include "Templates/UnrealTemplate.h"

enum class ESPMode : uint8 { NotThreadSafe = 0, ThreadSafe = 1 };

namespace unreal_shim {
struct FCounts {
  std::atomic<int32> Shared{1};
  std::atomic<int32> Weak{1};
  virtual ~FCounts() = default;
  virtual void Destroy() = 0;
  bool TryShare() {
    int32 N = Shared.load();
    while (N != 0)
      if (Shared.compare_exchange_weak(N, N + 1)) return true;
    return false;
  }
  void DropShared() {
    if (Shared.fetch_sub(1) == 1) {
      Destroy();
      DropWeak();
    }
  }
  void DropWeak() {
    if (Weak.fetch_sub(1) == 1) delete this;
  }
};
template <typename T, typename D>
struct TCountsOf final : FCounts {
  T *Object;
  D Deleter;
  TCountsOf(T *O, D InDeleter) : Object(O), Deleter(static_cast<D &&>(InDeleter)) {}
  void Destroy() override { Deleter(Object); }
};
struct FDeleteObject {
  template <typename T>
  void operator()(T *P) const {
    delete P;
  }
};
}  // namespace unreal_shim

template <typename T, ESPMode Mode = ESPMode::ThreadSafe>
class TSharedPtr;
template <typename T, ESPMode Mode = ESPMode::ThreadSafe>
class TSharedRef;
template <typename T, ESPMode Mode = ESPMode::ThreadSafe>
class TWeakPtr;
template <typename T, ESPMode Mode = ESPMode::ThreadSafe>
class TSharedFromThis;

namespace unreal_shim {
template <typename T>
struct FRawShared {
  T *Object;
  FCounts *Counts;
};
template <typename S, typename T, ESPMode Mode>
void EnableSharedFromThis(FCounts *Counts, S *Object, const TSharedFromThis<T, Mode> *Base);
inline void EnableSharedFromThis(...) {}
template <typename T, typename D = FDeleteObject>
FRawShared<T> MakeRaw(T *Object, D Deleter = D()) {
  if (!Object) return {nullptr, nullptr};
  FCounts *Counts = new TCountsOf<T, D>(Object, static_cast<D &&>(Deleter));
  EnableSharedFromThis(Counts, Object, Object);
  return {Object, Counts};
}
}  // namespace unreal_shim

template <typename T, ESPMode Mode>
class TSharedPtr {
 public:
  using ElementType = T;
  TSharedPtr(decltype(nullptr) = nullptr) {}
  template <typename U, typename = std::enable_if_t<std::is_convertible_v<U *, T *>>>
  TSharedPtr(const unreal_shim::FRawShared<U> &Raw) : Object(Raw.Object), Counts(Raw.Counts) {}
  template <typename U, typename = std::enable_if_t<std::is_convertible_v<U *, T *>>>
  explicit TSharedPtr(U *P) : TSharedPtr(TSharedPtr<U, Mode>(unreal_shim::MakeRaw<U>(P))) {}
  template <typename U, typename D>
  TSharedPtr(U *P, D Deleter) : TSharedPtr(TSharedPtr<U, Mode>(unreal_shim::MakeRaw<U, D>(P, MoveTemp(Deleter)))) {}
  TSharedPtr(const TSharedPtr &O) : TSharedPtr(O.Object, O.Counts, 0) {}
  TSharedPtr(TSharedPtr &&O) noexcept : Object(O.Object), Counts(O.Counts) { O.Forget(); }
  template <typename U, typename = std::enable_if_t<std::is_convertible_v<U *, T *>>>
  TSharedPtr(const TSharedPtr<U, Mode> &O) : TSharedPtr(O.Object, O.Counts, 0) {}
  template <typename U, typename = std::enable_if_t<std::is_convertible_v<U *, T *>>>
  TSharedPtr(TSharedPtr<U, Mode> &&O) noexcept : Object(O.Object), Counts(O.Counts) {
    O.Forget();
  }
  template <typename U, typename = std::enable_if_t<std::is_convertible_v<U *, T *>>>
  TSharedPtr(const TSharedRef<U, Mode> &O) : TSharedPtr(O.Pointer) {}
  template <typename U>
  TSharedPtr(const TSharedPtr<U, Mode> &O, T *Alias) : TSharedPtr(Alias, O.Counts, 0) {}
  TSharedPtr &operator=(TSharedPtr O) noexcept {
    Swap(Object, O.Object);
    Swap(Counts, O.Counts);
    return *this;
  }
  ~TSharedPtr() {
    if (Counts) Counts->DropShared();
  }
  T *Get() const { return Object; }
  T *operator->() const {
    check(Object);
    return Object;
  }
  template <typename U = T>
  U &operator*() const {
    check(Object);
    return *Object;
  }
  bool IsValid() const { return Object != nullptr; }
  explicit operator bool() const { return Object != nullptr; }
  bool operator!() const { return !Object; }
  void Reset() { *this = nullptr; }
  int32 GetSharedReferenceCount() const { return Counts ? Counts->Shared.load() : 0; }
  TSharedRef<T, Mode> ToSharedRef() const;
  TWeakPtr<T, Mode> ToWeakPtr() const { return TWeakPtr<T, Mode>(*this); }

 private:
  template <typename U, ESPMode M>
  friend class TSharedPtr;
  template <typename U, ESPMode M>
  friend class TSharedRef;
  template <typename U, ESPMode M>
  friend class TWeakPtr;
  TSharedPtr(T *O, unreal_shim::FCounts *C, int) : Object(O), Counts(C) {
    if (Counts) Counts->Shared.fetch_add(1);
  }
  void Forget() {
    Object = nullptr;
    Counts = nullptr;
  }
  T *Object = nullptr;
  unreal_shim::FCounts *Counts = nullptr;
};

template <typename T, ESPMode Mode>
class TSharedRef {
 public:
  using ElementType = T;
  TSharedRef(const unreal_shim::FRawShared<T> &Raw) : Pointer(Raw) { check(Pointer.IsValid()); }
  template <typename U, typename = std::enable_if_t<std::is_convertible_v<U *, T *>>>
  explicit TSharedRef(U *P) : Pointer(P) {
    check(Pointer.IsValid());
  }
  template <typename U, typename = std::enable_if_t<std::is_convertible_v<U *, T *>>>
  TSharedRef(const TSharedRef<U, Mode> &O) : Pointer(O.Pointer) {}
  explicit TSharedRef(const TSharedPtr<T, Mode> &P) : Pointer(P) { check(Pointer.IsValid()); }
  TSharedRef(const TSharedRef &O) : Pointer(O.Pointer) {}  // a move copies: a reference is never null
  TSharedRef &operator=(const TSharedRef &O) = default;
  T &Get() const { return *Pointer.Object; }
  T *operator->() const { return Pointer.Object; }
  T &operator*() const { return *Pointer.Object; }
  int32 GetSharedReferenceCount() const { return Pointer.GetSharedReferenceCount(); }
  TSharedPtr<T, Mode> ToSharedPtr() const { return Pointer; }
  TWeakPtr<T, Mode> ToWeakPtr() const { return TWeakPtr<T, Mode>(Pointer); }

 private:
  template <typename U, ESPMode M>
  friend class TSharedPtr;
  template <typename U, ESPMode M>
  friend class TSharedRef;
  template <typename U, ESPMode M>
  friend class TWeakPtr;
  TSharedPtr<T, Mode> Pointer;
};

template <typename T, ESPMode Mode>
class TWeakPtr {
 public:
  TWeakPtr(decltype(nullptr) = nullptr) {}
  template <typename U, typename = std::enable_if_t<std::is_convertible_v<U *, T *>>>
  TWeakPtr(const TSharedPtr<U, Mode> &P) : TWeakPtr(P.Object, P.Counts) {}
  template <typename U, typename = std::enable_if_t<std::is_convertible_v<U *, T *>>>
  TWeakPtr(const TSharedRef<U, Mode> &R) : TWeakPtr(R.Pointer.Object, R.Pointer.Counts) {}
  TWeakPtr(const TWeakPtr &O) : TWeakPtr(O.Object, O.Counts) {}
  template <typename U, typename = std::enable_if_t<std::is_convertible_v<U *, T *>>>
  TWeakPtr(const TWeakPtr<U, Mode> &O) : TWeakPtr(O.Object, O.Counts) {}
  TWeakPtr &operator=(TWeakPtr O) noexcept {
    Swap(Object, O.Object);
    Swap(Counts, O.Counts);
    return *this;
  }
  ~TWeakPtr() {
    if (Counts) Counts->DropWeak();
  }
  TSharedPtr<T, Mode> Pin() const {
    if (!Counts || !Counts->TryShare()) return nullptr;
    return TSharedPtr<T, Mode>(unreal_shim::FRawShared<T>{Object, Counts});
  }
  bool IsValid() const { return Counts && Counts->Shared.load() > 0; }
  void Reset() { *this = TWeakPtr(); }

 private:
  template <typename U, ESPMode M>
  friend class TWeakPtr;
  friend class TSharedFromThis<T, Mode>;
  template <typename S, typename U, ESPMode M>
  friend void unreal_shim::EnableSharedFromThis(unreal_shim::FCounts *, S *, const TSharedFromThis<U, M> *);
  TWeakPtr(T *O, unreal_shim::FCounts *C) : Object(O), Counts(C) {
    if (Counts) Counts->Weak.fetch_add(1);
  }
  T *Object = nullptr;
  unreal_shim::FCounts *Counts = nullptr;
};

template <typename T, ESPMode Mode>
class TSharedFromThis {
 public:
  TSharedRef<T, Mode> AsShared() { return TSharedRef<T, Mode>(WeakThis.Pin()); }
  TSharedRef<T, Mode> AsShared() const { return TSharedRef<T, Mode>(WeakThis.Pin()); }
  mutable TWeakPtr<T, Mode> WeakThis;  // set when a TSharedPtr takes the object

 protected:
};

namespace unreal_shim {
template <typename S, typename T, ESPMode Mode>
void EnableSharedFromThis(FCounts *Counts, S *Object, const TSharedFromThis<T, Mode> *Base) {
  Base->WeakThis = TWeakPtr<T, Mode>(static_cast<T *>(Object), Counts);
}
}  // namespace unreal_shim

template <typename T, ESPMode Mode>
TSharedRef<T, Mode> TSharedPtr<T, Mode>::ToSharedRef() const {
  return TSharedRef<T, Mode>(*this);
}
template <typename T, ESPMode Mode = ESPMode::ThreadSafe, typename... A>
TSharedRef<T, Mode> MakeShared(A &&...Args) {
  return TSharedRef<T, Mode>(new T(Forward<A>(Args)...));
}
template <typename T>
unreal_shim::FRawShared<T> MakeShareable(T *Object) {
  return unreal_shim::MakeRaw<T>(Object);
}
template <typename T, typename D>
unreal_shim::FRawShared<T> MakeShareable(T *Object, D &&Deleter) {
  return unreal_shim::MakeRaw<T, std::decay_t<D>>(Object, Forward<D>(Deleter));
}
template <typename To, typename From, ESPMode Mode>
TSharedPtr<To, Mode> StaticCastSharedPtr(const TSharedPtr<From, Mode> &P) {
  return TSharedPtr<To, Mode>(P, static_cast<To *>(P.Get()));
}
template <typename To, typename From, ESPMode Mode>
TSharedRef<To, Mode> StaticCastSharedRef(const TSharedRef<From, Mode> &R) {
  return TSharedRef<To, Mode>(StaticCastSharedPtr<To>(R.ToSharedPtr()));
}
template <typename A, typename B, ESPMode Mode>
bool operator==(const TSharedPtr<A, Mode> &L, const TSharedPtr<B, Mode> &R) {
  return L.Get() == R.Get();
}
template <typename A, ESPMode Mode>
bool operator==(const TSharedPtr<A, Mode> &L, decltype(nullptr)) {
  return !L.Get();
}
template <typename A, typename B, ESPMode Mode>
bool operator==(const TSharedRef<A, Mode> &L, const TSharedRef<B, Mode> &R) {
  return &L.Get() == &R.Get();
}
