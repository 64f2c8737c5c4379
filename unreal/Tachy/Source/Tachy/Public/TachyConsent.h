// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/**
 * The player's word on what leaves his machine. With bRequireConsent in the settings nothing is sent before it is
 * given, and nothing that was recorded is written to storage; what was recorded before belongs to it. It is kept in the
 * user's folder of the project, and holds for later starts. Call these on the game thread.
 */
#pragma once

#include "CoreTypes.h"

namespace Tachy
{

struct FConsent
{
	/** The game must ask: bRequireConsent is set, and this is no dedicated server and no commandlet, where nobody could
	 * answer. */
	bool bRequired = false;
	/** The player has agreed, in this run or in an earlier one. */
	bool bGiven = false;
	/** The player has refused, or has taken his consent back: nothing is recorded, whether it is required or not. */
	bool bRevoked = false;
};

TACHY_API FConsent GetConsent();

/** What waits is sent, and recording begins where it had been revoked. False: it could not be stored, and holds for
 * this run. */
TACHY_API bool GiveConsent();

/**
 * Ends the session, deletes what this game has not sent yet, of this run and of earlier ones, and records nothing from
 * now on. What the server has already is the server's affair. False: it could not be stored, and holds for this run.
 */
TACHY_API bool RevokeConsent();

} // namespace Tachy
