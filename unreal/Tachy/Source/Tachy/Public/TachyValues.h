// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/** Values on spans: what a span was about. Numbers, bools, enumerations and text; and flows, which lead from span to
 * span. */
#pragma once

#include <cstring>
#include <type_traits>

#include "CoreMinimal.h"
#include "tachy_core.h"

namespace Tachy
{

template <typename ValueType>
inline constexpr bool IsNumber = (std::is_arithmetic_v<ValueType> || std::is_enum_v<ValueType>)&&sizeof(ValueType) <= 8;

template <typename ValueType>
constexpr uint32 NumberType()
{
	if constexpr (std::is_enum_v<ValueType>)
	{
		return NumberType<std::underlying_type_t<ValueType>>();
	}
	else if constexpr (std::is_same_v<ValueType, bool>)
	{
		return TACHY_VALUE_BOOL;
	}
	else if constexpr (std::is_floating_point_v<ValueType>)
	{
		return TACHY_VALUE_F64;
	}
	else
	{
		return std::is_signed_v<ValueType> ? TACHY_VALUE_I64 : TACHY_VALUE_U64;
	}
}

template <typename ValueType>
FORCEINLINE uint64 NumberBits(ValueType Value)
{
	if constexpr (std::is_floating_point_v<ValueType>)
	{
		const double Number = static_cast<double>(Value);
		uint64 Bits = 0;
		std::memcpy(&Bits, &Number, sizeof Bits);
		return Bits;
	}
	else
	{
		return static_cast<uint64>(Value);
	}
}

/** A flow's number: a whole number, or the address of what it follows. */
template <typename FlowType>
FORCEINLINE uint64 FlowNumber(FlowType Flow)
{
	static_assert(std::is_integral_v<FlowType> || std::is_enum_v<FlowType> || std::is_pointer_v<FlowType>,
	              "a flow is a whole number or an address");
	if constexpr (std::is_pointer_v<FlowType>)
	{
		return static_cast<uint64>(reinterpret_cast<UPTRINT>(Flow));
	}
	else
	{
		return static_cast<uint64>(Flow);
	}
}

/** A text on the innermost open span of the thread, and on an async one. */
TACHY_API void SpanText(tachy_site* Key, const TCHAR* Text);
TACHY_API void SpanText(tachy_site* Key, const ANSICHAR* Text);
TACHY_API void SpanText(tachy_site* Key, const FName& Text);
TACHY_API void AsyncText(tachy_async& Span, tachy_site* Key, const TCHAR* Text);
TACHY_API void AsyncText(tachy_async& Span, tachy_site* Key, const ANSICHAR* Text);
TACHY_API void AsyncText(tachy_async& Span, tachy_site* Key, const FName& Text);
FORCEINLINE void SpanText(tachy_site* Key, const FString& Text)
{
	SpanText(Key, *Text);
}
FORCEINLINE void AsyncText(tachy_async& Span, tachy_site* Key, const FString& Text)
{
	AsyncText(Span, Key, *Text);
}

template <typename ValueType>
FORCEINLINE void SpanValue(tachy_site* Key, const ValueType& Value)
{
	if constexpr (IsNumber<ValueType>)
	{
		tachy_span_value_bits_(tachy_span_innermost(), Key, NumberType<ValueType>(), NumberBits(Value));
	}
	else
	{
		SpanText(Key, Value);
	}
}

template <typename ValueType>
FORCEINLINE void AsyncValue(tachy_async& Span, tachy_site* Key, const ValueType& Value)
{
	if constexpr (IsNumber<ValueType>)
	{
		tachy_async_value_(&Span, Key, NumberType<ValueType>(), NumberBits(Value));
	}
	else
	{
		AsyncText(Span, Key, Value);
	}
}

} // namespace Tachy

#define TACHY_VALUE_AT(Id, Key, Record) \
	do \
	{ \
		TACHY_NAMED_SITE_AT(Id, TACHY_SITE_VALUE, 0, "", Key, ""); \
		if (tachy_enabled(&TACHY_CAT(TachySite, Id))) \
		{ \
			tachy_site* const TachyKey = &TACHY_CAT(TachySite, Id); \
			Record; \
		} \
	} while (false)

// On the innermost open span of the thread. Of a key it has the last value; Value: a number, a bool, an enumeration,
// FString, const TCHAR*, const ANSICHAR* or FName (text longer than 255 bytes is cut and says so).
#define TACHY_SPAN_VALUE(Key, Value) TACHY_VALUE_AT(__COUNTER__, Key, ::Tachy::SpanValue(TachyKey, (Value)))
// Arrows lead through the spans that have the same number, a whole one or an address.
#define TACHY_FLOW(Flow) \
	TACHY_VALUE_AT(__COUNTER__, "flow", tachy_span_flow(tachy_span_innermost(), TachyKey, ::Tachy::FlowNumber(Flow)))

// The same for an FAsyncSpan or FAsyncHandle that has not ended, on any thread; threads that share one take turns.
#define TACHY_ASYNC_VALUE(Span, Key, Value) TACHY_VALUE_AT(__COUNTER__, Key, (Span).GiveValue(TachyKey, (Value)))
#define TACHY_ASYNC_FLOW(Span, Flow) \
	TACHY_VALUE_AT(__COUNTER__, "flow", (Span).GiveFlow(TachyKey, ::Tachy::FlowNumber(Flow)))
