// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/**
 * The settings page needs no code: the editor finds UTachySettings by itself. What is switched on and off there holds
 * for the session that runs; whatever else is changed is marked as wanting a restart.
 */
#include "Modules/ModuleManager.h"
#include "TachySettings.h"

class FTachyEditorModule : public IModuleInterface
{
public:
	virtual void StartupModule() override
	{
		Changed = GetMutableDefault<UTachySettings>()->OnSettingChanged().AddLambda(
		    [](UObject*, FPropertyChangedEvent&) { GetDefault<UTachySettings>()->Apply(); });
	}

	virtual void ShutdownModule() override
	{
		if (UObjectInitialized())
		{
			GetMutableDefault<UTachySettings>()->OnSettingChanged().Remove(Changed);
		}
	}

private:
	FDelegateHandle Changed;
};

IMPLEMENT_MODULE(FTachyEditorModule, TachyEditor)
