// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreMinimal.h"

#include <atomic>

#include "HAL/CriticalSection.h"
#include "HAL/Runnable.h"
#include "tachy_core.h"

class FEvent;
class FRunnableThread;

/** Takes batches from the recorder and posts them with the engine's HTTP module, on a thread of its own. */
class FTachySender : public FRunnable
{
public:
	FTachySender(const FString& InUrl, const FString& InKey);
	virtual ~FTachySender();

	bool Start();
	/** Pauses between tries are short from now on: the program ends. */
	void Hurry();

	struct FState
	{
		uint64 Sent = 0;
		uint64 Retries = 0;
		uint64 Refused = 0;
		/** Why the last batch was not sent; empty when it was. */
		FString Error;
	};
	FState GetState() const;

	virtual uint32 Run() override;
	virtual void Stop() override;

private:
	struct FExchange;

	void Compress(tachy_batch* Batch);
	tachy_outcome Post(tachy_batch* Batch, uint32& PauseMs);
	TSharedRef<FExchange, ESPMode::ThreadSafe> Ask(TArray<uint8>&& Body);
	void Pause(uint32 Ms);

	const FString Url;
	const FString Key;
	FEvent* const Bell;
	FRunnableThread* Thread = nullptr;
	std::atomic<bool> bStopping = false;
	std::atomic<bool> bHurry = false;
	std::atomic<uint64> Turn = 0;
	mutable FCriticalSection Lock;
	FState State;

	// The thread's own.
	tachy_retry Retry = {};
	TArray<uint8> Packed;
	bool bCompresses = true;
};
