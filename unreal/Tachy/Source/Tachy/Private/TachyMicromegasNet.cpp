// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/**
 * Scopes of network traffic, by Micromegas's rules: connections do not nest, and one in the other direction records
 * nothing inside another; what is recorded is decided by the verbosity at the outermost connection's begin.
 */
#include "TachyFromMicromegas.h"

#include "HAL/IConsoleManager.h"
#include "HAL/PlatformMisc.h"

namespace MicromegasTracing
{

namespace
{

int32 NetScopes = static_cast<int32>(ENetTraceVerbosity::RootObjects);

FAutoConsoleVariableRef NetScopesVariable(TEXT("tachy.NetScopes"), NetScopes,
                                          TEXT("What MICROMEGAS_NET_* record: 0 nothing, 1 connections, 2 and root "
                                               "objects, 3 and all objects, 4 and properties ") TEXT("and RPCs."));

/** Where a thread is. */
struct FNetThread
{
	int32 Connections = 0;
	int32 Suspends = 0;
	int32 Objects = 0;
	int32 Verbosity = 0; // of the outermost connection
	uint32 Bits = 0;     // of its root objects and RPCs
	bool bOutgoing = false;
};
thread_local FNetThread NetThread;

} // namespace

void Dispatch::SetNetTraceVerbosity(ENetTraceVerbosity Level)
{
	NetScopesVariable->Set(static_cast<int32>(Level), ECVF_SetByCode);
}

ENetTraceVerbosity Dispatch::GetNetTraceVerbosity()
{
	return static_cast<ENetTraceVerbosity>(NetScopes);
}

namespace
{

TACHY_DEFINE_SPAN(OtherConnections, "net.connection", "(other names)");
TACHY_DEFINE_SPAN(OtherObjects, "net.object", "(other names)");
TACHY_DEFINE_SPAN(OtherRpcs, "net.rpc", "(other names)");
TACHY_DEFINE_SPAN(OtherProperties, "net.property", "(other names)");
TACHY_DEFINE_VALUE(BitsKey, "net", "bits");
TACHY_DEFINE_VALUE(DirectionKey, "net", "direction");

tachy_scope BeginNamed(tachy_site* Others, const StaticStringRef& Name)
{
	if (!tachy_enabled(Others))
	{
		return 0;
	}
	const uint64 Target = Tachy::TextHash(Others->target, Others->kind);
	return tachy_span_begin(Name.Text ? Tachy::NamedSite(Others, Target, Name.Text)
	                                  : Tachy::NamedSite(Others, Target, Name.Name));
}

void EndWithBits(tachy_scope Scope, uint32 Bits)
{
	if (Scope)
	{
		tachy_span_value_unsigned(Scope, &BitsKey, Bits);
		tachy_span_end(Scope);
	}
}

int32 VerbosityHere()
{
	return NetThread.Connections > 0 ? NetThread.Verbosity : NetScopes;
}

bool IsObject(ENetScope Kind)
{
	return Kind == ENetScope::Object || Kind == ENetScope::ObjectOfSize;
}

} // namespace

FNetConnectionScope::FNetConnectionScope(const FName& Connection, bool bOutgoing)
{
	FNetThread& Thread = NetThread;
	if (Thread.Suspends > 0)
	{
		return;
	}
	if (Thread.Connections++ > 0)
	{
		Role = bOutgoing == Thread.bOutgoing ? ERole::Inner : ERole::Suspended;
		Thread.Suspends += Role == ERole::Suspended;
		return;
	}
	Role = ERole::Outermost;
	Thread.Objects = 0;
	Thread.Bits = 0;
	Thread.bOutgoing = bOutgoing;
	Thread.Verbosity = NetScopes;
	if (Thread.Verbosity >= static_cast<int32>(ENetTraceVerbosity::Packets))
	{
		Scope = BeginNamed(&OtherConnections, Connection);
		const ANSICHAR* const Direction = bOutgoing ? "outgoing" : "incoming";
		if (Scope)
		{
			tachy_span_value_text(Scope, &DirectionKey, Direction, 8);
		}
	}
}

FNetConnectionScope::~FNetConnectionScope()
{
	FNetThread& Thread = NetThread;
	Thread.Connections -= Role != ERole::Nothing;
	Thread.Suspends -= Role == ERole::Suspended;
	EndWithBits(Scope, Thread.Bits);
}

FNetSuspendScope::FNetSuspendScope()
{
	++NetThread.Suspends;
}

FNetSuspendScope::~FNetSuspendScope()
{
	--NetThread.Suspends;
}

FNetSpan BeginNetSpan(ENetScope Kind, const StaticStringRef& Name)
{
	FNetThread& Thread = NetThread;
	FNetSpan Span;
	if (Thread.Suspends > 0)
	{
		return Span;
	}
	Span.bCounts = Kind != ENetScope::Property;
	ENetTraceVerbosity Needed = ENetTraceVerbosity::Properties;
	tachy_site* Others = Kind == ENetScope::Rpc ? &OtherRpcs : &OtherProperties;
	if (IsObject(Kind))
	{
		Needed = Thread.Objects++ == 0 ? ENetTraceVerbosity::RootObjects : ENetTraceVerbosity::Objects;
		Others = &OtherObjects;
	}
	if (VerbosityHere() >= static_cast<int32>(Needed))
	{
		Span.Scope = BeginNamed(Others, Name);
	}
	return Span;
}

void EndNetSpan(ENetScope Kind, const FNetSpan& Span, uint32 Bits)
{
	FNetThread& Thread = NetThread;
	if (Span.bCounts)
	{
		Thread.Objects -= IsObject(Kind) && Thread.Objects > 0;
		Thread.Bits += Thread.Objects == 0 ? Bits : 0;
	}
	EndWithBits(Span.Scope, Bits);
}

} // namespace MicromegasTracing
