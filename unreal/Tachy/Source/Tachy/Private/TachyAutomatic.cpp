// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachyAutomatic.h"

#include "Engine/Engine.h"
#include "Misc/CoreDelegates.h"
#include "Misc/EngineVersionComparison.h"
#include "Tachy.h"
#include "TachyProfiler.h"
#include "TachySamples.h"
#include "UObject/UObjectGlobals.h"

namespace TachyEngine
{

static auto& OnInit()
{
#if UE_VERSION_OLDER_THAN(5, 8, 0)
	return FCoreDelegates::OnPostEngineInit;
#else
	return FCoreDelegates::GetOnPostEngineInit();
#endif
}

} // namespace TachyEngine

FTachyAutomatic::FTachyAutomatic()
    : Hangs(Play)
    , Ticker(
          FTSTicker::GetCoreTicker().AddTicker(FTickerDelegate::CreateRaw(this, &FTachyAutomatic::TakeSamples), 1.0f))
    , EngineInit(TachyEngine::OnInit().AddRaw(this, &FTachyAutomatic::StartEngine))
    , FrameEnd(FCoreDelegates::OnEndFrame.AddRaw(this, &FTachyAutomatic::EndFrame))
    , LoadEnd(FCoreUObjectDelegates::PostLoadMapWithWorld.AddRaw(this, &FTachyAutomatic::EndLoad))
{
	TachyProfiler::BeginSession();
	if (GEngine)
	{
		StartEngine(); // the session starts late
	}
}

FTachyAutomatic::~FTachyAutomatic()
{
	TachyProfiler::EndSession();
	if (GEngine && Frames)
	{
		GEngine->RemovePerformanceDataConsumer(Frames);
	}
	FCoreUObjectDelegates::PostLoadMapWithWorld.Remove(LoadEnd);
	FCoreDelegates::OnEndFrame.Remove(FrameEnd);
	TachyEngine::OnInit().Remove(EngineInit);
	FTSTicker::RemoveTicker(Ticker);
}

void FTachyAutomatic::StartEngine()
{
	if (!Frames)
	{
		Frames = MakeShared<FTachyFrames>(Play);
		GEngine->AddPerformanceDataConsumer(Frames);
		FTachyGameContext::DescribeRendering();
		Context.Compare();
	}
}

void FTachyAutomatic::EndFrame()
{
	TACHY_FRAME();
	Hangs.EndFrame();
}

void FTachyAutomatic::EndLoad(UWorld*)
{
	Context.Compare();
}

bool FTachyAutomatic::TakeSamples(float)
{
	Context.Compare();
	TachySamples::Take();
	return true;
}
