// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreMinimal.h"

struct FTachyOptions;

/**
 * What is on: tachy.Enable, tachy.Log, tachy.Metrics, tachy.Spans, tachy.Images, tachy.Flight and the filter of
 * categories. What is off costs one load per event. On the game thread.
 */
namespace TachySwitches
{

/** The settings' values, for those that nobody stronger (the console, the command line, an ini) has set. */
void Take(const FTachyOptions& Options);

bool IsFlight();
/** They travel as logs do. */
bool AreImagesOn();

/** "logs, metrics, no spans", and the filter. */
FString Describe();

/** Level: Fatal, Error, Warning, Display, Log, Verbose or Off, of UE_LOG; or ours. False: it is none. */
bool SetFilter(const FString& Category, const FString& Level);
void RemoveFilter(const FString& Category);
/** One line each. */
TArray<FString> ListFilter();

} // namespace TachySwitches
