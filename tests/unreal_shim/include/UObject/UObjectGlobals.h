// NewObject, Cast, GetDefault, garbage collection and its delegates.
#pragma once
#include "UObject/Object.h"
#include "UObject/WeakObjectPtr.h"

namespace unreal_shim {
COREUOBJECT_API UObject *Construct(UClass *Class, UObject *Outer, FName Name, EObjectFlags Flags);
}
COREUOBJECT_API UPackage *GetTransientPackage();
template <typename T>
T *NewObject(UObject *Outer, FName Name = NAME_None, EObjectFlags Flags = RF_NoFlags) {
  return static_cast<T *>(unreal_shim::Construct(T::StaticClass(), Outer, Name, Flags));
}
template <typename T>
T *NewObject(UObject *Outer, const UClass *Class, FName Name = NAME_None, EObjectFlags Flags = RF_NoFlags) {
  return static_cast<T *>(unreal_shim::Construct(const_cast<UClass *>(Class), Outer, Name, Flags));
}
template <typename T>
T *NewObject() {
  return NewObject<T>(reinterpret_cast<UObject *>(GetTransientPackage()));
}
template <typename T>
const T *GetDefault() {
  return static_cast<const T *>(T::StaticClass()->GetDefaultObject());
}
template <typename T>
T *GetMutableDefault() {
  return static_cast<T *>(T::StaticClass()->GetDefaultObject());
}
template <typename To, typename From>
To *Cast(From *Object) {
  return Object && Object->IsA(std::remove_const_t<To>::StaticClass()) ? static_cast<To *>(Object) : nullptr;
}
template <typename To, typename From>
To *Cast(const TObjectPtr<From> &Object) {
  return Cast<To>(Object.Get());
}
COREUOBJECT_API bool IsValid(const UObject *Object);
COREUOBJECT_API void CollectGarbage(EObjectFlags KeepFlags, bool bPerformFullPurge = true);

class COREUOBJECT_API FCoreUObjectDelegates {
 public:
  DECLARE_MULTICAST_DELEGATE_OneParam(FPreLoadMapDelegate, const FString &)
      DECLARE_MULTICAST_DELEGATE_OneParam(FPostLoadMapDelegate, UWorld *) static FPreLoadMapDelegate PreLoadMap;
  static FPostLoadMapDelegate PostLoadMapWithWorld;
  static FSimpleMulticastDelegate &GetPreGarbageCollectDelegate();
#if UE_SHIM_VERSION >= 505
  static FSimpleMulticastDelegate &GetGarbageCollectStartedDelegate();
#endif
  static FSimpleMulticastDelegate &GetPostGarbageCollect();
};
