// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreMinimal.h"
#include "tachy_core.h"

class UWorld;

/** Async spans of what the engine does now and then, and says when it begins and ends: garbage collection, maps. */
class FTachyEngineSpans
{
public:
	FTachyEngineSpans();
	~FTachyEngineSpans();

private:
	void BeginGarbage();
	void EndGarbage();
	void BeginMap(const FString& Map);
	void EndMap(UWorld* World);

	tachy_async Garbage = {};
	tachy_async Map = {};
	FDelegateHandle GarbageBegin;
	FDelegateHandle GarbageEnd;
	FDelegateHandle MapBegin;
	FDelegateHandle MapEnd;
};
