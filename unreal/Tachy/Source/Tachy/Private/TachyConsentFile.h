// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreMinimal.h"

/** What the player has said, and where that is kept: one word in consent.txt. */
enum class ETachyConsent : uint8
{
	Unasked,
	Given,
	Revoked
};

ETachyConsent ReadTachyConsent(const FString& Home);
bool WriteTachyConsent(const FString& Home, ETachyConsent Consent);
