// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/**
 * Micromegas's macros for network traffic, recorded as spans of the calling thread: targets net.connection, net.object,
 * net.rpc and net.property, with a value "bits", and "direction" on connections. Part of TachyFromMicromegas.h.
 */
#pragma once

#include "CoreMinimal.h"
#include "Tachy.h"

// The plugin's own module has the functions in every build, so that this is for each user to define.
#if TACHY_RECORDS && (MICROMEGAS_NET_TRACE_ENABLED || defined(TACHY_MODULE))

namespace MicromegasTracing
{

/** A name: an FName, or a text that is found again by its content. */
struct StaticStringRef
{
	StaticStringRef(const FName& InName)
	    : Name(InName)
	{
	}
	StaticStringRef(const TCHAR* InText)
	    : Text(InText)
	{
	}

	FName Name;
	const TCHAR* Text = nullptr;
};

enum class ENetScope : uint8
{
	Object,
	ObjectOfSize, // its bits are given, not the difference of two positions
	Rpc,
	Property
};

/** The rest of the scope, on this thread; nested in time as the calls are. */
class FNetConnectionScope
{
public:
	TACHY_API FNetConnectionScope(const FName& Connection, bool bOutgoing);
	TACHY_API ~FNetConnectionScope();
	FNetConnectionScope(const FNetConnectionScope&) = delete;
	FNetConnectionScope& operator=(const FNetConnectionScope&) = delete;

private:
	enum class ERole : uint8
	{
		Nothing,
		Inner,
		Suspended,
		Outermost
	};
	tachy_scope Scope = 0;
	ERole Role = ERole::Nothing;
};

class FNetSuspendScope
{
public:
	TACHY_API FNetSuspendScope();
	TACHY_API ~FNetSuspendScope();
	FNetSuspendScope(const FNetSuspendScope&) = delete;
	FNetSuspendScope& operator=(const FNetSuspendScope&) = delete;
};

/** What is begun, and what is left to do at its end. */
struct FNetSpan
{
	tachy_scope Scope = 0;
	bool bCounts = false;
};
TACHY_API FNetSpan BeginNetSpan(ENetScope Kind, const StaticStringRef& Name);
TACHY_API void EndNetSpan(ENetScope Kind, const FNetSpan& Span, uint32 Bits);

template <ENetScope Kind, typename GetBitsType>
class TNetScope
{
public:
	TNetScope(const StaticStringRef& Name, GetBitsType&& InGetBits)
	    : GetBits(MoveTemp(InGetBits))
	    , Before(Kind == ENetScope::ObjectOfSize ? 0 : GetBits())
	    , Span(BeginNetSpan(Kind, Name))
	{
	}
	~TNetScope() { EndNetSpan(Kind, Span, GetBits() - Before); }
	TNetScope(const TNetScope&) = delete;
	TNetScope& operator=(const TNetScope&) = delete;

private:
	const GetBitsType GetBits;
	const uint32 Before;
	const FNetSpan Span;
};
template <ENetScope Kind, typename GetBitsType>
TNetScope<Kind, GetBitsType> MakeNetScope(const StaticStringRef& Name, GetBitsType&& GetBits)
{
	return TNetScope<Kind, GetBitsType>(Name, MoveTemp(GetBits));
}

/** One that takes no time. */
inline void NetEvent(ENetScope Kind, const StaticStringRef& Name, uint32 Bits)
{
	EndNetSpan(Kind, BeginNetSpan(Kind, Name), Bits);
}

} // namespace MicromegasTracing

#define MICROMEGAS_NET_CONNECTION_SCOPE(Connection, bOutgoing) \
	const ::MicromegasTracing::FNetConnectionScope ANONYMOUS_VARIABLE(NetConnection)((Connection), (bOutgoing))
#define MICROMEGAS_NET_SUSPEND_SCOPE() const ::MicromegasTracing::FNetSuspendScope ANONYMOUS_VARIABLE(NetSuspend)
// Bits: an expression for the position in the stream, looked at here and at the end of the scope.
#define MICROMEGAS_NET_OBJECT_SCOPE(Name, Bits) TACHY_NET_SCOPE_AT(Object, Name, Bits)
#define MICROMEGAS_NET_RPC_SCOPE(Name, Bits) TACHY_NET_SCOPE_AT(Rpc, Name, Bits)
#define MICROMEGAS_NET_PROPERTY_SCOPE(Name, Bits) TACHY_NET_SCOPE_AT(Property, Name, Bits)
// Bits: an expression for the size itself, looked at at the end of the scope.
#define MICROMEGAS_NET_OBJECT_SIZE_SCOPE(Name, Bits) TACHY_NET_SCOPE_AT(ObjectOfSize, Name, Bits)
#define MICROMEGAS_NET_OBJECT_EVENT(Name, Bits) TACHY_NET_EVENT_AT(Object, Name, Bits)
#define MICROMEGAS_NET_PROPERTY(Name, Bits) TACHY_NET_EVENT_AT(Property, Name, Bits)

#define TACHY_NET_SCOPE_AT(Kind, Name, Bits) \
	const auto ANONYMOUS_VARIABLE(NetScope) = ::MicromegasTracing::MakeNetScope<::MicromegasTracing::ENetScope::Kind>( \
	    ::MicromegasTracing::StaticStringRef(Name), [&]() { return static_cast<uint32>(Bits); })
#define TACHY_NET_EVENT_AT(Kind, Name, Bits) \
	::MicromegasTracing::NetEvent(::MicromegasTracing::ENetScope::Kind, ::MicromegasTracing::StaticStringRef(Name), \
	                              static_cast<uint32>(Bits))

#else

#define MICROMEGAS_NET_CONNECTION_SCOPE(...)
#define MICROMEGAS_NET_SUSPEND_SCOPE(...)
#define MICROMEGAS_NET_OBJECT_SCOPE(...)
#define MICROMEGAS_NET_RPC_SCOPE(...)
#define MICROMEGAS_NET_PROPERTY_SCOPE(...)
#define MICROMEGAS_NET_OBJECT_SIZE_SCOPE(...)
#define MICROMEGAS_NET_OBJECT_EVENT(...)
#define MICROMEGAS_NET_PROPERTY(...)

#endif
