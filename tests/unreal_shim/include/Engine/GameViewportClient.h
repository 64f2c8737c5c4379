#pragma once
#include "UObject/UObjectGlobals.h"
#include "UnrealClient.h"

class ENGINE_API UGameViewportClient : public UObject {
 public:
  using Super = UObject;
  static UClass *StaticClass();
  static FOnScreenshotCaptured &OnScreenshotCaptured();
  void GetViewportSize(FVector2D &Out) const { Out = FVector2D(Viewport->Size.X, Viewport->Size.Y); }
  FViewport *Viewport = nullptr;
};
