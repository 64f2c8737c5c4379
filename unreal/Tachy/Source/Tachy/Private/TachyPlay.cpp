// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachyPlay.h"

#include "Engine/Engine.h"
#include "Engine/World.h"
#include "Framework/Application/SlateApplication.h"
#include "HAL/PlatformMisc.h"
#include "Misc/CoreDelegates.h"
#include "UObject/UObjectGlobals.h"

FTachyPlay::FTachyPlay()
    : LoadBegin(FCoreUObjectDelegates::PreLoadMap.AddRaw(this, &FTachyPlay::BeginLoad))
    , LoadEnd(FCoreUObjectDelegates::PostLoadMapWithWorld.AddRaw(this, &FTachyPlay::EndLoad))
    , Background(FCoreDelegates::ApplicationWillEnterBackgroundDelegate.AddRaw(this, &FTachyPlay::Suspend))
    , Foreground(FCoreDelegates::ApplicationHasEnteredForegroundDelegate.AddRaw(this, &FTachyPlay::Resume))
{
}

FTachyPlay::~FTachyPlay()
{
	FCoreUObjectDelegates::PreLoadMap.Remove(LoadBegin);
	FCoreUObjectDelegates::PostLoadMapWithWorld.Remove(LoadEnd);
	FCoreDelegates::ApplicationWillEnterBackgroundDelegate.Remove(Background);
	FCoreDelegates::ApplicationHasEnteredForegroundDelegate.Remove(Foreground);
}

UWorld* FTachyPlay::FindWorld()
{
	if (GEngine)
	{
		for (const FWorldContext& Each : GEngine->GetWorldContexts())
		{
			if (Each.World() && (Each.WorldType == EWorldType::Game || Each.WorldType == EWorldType::PIE))
			{
				return Each.World();
			}
		}
	}
	return nullptr;
}

double FTachyPlay::SecondsSinceInput()
{
	if (IsRunningDedicatedServer() || !FSlateApplication::IsInitialized())
	{
		return -1.0;
	}
	const FSlateApplication& Slate = FSlateApplication::Get();
	return FMath::Max(Slate.GetCurrentTime() - Slate.GetLastUserInteractionTime(), 0.0);
}

bool FTachyPlay::IsDebugged()
{
#if UE_BUILD_SHIPPING
	return false; // not every platform can tell there
#else
	return FPlatformMisc::IsDebuggerPresent();
#endif
}

bool FTachyPlay::TakeHeld()
{
	const bool bWasHeld = bHeld;
	bHeld = IsHeld();
	return bWasHeld || bHeld;
}

void FTachyPlay::BeginLoad(const FString&)
{
	bLoading = true;
	bHeld = true;
}

void FTachyPlay::EndLoad(UWorld*)
{
	bLoading = false;
}

void FTachyPlay::Suspend()
{
	bSuspended = true;
	bHeld = true;
}

void FTachyPlay::Resume()
{
	bSuspended = false;
}
