// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/** Micromegas's classes, over ours. */
#include "TachyFromMicromegas.h"

#include <type_traits>

#include "HAL/CriticalSection.h"
#include "HAL/IConsoleManager.h"
#include "HAL/PlatformTime.h"
#include "Misc/CString.h"
#include "Misc/DateTime.h"
#include "Misc/ScopeLock.h"

namespace MicromegasTracing
{

namespace
{

constexpr double AgedSeconds = 0.001; // a metric's own time counts when it is so long ago

TMap<FString, FString> TextsOf(const TMap<FName, FName>& Names)
{
	TMap<FString, FString> Texts;
	for (const TPair<FName, FName>& Pair : Names)
	{
		Texts.Add(Pair.Key.ToString(), Pair.Value.ToString());
	}
	return Texts;
}

bool AreEqual(const TMap<FName, FName>& One, const TMap<FName, FName>& Other)
{
	bool bEqual = One.Num() == Other.Num();
	for (const TPair<FName, FName>& Pair : One)
	{
		const FName* const Value = Other.Find(Pair.Key);
		bEqual = bEqual && Value && *Value == Pair.Value;
	}
	return bEqual;
}

tachy_site* SiteOfMetric(const MetricMetadata& Desc, tachy_site_kind Kind)
{
	std::atomic<void*>& Known = Desc.Sites[Kind == TACHY_SITE_METRIC_F64];
	void* Site = Known.load(std::memory_order_acquire);
	if (!Site)
	{
		Site = tachy_site_intern(Kind, static_cast<tachy_level>(Desc.Lod), Desc.Target, TCHAR_TO_UTF8(Desc.Name),
		                         Desc.File, Desc.Line, TCHAR_TO_UTF8(Desc.Unit));
		Known.store(Site, std::memory_order_release); // the same from every thread
	}
	return static_cast<tachy_site*>(Site);
}

template <typename ValueType>
void RecordMetric(const MetricMetadata& Desc, const PropertySet* Properties, ValueType Value, uint64 Timestamp)
{
	constexpr bool bFloat = std::is_floating_point_v<ValueType>;
	tachy_site* const Site = SiteOfMetric(Desc, bFloat ? TACHY_SITE_METRIC_F64 : TACHY_SITE_METRIC_INT);
	if (!Site || !tachy_enabled(Site))
	{
		return;
	}
	const uint32 Set = SetOf(Properties).Set();
	const double Age = FPlatformTime::ToSeconds64(FPlatformTime::Cycles64()) - FPlatformTime::ToSeconds64(Timestamp);
	if (Age >= AgedSeconds)
	{
		const FTimespan SinceUnix = FDateTime::UtcNow() - FDateTime(1970, 1, 1);
		const int64 Then = (SinceUnix.GetTicks() - static_cast<int64>(Age * ETimespan::TicksPerSecond)) * 100;
		tachy_metric_at(Site, Set, tachy_ticks_of(Then), Tachy::NumberBits(Value));
	}
	else if constexpr (bFloat)
	{
		tachy_metric_float(Site, Set, Value);
	}
	else
	{
		tachy_metric_unsigned(Site, Set, Value);
	}
}

} // namespace

PropertySet::PropertySet(const TMap<FName, FName>& InContext)
    : Context(InContext)
    , Number(Tachy::FProperties(TextsOf(InContext)).Set())
{
}

void DefaultContext::Set(FName Key, FName Value)
{
	Tachy::SetContext(Key.ToString(), Value.ToString());
}

void DefaultContext::Unset(FName Key)
{
	Tachy::SetContext(Key.ToString(), FString());
}

void DefaultContext::Clear()
{
	Tachy::ClearContext();
}

void DefaultContext::Copy(TMap<FName, FName>& Out) const
{
	Out.Empty();
	for (const TPair<FString, FString>& Pair : Tachy::GetContext())
	{
		Out.Add(FName(*Pair.Key), FName(*Pair.Value));
	}
}

DefaultContext* Dispatch::GetDefaultContext()
{
	static DefaultContext Context;
	return &Context;
}

const PropertySet* Dispatch::GetPropertySet(const TMap<FName, FName>& Context)
{
	static FCriticalSection Lock;
	static TArray<const PropertySet*> Sets; // for ever, as what they were given to
	FScopeLock Guard(&Lock);
	for (const PropertySet* const Set : Sets)
	{
		if (AreEqual(Set->GetContext(), Context))
		{
			return Set;
		}
	}
	const PropertySet* const Made = new PropertySet(Context);
	Sets.Add(Made);
	return Made;
}

void Dispatch::IntMetric(const MetricMetadata* Desc, const PropertySet* Properties, uint64 Value, uint64 Timestamp)
{
	RecordMetric(*Desc, Properties, Value, Timestamp);
}

void Dispatch::FloatMetric(const MetricMetadata* Desc, const PropertySet* Properties, double Value, uint64 Timestamp)
{
	RecordMetric(*Desc, Properties, Value, Timestamp);
}

void Dispatch::FlushLogStream()
{
	Tachy::Flush(0.0f);
}

void Dispatch::FlushMetricStream()
{
	Tachy::Flush(0.0f);
}

void Dispatch::FlushNetStream()
{
	Tachy::Flush(0.0f);
}

void Dispatch::FlushImageStream()
{
	Tachy::Flush(0.0f);
}

void Dispatch::FlushCurrentThreadStream()
{
	Tachy::Flush(0.0f);
}

void Dispatch::SendImage(const TCHAR* Name, const TCHAR* Format, const uint8* Data, uint32 Size)
{
	Tachy::SendImage(Name, Format, Data, Size);
}

namespace
{

/** A command by Micromegas's name that does what ours does, with the same words behind it. */
struct FAlias
{
	FAlias(const TCHAR* Theirs, const TCHAR* Ours)
	    : Command(Theirs, *FString::Printf(TEXT("What Micromegas calls %s."), Ours),
	              FConsoleCommandWithWorldArgsAndOutputDeviceDelegate::CreateLambda(
	                  [Ours](const TArray<FString>& Words, UWorld* World, FOutputDevice& Out)
	                  {
		                  const FString Line = FString(Ours) + TEXT(" ") + FString::Join(Words, TEXT(" "));
		                  IConsoleManager::Get().ProcessUserConsoleInput(*Line, Out, World);
	                  }))
	{
	}

	FAutoConsoleCommandWithWorldArgsAndOutputDevice Command;
};

const FAlias Aliases[] = {
    {TEXT("telemetry.enable"), TEXT("tachy.Enable 1")},
    {TEXT("telemetry.log.enable"), TEXT("tachy.Log")},
    {TEXT("telemetry.metrics.enable"), TEXT("tachy.Metrics")},
    {TEXT("telemetry.spans.enable"), TEXT("tachy.Spans")},
    {TEXT("telemetry.images.enable"), TEXT("tachy.Images")},
    {TEXT("telemetry.screenshot"), TEXT("tachy.Screenshot")},
    {TEXT("telemetry.sampling.interaction_timeout"), TEXT("tachy.Hitch.IdleSeconds")},
    {TEXT("telemetry.sampling.heartbeat_interval"), TEXT("tachy.Hitch.HeartbeatSeconds")},
    {TEXT("telemetry.flush"), TEXT("tachy.Flush")},
    {TEXT("telemetry.global_context_print"), TEXT("tachy.Context")},
    {TEXT("telemetry.global_context_set_property"), TEXT("tachy.Set")},
    {TEXT("telemetry.net.verbosity"), TEXT("tachy.NetScopes")},
};

/** Micromegas's "all" is what is not the flight recorder. */
const FAutoConsoleCommandWithWorldArgsAndOutputDevice
    AllCommand(TEXT("telemetry.spans.all"), TEXT("What Micromegas calls tachy.Flight 0."),
               FConsoleCommandWithWorldArgsAndOutputDeviceDelegate::CreateLambda(
                   [](const TArray<FString>& Words, UWorld* World, FOutputDevice& Out)
                   {
	                   const TCHAR* const Line = Words.Num() == 0            ? TEXT("tachy.Flight")
	                                             : FCString::Atoi(*Words[0]) ? TEXT("tachy.Flight 0")
	                                                                         : TEXT("tachy.Flight 1");
	                   IConsoleManager::Get().ProcessUserConsoleInput(Line, Out, World);
                   }));

/** A name of Micromegas's for what nothing here does while the game runs: it says what does it. */
struct FStandIn
{
	FStandIn(const TCHAR* Theirs, const TCHAR* Answer)
	    : Command(Theirs, Answer,
	              FConsoleCommandWithOutputDeviceDelegate::CreateLambda(
	                  [Theirs, Answer](FOutputDevice& Out)
	                  { Out.Log(FString::Printf(TEXT("tachy: %s: %s"), Theirs, Answer)); }))
	{
	}

	FAutoConsoleCommandWithOutputDevice Command;
};

const FStandIn StandIns[] = {
    {TEXT("telemetry.max_queue_bytes"), TEXT("the settings PoolMB (memory) and SpoolMB (storage) bound what waits")},
    {TEXT("telemetry.hard_queue_bytes"), TEXT("the settings PoolMB (memory) and SpoolMB (storage) bound what waits")},
    {TEXT("telemetry.max_in_flight_requests"), TEXT("one request is under way at a time")},
    {TEXT("telemetry.auto_flush_period"), TEXT("what is recorded is sent within a second")},
};

} // namespace

} // namespace MicromegasTracing
