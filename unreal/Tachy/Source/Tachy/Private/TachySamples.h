// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreMinimal.h"

/** What changes slowly, as metrics: memory, objects, where the player is and looks, how long he has done nothing. */
namespace TachySamples
{

/** On the game thread, once a second. */
void Take();

} // namespace TachySamples
