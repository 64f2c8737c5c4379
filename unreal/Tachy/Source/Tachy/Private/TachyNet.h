// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "Containers/Ticker.h"
#include "CoreMinimal.h"

class UNetDriver;

/** Measures the net driver of every world once a second: what the engine counts by itself, so without an edit of it. */
class FTachyNet
{
public:
	FTachyNet();
	~FTachyNet();

private:
	bool Measure(float DeltaSeconds);
	void MeasureDriver(UNetDriver& Driver, uint32 Set);

	FTSTicker::FDelegateHandle Ticker;
	/** Property sets by the names of driver and world. */
	TMap<FString, uint32> Sets;
};
