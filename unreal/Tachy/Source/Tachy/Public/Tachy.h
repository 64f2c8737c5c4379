// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/**
 * Logs, metrics and spans for game code. Every macro is a statement of its own, costs what docs/unreal.md says, works
 * in Shipping builds and on every thread, and is nothing at all with TACHY_ENABLED=0 (TachyDisabled.h). What is more
 * than the basics has headers of its own, which are included here: TachyNames.h, TachyValues.h, TachyAsync.h.
 *
 *     TACHY_SPAN_FUNCTION("Game.AI");
 *     TACHY_LOG("Game.AI", Tachy::Info, FString::Printf(TEXT("%d enemies"), Enemies.Num()));
 *     TACHY_IMETRIC("Game.AI", Tachy::Med, "Enemies", "1", Enemies.Num());
 *
 * Targets, names and units are literals, "Tick" or TEXT("Tick"): a text that is made at run time does not compile
 * there.
 */
#pragma once

#include "CoreMinimal.h"
#include "TachyText.h"

#if defined(TACHY_TACHY_HPP)
#error "tachy.hpp is the C++ SDK, whose TACHY_LOG has other parameters: include one of the two"
#endif
#define TACHY_UNREAL 1

#ifndef TACHY_ENABLED
#define TACHY_ENABLED 1
#endif

// The plugin's own sources (TACHY_MODULE) are the same either way: where it is compiled out itself, it never starts.
#if TACHY_ENABLED || defined(TACHY_MODULE)
#define TACHY_RECORDS 1
#else
#define TACHY_RECORDS 0
#endif

#if TACHY_RECORDS

#include <atomic>

#include "tachy_core.h"

namespace Tachy
{

/** How important a log is. UE_LOG's Display is Info here, and its Log is Debug. */
inline constexpr tachy_level Fatal = TACHY_LEVEL_FATAL;
inline constexpr tachy_level Error = TACHY_LEVEL_ERROR;
inline constexpr tachy_level Warn = TACHY_LEVEL_WARN;
inline constexpr tachy_level Info = TACHY_LEVEL_INFO;
inline constexpr tachy_level Debug = TACHY_LEVEL_DEBUG;
inline constexpr tachy_level Trace = TACHY_LEVEL_TRACE;

/** How often a metric is wanted: Min always, Med and Max where debugging and tracing are. */
inline constexpr tachy_level Min = TACHY_LEVEL_INFO;
inline constexpr tachy_level Med = TACHY_LEVEL_DEBUG;
inline constexpr tachy_level Max = TACHY_LEVEL_TRACE;

/** The set of properties that every log and metric has: see SetContext. */
extern TACHY_API std::atomic<uint32> ContextSet;

FORCEINLINE uint32 Context()
{
	return ContextSet.load(std::memory_order_relaxed);
}

/**
 * Adds a property to what is logged and measured from now on, or takes it away with an empty value. Takes a lock.
 * False: there are 32 others already. Every set of properties that there ever was is kept: not for what is always
 * another value.
 */
TACHY_API bool SetContext(const FString& Key, const FString& Value);
/** Several at once: one more set, not one each. */
TACHY_API bool SetContext(const TMap<FString, FString>& Changes);
TACHY_API void ClearContext();
TACHY_API TMap<FString, FString> GetContext();

/** Properties of single logs and metrics, in place of the context. Making one takes a lock: keep it. */
class FProperties
{
public:
	TACHY_API explicit FProperties(const TMap<FString, FString>& Pairs);
	uint32 Set() const { return Number; }

private:
	uint32 Number = 0;
};

/** A message that is ready. */
TACHY_API void Log(tachy_site* Site, uint32 Set, const TCHAR* Message);
FORCEINLINE void Log(tachy_site* Site, uint32 Set, const ANSICHAR* Message)
{
	tachy_log_text(Site, Set, Message, static_cast<size_t>(FCStringAnsi::Strlen(Message)));
}
FORCEINLINE void Log(tachy_site* Site, uint32 Set, const FString& Message)
{
	Log(Site, Set, *Message);
}

/** The same for one that was made so many seconds ago, in a lane of its own. Takes a lock. */
TACHY_API void LogLate(tachy_site* Site, uint32 Set, double Age, const TCHAR* Message);

/** From here to the end of the scope, on this thread. */
class FSpan
{
public:
	FORCEINLINE explicit FSpan(tachy_site* Site)
	    : Scope(tachy_span_begin(Site))
	{
	}
	FORCEINLINE FSpan(tachy_site* Site, bool bWanted)
	    : Scope(bWanted ? tachy_span_begin(Site) : 0)
	{
	}
	FORCEINLINE ~FSpan() { tachy_span_end(Scope); }
	FSpan(const FSpan&) = delete;
	FSpan& operator=(const FSpan&) = delete;

private:
	const tachy_scope Scope;
};

/** The same, or nothing where there is no site. */
class FMaybeSpan : public FSpan
{
public:
	FORCEINLINE explicit FMaybeSpan(tachy_site* Site)
	    : FSpan(Site, Site != nullptr)
	{
	}
};

/** Sends what was recorded before now, and waits for it at most so long. False at once before consent. */
TACHY_API bool Flush(float Seconds);

/** Under which this run of the game stands in SQL. */
TACHY_API FString ProcessId();

/** A trigger of the flight recorder: the spans around this moment travel. */
TACHY_API void Mark(const FString& Reason);

/** An image, of at most 16 MiB, as it is to be shown. Format: its media type, "image/png". Takes a lock. */
TACHY_API void SendImage(const FString& Name, const FString& Format, const void* Bytes, uint64 Size);

} // namespace Tachy

#define TACHY_CAT_2(A, B) A##B
#define TACHY_CAT(A, B) TACHY_CAT_2(A, B)

// The static description of the line: constant data, and the only thing that its first event looks at.
#define TACHY_SITE_AT(Id, Kind, Level, Target, Name, Unit) \
	static constexpr auto TACHY_CAT(TachyTarget, Id) = ::Tachy::Utf8(Target); \
	static constexpr auto TACHY_CAT(TachyUnit, Id) = ::Tachy::Utf8(Unit); \
	TACHY_SITE_ TACHY_CAT(TachySite, Id) = {0, \
	                                        __LINE__, \
	                                        (Kind), \
	                                        (Level), \
	                                        0, \
	                                        (Name), \
	                                        TACHY_CAT(TachyTarget, Id).Bytes, \
	                                        __FILE__, \
	                                        TACHY_CAT(TachyUnit, Id).Bytes}
#define TACHY_NAMED_SITE_AT(Id, Kind, Level, Target, Name, Unit) \
	static constexpr auto TACHY_CAT(TachyName, Id) = ::Tachy::Utf8(Name); \
	TACHY_SITE_AT(Id, Kind, Level, Target, TACHY_CAT(TachyName, Id).Bytes, Unit)

// The rest of the scope. They declare variables: after `if` they need braces, and do not compile without.
#define TACHY_SPAN_SCOPE(Target, Name) TACHY_SPAN_AT(__COUNTER__, Target, Name)
#define TACHY_SPAN_AT(Id, Target, Name) \
	TACHY_NAMED_SITE_AT(Id, TACHY_SITE_SPAN, 0, Target, Name, ""); \
	const ::Tachy::FSpan TACHY_CAT(TachySpan, Id)(&TACHY_CAT(TachySite, Id))
#define TACHY_SPAN_SCOPE_CONDITIONAL(Target, Condition, Name) TACHY_SPAN_IF_AT(__COUNTER__, Target, Condition, Name)
#define TACHY_SPAN_IF_AT(Id, Target, Condition, Name) \
	TACHY_NAMED_SITE_AT(Id, TACHY_SITE_SPAN, 0, Target, Name, ""); \
	const ::Tachy::FSpan TACHY_CAT(TachySpan, Id)(&TACHY_CAT(TachySite, Id), (Condition))

// The same, named after the function.
#define TACHY_SPAN_FUNCTION(Target) TACHY_SPAN_CALLED_AT(__COUNTER__, Target, true, __func__)
#define TACHY_SPAN_FUNCTION_CONDITIONAL(Target, Condition) \
	TACHY_SPAN_CALLED_AT(__COUNTER__, Target, (Condition), __func__)
#define TACHY_SPAN_CALLED_AT(Id, Target, bWanted, Name) \
	TACHY_SITE_AT(Id, TACHY_SITE_SPAN, 0, Target, Name, ""); \
	const ::Tachy::FSpan TACHY_CAT(TachySpan, Id)(&TACHY_CAT(TachySite, Id), bWanted)

// Message: FString, const TCHAR* or const ANSICHAR*, made only when the log is on.
#define TACHY_LOG(Target, Level, Message) TACHY_LOG_AT(__COUNTER__, Target, Level, ::Tachy::Context(), Message)
#define TACHY_LOG_PROPERTIES(Target, Level, Properties, Message) \
	TACHY_LOG_AT(__COUNTER__, Target, Level, (Properties).Set(), Message)
#define TACHY_LOG_AT(Id, Target, Level, Set, Message) \
	do \
	{ \
		TACHY_NAMED_SITE_AT(Id, TACHY_SITE_LOG, Level, Target, "", ""); \
		if (tachy_enabled(&TACHY_CAT(TachySite, Id))) \
		{ \
			::Tachy::Log(&TACHY_CAT(TachySite, Id), (Set), (Message)); \
		} \
	} while (false)

// A whole number, and a number.
#define TACHY_IMETRIC(Target, Verbosity, Name, Unit, Value) \
	TACHY_IMETRIC_AT(__COUNTER__, Target, Verbosity, Name, Unit, ::Tachy::Context(), Value)
#define TACHY_FMETRIC(Target, Verbosity, Name, Unit, Value) \
	TACHY_FMETRIC_AT(__COUNTER__, Target, Verbosity, Name, Unit, ::Tachy::Context(), Value)
#define TACHY_IMETRIC_PROPERTIES(Target, Verbosity, Name, Unit, Properties, Value) \
	TACHY_IMETRIC_AT(__COUNTER__, Target, Verbosity, Name, Unit, (Properties).Set(), Value)
#define TACHY_FMETRIC_PROPERTIES(Target, Verbosity, Name, Unit, Properties, Value) \
	TACHY_FMETRIC_AT(__COUNTER__, Target, Verbosity, Name, Unit, (Properties).Set(), Value)
#define TACHY_IMETRIC_AT(Id, Target, Verbosity, Name, Unit, Set, Value) \
	TACHY_METRIC_AT(Id, TACHY_SITE_METRIC_INT, tachy_metric_int, Target, Verbosity, Name, Unit, Set, Value)
#define TACHY_FMETRIC_AT(Id, Target, Verbosity, Name, Unit, Set, Value) \
	TACHY_METRIC_AT(Id, TACHY_SITE_METRIC_F64, tachy_metric_float, Target, Verbosity, Name, Unit, Set, Value)
#define TACHY_METRIC_AT(Id, Kind, Record, Target, Verbosity, Name, Unit, Set, Value) \
	do \
	{ \
		TACHY_NAMED_SITE_AT(Id, Kind, Verbosity, Target, Name, Unit); \
		Record(&TACHY_CAT(TachySite, Id), (Set), (Value)); \
	} while (false)

// The end of a frame, on the thread that calls.
#define TACHY_FRAME() TACHY_FRAME_AT(__COUNTER__)
#define TACHY_FRAME_AT(Id) \
	do \
	{ \
		TACHY_NAMED_SITE_AT(Id, TACHY_SITE_FRAME, 0, "Frame", "frame", "ticks"); \
		tachy_frame_mark(&TACHY_CAT(TachySite, Id)); \
	} while (false)

#include "TachyAsync.h"
#include "TachyNames.h"
#include "TachyValues.h"

#else

#include "TachyDisabled.h"

#endif
