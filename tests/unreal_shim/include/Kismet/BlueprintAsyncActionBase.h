#pragma once
#include "UObject/UObjectGlobals.h"
#include "unreal_shim/Properties.h"

class ENGINE_API UBlueprintAsyncActionBase : public UObject {
 public:
  using Super = UObject;
  static UClass *StaticClass();
  UBlueprintAsyncActionBase() = default;
  explicit UBlueprintAsyncActionBase(const FObjectInitializer &) : UBlueprintAsyncActionBase() {}
  virtual void Activate() {}
  void RegisterWithGameInstance(const UObject *WorldContext);
  virtual void SetReadyToDestroy();
};
