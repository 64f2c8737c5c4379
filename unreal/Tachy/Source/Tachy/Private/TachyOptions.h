// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreMinimal.h"

/**
 * What the module is told to do: the keys of UTachySettings, which stands for what they mean. The command line wins
 * over the environment, and that over the ini files: this is read before there are objects, so not from the settings
 * page.
 */
struct FTachyOptions
{
	/** -TachyUrl=, TACHY_URL, EditorUrl in the editor, Url: without a slash at the end. */
	FString Url;
	/** -TachyKey=, TACHY_KEY, Key. */
	FString Key;
	/** -TachyFolder=, Folder; "-": nowhere. */
	FString Folder;
	/** No such setting: the folder is this game's own, and everything in it. */
	bool bOwnFolder = true;
	/** Where the player's word is kept, wherever Folder lies. */
	FString Home;

	bool bRecord = true;
	bool bAutoStart = true;
	bool bRequireConsent = false;
	/** Nobody can be asked here, so nobody need be: dedicated servers, commandlets. */
	bool bUnattended = false;
	bool bCommandlet = false;
	bool bEditor = false;

	bool bLog = true;
	bool bMetrics = true;
	bool bSpans = true;
	bool bImages = true;
	bool bFlight = false;
	TArray<FString> LogFilter;

	int32 HitchBudgetMs = 50;
	int32 HitchIdleSeconds = 10;
	int32 HangSeconds = 10;

	uint64 ImageBytes = 0;
	uint64 PoolBytes = 0;
	uint64 SpoolBytes = 0;
	uint64 WriteBytes = 0;

	static FTachyOptions Read();
};
