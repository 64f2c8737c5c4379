// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreMinimal.h"
#include "Modules/ModuleInterface.h"
#include "TachyLogDevice.h"
#include "TachyNet.h"
#include "TachyOptions.h"
#include "TachySender.h"
#include "Templates/UniquePtr.h"

/** The session of the game, from the module's start to the engine's end. */
class FTachyModule : public IModuleInterface
{
public:
	virtual void StartupModule() override;
	virtual void ShutdownModule() override;

	/** What a programmer wants to know first, in lines. */
	FString Status() const;

private:
	bool StartSession();
	void EndSession();

	FTachyOptions Options;
	TUniquePtr<FTachySender> Sender;
	TUniquePtr<FTachyLogDevice> LogDevice;
	TUniquePtr<FTachyNet> Net;
	FDelegateHandle PreExit;
	bool bRuns = false;
};
