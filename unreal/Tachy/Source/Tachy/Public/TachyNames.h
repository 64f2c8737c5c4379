// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/**
 * Spans whose name is known at run time only: an FName, a UObject's, or any text. Each name is made known to the
 * recorder once per target, and found again by one look into a table, without a lock. The table has room for 4096
 * names; those that find no place in it are recorded as "(other names)" of their target.
 */
#pragma once

#include <atomic>

#include "CoreMinimal.h"
#include "TachyText.h"
#include "tachy_core.h"

namespace Tachy
{

/** The number of a name: the FName's own, or a hash of the text, marked by the highest bit. */
FORCEINLINE uint64 NameKey(const FName& Name)
{
	return Name.ToUnstableInt();
}
FORCEINLINE uint64 NameKey(const TCHAR* Name)
{
	return TextHash(Name, 0) | 1ull << 63;
}
FORCEINLINE uint64 NameKey(const ANSICHAR* Name)
{
	return TextHash(Name, 0) | 1ull << 63;
}
FORCEINLINE uint64 NameKey(const FString& Name)
{
	return NameKey(*Name);
}

/** The sites of names. One thread at a time adds; a place that is taken stays as it is. */
class FNamedSites
{
public:
	static constexpr uint32 Places = 4096;
	static constexpr uint32 Tries = 16; // places in the table that a name may have

	/** The name's site; null: it has none yet; Others: there is no place for it. */
	FORCEINLINE tachy_site* Find(uint64 Target, uint64 Name, tachy_site* Others) const
	{
		const uint32 First = FirstPlace(Target, Name);
		for (uint32 Try = 0; Try < Tries; ++Try)
		{
			const FPlace& Place = Table[(First + Try) % Places];
			tachy_site* const Site = Place.Site.load(std::memory_order_acquire);
			if (!Site || (Place.Name == Name && Place.Target == Target))
			{
				return Site;
			}
		}
		return Others;
	}

	/** Not two at once. */
	void Add(uint64 Target, uint64 Name, tachy_site* Site);

private:
	struct FPlace
	{
		uint64 Target = 0;
		uint64 Name = 0;
		std::atomic<tachy_site*> Site = nullptr; // after the two others
	};

	static FORCEINLINE uint32 FirstPlace(uint64 Target, uint64 Name)
	{
		const uint64 Mixed = (Target ^ Name ^ Name >> 32) * 0x9E3779B97F4A7C15ull; // a number is in the upper half
		return static_cast<uint32>((Mixed ^ Mixed >> 32) * 0xD6E8FEB86659FD93ull >> 52);
	}

	FPlace Table[Places];
};
extern TACHY_API FNamedSites NamedSites;

/** Others: a static site, whose kind and target the name's site gets. Takes a lock, once for a name. */
TACHY_API tachy_site* AddNamedSite(tachy_site* Others, uint64 Target, const FName& Name);
TACHY_API tachy_site* AddNamedSite(tachy_site* Others, uint64 Target, const TCHAR* Name);
TACHY_API tachy_site* AddNamedSite(tachy_site* Others, uint64 Target, const ANSICHAR* Name);
FORCEINLINE tachy_site* AddNamedSite(tachy_site* Others, uint64 Target, const FString& Name)
{
	return AddNamedSite(Others, Target, *Name);
}

/** Target: the hash of the target's text, with the kind as its seed. */
template <typename NameType>
FORCEINLINE tachy_site* NamedSite(tachy_site* Others, uint64 Target, const NameType& Name)
{
	tachy_site* const Found = NamedSites.Find(Target, NameKey(Name), Others);
	return Found ? Found : AddNamedSite(Others, Target, Name);
}

/** What a pointer of any kind points to, by name; None when that is nothing. */
template <typename PointerType>
FORCEINLINE FName ObjectName(const PointerType& Object)
{
	return Object ? Object->GetFName() : FName();
}

} // namespace Tachy

// The static site that stands for the target, and by whose switch it is decided whether a name is looked up at all.
#define TACHY_OTHERS_AT(Id, Kind, Target) \
	TACHY_NAMED_SITE_AT(Id, Kind, 0, Target, "(other names)", ""); \
	static constexpr uint64 TACHY_CAT(TachyHash, Id) = ::Tachy::TextHash(TACHY_CAT(TachyTarget, Id).Bytes, (Kind))

// The rest of the scope; Name: FName, FString, const TCHAR* or const ANSICHAR*, evaluated only when the span is wanted.
#define TACHY_SPAN_NAME(Target, Name) TACHY_SPAN_NAME_AT(__COUNTER__, Target, true, Name)
#define TACHY_SPAN_NAME_CONDITIONAL(Target, Condition, Name) TACHY_SPAN_NAME_AT(__COUNTER__, Target, Condition, Name)
#define TACHY_SPAN_NAME_AT(Id, Target, Condition, Name) \
	TACHY_OTHERS_AT(Id, TACHY_SITE_SPAN, Target); \
	const ::Tachy::FMaybeSpan TACHY_CAT(TachySpan, Id)( \
	    (Condition) && tachy_enabled(&TACHY_CAT(TachySite, Id)) \
	        ? ::Tachy::NamedSite(&TACHY_CAT(TachySite, Id), TACHY_CAT(TachyHash, Id), (Name)) \
	        : nullptr)

// The same, named after an object: a UObject or whatever has GetFName. Null is recorded as "None".
#define TACHY_SPAN_UOBJECT(Target, Object) TACHY_SPAN_NAME(Target, ::Tachy::ObjectName(Object))
#define TACHY_SPAN_UOBJECT_CONDITIONAL(Target, Condition, Object) \
	TACHY_SPAN_NAME_CONDITIONAL(Target, Condition, ::Tachy::ObjectName(Object))
