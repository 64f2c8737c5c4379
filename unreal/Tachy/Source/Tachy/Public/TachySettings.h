// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/**
 * The page Project Settings > Plugins > Tachy, which writes [/Script/Tachy.TachySettings] into DefaultEngine.ini. The
 * session starts before there are objects, so it reads these keys from the ini files itself: TachyOptions.h. The
 * command line and the environment win over them.
 */
#pragma once

#include "CoreMinimal.h"
#include "Engine/DeveloperSettings.h"

#include "TachySettings.generated.h"

UCLASS(Config = Engine, DefaultConfig, meta = (DisplayName = "Tachy"))
class TACHY_API UTachySettings : public UDeveloperSettings
{
	GENERATED_BODY()

public:
	UTachySettings();

	/** Makes what is on here hold for the session that runs. */
	void Apply() const;

	/** Record at all. Off, everything costs one load per event. */
	UPROPERTY(Config, EditAnywhere, Category = "Session", meta = (ConfigRestartRequired = true))
	bool bRecord = true;

	/** Start with the program. Off: when the game calls Tachy::Start. */
	UPROPERTY(Config, EditAnywhere, Category = "Session", meta = (ConfigRestartRequired = true))
	bool bAutoStart = true;

	/** Nothing is sent, and nothing recorded is written to storage, before the player has agreed. */
	UPROPERTY(Config, EditAnywhere, Category = "Session", meta = (ConfigRestartRequired = true))
	bool bRequireConsent = false;

	/** The server, without a path: http://127.0.0.1:9000. */
	UPROPERTY(Config, EditAnywhere, Category = "Server", meta = (ConfigRestartRequired = true))
	FString Url = TEXT("http://127.0.0.1:9000");

	/** Another server for what the editor records; empty: the same. */
	UPROPERTY(Config, EditAnywhere, Category = "Server", meta = (ConfigRestartRequired = true))
	FString EditorUrl;

	/** Sent as bearer token. It is in the game that players get: give it no right but to ingest. */
	UPROPERTY(Config, EditAnywhere, Category = "Server", meta = (ConfigRestartRequired = true))
	FString Key;

	/** UE_LOG and TACHY_LOG. */
	UPROPERTY(Config, EditAnywhere, Category = "What is on")
	bool bLog = true;

	/** Metrics, frame marks among them. */
	UPROPERTY(Config, EditAnywhere, Category = "What is on")
	bool bMetrics = true;

	/** Spans. */
	UPROPERTY(Config, EditAnywhere, Category = "What is on")
	bool bSpans = true;

	/** Spans in the editor too, where bSpans is set. */
	UPROPERTY(Config, EditAnywhere, Category = "What is on", meta = (EditCondition = "bSpans"))
	bool bSpansInEditor = false;

	/** Screenshots (tachy.Screenshot, tachy.Mark, tachy.Snapshot) and what Tachy::SendImage is given, where bLog is
	 * set. */
	UPROPERTY(Config, EditAnywhere, Category = "What is on", meta = (EditCondition = "bLog"))
	bool bImages = true;

	/** The flight recorder: spans stay in memory, and only those around a mark, a hitch or an error are sent. */
	UPROPERTY(Config, EditAnywhere, Category = "What is on")
	bool bFlight = false;

	/** "LogNet=Warning": of this log category (or target, and what lies under it) only these levels. Also "LogNet=Off".
	 */
	UPROPERTY(Config, EditAnywhere, Category = "What is on")
	TArray<FString> LogFilter;

	/** No shorter frame is a hitch, in milliseconds; 0: none is. Hitches trigger the flight recorder. */
	UPROPERTY(Config, EditAnywhere, Category = "Hitches and hangs", meta = (ClampMin = "0", ClampMax = "100000"))
	int32 HitchBudgetMs = 50;

	/** No hitch is a trigger when the player has done nothing for so many seconds; 0: it does not matter. */
	UPROPERTY(Config, EditAnywhere, Category = "Hitches and hangs", meta = (ClampMin = "0", ClampMax = "100000"))
	int32 HitchIdleSeconds = 10;

	/** Without a frame for so many seconds the game hangs, which is logged; 0: never. */
	UPROPERTY(Config, EditAnywhere, Category = "Hitches and hangs", meta = (ClampMin = "0", ClampMax = "100000"))
	int32 HangSeconds = 10;

	/** Which programs record. -Tachy on the command line records whatever these say, -NoTachy never. */
	UPROPERTY(Config, EditAnywhere, Category = "Who records", meta = (ConfigRestartRequired = true))
	bool bInEditor = true;

	UPROPERTY(Config, EditAnywhere, Category = "Who records", meta = (ConfigRestartRequired = true))
	bool bInGame = true;

	UPROPERTY(Config, EditAnywhere, Category = "Who records", meta = (ConfigRestartRequired = true))
	bool bInClient = true;

	UPROPERTY(Config, EditAnywhere, Category = "Who records", meta = (ConfigRestartRequired = true))
	bool bInServer = true;

	/** Stand-alone programs that are built with the plugin. */
	UPROPERTY(Config, EditAnywhere, Category = "Who records", meta = (ConfigRestartRequired = true))
	bool bInProgram = false;

	/** Builds of the configuration Shipping, whatever they are. */
	UPROPERTY(Config, EditAnywhere, Category = "Who records", meta = (ConfigRestartRequired = true))
	bool bInShipping = true;

	/** Where what is not sent yet lies; empty: the user's folder of the project; "-": nowhere, it dies with the
	 * program. */
	UPROPERTY(Config, EditAnywhere, Category = "Budgets", meta = (ConfigRestartRequired = true))
	FString Folder;

	/** A screenshot of more KiB as JPEG is made smaller. */
	UPROPERTY(Config, EditAnywhere, Category = "Budgets",
	          meta = (ClampMin = "1", ClampMax = "16384", ConfigRestartRequired = true))
	int32 ImageKB = 512;

	/** Memory of what has been recorded and is in no batch yet, in MiB. */
	UPROPERTY(Config, EditAnywhere, Category = "Budgets",
	          meta = (ClampMin = "1", ClampMax = "16384", ConfigRestartRequired = true))
	int32 PoolMB = 64;

	/** Storage of what is not sent yet, of all runs together, in MiB. */
	UPROPERTY(Config, EditAnywhere, Category = "Budgets",
	          meta = (ClampMin = "1", ClampMax = "65536", ConfigRestartRequired = true))
	int32 SpoolMB = 256;

	/** Storage that may be written in any five minutes, in MiB; beyond it what waits is in memory alone. 0: no
	 * bound, on consoles 256. */
	UPROPERTY(Config, EditAnywhere, Category = "Budgets",
	          meta = (ClampMin = "0", ClampMax = "65536", ConfigRestartRequired = true))
	int32 WriteMB = 0;
};
