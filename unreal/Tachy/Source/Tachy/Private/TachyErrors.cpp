// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachyErrors.h"

#include <atomic>

#include "CoreGlobals.h"
#include "HAL/PlatformMemory.h"
#include "Misc/AssertionMacros.h"
#include "Misc/CString.h"
#include "Misc/CoreDelegates.h"
#include "Tachy.h"

namespace TachyErrorLogs
{

TACHY_DEFINE_LOG(EnsureSite, "ensure", TACHY_LEVEL_ERROR, "");
TACHY_DEFINE_LOG(CrashSite, "crash", TACHY_LEVEL_FATAL, "");

constexpr SIZE_T MostText = 1024; // characters of the engine's text that a crash takes along

/** On any thread, and perhaps inside a collection of garbage: no objects. */
static void LogEnsure()
{
	if (tachy_enabled(&EnsureSite))
	{
		Tachy::Log(&EnsureSite, Tachy::Context(), GErrorHist);
	}
}

static tachy_crash_kind FindKind()
{
	return FGenericPlatformMemory::bIsOOM ? TACHY_CRASH_MEMORY
	       : GIsGPUCrashed                ? TACHY_CRASH_GPU
	       : FDebug::HasAsserted()        ? TACHY_CRASH_ASSERT
	                                      : TACHY_CRASH_FAULT;
}

static const ANSICHAR* NameOf(tachy_crash_kind Kind)
{
	return Kind == TACHY_CRASH_MEMORY   ? "out of memory"
	       : Kind == TACHY_CRASH_GPU    ? "gpu"
	       : Kind == TACHY_CRASH_ASSERT ? "assert"
	                                    : "crash";
}

/** In a signal handler, or with a heap that is broken: what is read and written here is there already. */
static void LogCrash()
{
	static std::atomic<bool> bLogged = false;
	static ANSICHAR Text[32 + MostText * Tachy::Utf8Bytes<TCHAR>];
	if (bLogged.exchange(true))
	{
		return;
	}
	tachy_set_crash_kind(FindKind());
	const ANSICHAR* const Kind = NameOf(FindKind());
	SIZE_T Size = Tachy::PutUtf8(Kind, static_cast<SIZE_T>(FCStringAnsi::Strlen(Kind)), Text);
	const SIZE_T Length = static_cast<SIZE_T>(FCString::Strlen(GErrorHist));
	if (Length > 0)
	{
		Size += Tachy::PutUtf8(": ", 2, Text + Size);
		Size += Tachy::PutUtf8(GErrorHist, FMath::Min(Length, MostText), Text + Size);
	}
	tachy_log_text(&CrashSite, Tachy::Context(), Text, Size);
}

} // namespace TachyErrorLogs

FTachyErrors::FTachyErrors()
    : Ensure(FCoreDelegates::OnHandleSystemEnsure.AddStatic(&TachyErrorLogs::LogEnsure))
    , Crash(FCoreDelegates::OnHandleSystemError.AddStatic(&TachyErrorLogs::LogCrash))
{
	tachy_enabled(&TachyErrorLogs::CrashSite); // gives it its number: that takes a lock
}

FTachyErrors::~FTachyErrors()
{
	FCoreDelegates::OnHandleSystemEnsure.Remove(Ensure);
	FCoreDelegates::OnHandleSystemError.Remove(Crash);
}
