// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/** The slow half of TachyNames.h: a name that is seen for the first time. */
#include "Tachy.h"

#include "CoreGlobals.h"
#include "HAL/CriticalSection.h"
#include "Misc/ScopeLock.h"
#include "TachySites.h"

namespace Tachy
{

FNamedSites NamedSites;

void FNamedSites::Add(uint64 Target, uint64 Name, tachy_site* Site)
{
	const uint32 First = FirstPlace(Target, Name);
	for (uint32 Try = 0; Try < Tries; ++Try)
	{
		FPlace& Place = Table[(First + Try) % Places];
		if (Place.Site.load(std::memory_order_relaxed) == nullptr)
		{
			Place.Target = Target;
			Place.Name = Name;
			Place.Site.store(Site, std::memory_order_release);
			return;
		}
		if (Place.Name == Name && Place.Target == Target)
		{
			return; // another thread was quicker
		}
	}
}

namespace
{

void AddLocked(uint64 Target, uint64 Name, tachy_site* Site)
{
	static FCriticalSection Lock;
	FScopeLock Guard(&Lock);
	NamedSites.Add(Target, Name, Site);
}

tachy_site* AddUtf8Name(tachy_site* Others, uint64 Target, uint64 Name, const ANSICHAR* Text)
{
	if (GIsCriticalError)
	{
		return Others; // the panic thread waits for nobody
	}
	tachy_site* const Site = tachy_site_intern(static_cast<tachy_site_kind>(Others->kind), TACHY_LEVEL_NONE,
	                                           Others->target, Text, "", 0, "");
	if (!Site)
	{
		return Others;
	}
	AddLocked(Target, Name, Site);
	return Site;
}

} // namespace

tachy_site* AddNamedSite(tachy_site* Others, uint64 Target, const FName& Name)
{
	return AddUtf8Name(Others, Target, NameKey(Name), TCHAR_TO_UTF8(*Name.ToString()));
}

tachy_site* AddNamedSite(tachy_site* Others, uint64 Target, const TCHAR* Name)
{
	return AddUtf8Name(Others, Target, NameKey(Name), TCHAR_TO_UTF8(Name));
}

tachy_site* AddNamedSite(tachy_site* Others, uint64 Target, const ANSICHAR* Name)
{
	return AddUtf8Name(Others, Target, NameKey(Name), Name);
}

tachy_site* SiteOf(tachy_site_kind Kind, uint32 Level, const FString& Target, const FString& Name, const FString& Unit)
{
	static tachy_site NoPlace; // only its address is looked at
	const uint64 TargetHash = TextHash(*Target, Kind | Level << 8);
	const uint64 Key = TextHash(*Unit, TextHash(*Name, 1)) | 1ull << 63;
	tachy_site* const Found = NamedSites.Find(TargetHash, Key, &NoPlace);
	if (Found == &NoPlace)
	{
		return tachy_site_intern(Kind, static_cast<tachy_level>(Level), "Blueprint",
		                         Kind == TACHY_SITE_LOG ? "" : "(other names)", "", 0, "");
	}
	if (Found)
	{
		return Found;
	}
	tachy_site* const Site = tachy_site_intern(Kind, static_cast<tachy_level>(Level), TCHAR_TO_UTF8(*Target),
	                                           TCHAR_TO_UTF8(*Name), "", 0, TCHAR_TO_UTF8(*Unit));
	if (Site)
	{
		AddLocked(TargetHash, Key, Site);
	}
	return Site;
}

} // namespace Tachy
