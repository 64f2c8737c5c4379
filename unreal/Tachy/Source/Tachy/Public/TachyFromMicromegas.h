// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/**
 * Micromegas's macros and classes by their own names and parameters, recorded by Tachy: a game that has them changes
 * its includes to this one. "Coming from Micromegas" in docs/unreal.md says what is different.
 */
#pragma once

#include "CoreMinimal.h"
#include "Tachy.h"

#ifndef MICROMEGAS_NET_TRACE_ENABLED
#define MICROMEGAS_NET_TRACE_ENABLED (!UE_BUILD_SHIPPING && !WITH_EDITOR)
#endif

namespace MicromegasTracing
{

namespace LogLevel
{
enum Type : uint8
{
	Invalid = 0,
	Fatal = 1,
	Error = 2,
	Warn = 3,
	Info = 4,
	Debug = 5,
	Trace = 6
};
} // namespace LogLevel

/** By its values levels of ours. Low and High are what Micromegas's documentation calls Min and Max. */
namespace Verbosity
{
enum Type : uint8
{
	Min = 4,
	Med = 5,
	Max = 6,
	Low = Min,
	High = Max
};
} // namespace Verbosity

enum class ENetTraceVerbosity : uint8
{
	Off = 0,
	Packets = 1,
	RootObjects = 2,
	Objects = 3,
	Properties = 4
};

} // namespace MicromegasTracing

#include "TachyMicromegasDispatch.h"

#define MICROMEGAS_LOG(Target, Level, Message) TACHY_LOG(Target, Level, Message)
#define MICROMEGAS_LOG_PROPERTIES(Target, Level, Properties, Message) \
	TACHY_LOG_PROPERTIES(Target, Level, ::MicromegasTracing::SetOf(Properties), Message)
#define MICROMEGAS_IMETRIC(Target, Level, Name, Unit, Value) \
	TACHY_IMETRIC(Target, Level, Name, Unit, static_cast<int64>(Value))
#define MICROMEGAS_FMETRIC(Target, Level, Name, Unit, Value) \
	TACHY_FMETRIC(Target, Level, Name, Unit, static_cast<double>(Value))
#define MICROMEGAS_SPAN_SCOPE(Target, Name) TACHY_SPAN_SCOPE(Target, Name)
#define MICROMEGAS_SPAN_NAME(Target, Name) TACHY_SPAN_NAME(Target, Name)
#define MICROMEGAS_SPAN_NAME_CONDITIONAL(Target, Condition, Name) TACHY_SPAN_NAME_CONDITIONAL(Target, Condition, Name)
#define MICROMEGAS_SPAN_UOBJECT(Target, Object) TACHY_SPAN_UOBJECT(Target, Object)
#define MICROMEGAS_SPAN_UOBJECT_CONDITIONAL(Target, Condition, Object) \
	TACHY_SPAN_UOBJECT_CONDITIONAL(Target, Condition, Object)

// Micromegas names these spans so, and what asks for them goes on finding them.
#if defined(__clang__)
#define MICROMEGAS_FUNCTION_NAME __PRETTY_FUNCTION__
#else
#define MICROMEGAS_FUNCTION_NAME __FUNCTION__
#endif
#if TACHY_RECORDS
#define MICROMEGAS_SPAN_FUNCTION(Target) TACHY_SPAN_CALLED_AT(__COUNTER__, Target, true, MICROMEGAS_FUNCTION_NAME)
#else
#define MICROMEGAS_SPAN_FUNCTION(Target) TACHY_SPAN_FUNCTION(Target)
#endif

#include "TachyMicromegasNet.h"
