#pragma once
#include "UObject/UObjectGlobals.h"
#include "unreal_shim/Properties.h"

class ENGINE_API UBlueprintFunctionLibrary : public UObject {
 public:
  using Super = UObject;
  static UClass *StaticClass();
  UBlueprintFunctionLibrary() = default;
  explicit UBlueprintFunctionLibrary(const FObjectInitializer &) {}
};
