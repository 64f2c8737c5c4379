// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "ChartCreation.h"
#include "CoreMinimal.h"
#include "TachyHitches.h"

class FTachyPlay;

/** What the engine says of each frame, as metrics: names and units are Micromegas's, so that its dashboards go on. */
class FTachyFrames : public IPerformanceDataConsumer
{
public:
	explicit FTachyFrames(FTachyPlay& InPlay);

	virtual void StartCharting() override {}
	virtual void ProcessFrame(const FFrameData& Frame) override;
	virtual void StopCharting() override {}

private:
	FTachyPlay& Play;
	FTachyHitches Hitches;
	const bool bRenders;
};
