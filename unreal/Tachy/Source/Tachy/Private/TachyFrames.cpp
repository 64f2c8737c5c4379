// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachyFrames.h"

#include "HAL/PlatformTime.h"
#include "RHICommandList.h"
#include "RHIStats.h"
#include "Tachy.h"
#include "TachyPlay.h"

FTachyFrames::FTachyFrames(FTachyPlay& InPlay)
    : Play(InPlay)
    , bRenders(!IsRunningDedicatedServer())
{
}

void FTachyFrames::ProcessFrame(const FFrameData& Frame)
{
	const double Working = FMath::Max(Frame.TrueDeltaSeconds - Frame.IdleSeconds, 0.0);
	TACHY_FMETRIC("Frame", Tachy::Med, "DeltaTime", "seconds", Frame.TrueDeltaSeconds);
	TACHY_FMETRIC("Frame", Tachy::Med, "GameThreadTime", "seconds", Frame.GameThreadTimeSeconds);
	TACHY_FMETRIC("Frame", Tachy::Med, "IdleTime", "seconds", Frame.IdleSeconds);
	TACHY_FMETRIC("Frame", Tachy::Med, "IdleTimeOvershoot", "seconds", Frame.IdleOvershootSeconds);
	TACHY_FMETRIC("Frame", Tachy::Med, "GameEngineFrameTime", "seconds", Working);
	TACHY_FMETRIC("Frame", Tachy::Med, "AsyncLoadingTime", "seconds", Frame.FlushAsyncLoadingTime);
	if (bRenders)
	{
		TACHY_FMETRIC("Frame", Tachy::Med, "RenderThreadTime", "seconds", Frame.RenderThreadTimeSeconds);
		TACHY_FMETRIC("Frame", Tachy::Med, "RHIThreadTime", "seconds", Frame.RHIThreadTimeSeconds);
		TACHY_FMETRIC("Frame", Tachy::Med, "GPUTime", "seconds", Frame.GPUTimeSeconds);
		TACHY_FMETRIC("Frame", Tachy::Med, "InputLatencyTime", "seconds",
		              FPlatformTime::ToSeconds64(GInputLatencyTime));
		TACHY_IMETRIC("Frame", Tachy::Med, "DrawCalls", "count", GNumDrawCallsRHI[0]);
		TACHY_IMETRIC("Frame", Tachy::Med, "PrimitivesDrawn", "count", GNumPrimitivesDrawnRHI[0]);
	}
	Hitches.Look(Frame.TrueDeltaSeconds, Working, Play);
}
