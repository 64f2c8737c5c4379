// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachyBlueprintLibrary.h"

#include "HAL/CriticalSection.h"
#include "Misc/ScopeLock.h"
#include "Tachy.h"
#include "TachyConsent.h"
#include "TachySites.h"

namespace
{

constexpr int32 MostAsyncSpans = 65536; // that Blueprints have begun and not ended

/** The async spans that Blueprints have begun: what they hold themselves is a number. */
struct FBlueprintSpans
{
	FCriticalSection Lock;
	TMap<int64, tachy_async> Open;
};

FBlueprintSpans& BlueprintSpans()
{
	static FBlueprintSpans Spans;
	return Spans;
}

uint32 LevelOf(ETachyLevel Level)
{
	return static_cast<uint32>(Level) + TACHY_LEVEL_FATAL;
}

tachy_site* KeySite(const FString& Key)
{
	return Tachy::SiteOf(TACHY_SITE_VALUE, 0, TEXT(""), Key, TEXT(""));
}

void RecordLog(const FString& Target, ETachyLevel Level, uint32 Set, const FString& Message)
{
	tachy_site* const Site = Tachy::SiteOf(TACHY_SITE_LOG, LevelOf(Level), Target, TEXT(""), TEXT(""));
	if (Site && tachy_enabled(Site))
	{
		Tachy::Log(Site, Set, Message);
	}
}

void RecordMetric(const FString& Target, const FString& Name, const FString& Unit, uint32 Set, double Value)
{
	tachy_site* const Site = Tachy::SiteOf(TACHY_SITE_METRIC_F64, TACHY_LEVEL_DEBUG, Target, Name, Unit);
	if (Site)
	{
		tachy_metric_float(Site, Set, Value);
	}
}

/** Whether this very span is still open on this thread: another one may lie where it lay. */
bool IsOpen(const FTachySpan& Span)
{
	tachy_thread* const Thread = tachy_here_();
	const uint32 Top = Thread->top;
	const uint32 Scope = static_cast<uint32>(Span.Scope);
	return Scope != 0 && Top <= TACHY_TOP_MAX_ && Scope <= Top &&
	       tachy_span_entry_(Thread, Scope)->begin == static_cast<uint64>(Span.Begin);
}

FTachyAsyncSpan BeginAsync(const FString& Target, const FString& Name, const FTachyAsyncSpan* Parent)
{
	FTachyAsyncSpan Result;
	tachy_site* const Site = Tachy::SiteOf(TACHY_SITE_ASYNC, 0, Target, Name, TEXT(""));
	if (!Site || !tachy_enabled(Site))
	{
		return Result;
	}
	FBlueprintSpans& Spans = BlueprintSpans();
	FScopeLock Guard(&Spans.Lock);
	if (Spans.Open.Num() >= MostAsyncSpans)
	{
		return Result;
	}
	tachy_async Above = {}; // the parent, which may have ended
	Above.id = Parent ? static_cast<uint64>(Parent->Id) : 0;
	Above.depth = Parent ? static_cast<uint32>(Parent->Depth) : 0;
	const tachy_async Span = tachy_async_begin(Site, Above.id ? &Above : nullptr);
	Result.Id = static_cast<int64>(Span.id);
	Result.Depth = static_cast<int32>(Span.depth);
	if (Span.id)
	{
		Spans.Open.Add(Result.Id, Span);
	}
	return Result;
}

/** Calls Give(Span, Site) when the span is open. */
template <typename GiveType>
void GiveAsync(const FTachyAsyncSpan& Span, const FString& Key, GiveType&& Give)
{
	tachy_site* const Site = KeySite(Key);
	FBlueprintSpans& Spans = BlueprintSpans();
	FScopeLock Guard(&Spans.Lock);
	tachy_async* const Open = Spans.Open.Find(Span.Id);
	if (Site && Open)
	{
		Give(*Open, Site);
	}
}

} // namespace

void UTachyBlueprintLibrary::Log(const FString& Target, ETachyLevel Level, const FString& Message)
{
	RecordLog(Target, Level, Tachy::Context(), Message);
}

void UTachyBlueprintLibrary::LogWithProperties(const FString& Target, ETachyLevel Level,
                                               const TMap<FString, FString>& Properties, const FString& Message)
{
	RecordLog(Target, Level, Tachy::FProperties(Properties).Set(), Message);
}

void UTachyBlueprintLibrary::Metric(const FString& Target, const FString& Name, const FString& Unit, double Value)
{
	RecordMetric(Target, Name, Unit, Tachy::Context(), Value);
}

void UTachyBlueprintLibrary::IntMetric(const FString& Target, const FString& Name, const FString& Unit, int64 Value)
{
	tachy_site* const Site = Tachy::SiteOf(TACHY_SITE_METRIC_INT, TACHY_LEVEL_DEBUG, Target, Name, Unit);
	if (Site)
	{
		tachy_metric_int(Site, Tachy::Context(), Value);
	}
}

void UTachyBlueprintLibrary::MetricWithProperties(const FString& Target, const FString& Name, const FString& Unit,
                                                  const TMap<FString, FString>& Properties, double Value)
{
	RecordMetric(Target, Name, Unit, Tachy::FProperties(Properties).Set(), Value);
}

FTachySpan UTachyBlueprintLibrary::BeginSpan(const FString& Target, const FString& Name)
{
	FTachySpan Result;
	tachy_site* const Site = Tachy::SiteOf(TACHY_SITE_SPAN, 0, Target, Name, TEXT(""));
	const tachy_scope Scope = Site ? tachy_span_begin(Site) : 0;
	if (Scope != 0 && Scope <= TACHY_TOP_MAX_)
	{
		Result.Scope = static_cast<int64>(Scope);
		Result.Begin = static_cast<int64>(tachy_span_entry_(tachy_here_(), static_cast<uint32>(Scope))->begin);
	}
	return Result;
}

void UTachyBlueprintLibrary::EndSpan(const FTachySpan& Span)
{
	if (IsOpen(Span))
	{
		tachy_span_end(static_cast<tachy_scope>(Span.Scope));
	}
}

void UTachyBlueprintLibrary::SetSpanNumber(const FTachySpan& Span, const FString& Key, double Value)
{
	tachy_site* const Site = KeySite(Key);
	if (Site && IsOpen(Span))
	{
		tachy_span_value_float(static_cast<tachy_scope>(Span.Scope), Site, Value);
	}
}

void UTachyBlueprintLibrary::SetSpanText(const FTachySpan& Span, const FString& Key, const FString& Value)
{
	tachy_site* const Site = KeySite(Key);
	if (Site && IsOpen(Span))
	{
		const FTCHARToUTF8 Text(*Value);
		tachy_span_value_text(static_cast<tachy_scope>(Span.Scope), Site, Text.Get(),
		                      static_cast<size_t>(Text.Length()));
	}
}

FTachyAsyncSpan UTachyBlueprintLibrary::BeginAsyncSpan(const FString& Target, const FString& Name)
{
	return BeginAsync(Target, Name, nullptr);
}

FTachyAsyncSpan UTachyBlueprintLibrary::BeginChildAsyncSpan(const FTachyAsyncSpan& Parent, const FString& Target,
                                                            const FString& Name)
{
	return BeginAsync(Target, Name, &Parent);
}

void UTachyBlueprintLibrary::EndAsyncSpan(const FTachyAsyncSpan& Span)
{
	FBlueprintSpans& Spans = BlueprintSpans();
	FScopeLock Guard(&Spans.Lock);
	if (const tachy_async* const Open = Spans.Open.Find(Span.Id))
	{
		tachy_async_end(Open);
		Spans.Open.Remove(Span.Id);
	}
}

void UTachyBlueprintLibrary::SetAsyncSpanNumber(const FTachyAsyncSpan& Span, const FString& Key, double Value)
{
	GiveAsync(Span, Key, [Value](tachy_async& Open, tachy_site* Site) { tachy_async_value_float(&Open, Site, Value); });
}

void UTachyBlueprintLibrary::SetAsyncSpanText(const FTachyAsyncSpan& Span, const FString& Key, const FString& Value)
{
	GiveAsync(Span, Key, [&Value](tachy_async& Open, tachy_site* Site) { Tachy::AsyncText(Open, Site, Value); });
}

bool UTachyBlueprintLibrary::SetContext(const FString& Key, const FString& Value)
{
	return Tachy::SetContext(Key, Value);
}

void UTachyBlueprintLibrary::ClearContext()
{
	Tachy::ClearContext();
}

TMap<FString, FString> UTachyBlueprintLibrary::GetContext()
{
	return Tachy::GetContext();
}

void UTachyBlueprintLibrary::Mark(const FString& Reason)
{
	Tachy::Mark(Reason);
}

bool UTachyBlueprintLibrary::Flush(float Seconds)
{
	return Tachy::Flush(Seconds);
}

FString UTachyBlueprintLibrary::GetProcessId()
{
	return Tachy::ProcessId();
}

bool UTachyBlueprintLibrary::IsConsentRequired()
{
	return Tachy::GetConsent().bRequired;
}

bool UTachyBlueprintLibrary::IsConsentGiven()
{
	return Tachy::GetConsent().bGiven;
}

bool UTachyBlueprintLibrary::IsConsentRevoked()
{
	return Tachy::GetConsent().bRevoked;
}

bool UTachyBlueprintLibrary::GiveConsent()
{
	return Tachy::GiveConsent();
}

bool UTachyBlueprintLibrary::RevokeConsent()
{
	return Tachy::RevokeConsent();
}
