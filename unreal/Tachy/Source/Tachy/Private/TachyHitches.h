// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreMinimal.h"

class FTachyPlay;

/**
 * Triggers of the flight recorder from frames. A hitch is a frame that works for longer than tachy.Hitch.BudgetMs and
 * than a threshold: a factor times the running mean of about 32 frames. Each hitch makes the factor a quarter larger,
 * at most eight times what tachy.Hitch.Factor says, so that a game that stutters all the time does not send
 * everything; it comes back to that within a minute or two.
 */
class FTachyHitches
{
public:
	/** The frame took Delta seconds, Working of them without waiting for the frame limiter. */
	void Look(double Delta, double Working, FTachyPlay& Play);

private:
	double Mean = 0.0;
	double Growth = 1.0;
	double SinceTrigger = 0.0;
};
