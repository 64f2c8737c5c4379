#pragma once
#include "UObject/UObjectGlobals.h"

namespace unreal_shim {
COREUOBJECT_API TArray<UObject *> ObjectsOf(const UClass *Class);
}
template <typename T>
class TObjectIterator {
 public:
  TObjectIterator() : Objects(unreal_shim::ObjectsOf(T::StaticClass())) {}
  explicit operator bool() const { return At < Objects.Num(); }
  TObjectIterator &operator++() {
    ++At;
    return *this;
  }
  T *operator*() const { return static_cast<T *>(Objects[At]); }
  T *operator->() const { return **this; }

 private:
  TArray<UObject *> Objects;
  int32 At = 0;
};
