// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreMinimal.h"

/**
 * The engine's external profiler "Tachy": named events (SCOPED_NAMED_EVENT, and cycle stats with "stat namedevents")
 * become spans of the target Engine. The engine picks one profiler when it starts, for good: the program needs -Tachy.
 * In Shipping the engine has none.
 */
namespace TachyProfiler
{

/** With the module: before the engine picks. */
void Register();
void Unregister();
/** The engine calls us for good: the module must stay. */
bool IsActive();

void BeginSession();
void EndSession();

/** One line for tachy.Status. */
FString Describe();

} // namespace TachyProfiler
