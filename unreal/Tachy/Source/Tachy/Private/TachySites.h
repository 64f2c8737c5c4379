// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreMinimal.h"
#include "tachy_core.h"

namespace Tachy
{

/**
 * The site of a log, metric, span or value that is described at run time, for callers without one of their own. Found
 * again in the table of names; what has no place there has one site for all (target "Blueprint", name "(other names)"),
 * or null when there is no memory for it.
 */
tachy_site* SiteOf(tachy_site_kind Kind, uint32 Level, const FString& Target, const FString& Name, const FString& Unit);

} // namespace Tachy
