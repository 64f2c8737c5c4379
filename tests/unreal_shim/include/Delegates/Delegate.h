// Delegates: one function (TDelegate) or many (TMulticastDelegate), called in the reverse order of their adding.
#pragma once
#include "Delegates/DelegateInstance.h"

struct FDefaultDelegateUserPolicy {
  static constexpr bool bThreadSafe = false;
};
template <typename Sig, typename UserPolicy = FDefaultDelegateUserPolicy>
class TDelegate;
template <typename R, typename... A, typename UserPolicy>
class TDelegate<R(A...), UserPolicy> {
  using FInstance = unreal_shim::TInstance<R, A...>;

 public:
  TDelegate(decltype(nullptr) = nullptr) {}
  TDelegate(const TDelegate &O) : Instance(O.Instance ? O.Instance->Clone() : nullptr) {}
  TDelegate(TDelegate &&O) noexcept : Instance(O.Instance) { O.Instance = nullptr; }
  TDelegate &operator=(TDelegate O) noexcept {
    Swap(Instance, O.Instance);
    return *this;
  }
  ~TDelegate() { delete Instance; }

  template <typename F, typename... V>
  static TDelegate CreateLambda(F &&Functor, V... Vars) {
    return Make(nullptr, [Functor = std::decay_t<F>(Forward<F>(Functor)), Vars...](A... Args) mutable -> R {
      return Functor(static_cast<A &&>(Args)..., Vars...);
    });
  }
  template <typename... P, typename... V>
  static TDelegate CreateStatic(R (*Function)(P...), V... Vars) {
    return Make(nullptr, [=](A... Args) -> R { return Function(static_cast<A &&>(Args)..., Vars...); });
  }
  template <typename T, typename M, typename... V>
  static TDelegate CreateRaw(T *Object, M Method, V... Vars) {
    return Make(Object, [=](A... Args) -> R { return (Object->*Method)(static_cast<A &&>(Args)..., Vars...); });
  }
  template <typename T, typename M, typename... V>
  static TDelegate CreateUObject(T *Object, M Method, V... Vars) {
    return MakeWeak(Object, unreal_shim::FAliveObject(Object),
                    [=](A... Args) -> R { return (Object->*Method)(static_cast<A &&>(Args)..., Vars...); });
  }
  template <typename T, typename F, typename... V>
  static TDelegate CreateWeakLambda(T *Object, F &&Functor, V... Vars) {
    return MakeWeak(Object, unreal_shim::FAliveObject(Object),
                    [Functor = std::decay_t<F>(Forward<F>(Functor)), Vars...](A... Args) mutable -> R {
                      return Functor(static_cast<A &&>(Args)..., Vars...);
                    });
  }
  template <typename T, ESPMode Mode, typename M, typename... V>
  static TDelegate CreateSP(const TSharedRef<T, Mode> &Object, M Method, V... Vars) {
    T *Raw = &Object.Get();
    return MakeWeak(Raw, unreal_shim::TAliveShared<T, Mode>{Object},
                    [=](A... Args) -> R { return (Raw->*Method)(static_cast<A &&>(Args)..., Vars...); });
  }
  template <typename T, typename M, typename... V>
  static TDelegate CreateSP(T *Object, M Method, V... Vars) {
    return CreateSP(StaticCastSharedRef<T>(Object->AsShared()), Method, Vars...);
  }
  template <typename T, typename M, typename... V>
  static TDelegate CreateThreadSafeSP(T &&Object, M Method, V... Vars) {
    return CreateSP(Forward<T>(Object), Method, Vars...);
  }
#define UE_SHIM_BIND(How)                     \
  template <typename... V>                    \
  void Bind##How(V &&...Args) {               \
    *this = Create##How(Forward<V>(Args)...); \
  }
  UE_SHIM_BIND(Lambda)
  UE_SHIM_BIND(Static)
  UE_SHIM_BIND(Raw)
  UE_SHIM_BIND(UObject)
  UE_SHIM_BIND(WeakLambda)
  UE_SHIM_BIND(SP)
  UE_SHIM_BIND(ThreadSafeSP)
#undef UE_SHIM_BIND

  bool IsBound() const { return Instance && Instance->IsAlive(); }
  void Unbind() { *this = TDelegate(); }
  R Execute(A... Args) const {
    check(IsBound());
    return Instance->Call(static_cast<A &&>(Args)...);
  }
  bool ExecuteIfBound(A... Args) const {
    if (!IsBound()) return false;
    Instance->Call(static_cast<A &&>(Args)...);
    return true;
  }
  FDelegateHandle GetHandle() const { return Instance ? Instance->Handle : FDelegateHandle(); }
  bool IsBoundToObject(const void *Object) const { return Instance && Instance->Object == Object; }

 private:
  struct FAlways {
    bool operator()() const { return true; }
  };
  template <typename F>
  static TDelegate Make(const void *Object, F &&Functor) {
    return MakeWeak(Object, FAlways(), Forward<F>(Functor));
  }
  template <typename W, typename F>
  static TDelegate MakeWeak(const void *Object, W Alive, F &&Functor) {
    TDelegate D;
    D.Instance =
        new unreal_shim::TInstanceOf<std::decay_t<F>, W, R, A...>(Object, MoveTemp(Alive), Forward<F>(Functor));
    return D;
  }
  FInstance *Instance = nullptr;
};

template <typename Sig, typename UserPolicy = FDefaultDelegateUserPolicy>
class TMulticastDelegate;
template <typename... A, typename UserPolicy>
class TMulticastDelegate<void(A...), UserPolicy> {
 public:
  using FDelegate = TDelegate<void(A...), UserPolicy>;
  TMulticastDelegate() = default;
  TMulticastDelegate(const TMulticastDelegate &) = delete;
  TMulticastDelegate &operator=(const TMulticastDelegate &) = delete;

  FDelegateHandle Add(FDelegate New) {
    FLock Lock(*this);
    const FDelegateHandle Handle = New.GetHandle();
    if (Handle.IsValid()) List.Add(MakeShared<FDelegate>(MoveTemp(New)).ToSharedPtr());
    return Handle;
  }
#define UE_SHIM_ADD(How)                                     \
  template <typename... V>                                   \
  FDelegateHandle Add##How(V &&...Args) {                    \
    return Add(FDelegate::Create##How(Forward<V>(Args)...)); \
  }
  UE_SHIM_ADD(Lambda)
  UE_SHIM_ADD(Static)
  UE_SHIM_ADD(Raw)
  UE_SHIM_ADD(UObject)
  UE_SHIM_ADD(WeakLambda)
  UE_SHIM_ADD(SP)
  UE_SHIM_ADD(ThreadSafeSP)
#undef UE_SHIM_ADD
  bool Remove(FDelegateHandle Handle) {
    return Drop([&](const FDelegate &D) { return D.GetHandle() == Handle; }) != 0;
  }
  int32 RemoveAll(const void *Object) {
    return Object ? Drop([&](const FDelegate &D) { return D.IsBoundToObject(Object); }) : 0;
  }
  void Clear() {
    Drop([](const FDelegate &) { return true; });
  }
  bool IsBound() const {
    FLock Lock(*this);
    return List.ContainsByPredicate([](const TSharedPtr<FDelegate> &D) { return D.IsValid(); });
  }
  bool IsBoundToObject(const void *Object) const {
    FLock Lock(*this);
    return List.ContainsByPredicate([&](const TSharedPtr<FDelegate> &D) { return D && D->IsBoundToObject(Object); });
  }
  // What is removed meanwhile is not called; what is added meanwhile is called the next time. Allocates nothing.
  void Broadcast(A... Args) const {
    FLock Lock(*this);
    ++Depth;
    for (int32 I = List.Num(); I-- > 0;) {
      const TSharedPtr<FDelegate> Now = List[I];  // lives while it runs, even if it removes itself
      if (Now) Now->ExecuteIfBound(Args...);
    }
    if (--Depth == 0) List.RemoveAll([](const TSharedPtr<FDelegate> &D) { return !D; });
  }

 private:
  struct FLock {  // held while broadcasting, as the thread-safe policy does
    explicit FLock(const TMulticastDelegate &O) : Owner(O) {
      if constexpr (UserPolicy::bThreadSafe) Owner.Mutex.Lock();
    }
    ~FLock() {
      if constexpr (UserPolicy::bThreadSafe) Owner.Mutex.Unlock();
    }
    const TMulticastDelegate &Owner;
  };
  template <typename P>
  int32 Drop(P Which) {
    FLock Lock(*this);
    int32 Dropped = 0;
    for (TSharedPtr<FDelegate> &D : List) {
      if (!D || !Which(*D)) continue;
      D.Reset();
      ++Dropped;
    }
    if (Depth == 0) List.RemoveAll([](const TSharedPtr<FDelegate> &D) { return !D; });
    return Dropped;
  }
  mutable TArray<TSharedPtr<FDelegate>> List;  // with holes while broadcasting
  mutable int32 Depth = 0;
  mutable FCriticalSection Mutex;
};

#include "Delegates/DelegateCombinations.h"
using FSimpleMulticastDelegate = TMulticastDelegate<void()>;
