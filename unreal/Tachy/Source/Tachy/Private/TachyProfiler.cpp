// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachyProfiler.h"

#include "ProfilingDebugging/ExternalProfiler.h"

#if UE_EXTERNAL_PROFILING_ENABLED

#include <atomic>

#include "CoreGlobals.h"
#include "Features/IModularFeatures.h"
#include "HAL/UnrealMemory.h"
#include "Misc/EngineVersionComparison.h"
#include "TachyText.h"
#include "tachy_core.h"

namespace TachyProfiler
{

constexpr uint32 MostNames = 8192;     // beyond them all names are one
constexpr uint32 MostCharacters = 255; // of a name; what follows does not tell names apart
constexpr uint32 Places = 2 * MostNames;
constexpr uint32 MostOpen = 256;   // on a thread; deeper ones are counted, not recorded
constexpr uint32 Remembered = 256; // names that a thread finds by the address of their text

/** A name that has been seen, with a copy of its text behind it. Lives as long as the process. */
struct FEngineName
{
	tachy_site* Site;
	uint32 Hash;
	uint16 Length;
	uint16 Width; // bytes of a character

	template <typename CharType>
	const CharType* Text() const
	{
		return reinterpret_cast<const CharType*>(this + 1);
	}

	template <typename CharType>
	FORCEINLINE bool Is(const CharType* Other) const
	{
		if (Width != sizeof(CharType))
		{
			return false;
		}
		const CharType* const Own = Text<CharType>();
		for (uint32 Index = 0; Index < Length; ++Index)
		{
			if (Other[Index] != Own[Index])
			{
				return false; // also where it ends
			}
		}
		return Length == MostCharacters || Other[Length] == 0;
	}
};

/** By hash; what is there stays. */
static std::atomic<FEngineName*> Names[Places];
static std::atomic<uint32> NameCount = 0;
static FEngineName OtherNames = {};

/** A session runs, and nobody has paused us. */
static std::atomic<bool> bOn = false;
static std::atomic<bool> bSession = false;
static std::atomic<bool> bPaused = false;
/** Counts how often events were switched on or off: the ends of what threads have open will not all come. */
static std::atomic<uint32> Turn = 0;

/** What a thread has open. An end names nothing and may come without its start. */
struct FThreadScopes
{
	uint32 Turn;
	uint32 Depth;
	uint32 Open[MostOpen]; // as tachy_span_begin answered: 32 bits of it say all
	struct
	{
		const void* Text;
		const FEngineName* Name;
	} Known[Remembered];
};
static thread_local FThreadScopes Here; // zeros

template <typename CharType>
static FEngineName* MakeName(const CharType* Text, uint32 Length, uint32 Hash)
{
	ANSICHAR Bytes[MostCharacters * Tachy::Utf8Bytes<CharType> + 1];
	Bytes[Tachy::PutUtf8(Text, Length, Bytes)] = 0;
	tachy_site* const Site = tachy_site_intern(TACHY_SITE_SPAN, TACHY_LEVEL_NONE, "Engine", Bytes, "", 0, "");
	if (!Site)
	{
		return nullptr;
	}
	void* const Memory = FMemory::Malloc(sizeof(FEngineName) + Length * sizeof(CharType));
	FEngineName* const Name = static_cast<FEngineName*>(Memory);
	*Name = {Site, Hash, static_cast<uint16>(Length), static_cast<uint16>(sizeof(CharType))};
	FMemory::Memcpy(Name + 1, Text, Length * sizeof(CharType));
	return Name;
}

/** By content: no lock, and no memory but a name's first time. */
template <typename CharType>
static const FEngineName* FindName(const CharType* Text)
{
	uint32 Hash = sizeof(CharType);
	uint32 Length = 0;
	for (; Length < MostCharacters && Text[Length] != 0; ++Length)
	{
		Hash = (Hash ^ static_cast<uint32>(Text[Length])) * 0x01000193u;
	}
	Hash ^= Hash >> 15;
	for (uint32 Try = 0; Try < Places; ++Try)
	{
		std::atomic<FEngineName*>& Place = Names[(Hash + Try) % Places];
		FEngineName* Name = Place.load(std::memory_order_acquire);
		if (!Name)
		{
			if (NameCount.load(std::memory_order_relaxed) >= MostNames || GIsCriticalError)
			{
				break;
			}
			FEngineName* const Made = MakeName(Text, Length, Hash);
			if (!Made)
			{
				break;
			}
			if (Place.compare_exchange_strong(Name, Made, std::memory_order_acq_rel))
			{
				NameCount.fetch_add(1, std::memory_order_relaxed);
				return Made;
			}
			FMemory::Free(Made); // another thread was faster, Name is what it has made
		}
		if (Name->Hash == Hash && Name->Is(Text))
		{
			return Name;
		}
	}
	return &OtherNames;
}

/** Most names are literals: the address finds them, and the text is compared. */
template <typename CharType>
FORCEINLINE tachy_site* SiteOf(FThreadScopes& Thread, const CharType* Text)
{
	const UPTRINT Address = reinterpret_cast<UPTRINT>(Text);
	auto& Known = Thread.Known[(Address >> 3 ^ Address >> 11) % Remembered];
	if (Known.Text != Text || !Known.Name->Is(Text))
	{
		Known.Name = FindName(Text);
		Known.Text = Text;
	}
	return Known.Name->Site;
}

/** What it has open ends here. */
static FORCENOINLINE void EndAll(FThreadScopes& Thread, uint32 Now)
{
	for (uint32 Depth = FMath::Min(Thread.Depth, MostOpen); Depth-- > 0;)
	{
		tachy_span_end(Thread.Open[Depth]);
	}
	Thread.Depth = 0;
	Thread.Turn = Now;
}

FORCEINLINE FThreadScopes& ThisThread()
{
	FThreadScopes& Thread = Here;
	const uint32 Now = Turn.load(std::memory_order_relaxed);
	if (Thread.Turn != Now)
	{
		EndAll(Thread, Now);
	}
	return Thread;
}

template <typename CharType>
FORCEINLINE void Begin(const CharType* Text)
{
	FThreadScopes& Thread = ThisThread();
	const uint32 Depth = Thread.Depth++;
	if (Depth < MostOpen)
	{
		Thread.Open[Depth] = bOn.load(std::memory_order_relaxed) && Text
		                         ? static_cast<uint32>(tachy_span_begin(SiteOf(Thread, Text)))
		                         : 0;
	}
}

class FProfiler : public FExternalProfiler
{
public:
	virtual const TCHAR* GetProfilerName() const override { return TEXT("Tachy"); }
	/** Frames are marked where the engine says that they end, with and without this profiler. */
	virtual void FrameSync() override {}
	virtual void ProfilerPauseFunction() override { Pause(true); }
	virtual void ProfilerResumeFunction() override { Pause(false); }
	virtual void StartScopedEvent(const struct FColor&, const TCHAR* Text) override { Begin(Text); }
	virtual void StartScopedEvent(const struct FColor&, const ANSICHAR* Text) override { Begin(Text); }

	virtual void EndScopedEvent() override
	{
		FThreadScopes& Thread = ThisThread();
		if (Thread.Depth > 0 && --Thread.Depth < MostOpen)
		{
			tachy_span_end(Thread.Open[Thread.Depth]);
		}
	}

	virtual void SetThreadName(const TCHAR* Name) override
	{
		ANSICHAR Bytes[64 * Tachy::Utf8Bytes<TCHAR> + 1];
		SIZE_T Length = 0;
		while (Length < 64 && Name[Length] != 0)
		{
			++Length;
		}
		Bytes[Tachy::PutUtf8(Name, Length, Bytes)] = 0;
		tachy_set_thread_name(Bytes);
	}

#if !UE_VERSION_OLDER_THAN(5, 6, 0)
	virtual void OnEnableScopedEventsChanged(bool) override
	{
		++Turn;
	}
#endif

private:
	static void Pause(bool bPause)
	{
		bPaused = bPause;
		bOn = bSession && !bPause;
	}
};

/** Never destroyed: the engine keeps the one that it has picked. */
static FProfiler* Profiler = nullptr;

void Register()
{
	if (!Profiler)
	{
		Profiler = new FProfiler;
		IModularFeatures::Get().RegisterModularFeature(FExternalProfiler::GetFeatureName(), Profiler);
	}
}

void Unregister()
{
	IModularFeatures::Get().UnregisterModularFeature(FExternalProfiler::GetFeatureName(), Profiler);
	if (!IsActive())
	{
		delete Profiler;
		Profiler = nullptr;
	}
}

bool IsActive()
{
	return Profiler && FActiveExternalProfilerBase::GetActiveProfiler() == Profiler;
}

void BeginSession()
{
	if (!OtherNames.Site)
	{
		OtherNames.Site = tachy_site_intern(TACHY_SITE_SPAN, TACHY_LEVEL_NONE, "Engine", "(other names)", "", 0, "");
	}
	bSession = OtherNames.Site != nullptr;
	bOn = bSession && !bPaused;
}

void EndSession()
{
	bSession = false;
	bOn = false;
}

FString Describe()
{
	if (IsActive())
	{
		return FString::Printf(TEXT("the engine's named events are recorded%s, under %u names"),
		                       bPaused ? TEXT(" (now paused)") : TEXT(""), NameCount.load());
	}
	return FActiveExternalProfilerBase::GetActiveProfiler()
	           ? TEXT("the engine's named events go to another profiler")
	           : TEXT("the engine's named events are not recorded: start with -Tachy");
}

} // namespace TachyProfiler

#else

namespace TachyProfiler
{

void Register() {}
void Unregister() {}
bool IsActive()
{
	return false;
}
void BeginSession() {}
void EndSession() {}
FString Describe()
{
	return TEXT("the engine has no named events in Shipping");
}

} // namespace TachyProfiler

#endif
