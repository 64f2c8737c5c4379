// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachyOptions.h"

#include "HAL/FileManager.h"
#include "HAL/PlatformMisc.h"
#include "Misc/App.h"
#include "Misc/CommandLine.h"
#include "Misc/ConfigCacheIni.h"
#include "Misc/Parse.h"
#include "Misc/Paths.h"
#include "Tachy.h"

/** Consoles: what may be written, and how much in which time, is their maker's to say. */
#define TACHY_MAY_WRITE (PLATFORM_DESKTOP || PLATFORM_ANDROID || PLATFORM_IOS)

namespace
{

const TCHAR* const Section = TEXT("/Script/Tachy.TachySettings");

FString ReadIni(const TCHAR* Key)
{
	FString Value;
	if (GConfig)
	{
		GConfig->GetString(Section, Key, Value, GEngineIni);
	}
	return Value;
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

/** Within what the settings page allows. */
int32 ReadNumber(const TCHAR* Key, int32 Otherwise, int32 Least, int32 Most)
{
	int32 Value = Otherwise;
	if (GConfig)
	{
		GConfig->GetInt(Section, Key, Value, GEngineIni);
	}
	return FMath::Clamp(Value, Least, Most);
}

/** In units of 2^Shift bytes; returns bytes. */
uint64 ReadBudget(const TCHAR* Key, int32 Otherwise, int32 Most, uint32 Shift)
{
	return static_cast<uint64>(ReadNumber(Key, Otherwise, 1, Most)) << Shift;
}

FString ReadText(const TCHAR* Argument, const TCHAR* Variable, const TCHAR* Key)
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
	return Value.IsEmpty() ? ReadIni(Key) : Value;
}

bool HasParam(const TCHAR* Name)
{
	return FParse::Param(FCommandLine::Get(), Name);
}

/** A folder of this game's own that it may write, and that lasts until its next start; it need not be there yet. */
FString OwnFolder()
{
#if PLATFORM_ANDROID
	const FString Parent =
	    FPaths::HasProjectPersistentDownloadDir() ? FPaths::ProjectPersistentDownloadDir() : FPaths::ProjectSavedDir();
#elif PLATFORM_IOS || UE_SERVER
	const FString Parent = FPaths::ProjectSavedDir();
#else
	const FString Parent = FPaths::ProjectUserDir();
#endif
	return FPaths::Combine(Parent, TEXT("Tachy"));
}

/** An editor that runs as a game or a server is one; what else it runs as, it is the editor. */
EBuildTargetType FindTarget()
{
	const EBuildTargetType Target = FApp::GetBuildTargetType();
	if (Target == EBuildTargetType::Editor && HasParam(TEXT("game")))
	{
		return EBuildTargetType::Game;
	}
	return IsRunningDedicatedServer() ? EBuildTargetType::Server : Target;
}

bool IsWanted(EBuildTargetType Target, bool bCommandlet)
{
	if (!TACHY_ENABLED || HasParam(TEXT("NoTachy")) || !ReadSwitch(TEXT("bRecord"), true))
	{
		return false;
	}
	if (HasParam(TEXT("Tachy")))
	{
		return true;
	}
	if (bCommandlet || (UE_BUILD_SHIPPING && !ReadSwitch(TEXT("bInShipping"), true)))
	{
		return false;
	}
	switch (Target)
	{
	case EBuildTargetType::Editor:
		return ReadSwitch(TEXT("bInEditor"), true);
	case EBuildTargetType::Client:
		return ReadSwitch(TEXT("bInClient"), true);
	case EBuildTargetType::Server:
		return ReadSwitch(TEXT("bInServer"), true);
	case EBuildTargetType::Program:
		return ReadSwitch(TEXT("bInProgram"), false);
	default:
		return ReadSwitch(TEXT("bInGame"), true);
	}
}

} // namespace

FTachyOptions FTachyOptions::Read()
{
	const EBuildTargetType Target = FindTarget();
	FTachyOptions Options;
	Options.bCommandlet = IsRunningCommandlet();
	Options.bEditor = Target == EBuildTargetType::Editor;
	Options.bUnattended = Options.bCommandlet || Target == EBuildTargetType::Server;

	const FString EditorUrl = ReadIni(TEXT("EditorUrl"));
	const bool bAsEditor = Options.bEditor && !EditorUrl.IsEmpty();
	Options.Url = ReadText(TEXT("-TachyUrl="), TEXT("TACHY_URL"), bAsEditor ? TEXT("EditorUrl") : TEXT("Url"));
	if (Options.Url.IsEmpty())
	{
		Options.Url = TEXT("http://127.0.0.1:9000");
	}
	Options.Key = ReadText(TEXT("-TachyKey="), TEXT("TACHY_KEY"), TEXT("Key"));

	Options.Home = OwnFolder();
	Options.Folder = ReadText(TEXT("-TachyFolder="), nullptr, TEXT("Folder"));
	Options.bOwnFolder = Options.Folder.IsEmpty();
	if (Options.bOwnFolder)
	{
#if TACHY_MAY_WRITE
		Options.Folder = Options.Home;
#else
		Options.Folder = TEXT("-");
#endif
	}

	Options.bRecord = IsWanted(Target, Options.bCommandlet);
	Options.bAutoStart = ReadSwitch(TEXT("bAutoStart"), true);
	Options.bRequireConsent = ReadSwitch(TEXT("bRequireConsent"), false);
	Options.bLog = !HasParam(TEXT("TachyNoLog")) && ReadSwitch(TEXT("bLog"), true);
	Options.bMetrics = ReadSwitch(TEXT("bMetrics"), true);
	Options.bSpans = ReadSwitch(TEXT("bSpans"), true) &&
	                 (!Options.bEditor || Options.bCommandlet || ReadSwitch(TEXT("bSpansInEditor"), false));
	Options.bImages = ReadSwitch(TEXT("bImages"), true);
	Options.bFlight = ReadSwitch(TEXT("bFlight"), false);
	if (GConfig)
	{
		GConfig->GetArray(Section, TEXT("LogFilter"), Options.LogFilter, GEngineIni);
	}
	Options.HitchBudgetMs = ReadNumber(TEXT("HitchBudgetMs"), 50, 0, 100000);
	Options.HitchIdleSeconds = ReadNumber(TEXT("HitchIdleSeconds"), 10, 0, 100000);
	Options.HangSeconds = ReadNumber(TEXT("HangSeconds"), 10, 0, 100000);
	Options.ImageBytes = ReadBudget(TEXT("ImageKB"), 512, 16384, 10);
	Options.PoolBytes = ReadBudget(TEXT("PoolMB"), 64, 16384, 20);
	Options.SpoolBytes = ReadBudget(TEXT("SpoolMB"), 256, 65536, 20);
	Options.WriteBytes = static_cast<uint64>(ReadNumber(TEXT("WriteMB"), 0, 0, 65536)) << 20;
#if !TACHY_MAY_WRITE
	if (Options.WriteBytes == 0)
	{
		Options.WriteBytes = uint64(256) << 20;
	}
#endif
	return Options;
}
