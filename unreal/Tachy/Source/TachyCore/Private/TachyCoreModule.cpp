// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "Modules/ModuleManager.h"
#include "TachyHost.h"

class FTachyCoreModule : public IModuleInterface
{
public:
	virtual void StartupModule() override { SetTachyHost(); }
};

IMPLEMENT_MODULE(FTachyCoreModule, TachyCore)
