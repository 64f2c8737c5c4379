// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachyLogDevice.h"

#include "CoreGlobals.h"
#include "HAL/PlatformTime.h"
#include "Misc/DateTime.h"
#include "Tachy.h"

namespace
{

constexpr uint32 Tries = 16;         // places in the table that a name may have
thread_local uint32 QuietDepth = 0;  // whatever is logged because of us
constexpr double LateSeconds = 0.02; // a log that is handed on so long after it was made has a time of its own

tachy_level LevelOf(ELogVerbosity::Type Verbosity)
{
	switch (Verbosity & ELogVerbosity::VerbosityMask)
	{
	case ELogVerbosity::Fatal:
		return TACHY_LEVEL_FATAL;
	case ELogVerbosity::Error:
		return TACHY_LEVEL_ERROR;
	case ELogVerbosity::Warning:
		return TACHY_LEVEL_WARN;
	case ELogVerbosity::Display:
		return TACHY_LEVEL_INFO;
	case ELogVerbosity::Log:
		return TACHY_LEVEL_DEBUG;
	default:
		return TACHY_LEVEL_TRACE;
	}
}

tachy_site* MakeSite(const ANSICHAR* Category, uint32 Level)
{
	return tachy_site_intern(TACHY_SITE_LOG, static_cast<tachy_level>(Level), Category, "", "", 0, "");
}

} // namespace

FTachyQuiet::FTachyQuiet()
{
	++QuietDepth;
}

FTachyQuiet::~FTachyQuiet()
{
	--QuietDepth;
}

FTachyLogDevice::FTachyLogDevice()
{
	for (uint32 Level = 0; Level < Levels; ++Level)
	{
		Others[Level] = MakeSite("Log", Level);
	}
}

void FTachyLogDevice::Serialize(const TCHAR* Text, ELogVerbosity::Type Verbosity, const FName& Category)
{
	Serialize(Text, Verbosity, Category, -1.0);
}

void FTachyLogDevice::Serialize(const TCHAR* Text, ELogVerbosity::Type Verbosity, const FName& Category,
                                const double Time)
{
	if (QuietDepth > 0 || !Text || Verbosity == ELogVerbosity::SetColor)
	{
		return;
	}
	const FTachyQuiet Quiet;
	tachy_site* const Site = SiteOf(Category, LevelOf(Verbosity));
	if (Site && tachy_enabled(Site))
	{
		const double Age = Time < 0.0 ? 0.0 : FPlatformTime::Seconds() - GStartTime - Time;
		if (Age < LateSeconds || GIsCriticalError)
		{
			Tachy::Log(Site, Tachy::Context(), Text);
		}
		else
		{
			Tachy::LogLate(Site, Tachy::Context(), Age, Text);
		}
	}
}

tachy_site* FTachyLogDevice::SiteOf(const FName& Category, tachy_level Level)
{
	const uint64 Name = Category.ToUnstableInt() + 1; // of this run of the game only, as the table; 0 is an empty place
	const uint32 Hash = static_cast<uint32>(Name * 0x9E3779B97F4A7C15ull >> 40);
	for (uint32 Try = 0; Try < Tries; ++Try)
	{
		FCategory& Place = Categories[(Hash + Try) % Rooms];
		uint64 Found = Place.Name.load(std::memory_order_relaxed);
		if (Found == 0 && !GIsCriticalError && Place.Name.compare_exchange_strong(Found, Name))
		{
			Found = Name;
		}
		if (Found != Name)
		{
			continue;
		}
		tachy_site* Site = Place.Sites[Level].load(std::memory_order_acquire);
		if (!Site && !GIsCriticalError)
		{
			Site = MakeSite(TCHAR_TO_UTF8(*Category.ToString()), Level); // equal descriptions have one site
			Place.Sites[Level].store(Site, std::memory_order_release);
		}
		return Site ? Site : Others[Level];
	}
	return Others[Level];
}
