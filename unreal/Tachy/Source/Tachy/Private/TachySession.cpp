// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/** TachySession.h and TachyConsent.h: the game's word to the module. */
#include "TachySession.h"

#include "TachyConsent.h"
#include "TachyModule.h"

namespace Tachy
{

bool Start(const FString& Url, const TSharedPtr<ITachyAuthenticator, ESPMode::ThreadSafe>& Authenticator,
           const TMap<FString, FString>& Properties)
{
	check(IsInGameThread());
	FTachyModule* const Module = FTachyModule::Find();
	return Module && Module->Start(Url, Authenticator, Properties);
}

void Stop()
{
	check(IsInGameThread());
	if (FTachyModule* const Module = FTachyModule::Find())
	{
		Module->Stop();
	}
}

FConsent GetConsent()
{
	FConsent Consent;
	if (const FTachyModule* const Module = FTachyModule::Find())
	{
		Consent.bRequired = Module->NeedsConsent();
		Consent.bGiven = Module->GetConsent() == ETachyConsent::Given;
		Consent.bRevoked = Module->GetConsent() == ETachyConsent::Revoked;
	}
	return Consent;
}

bool GiveConsent()
{
	check(IsInGameThread());
	FTachyModule* const Module = FTachyModule::Find();
	return Module && Module->SetConsent(true);
}

bool RevokeConsent()
{
	check(IsInGameThread());
	FTachyModule* const Module = FTachyModule::Find();
	return Module && Module->SetConsent(false);
}

} // namespace Tachy
