// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachyHangs.h"

#include "HAL/Event.h"
#include "HAL/IConsoleManager.h"
#include "HAL/PlatformProcess.h"
#include "HAL/PlatformTime.h"
#include "HAL/RunnableThread.h"
#include "Tachy.h"
#include "TachyPlay.h"

namespace TachyHangRules
{

constexpr uint32 PeriodMs = 250;
constexpr double SleptSeconds = 5.0; // between two looks: the machine slept, or nothing of this program could run

float HangSeconds = 10.0f;

FAutoConsoleVariableRef SecondsVariable(TEXT("tachy.HangSeconds"), HangSeconds,
                                        TEXT("Without a frame for so long the game hangs, which is logged; 0: never."));

} // namespace TachyHangRules

FTachyHangs::FTachyHangs(const FTachyPlay& InPlay)
    : Play(InPlay)
    , Bell(FPlatformProcess::GetSynchEventFromPool(false))
{
	Thread = FRunnableThread::Create(this, TEXT("TachyHangs"), 0, TPri_BelowNormal);
}

FTachyHangs::~FTachyHangs()
{
	if (Thread)
	{
		Thread->Kill(true);
		delete Thread;
	}
	FPlatformProcess::ReturnSynchEventToPool(Bell);
}

void FTachyHangs::Stop()
{
	bStopping = true;
	Bell->Trigger();
}

void FTachyHangs::EndFrame()
{
	const double Now = FPlatformTime::Seconds();
	FrameEnd = Now;
	Limit = TachyHangRules::HangSeconds;
	bPlayed = FTachyPlay::FindWorld() != nullptr;
	const double Since = HungSince.exchange(0.0);
	if (Since > 0.0)
	{
		tachy_set_crash_kind(TACHY_CRASH_UNKNOWN);
		TACHY_LOG("hang", Tachy::Warn, FString::Printf(TEXT("frames go on after %.1f s"), Now - Since));
	}
}

uint32 FTachyHangs::Run()
{
	double LastLook = FPlatformTime::Seconds();
	double Since = LastLook;
	while (!bStopping)
	{
		Bell->Wait(TachyHangRules::PeriodMs);
		const double Now = FPlatformTime::Seconds();
		const bool bSlept = Now - LastLook > TachyHangRules::SleptSeconds;
		LastLook = Now;
		if (bSlept || !bPlayed || Play.IsHeld())
		{
			Since = Now;
			continue;
		}
		Since = FMath::Max(Since, FrameEnd.load());
		if (Limit <= 0.0f || Now - Since < Limit || HungSince > 0.0)
		{
			continue;
		}
		if (FTachyPlay::IsDebugged())
		{
			Since = Now;
			continue;
		}
		tachy_set_crash_kind(TACHY_CRASH_HANG); // for whoever kills it now; before what EndFrame looks at
		HungSince = Since;
		TACHY_LOG("hang", Tachy::Error, FString::Printf(TEXT("no frame for %.1f s"), Now - Since));
	}
	return 0;
}
