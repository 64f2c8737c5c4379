// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/** Micromegas's classes that game code calls. Part of TachyFromMicromegas.h. */
#pragma once

#include <atomic>

#include "CoreMinimal.h"
#include "Tachy.h"

namespace MicromegasTracing
{

#if TACHY_RECORDS

/** A set of properties that is made once for all equal ones, and stays. */
class PropertySet
{
public:
	TACHY_API explicit PropertySet(const TMap<FName, FName>& InContext);
	const TMap<FName, FName>& GetContext() const { return Context; }
	uint32 Set() const { return Number; }

private:
	const TMap<FName, FName> Context;
	const uint32 Number;
};

/** The properties of every log and metric: Tachy::SetContext. */
class DefaultContext
{
public:
	TACHY_API void Set(FName Key, FName Value);
	TACHY_API void Unset(FName Key);
	TACHY_API void Clear();
	TACHY_API void Copy(TMap<FName, FName>& Out) const;
};

/** What Dispatch::IntMetric and FloatMetric take: static, or at least longer-lived than its uses. */
struct MetricMetadata
{
	MetricMetadata(Verbosity::Type InLod, const TCHAR* InName, const TCHAR* InUnit, const ANSICHAR* InTarget,
	               const ANSICHAR* InFile, uint32 InLine)
	    : Lod(InLod)
	    , Name(InName)
	    , Unit(InUnit)
	    , Target(InTarget)
	    , File(InFile)
	    , Line(InLine)
	{
	}

	const Verbosity::Type Lod;
	const TCHAR* const Name;
	const TCHAR* const Unit;
	const ANSICHAR* const Target;
	const ANSICHAR* const File;
	const uint32 Line;
	/** The recorder's, by whether the metric is a float. */
	mutable std::atomic<void*> Sites[2] = {};
};

class Dispatch
{
public:
	/** Never null. */
	static TACHY_API DefaultContext* GetDefaultContext();
	static TACHY_API const PropertySet* GetPropertySet(const TMap<FName, FName>& Context);

	/** Timestamp: of FPlatformTime::Cycles64. Properties: in place of the context; null: the context. */
	static TACHY_API void IntMetric(const MetricMetadata* Desc, const PropertySet* Properties, uint64 Value,
	                                uint64 Timestamp);
	static TACHY_API void FloatMetric(const MetricMetadata* Desc, const PropertySet* Properties, double Value,
	                                  uint64 Timestamp);
	static void IntMetric(const MetricMetadata* Desc, uint64 Value, uint64 Timestamp)
	{
		IntMetric(Desc, nullptr, Value, Timestamp);
	}
	static void FloatMetric(const MetricMetadata* Desc, double Value, uint64 Timestamp)
	{
		FloatMetric(Desc, nullptr, Value, Timestamp);
	}

	/** All of these cut what was recorded until now, of every kind, and do not wait. */
	static TACHY_API void FlushLogStream();
	static TACHY_API void FlushMetricStream();
	static TACHY_API void FlushNetStream();
	static TACHY_API void FlushImageStream();
	static TACHY_API void FlushCurrentThreadStream();

	/** Format: its media type. */
	static TACHY_API void SendImage(const TCHAR* Name, const TCHAR* Format, const uint8* Data, uint32 Size);

	/** Of scopes of connections that begin from now on; tachy.NetScopes. */
	static TACHY_API void SetNetTraceVerbosity(ENetTraceVerbosity Level);
	static TACHY_API ENetTraceVerbosity GetNetTraceVerbosity();
};

/** What the macros take: null is the context. */
struct FSetOf
{
	explicit FSetOf(const PropertySet* Properties)
	    : Number(Properties ? Properties->Set() : Tachy::Context())
	{
	}
	uint32 Set() const { return Number; }

private:
	const uint32 Number;
};
inline FSetOf SetOf(const PropertySet* Properties)
{
	return FSetOf(Properties);
}

#else

inline namespace Disabled
{

class PropertySet
{
public:
	PropertySet() {}
	TMap<FName, FName> GetContext() const { return {}; }
	uint32 Set() const { return 0; }
};

class DefaultContext
{
public:
	void Set(FName, FName) {}
	void Unset(FName) {}
	void Clear() {}
	void Copy(TMap<FName, FName>& Out) const { Out.Empty(); }
};

struct MetricMetadata
{
	MetricMetadata(Verbosity::Type, const TCHAR*, const TCHAR*, const ANSICHAR*, const ANSICHAR*, uint32) {}
};

class Dispatch
{
public:
	static DefaultContext* GetDefaultContext()
	{
		static DefaultContext Empty;
		return &Empty;
	}
	static const PropertySet* GetPropertySet(const TMap<FName, FName>&)
	{
		static const PropertySet Empty;
		return &Empty;
	}
	static void IntMetric(const MetricMetadata*, const PropertySet*, uint64, uint64) {}
	static void FloatMetric(const MetricMetadata*, const PropertySet*, double, uint64) {}
	static void IntMetric(const MetricMetadata*, uint64, uint64) {}
	static void FloatMetric(const MetricMetadata*, double, uint64) {}
	static void FlushLogStream() {}
	static void FlushMetricStream() {}
	static void FlushNetStream() {}
	static void FlushImageStream() {}
	static void FlushCurrentThreadStream() {}
	static void SendImage(const TCHAR*, const TCHAR*, const uint8*, uint32) {}
	static void SetNetTraceVerbosity(ENetTraceVerbosity) {}
	static ENetTraceVerbosity GetNetTraceVerbosity() { return ENetTraceVerbosity::Off; }
};

inline const PropertySet* SetOf(const PropertySet* Properties)
{
	return Properties;
}

} // namespace Disabled

#endif

} // namespace MicromegasTracing
