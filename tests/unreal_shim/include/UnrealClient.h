// Viewports and screenshots.
#pragma once
#include "CoreMinimal.h"

class ENGINE_API FViewport {
 public:
  FIntPoint Size{1280, 720};
};
DECLARE_MULTICAST_DELEGATE_ThreeParams(FOnScreenshotCaptured, int32, int32, const TArray<FColor> &)
    DECLARE_MULTICAST_DELEGATE(FOnScreenshotRequestProcessed) struct ENGINE_API FScreenshotRequest {
  static void RequestScreenshot(bool bShowUI);
  static void RequestScreenshot(const FString &Filename, bool bShowUI, bool bAddFilenameSuffix);
  static void Reset();
  static bool IsScreenshotRequested();
  static FOnScreenshotRequestProcessed &OnScreenshotRequestProcessed();
};
