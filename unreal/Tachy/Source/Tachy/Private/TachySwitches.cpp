// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachySwitches.h"

#include "HAL/IConsoleManager.h"
#include "TachyOptions.h"
#include "tachy_core.h"

namespace
{

struct FSwitches
{
	int32 Enable = 1;
	int32 Log = 1;
	int32 Metrics = 1;
	int32 Spans = 1;
	int32 Images = 1;
	int32 Flight = 0;
	/** Level names by category, as they were given. */
	TMap<FString, FString> Filter;
	/** Of these: the settings' own. */
	TArray<FString> OfSettings;
};
FSwitches Switches;

void ApplySwitches()
{
	tachy_set_class(TACHY_CLASS_LOG, Switches.Enable && Switches.Log);
	tachy_set_class(TACHY_CLASS_METRIC, Switches.Enable && Switches.Metrics);
	tachy_set_class(TACHY_CLASS_SPAN, Switches.Enable && Switches.Spans);
	if (Switches.Images)
	{
		tachy_unset_category(TACHY_IMAGE_TARGET);
	}
	else
	{
		tachy_set_category(TACHY_IMAGE_TARGET, TACHY_LEVEL_NONE);
	}
	tachy_set_mode(Switches.Flight ? TACHY_MODE_FLIGHT : TACHY_MODE_ALL);
}

FConsoleVariableDelegate OnChange()
{
	return FConsoleVariableDelegate::CreateLambda([](IConsoleVariable*) { ApplySwitches(); });
}

FAutoConsoleVariableRef EnableVariable(TEXT("tachy.Enable"), Switches.Enable,
                                       TEXT("0: nothing is recorded, whatever the others say."), OnChange());
FAutoConsoleVariableRef LogVariable(TEXT("tachy.Log"), Switches.Log, TEXT("UE_LOG and TACHY_LOG are recorded."),
                                    OnChange());
FAutoConsoleVariableRef MetricsVariable(TEXT("tachy.Metrics"), Switches.Metrics,
                                        TEXT("Metrics and frame marks are recorded."), OnChange());
FAutoConsoleVariableRef SpansVariable(TEXT("tachy.Spans"), Switches.Spans, TEXT("Spans are recorded."), OnChange());
FAutoConsoleVariableRef ImagesVariable(TEXT("tachy.Images"), Switches.Images,
                                       TEXT("Screenshots and other images are recorded, where logs are."), OnChange());
FAutoConsoleVariableRef
    FlightVariable(TEXT("tachy.Flight"), Switches.Flight,
                   TEXT("1: spans stay in memory, and only those around a mark, a hitch or an error are sent."),
                   OnChange());

/** As a project's setting: what is stronger than that keeps its word. */
void SetVariable(const TCHAR* Name, int32 Value)
{
	IConsoleVariable* const Variable = IConsoleManager::Get().FindConsoleVariable(Name);
	if (Variable && (static_cast<uint32>(Variable->GetFlags()) & ECVF_SetByMask) <= ECVF_SetByProjectSetting)
	{
		Variable->Set(Value, ECVF_SetByProjectSetting);
	}
}

bool ParseLevel(const FString& Name, tachy_level& Level)
{
	static const struct
	{
		const TCHAR* Name;
		tachy_level Level;
	} Levels[] = {
	    {TEXT("Off"), TACHY_LEVEL_NONE},          {TEXT("None"), TACHY_LEVEL_NONE},
	    {TEXT("NoLogging"), TACHY_LEVEL_NONE},    {TEXT("Fatal"), TACHY_LEVEL_FATAL},
	    {TEXT("Error"), TACHY_LEVEL_ERROR},       {TEXT("Warning"), TACHY_LEVEL_WARN},
	    {TEXT("Warn"), TACHY_LEVEL_WARN},         {TEXT("Display"), TACHY_LEVEL_INFO},
	    {TEXT("Info"), TACHY_LEVEL_INFO},         {TEXT("Log"), TACHY_LEVEL_DEBUG},
	    {TEXT("Debug"), TACHY_LEVEL_DEBUG},       {TEXT("Verbose"), TACHY_LEVEL_TRACE},
	    {TEXT("VeryVerbose"), TACHY_LEVEL_TRACE}, {TEXT("Trace"), TACHY_LEVEL_TRACE},
	    {TEXT("All"), TACHY_LEVEL_TRACE},
	};
	for (const auto& Each : Levels)
	{
		if (Name.Equals(Each.Name, ESearchCase::IgnoreCase))
		{
			Level = Each.Level;
			return true;
		}
	}
	return false;
}

} // namespace

void TachySwitches::Take(const FTachyOptions& Options)
{
	SetVariable(TEXT("tachy.Log"), Options.bLog);
	SetVariable(TEXT("tachy.Metrics"), Options.bMetrics);
	SetVariable(TEXT("tachy.Spans"), Options.bSpans);
	SetVariable(TEXT("tachy.Images"), Options.bImages);
	SetVariable(TEXT("tachy.Flight"), Options.bFlight);
	SetVariable(TEXT("tachy.Hitch.BudgetMs"), Options.HitchBudgetMs);
	SetVariable(TEXT("tachy.Hitch.IdleSeconds"), Options.HitchIdleSeconds);
	SetVariable(TEXT("tachy.HangSeconds"), Options.HangSeconds);
	for (const FString& Category : Switches.OfSettings)
	{
		RemoveFilter(Category);
	}
	Switches.OfSettings.Reset();
	for (const FString& Line : Options.LogFilter)
	{
		FString Category, Level;
		if (Line.Split(TEXT("="), &Category, &Level) && SetFilter(Category.TrimStartAndEnd(), Level.TrimStartAndEnd()))
		{
			Switches.OfSettings.Add(Category.TrimStartAndEnd());
		}
	}
	ApplySwitches();
}

bool TachySwitches::AreImagesOn()
{
	return Switches.Enable && Switches.Log && Switches.Images;
}

bool TachySwitches::IsFlight()
{
	return Switches.Flight != 0;
}

FString TachySwitches::Describe()
{
	if (!Switches.Enable)
	{
		return TEXT("tachy.Enable is 0");
	}
	FString Text = FString::Printf(TEXT("%s, %s, %s%s"), Switches.Log ? TEXT("logs") : TEXT("no logs"),
	                               Switches.Metrics ? TEXT("metrics") : TEXT("no metrics"),
	                               Switches.Spans ? TEXT("spans") : TEXT("no spans"),
	                               Switches.Flight ? TEXT(" as flight recorder") : TEXT(""));
	if (Switches.Filter.Num() > 0)
	{
		Text += FString::Printf(TEXT(", %s"), *FString::Join(ListFilter(), TEXT(" ")));
	}
	return Text;
}

bool TachySwitches::SetFilter(const FString& Category, const FString& Level)
{
	tachy_level Parsed = TACHY_LEVEL_NONE;
	if (Category.IsEmpty() || !ParseLevel(Level, Parsed))
	{
		return false;
	}
	Switches.Filter.Add(Category, Level);
	tachy_set_category(TCHAR_TO_UTF8(*Category), Parsed);
	return true;
}

void TachySwitches::RemoveFilter(const FString& Category)
{
	Switches.Filter.Remove(Category);
	tachy_unset_category(TCHAR_TO_UTF8(*Category));
}

TArray<FString> TachySwitches::ListFilter()
{
	TArray<FString> Lines;
	for (const TPair<FString, FString>& Each : Switches.Filter)
	{
		Lines.Add(Each.Key + TEXT("=") + Each.Value);
	}
	return Lines;
}
