// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/**
 * A session from code instead of from the settings: with bAutoStart=False nothing is recorded until the game has called
 * Tachy::Start, when it knows its server and who its player is. Call these on the game thread.
 */
#pragma once

#include "Containers/Map.h"
#include "Containers/UnrealString.h"
#include "Templates/SharedPointer.h"

class IHttpRequest;

/** Says when batches may be sent, and makes each request one that the server trusts. Called on the sender's thread
 * only. */
class ITachyAuthenticator
{
public:
	virtual ~ITachyAuthenticator() = default;

	/** False: not yet (a login is going on). Batches wait, and this is asked again four times a second. */
	virtual bool IsReady() = 0;

	/** The request is complete, with its body; headers and a query may be added. */
	virtual void Sign(IHttpRequest& Request) = 0;
};

/** Sends a key as bearer token: what the setting Key does. */
class FTachyKeyAuthenticator : public ITachyAuthenticator
{
public:
	TACHY_API explicit FTachyKeyAuthenticator(const FString& InKey);
	virtual bool IsReady() override { return true; }
	TACHY_API virtual void Sign(IHttpRequest& Request) override;

private:
	const FString Key;
};

namespace Tachy
{

/**
 * Starts a session, after ending the one that runs. Url: empty for the settings' own. Authenticator: null for the
 * settings' key; it lives as long as the session, so a module that implements it calls Stop before it goes. Properties:
 * of the process, in SQL's `processes`. False: recording is switched off for this program (-NoTachy, bRecord, a
 * commandlet without -Tachy), the player has refused, or the recorder could not start.
 */
TACHY_API bool Start(const FString& Url,
                     const TSharedPtr<ITachyAuthenticator, ESPMode::ThreadSafe>& Authenticator = nullptr,
                     const TMap<FString, FString>& Properties = {});

/** Ends the session: what is not sent within two seconds waits in the session folder for the next start. */
TACHY_API void Stop();

} // namespace Tachy
