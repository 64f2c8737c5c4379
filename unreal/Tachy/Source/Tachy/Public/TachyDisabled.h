// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/**
 * What Tachy.h is with TACHY_ENABLED=0: the same names, all of them empty. Arguments are compiled and never evaluated.
 * Part of Tachy.h, not for use alone.
 */
#pragma once

#include "CoreMinimal.h"

namespace Tachy
{

// Other types than those of a module that records: what is handed from one to the other does not link.
inline namespace Disabled
{

inline constexpr uint8 Fatal = 1;
inline constexpr uint8 Error = 2;
inline constexpr uint8 Warn = 3;
inline constexpr uint8 Info = 4;
inline constexpr uint8 Debug = 5;
inline constexpr uint8 Trace = 6;
inline constexpr uint8 Min = 4;
inline constexpr uint8 Med = 5;
inline constexpr uint8 Max = 6;

inline bool SetContext(const FString&, const FString&)
{
	return false;
}
inline bool SetContext(const TMap<FString, FString>&)
{
	return false;
}
inline void ClearContext() {}
inline uint32 Context()
{
	return 0;
}
inline TMap<FString, FString> GetContext()
{
	return {};
}
inline bool Flush(float)
{
	return false;
}
inline FString ProcessId()
{
	return FString();
}
inline void Mark(const FString&) {}
inline void SendImage(const FString&, const FString&, const void*, uint64) {}

class FProperties
{
public:
	explicit FProperties(const TMap<FString, FString>&) {}
	uint32 Set() const { return 0; }
};

class FAsyncHandle
{
public:
	void End() {}
	uint64 Id() const { return 0; }
};

class FAsyncSpan
{
public:
	FAsyncSpan() = default;
	~FAsyncSpan() {}
	FAsyncSpan(FAsyncSpan&&) noexcept {}
	FAsyncSpan& operator=(FAsyncSpan&&) noexcept { return *this; }
	void End() {}
	uint64 Id() const { return 0; }
	operator FAsyncHandle() const { return {}; }
};

template <typename... ArgumentTypes>
constexpr void Ignore(const ArgumentTypes&...)
{
}
template <typename ResultType, typename... ArgumentTypes>
ResultType Nothing(const ArgumentTypes&...)
{
	return {};
}

} // namespace Disabled
} // namespace Tachy

#define TACHY_IGNORE_AT(...) \
	do \
	{ \
		if (false) \
		{ \
			::Tachy::Ignore(__VA_ARGS__); \
		} \
	} while (false)

#define TACHY_SPAN_SCOPE(Target, Name) TACHY_IGNORE_AT(Target, Name)
#define TACHY_SPAN_SCOPE_CONDITIONAL(Target, Condition, Name) TACHY_IGNORE_AT(Target, (Condition), Name)
#define TACHY_SPAN_FUNCTION(Target) TACHY_IGNORE_AT(Target)
#define TACHY_SPAN_FUNCTION_CONDITIONAL(Target, Condition) TACHY_IGNORE_AT(Target, (Condition))
#define TACHY_SPAN_NAME(Target, Name) TACHY_IGNORE_AT(Target, (Name))
#define TACHY_SPAN_NAME_CONDITIONAL(Target, Condition, Name) TACHY_IGNORE_AT(Target, (Condition), (Name))
#define TACHY_SPAN_UOBJECT(Target, Object) TACHY_IGNORE_AT(Target, (Object))
#define TACHY_SPAN_UOBJECT_CONDITIONAL(Target, Condition, Object) TACHY_IGNORE_AT(Target, (Condition), (Object))
#define TACHY_SPAN_VALUE(Key, Value) TACHY_IGNORE_AT(Key, (Value))
#define TACHY_FLOW(Flow) TACHY_IGNORE_AT((Flow))
#define TACHY_ASYNC(Target, Name, ...) \
	(false ? ::Tachy::Nothing<::Tachy::FAsyncSpan>(Target, Name, ##__VA_ARGS__) : ::Tachy::FAsyncSpan())
#define TACHY_ASYNC_NAME(Target, Name, ...) TACHY_ASYNC(Target, Name, ##__VA_ARGS__)
#define TACHY_ASYNC_BEGIN(Target, Name, ...) \
	(false ? ::Tachy::Nothing<::Tachy::FAsyncHandle>(Target, Name, ##__VA_ARGS__) : ::Tachy::FAsyncHandle())
#define TACHY_ASYNC_VALUE(Span, Key, Value) TACHY_IGNORE_AT((Span), Key, (Value))
#define TACHY_ASYNC_FLOW(Span, Flow) TACHY_IGNORE_AT((Span), (Flow))
#define TACHY_LOG(Target, Level, Message) TACHY_IGNORE_AT(Target, (Level), (Message))
#define TACHY_LOG_PROPERTIES(Target, Level, Properties, Message) \
	TACHY_IGNORE_AT(Target, (Level), (Properties), (Message))
#define TACHY_IMETRIC(Target, Verbosity, Name, Unit, Value) TACHY_IGNORE_AT(Target, (Verbosity), Name, Unit, (Value))
#define TACHY_FMETRIC(Target, Verbosity, Name, Unit, Value) TACHY_IGNORE_AT(Target, (Verbosity), Name, Unit, (Value))
#define TACHY_IMETRIC_PROPERTIES(Target, Verbosity, Name, Unit, Properties, Value) \
	TACHY_IGNORE_AT(Target, (Verbosity), Name, Unit, (Properties), (Value))
#define TACHY_FMETRIC_PROPERTIES(Target, Verbosity, Name, Unit, Properties, Value) \
	TACHY_IGNORE_AT(Target, (Verbosity), Name, Unit, (Properties), (Value))
#define TACHY_FRAME() static_cast<void>(0)
