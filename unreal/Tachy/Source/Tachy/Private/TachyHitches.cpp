// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachyHitches.h"

#include "HAL/IConsoleManager.h"
#include "Tachy.h"
#include "TachyPlay.h"
#include "TachySwitches.h"

namespace TachyHitchRules
{

constexpr double MeanFrames = 32.0;
constexpr double GrowthPerHitch = 1.25;
constexpr double MostGrowth = 8.0;
constexpr double RelaxSeconds = 60.0;

float BudgetMs = 50.0f;
float Factor = 2.0f;
float IdleSeconds = 10.0f;
float HeartbeatSeconds = 120.0f;

FAutoConsoleVariableRef BudgetVariable(TEXT("tachy.Hitch.BudgetMs"), BudgetMs,
                                       TEXT("No shorter frame is a hitch; 0: none is."));
FAutoConsoleVariableRef
    FactorVariable(TEXT("tachy.Hitch.Factor"), Factor,
                   TEXT("A hitch is longer than the mean of the frames before it times this, which grows by a quarter "
                        "at each hitch and comes back within a minute or two."));
FAutoConsoleVariableRef IdleVariable(TEXT("tachy.Hitch.IdleSeconds"), IdleSeconds,
                                     TEXT("No hitch is a trigger when the player has done nothing for so long; 0: it "
                                          "does not matter."));
FAutoConsoleVariableRef HeartbeatVariable(TEXT("tachy.Hitch.HeartbeatSeconds"), HeartbeatSeconds,
                                          TEXT("As flight recorder: after so much play without a trigger of ours "
                                               "there is one; 0: never."));

} // namespace TachyHitchRules

void FTachyHitches::Look(double Delta, double Working, FTachyPlay& Play)
{
	using namespace TachyHitchRules;
	Growth -= (Growth - 1.0) * FMath::Min(Delta / RelaxSeconds, 1.0);
	if (Play.TakeHeld() || !FTachyPlay::FindWorld())
	{
		return; // nor does it count for the mean
	}
	const double Threshold = FMath::Max(BudgetMs * 1e-3, Mean * Factor * Growth);
	const bool bHitch = BudgetMs > 0.0f && Mean > 0.0 && Working > Threshold;
	Mean += (Working - Mean) / (Mean > 0.0 ? MeanFrames : 1.0);
	if (IdleSeconds > 0.0f && FTachyPlay::SecondsSinceInput() > IdleSeconds)
	{
		return;
	}
	SinceTrigger += Delta;
	if (bHitch && !FTachyPlay::IsDebugged())
	{
		Tachy::Mark(FString::Printf(TEXT("hitch, %.1f ms"), Working * 1e3));
		Growth = FMath::Min(Growth * GrowthPerHitch, MostGrowth);
		SinceTrigger = 0.0;
	}
	else if (TachySwitches::IsFlight() && HeartbeatSeconds > 0.0f && SinceTrigger >= HeartbeatSeconds)
	{
		Tachy::Mark(TEXT("heartbeat"));
		SinceTrigger = 0.0;
	}
}
