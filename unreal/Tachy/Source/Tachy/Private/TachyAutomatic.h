// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "Containers/Ticker.h"
#include "CoreMinimal.h"
#include "TachyEngineSpans.h"
#include "TachyErrors.h"
#include "TachyFrames.h"
#include "TachyGameContext.h"
#include "TachyHangs.h"
#include "TachyPlay.h"

class UWorld;

/** What a session records by itself of the engine, beside logs and net drivers. */
class FTachyAutomatic
{
public:
	FTachyAutomatic();
	~FTachyAutomatic();

private:
	void StartEngine();
	void EndFrame();
	void EndLoad(UWorld* World);
	bool TakeSamples(float DeltaSeconds);

	FTachyPlay Play;
	FTachyErrors Errors;
	FTachyEngineSpans Spans;
	FTachyGameContext Context;
	FTachyHangs Hangs;
	TSharedPtr<FTachyFrames> Frames;
	FTSTicker::FDelegateHandle Ticker;
	FDelegateHandle EngineInit;
	FDelegateHandle FrameEnd;
	FDelegateHandle LoadEnd;
};
