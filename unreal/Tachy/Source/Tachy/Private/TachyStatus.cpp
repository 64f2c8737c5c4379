// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/** What tachy.Status prints. */
#include "HAL/PlatformTime.h"
#include "Tachy.h"
#include "TachyModule.h"
#include "TachyProfiler.h"
#include "TachySwitches.h"

TArray<FString> FTachyModule::Status()
{
	TArray<FString> Lines;
	if (Consent == ETachyConsent::Revoked)
	{
		Lines.Add(TEXT("off: the player has refused"));
		return Lines;
	}
	if (!bRuns)
	{
		Lines.Add(Options.bRecord ? TEXT("off: no session has been started")
		                          : TEXT("off for this program, by its settings"));
		return Lines;
	}
	tachy_stats Stats;
	tachy_get_stats(&Stats);
	const auto Total = [](const uint64_t(&Counts)[4])
	{ return static_cast<uint64>(Counts[1] + Counts[2] + Counts[3]); };
	const FTachySender::FState State = Sender ? Sender->GetState() : FTachySender::FState{0, 0, 0, TEXT("no thread")};
	const uint64 Recorded = Total(Stats.recorded);
	const double Now = FPlatformTime::Seconds();
	const double Rate = static_cast<double>(Recorded - LastRecorded) / FMath::Max(Now - LastTime, 0.001);
	LastTime = Now;
	LastRecorded = Recorded;
	const bool bHeld = NeedsConsent() && Consent != ETachyConsent::Given;
	Lines.Add(FString::Printf(TEXT("on: %s, to %s%s%s%s"), *TachySwitches::Describe(), *Destination->Url,
	                          bHeld ? TEXT(", once the player has agreed") : TEXT(""),
	                          State.Error.IsEmpty() ? TEXT("") : TEXT(": "), *State.Error));
	Lines.Add(FString::Printf(
	    TEXT("%.0f events/s; %llu events recorded, %llu dropped, %llu sent, %llu not wanted by a trigger"), Rate,
	    Recorded, Total(Stats.dropped), Total(Stats.sent), static_cast<uint64>(Stats.not_retained)));
	Lines.Add(FString::Printf(TEXT("%llu bytes wait in memory, %llu in files; what is recorded now %s"),
	                          static_cast<uint64>(Stats.outbox_bytes), static_cast<uint64>(Stats.spool_bytes),
	                          Stats.survives ? TEXT("survives a crash") : TEXT("dies with the program")));
	Lines.Add(TachyProfiler::Describe());
	const FString Process = Tachy::ProcessId();
	Lines.Add(FString::Printf(TEXT("process %s: %s/#/process/%s"), *Process, *Destination->Url, *Process));
	Lines.Add(FString::Printf(
	    TEXT("SELECT time, level, target, msg FROM log_entries WHERE process_id = '%s' ORDER BY time"), *Process));
	return Lines;
}
