// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachyEngineSpans.h"

#include "Misc/EngineVersionComparison.h"
#include "UObject/UObjectGlobals.h"

namespace TachyEngineSpanSites
{

TACHY_DEFINE_ASYNC_SPAN(Garbage, "Engine", "CollectGarbage");
TACHY_DEFINE_ASYNC_SPAN(Map, "Engine", "LoadMap");
TACHY_DEFINE_VALUE(MapName, "Engine", "map");

static auto& GarbageStarted()
{
#if UE_VERSION_OLDER_THAN(5, 5, 0)
	return FCoreUObjectDelegates::GetPreGarbageCollectDelegate();
#else
	return FCoreUObjectDelegates::GetGarbageCollectStartedDelegate();
#endif
}

static void End(tachy_async& Span)
{
	tachy_async_end(&Span);
	Span = {};
}

} // namespace TachyEngineSpanSites

FTachyEngineSpans::FTachyEngineSpans()
    : GarbageBegin(TachyEngineSpanSites::GarbageStarted().AddRaw(this, &FTachyEngineSpans::BeginGarbage))
    , GarbageEnd(FCoreUObjectDelegates::GetPostGarbageCollect().AddRaw(this, &FTachyEngineSpans::EndGarbage))
    , MapBegin(FCoreUObjectDelegates::PreLoadMap.AddRaw(this, &FTachyEngineSpans::BeginMap))
    , MapEnd(FCoreUObjectDelegates::PostLoadMapWithWorld.AddRaw(this, &FTachyEngineSpans::EndMap))
{
}

FTachyEngineSpans::~FTachyEngineSpans()
{
	TachyEngineSpanSites::GarbageStarted().Remove(GarbageBegin);
	FCoreUObjectDelegates::GetPostGarbageCollect().Remove(GarbageEnd);
	FCoreUObjectDelegates::PreLoadMap.Remove(MapBegin);
	FCoreUObjectDelegates::PostLoadMapWithWorld.Remove(MapEnd);
	EndGarbage();
	EndMap(nullptr);
}

void FTachyEngineSpans::BeginGarbage()
{
	EndGarbage();
	Garbage = tachy_async_begin(&TachyEngineSpanSites::Garbage, Map.id != 0 ? &Map : nullptr);
}

void FTachyEngineSpans::EndGarbage()
{
	TachyEngineSpanSites::End(Garbage);
}

void FTachyEngineSpans::BeginMap(const FString& Name)
{
	EndMap(nullptr);
	Map = tachy_async_begin(&TachyEngineSpanSites::Map, nullptr);
	const FTCHARToUTF8 Text(*Name);
	tachy_async_value_text(&Map, &TachyEngineSpanSites::MapName, Text.Get(), static_cast<size_t>(Text.Length()));
}

void FTachyEngineSpans::EndMap(UWorld*)
{
	TachyEngineSpanSites::End(Map);
}
