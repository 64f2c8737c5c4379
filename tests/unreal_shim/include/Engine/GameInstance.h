#pragma once
#include "Engine/World.h"

class ENGINE_API UGameInstance : public UObject {
 public:
  using Super = UObject;
  static UClass *StaticClass();
  UWorld *GetWorld() const override { return World; }
  UWorld *World = nullptr;
};
