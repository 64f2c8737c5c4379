// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/** What the macros of Tachy.h call. */
#include "Tachy.h"

#include "HAL/CriticalSection.h"
#include "Misc/CString.h"
#include "Misc/DateTime.h"
#include "Misc/ScopeLock.h"

namespace Tachy
{

std::atomic<uint32> ContextSet = 0;

namespace
{

constexpr SIZE_T Part = 1024; // characters of a message that are converted on the stack

/** Calls Record(Bytes, Size) with the message as UTF-8. A long one takes memory, of which a log keeps 32 KiB. */
template <typename RecordType>
void WithUtf8(const TCHAR* Message, RecordType&& Record)
{
	ANSICHAR Short[Part * Utf8Bytes<TCHAR>];
	const SIZE_T Length = static_cast<SIZE_T>(FCString::Strlen(Message));
	if (Length <= Part)
	{
		Record(Short, PutUtf8(Message, Length, Short));
		return;
	}
	TArray<ANSICHAR> Long;
	Long.SetNumUninitialized(static_cast<int32>(Length * Utf8Bytes<TCHAR>));
	Record(Long.GetData(), PutUtf8(Message, Length, Long.GetData()));
}

uint32 MakeSet(const TMap<FString, FString>& Pairs)
{
	TArray<TArray<ANSICHAR>> Texts;
	TArray<tachy_property> Properties;
	const auto Keep = [&Texts](const FString& Text)
	{
		TArray<ANSICHAR>& Bytes = Texts.AddDefaulted_GetRef();
		const SIZE_T Length = static_cast<SIZE_T>(Text.Len());
		Bytes.SetNumZeroed(static_cast<int32>(Length * Utf8Bytes<TCHAR>) + 1);
		PutUtf8(*Text, Length, Bytes.GetData());
		return Bytes.GetData();
	};
	for (const TPair<FString, FString>& Pair : Pairs)
	{
		const ANSICHAR* const Key = Keep(Pair.Key);
		Properties.Add(tachy_property{Key, Keep(Pair.Value)});
	}
	return tachy_property_set(Properties.GetData(), static_cast<size_t>(Properties.Num()));
}

} // namespace

void SetContext(const FString& Key, const FString& Value)
{
	static FCriticalSection Lock;
	static TMap<FString, FString> Pairs;
	FScopeLock Guard(&Lock);
	if (Value.IsEmpty())
	{
		Pairs.Remove(Key);
	}
	else
	{
		Pairs.Add(Key, Value);
	}
	ContextSet.store(MakeSet(Pairs), std::memory_order_relaxed);
}

FProperties::FProperties(const TMap<FString, FString>& Pairs)
	: Number(MakeSet(Pairs))
{
}

void Log(tachy_site* Site, uint32 Set, const TCHAR* Message)
{
	WithUtf8(Message, [&](const ANSICHAR* Text, SIZE_T Size) { tachy_log_text(Site, Set, Text, Size); });
}

void Log(tachy_site* Site, uint32 Set, const ANSICHAR* Message)
{
	tachy_log_text(Site, Set, Message, static_cast<size_t>(FCStringAnsi::Strlen(Message)));
}

void LogLate(tachy_site* Site, uint32 Set, double Age, const TCHAR* Message)
{
	const FTimespan SinceUnix = FDateTime::UtcNow() - FDateTime(1970, 1, 1);
	const uint64 Ticks = tachy_ticks_of((SinceUnix.GetTicks() - static_cast<int64>(Age * ETimespan::TicksPerSecond)) * 100);
	WithUtf8(Message, [&](const ANSICHAR* Text, SIZE_T Size) { tachy_log_text_at(Site, Set, Ticks, "late logs", Text, Size); });
}

bool Flush(float Seconds)
{
	return tachy_flush(static_cast<uint32>(Seconds * 1000.0f)) != 0;
}

FString ProcessId()
{
	tachy_stats Stats;
	tachy_get_stats(&Stats);
	FString Text;
	for (uint32 Index = 0; Index < 16; ++Index)
	{
		Text += FString::Printf(TEXT("%02x%s"), Stats.process_id[Index], Index == 3 || Index == 5 || Index == 7 || Index == 9 ? TEXT("-") : TEXT(""));
	}
	return Text;
}

void Mark(const FString& Reason)
{
	tachy_mark(TCHAR_TO_UTF8(*Reason));
}

} // namespace Tachy
