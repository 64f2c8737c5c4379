// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreMinimal.h"

/**
 * What the module is told to do. The command line wins over the environment, and that over the ini files: this is read
 * before there are objects, so not from the class defaults of a settings page.
 */
struct FTachyOptions
{
	/** -TachyUrl=, TACHY_URL, [/Script/Tachy.TachySettings] Url in Engine.ini: without path and slash at the end. */
	FString Url;
	/** -TachyKey=, TACHY_KEY, Key: sent as a bearer token. */
	FString Key;
	/** -TachyFolder=, Folder: where the session file and unsent batches lie; "-": nowhere. */
	FString Folder;
	/** UE_LOG is recorded; -TachyNoLog, bLog. */
	bool bLog = true;
	/** Commandlets record only with -Tachy, everything else unless -NoTachy or bRecord=False. */
	bool bRecord = true;

	static FTachyOptions Read();
};
