// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/** What the macros of Tachy.h call. */
#include "Tachy.h"

#include "Misc/CString.h"
#include "Misc/DateTime.h"
#include "TachySender.h"

namespace Tachy
{

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

} // namespace

void Log(tachy_site* Site, uint32 Set, const TCHAR* Message)
{
	WithUtf8(Message, [&](const ANSICHAR* Text, SIZE_T Size) { tachy_log_text(Site, Set, Text, Size); });
}

void LogLate(tachy_site* Site, uint32 Set, double Age, const TCHAR* Message)
{
	const FTimespan SinceUnix = FDateTime::UtcNow() - FDateTime(1970, 1, 1);
	const uint64 Ticks =
	    tachy_ticks_of((SinceUnix.GetTicks() - static_cast<int64>(Age * ETimespan::TicksPerSecond)) * 100);
	WithUtf8(Message,
	         [&](const ANSICHAR* Text, SIZE_T Size) { tachy_log_text_at(Site, Set, Ticks, "late logs", Text, Size); });
}

void SpanText(tachy_site* Key, const TCHAR* Text)
{
	WithUtf8(Text, [&](const ANSICHAR* Bytes, SIZE_T Size)
	         { tachy_span_value_text(tachy_span_innermost(), Key, Bytes, Size); });
}

void SpanText(tachy_site* Key, const ANSICHAR* Text)
{
	tachy_span_value_text(tachy_span_innermost(), Key, Text, static_cast<size_t>(FCStringAnsi::Strlen(Text)));
}

void SpanText(tachy_site* Key, const FName& Text)
{
	SpanText(Key, FNameBuilder(Text).ToString());
}

void AsyncText(tachy_async& Span, tachy_site* Key, const TCHAR* Text)
{
	WithUtf8(Text, [&](const ANSICHAR* Bytes, SIZE_T Size) { tachy_async_value_text(&Span, Key, Bytes, Size); });
}

void AsyncText(tachy_async& Span, tachy_site* Key, const ANSICHAR* Text)
{
	tachy_async_value_text(&Span, Key, Text, static_cast<size_t>(FCStringAnsi::Strlen(Text)));
}

void AsyncText(tachy_async& Span, tachy_site* Key, const FName& Text)
{
	AsyncText(Span, Key, FNameBuilder(Text).ToString());
}

bool Flush(float Seconds)
{
	if (FTachySender::IsWithoutConsent())
	{
		tachy_flush_begin(0);
		return false;
	}
	return tachy_flush(static_cast<uint32>(Seconds * 1000.0f)) != 0;
}

FString ProcessId()
{
	tachy_stats Stats;
	tachy_get_stats(&Stats);
	FString Text;
	for (uint32 Index = 0; Index < 16; ++Index)
	{
		Text += FString::Printf(TEXT("%02x%s"), Stats.process_id[Index],
		                        Index == 3 || Index == 5 || Index == 7 || Index == 9 ? TEXT("-") : TEXT(""));
	}
	return Text;
}

void Mark(const FString& Reason)
{
	tachy_mark(TCHAR_TO_UTF8(*Reason));
}

void SendImage(const FString& Name, const FString& Format, const void* Bytes, uint64 Size)
{
	tachy_image(TCHAR_TO_UTF8(*Name), TCHAR_TO_UTF8(*Format), Bytes, static_cast<size_t>(Size));
}

} // namespace Tachy
