// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachySettings.h"

#include "TachyModule.h"
#include "TachySwitches.h"

UTachySettings::UTachySettings()
{
	CategoryName = TEXT("Plugins");
	SectionName = TEXT("Tachy");
}

void UTachySettings::Apply() const
{
	if (const FTachyModule* const Module = FTachyModule::Find())
	{
		FTachyOptions Options = Module->GetOptions();
		Options.bLog = bLog;
		Options.bMetrics = bMetrics;
		Options.bSpans = bSpans && (!Options.bEditor || bSpansInEditor);
		Options.bFlight = bFlight;
		Options.LogFilter = LogFilter;
		Options.HitchBudgetMs = HitchBudgetMs;
		Options.HitchIdleSeconds = HitchIdleSeconds;
		Options.HangSeconds = HangSeconds;
		TachySwitches::Take(Options);
	}
}
