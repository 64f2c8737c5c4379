// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreMinimal.h"

/** Logs of ensures, and of the error that ends the program: what kind it is, and the engine's text of it. */
class FTachyErrors
{
public:
	FTachyErrors();
	~FTachyErrors();

private:
	FDelegateHandle Ensure;
	FDelegateHandle Crash;
};
