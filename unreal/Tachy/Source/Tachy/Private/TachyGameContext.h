// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "Containers/Map.h"
#include "Containers/UnrealString.h"

/**
 * What every log and metric is told of the game as it is now: map, VSync, resolution, scalability levels. It is
 * compared once a second, and where a map has been loaded; a scalability level that changes is a metric too.
 */
class FTachyGameContext
{
public:
	/** Once the engine is there: graphics driver and RHI, as properties of the process. */
	static void DescribeRendering();
	void Compare();

private:
	void CompareScalability(TMap<FString, FString>& Changes);
	void Set(const FString& Key, const FString& Value, TMap<FString, FString>& Changes);

	TMap<FString, FString> Known;
};
