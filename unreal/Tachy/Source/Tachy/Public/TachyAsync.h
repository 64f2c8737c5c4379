// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/**
 * Async spans: begin on one thread, end on another, and have parents.
 *
 *     Tachy::FAsyncSpan Load = TACHY_ASYNC("Game.Assets", "Load");            // ends with its last owner: movable
 *     Tachy::FAsyncHandle Read = TACHY_ASYNC_BEGIN("Game.Assets", "Read", Load); // ends when somebody calls End()
 */
#pragma once

#include "CoreMinimal.h"
#include "TachyValues.h"
#include "tachy_core.h"

namespace Tachy
{

/** A plain value, for lambdas that are copied and for structs. Whoever has it last ends it, once. */
class FAsyncHandle
{
public:
	FAsyncHandle() = default;
	/** Without a site: not recorded. */
	explicit FAsyncHandle(tachy_site* Site)
	    : Span(Site ? tachy_async_begin(Site, nullptr) : tachy_async{})
	    , bOpen(Span.id != 0)
	{
	}
	/** The parent may have ended. */
	FAsyncHandle(tachy_site* Site, const FAsyncHandle& Parent)
	    : Span(Site ? tachy_async_begin(Site, Parent.Span.id ? &Parent.Span : nullptr) : tachy_async{})
	    , bOpen(Span.id != 0)
	{
	}

	/** On any thread. This copy does it only once, and can be a parent afterwards. */
	void End()
	{
		if (bOpen)
		{
			tachy_async_end(&Span);
		}
		bOpen = false;
	}

	/** 0: not recorded. */
	uint64 Id() const { return Span.id; }

	/** What TACHY_ASYNC_VALUE and TACHY_ASYNC_FLOW are made of. */
	template <typename ValueType>
	void GiveValue(tachy_site* Key, const ValueType& Given)
	{
		if (bOpen)
		{
			AsyncValue(Span, Key, Given);
		}
	}
	void GiveFlow(tachy_site* Key, uint64 Number)
	{
		if (bOpen)
		{
			tachy_async_flow(&Span, Key, Number);
		}
	}

private:
	tachy_async Span = {};
	bool bOpen = false;
};

/** Ends by End(), or with its last owner. */
class FAsyncSpan
{
public:
	FAsyncSpan() = default;
	explicit FAsyncSpan(tachy_site* Site)
	    : Handle(Site)
	{
	}
	FAsyncSpan(tachy_site* Site, const FAsyncHandle& Parent)
	    : Handle(Site, Parent)
	{
	}
	~FAsyncSpan() { Handle.End(); }
	FAsyncSpan(FAsyncSpan&& Other) noexcept
	    : Handle(Other.Handle)
	{
		Other.Handle = {};
	}
	FAsyncSpan& operator=(FAsyncSpan&& Other) noexcept
	{
		if (this != &Other)
		{
			Handle.End();
			Handle = Other.Handle;
			Other.Handle = {};
		}
		return *this;
	}
	FAsyncSpan(const FAsyncSpan&) = delete;
	FAsyncSpan& operator=(const FAsyncSpan&) = delete;

	void End() { Handle.End(); }
	uint64 Id() const { return Handle.Id(); }

	/** As the parent of others, also when it has ended. */
	operator const FAsyncHandle&() const { return Handle; }

	template <typename ValueType>
	void GiveValue(tachy_site* Key, const ValueType& Given)
	{
		Handle.GiveValue(Key, Given);
	}
	void GiveFlow(tachy_site* Key, uint64 Number) { Handle.GiveFlow(Key, Number); }

private:
	FAsyncHandle Handle;
};

} // namespace Tachy

#define TACHY_ASYNC_SITE_AT(Id, Target, Name) \
	( \
	    []() -> tachy_site* \
	    { \
		    TACHY_NAMED_SITE_AT(Id, TACHY_SITE_ASYNC, 0, Target, Name, ""); \
		    return &TACHY_CAT(TachySite, Id); \
	    }())
#define TACHY_ASYNC_NAMED_AT(Id, Target, Name) \
	( \
	    [](const auto& TachyName) -> tachy_site* \
	    { \
		    TACHY_OTHERS_AT(Id, TACHY_SITE_ASYNC, Target); \
		    return tachy_enabled(&TACHY_CAT(TachySite, Id)) \
		               ? ::Tachy::NamedSite(&TACHY_CAT(TachySite, Id), TACHY_CAT(TachyHash, Id), TachyName) \
		               : nullptr; \
	    }(Name))

// An FAsyncSpan: TACHY_ASYNC("Target", "Name"), or with the span that it belongs to as third argument.
#define TACHY_ASYNC(Target, Name, ...) \
	::Tachy::FAsyncSpan(TACHY_ASYNC_SITE_AT(__COUNTER__, Target, Name), ##__VA_ARGS__)
// An FAsyncHandle.
#define TACHY_ASYNC_BEGIN(Target, Name, ...) \
	::Tachy::FAsyncHandle(TACHY_ASYNC_SITE_AT(__COUNTER__, Target, Name), ##__VA_ARGS__)
// The first, for a name that is known at run time only: see TachyNames.h.
#define TACHY_ASYNC_NAME(Target, Name, ...) \
	::Tachy::FAsyncSpan(TACHY_ASYNC_NAMED_AT(__COUNTER__, Target, Name), ##__VA_ARGS__)
