// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreMinimal.h"

#include <atomic>

#include "Misc/OutputDevice.h"
#include "tachy_core.h"

/** While one lives, what its thread logs is not recorded: requests of the sender would make more requests. */
class FTachyQuiet
{
public:
	FTachyQuiet();
	~FTachyQuiet();
	FTachyQuiet(const FTachyQuiet&) = delete;
	FTachyQuiet& operator=(const FTachyQuiet&) = delete;
};

/**
 * Records what UE_LOG says: its category is the target, Display is Info and Log is Debug. On any thread, without a lock
 * once a category is known, and on the panic thread without one at all.
 */
class FTachyLogDevice : public FOutputDevice
{
public:
	FTachyLogDevice();

	virtual void Serialize(const TCHAR* Text, ELogVerbosity::Type Verbosity, const FName& Category) override;
	virtual void Serialize(const TCHAR* Text, ELogVerbosity::Type Verbosity, const FName& Category,
	                       const double Time) override;
	virtual bool CanBeUsedOnAnyThread() const override { return true; }
	virtual bool CanBeUsedOnMultipleThreads() const override { return true; }
	virtual bool CanBeUsedOnPanicThread() const override { return true; }

private:
	tachy_site* SiteOf(const FName& Category, tachy_level Level);

	static constexpr uint32 Levels = TACHY_LEVEL_TRACE + 1;
	static constexpr uint32 Rooms = 2048;
	struct FCategory
	{
		std::atomic<uint64> Name = 0;
		std::atomic<tachy_site*> Sites[Levels] = {};
	};
	/** By hash; a name stays where it is. */
	FCategory Categories[Rooms];
	/** For categories that find no room, and for those that are first seen when nothing may be made any more. */
	tachy_site* Others[Levels];
};
