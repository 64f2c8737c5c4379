// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreMinimal.h"
#include "Misc/Optional.h"
#include "Modules/ModuleInterface.h"
#include "TachyAutomatic.h"
#include "TachyConsentFile.h"
#include "TachyImages.h"
#include "TachyLogDevice.h"
#include "TachyNet.h"
#include "TachyOptions.h"
#include "TachySender.h"
#include "Templates/UniquePtr.h"

/** Where a session sends, and what its process is said to be. */
struct FTachyDestination
{
	FString Url;
	TSharedRef<ITachyAuthenticator, ESPMode::ThreadSafe> Authenticator;
	TMap<FString, FString> Properties;
};

/** The session of the game, from the module's start, or the game's word, to the engine's end. */
class FTachyModule : public IModuleInterface
{
public:
	virtual void StartupModule() override;
	virtual void ShutdownModule() override;
	virtual bool SupportsDynamicReloading() override;

	/** Null when the module is not loaded. */
	static FTachyModule* Find();

	/** Empty Url, null Authenticator: the settings'. */
	bool Start(const FString& Url, const TSharedPtr<ITachyAuthenticator, ESPMode::ThreadSafe>& Authenticator,
	           const TMap<FString, FString>& Properties);
	void Stop();

	const FTachyOptions& GetOptions() const { return Options; }
	const TOptional<FTachyDestination>& GetDestination() const { return Destination; }
	ETachyConsent GetConsent() const { return Consent; }
	bool NeedsConsent() const { return Options.bRequireConsent && !Options.bUnattended; }
	/** False: it holds for this run only. */
	bool SetConsent(bool bGiven);

	/** As FTachyImages::Take, also without a session. */
	FString TakeScreenshot(const FString& Name);

	/** What a programmer wants to know first, in lines. */
	TArray<FString> Status();

private:
	bool StartSession();
	bool StartRecorder();
	void EndSession();
	void ForgetSessions();
	ETachyWork FindWork() const;
	FString FindFolder(ETachyWork Work) const;
	void InheritParent(bool bRunning);
	void BindDelegates();
	void UnbindDelegates();
	void EnterBackground();
	void EndCommandlet();

	FTachyOptions Options;
	ETachyConsent Consent = ETachyConsent::Unasked;
	/** What is to run, and runs unless the player has refused. */
	TOptional<FTachyDestination> Destination;
	TUniquePtr<FTachySender> Sender;
	TUniquePtr<FTachyLogDevice> LogDevice;
	TUniquePtr<FTachyNet> Net;
	TUniquePtr<FTachyImages> Images;
	TUniquePtr<FTachyAutomatic> Automatic;
	FString ParentProcess;
	FDelegateHandle PreExit;
	FDelegateHandle Background;
	FDelegateHandle Terminate;
	FDelegateHandle CommandletEnd;
	bool bRuns = false;

	/** Of the last Status, for the rate since then. */
	double LastTime = 0.0;
	uint64 LastRecorded = 0;
};
