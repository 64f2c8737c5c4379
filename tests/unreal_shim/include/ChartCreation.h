// Who wants each frame's times.
#pragma once
#include "CoreMinimal.h"

enum class EFrameHitchType : uint8 { NoHitch, UnknownUnit, GameThread, RenderThread, RHIThread, GPU };
class IPerformanceDataConsumer {
 public:
  struct FFrameData {
    double TrueDeltaSeconds = 0, DeltaSeconds = 0, IdleSeconds = 0, IdleOvershootSeconds = 0;
    double GameThreadTimeSeconds = 0, RenderThreadTimeSeconds = 0, RHIThreadTimeSeconds = 0, GPUTimeSeconds = 0;
    double GameDriverTickFlushTimeSeconds = 0, DemoDriverTickFlushTimeSeconds = 0;
    double FlushAsyncLoadingTime = 0;
    uint32 FlushAsyncLoadingCount = 0, SyncLoadCount = 0;
    float DynamicResolutionScreenPercentage = 100;
    bool bBinThisFrame = true, bGameThreadBound = false, bRenderThreadBound = false, bRHIThreadBound = false,
         bGPUBound = false;
    EFrameHitchType HitchStatus = EFrameHitchType::NoHitch;
  };
  virtual void StartCharting() = 0;
  virtual void ProcessFrame(const FFrameData &FrameData) = 0;
  virtual void StopCharting() = 0;
  virtual ~IPerformanceDataConsumer() = default;
};
