// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachyOptions.h"

#include "HAL/FileManager.h"
#include "HAL/PlatformMisc.h"
#include "Misc/CommandLine.h"
#include "Misc/ConfigCacheIni.h"
#include "Misc/Parse.h"
#include "Misc/Paths.h"

namespace
{

const TCHAR* const Section = TEXT("/Script/Tachy.TachySettings");

FString ReadText(const TCHAR* Argument, const TCHAR* Variable, const TCHAR* Key, const TCHAR* Otherwise)
{
	FString Value;
	if (FParse::Value(FCommandLine::Get(), Argument, Value))
	{
		return Value;
	}
	if (Variable)
	{
		Value = FPlatformMisc::GetEnvironmentVariable(Variable);
	}
	if (Value.IsEmpty() && GConfig)
	{
		GConfig->GetString(Section, Key, Value, GEngineIni);
	}
	return Value.IsEmpty() ? FString(Otherwise) : Value;
}

bool ReadSwitch(const TCHAR* Key, bool bOtherwise)
{
	bool bValue = bOtherwise;
	if (GConfig)
	{
		GConfig->GetBool(Section, Key, bValue, GEngineIni);
	}
	return bValue;
}

/** A folder that the game may write, and that lasts until its next start. */
FString DefaultFolder()
{
#if PLATFORM_ANDROID
	const FString Parent = FPaths::HasProjectPersistentDownloadDir() ? FPaths::ProjectPersistentDownloadDir() : FPaths::ProjectSavedDir();
#elif PLATFORM_IOS || UE_SERVER
	const FString Parent = FPaths::ProjectSavedDir();
#else
	const FString Parent = FPaths::ProjectUserDir();
#endif
	const FString Folder = FPaths::Combine(Parent, TEXT("Tachy"));
	IFileManager::Get().MakeDirectory(*Folder, true);
	return IFileManager::Get().ConvertToAbsolutePathForExternalAppForWrite(*Folder);
}

} // namespace

FTachyOptions FTachyOptions::Read()
{
	const TCHAR* const Line = FCommandLine::Get();
	FTachyOptions Options;
	Options.Url = ReadText(TEXT("-TachyUrl="), TEXT("TACHY_URL"), TEXT("Url"), TEXT("http://127.0.0.1:9000"));
	while (Options.Url.EndsWith(TEXT("/")))
	{
		Options.Url.LeftChopInline(1);
	}
	Options.Key = ReadText(TEXT("-TachyKey="), TEXT("TACHY_KEY"), TEXT("Key"), TEXT(""));
	Options.Folder = ReadText(TEXT("-TachyFolder="), nullptr, TEXT("Folder"), TEXT(""));
	if (Options.Folder.IsEmpty())
	{
		Options.Folder = DefaultFolder();
	}
	Options.bLog = !FParse::Param(Line, TEXT("TachyNoLog")) && ReadSwitch(TEXT("bLog"), true);
	Options.bRecord = !FParse::Param(Line, TEXT("NoTachy")) && ReadSwitch(TEXT("bRecord"), true);
	if (IsRunningCommandlet() && !FParse::Param(Line, TEXT("Tachy")))
	{
		Options.bRecord = false;
	}
	return Options;
}
