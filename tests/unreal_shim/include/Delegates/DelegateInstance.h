// What a delegate holds: a function with its object, if that can die.
#pragma once
#include "Containers/Array.h"
#include "HAL/CriticalSection.h"
#include "Templates/SharedPointer.h"
#include "Templates/TypeHash.h"
#include "Templates/UnrealTemplate.h"

class FDelegateHandle {
 public:
  enum EGenerateNewHandleType { GenerateNewHandle };
  FDelegateHandle() = default;
  explicit FDelegateHandle(EGenerateNewHandleType) : Id(NewId()) {}
  bool IsValid() const { return Id != 0; }
  void Reset() { Id = 0; }
  friend bool operator==(const FDelegateHandle &A, const FDelegateHandle &B) { return A.Id == B.Id; }
  friend uint32 GetTypeHash(const FDelegateHandle &H) { return GetTypeHash(H.Id); }

 private:
  CORE_API static uint64 NewId();
  uint64 Id = 0;
};

class UObject;
namespace unreal_shim {
CORE_API bool WeakReference(const UObject *Object, int32 &Index, int32 &Serial);
CORE_API bool IsAlive(int32 Index, int32 Serial);

struct FAliveObject {
  explicit FAliveObject(const UObject *Object) { WeakReference(Object, Index, Serial); }
  bool operator()() const { return IsAlive(Index, Serial); }
  int32 Index = INDEX_NONE, Serial = 0;
};
template <typename T, ESPMode Mode>
struct TAliveShared {
  TWeakPtr<T, Mode> Weak;
  bool operator()() const { return Weak.IsValid(); }
};

template <typename R, typename... A>
struct TInstance {
  const void *Object;
  FDelegateHandle Handle{FDelegateHandle::GenerateNewHandle};
  explicit TInstance(const void *InObject) : Object(InObject) {}
  virtual ~TInstance() = default;
  virtual R Call(A... Args) = 0;
  virtual bool IsAlive() const = 0;
  virtual TInstance *Clone() const = 0;
};
template <typename F, typename W, typename R, typename... A>
struct TInstanceOf final : TInstance<R, A...> {
  W Alive;
  F Functor;
  template <typename G>
  TInstanceOf(const void *InObject, W InAlive, G &&InFunctor)
      : TInstance<R, A...>(InObject), Alive(MoveTemp(InAlive)), Functor(Forward<G>(InFunctor)) {}
  R Call(A... Args) override { return Functor(static_cast<A &&>(Args)...); }
  bool IsAlive() const override { return Alive(); }
  TInstance<R, A...> *Clone() const override {
    if constexpr (std::is_copy_constructible_v<F>) {
      return new TInstanceOf(*this);  // keeps the handle
    } else {
      check(!"a delegate of a move-only lambda was copied");
      return nullptr;
    }
  }
};
}  // namespace unreal_shim
