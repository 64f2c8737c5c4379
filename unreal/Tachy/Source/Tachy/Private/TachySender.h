// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreMinimal.h"

#include <atomic>

#include "HAL/CriticalSection.h"
#include "HAL/Runnable.h"
#include "Templates/SharedPointer.h"
#include "tachy_core.h"

class FEvent;
class FRunnableThread;
class ITachyAuthenticator;

/** What becomes of batches. */
enum class ETachyWork : uint8
{
	/** They wait, compressed, where they are: there is no consent yet. */
	Wait,
	Send,
	/** They are dropped: consent was taken back. */
	Forget
};

/** Takes batches from the recorder and posts them with the engine's HTTP module, on a thread of its own. */
class FTachySender : public FRunnable
{
public:
	FTachySender(const FString& InUrl, const TSharedRef<ITachyAuthenticator, ESPMode::ThreadSafe>& InAuthenticator,
	             ETachyWork InWork);
	virtual ~FTachySender();

	bool Start();
	void SetWork(ETachyWork InWork);
	/** Tries again at once: the application goes to the background, and may not come back. */
	void Nudge();
	/** Pauses between tries are short from now on: the program ends. */
	void Hurry();
	/** Batches wait for the player's word, or for that or a login, and not for the server. On any thread. */
	static bool IsWithoutConsent() { return Work == ETachyWork::Wait; }
	static bool IsHeldBack() { return Work == ETachyWork::Wait || (Work == ETachyWork::Send && bNotReady); }

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

	void Hold();
	void Forget(int& Ended);
	void SendNext(int& Ended);
	void Compress(tachy_batch* Batch);
	tachy_outcome Post(tachy_batch* Batch, uint32& PauseMs);
	TSharedRef<FExchange, ESPMode::ThreadSafe> Ask(TArray<uint8>&& Body);
	void Pause(uint32 Ms);

	const FString Url;
	const TSharedRef<ITachyAuthenticator, ESPMode::ThreadSafe> Authenticator;
	FEvent* const Bell;
	FRunnableThread* Thread = nullptr;
	std::atomic<bool> bStopping = false;
	std::atomic<bool> bHurry = false;
	std::atomic<bool> bNudged = false;
	// There is one sender at a time.
	static inline std::atomic<ETachyWork> Work = ETachyWork::Send;
	static inline std::atomic<bool> bNotReady = false;
	std::atomic<uint64> Turn = 0;
	mutable FCriticalSection Lock;
	FState State;

	// The thread's own.
	tachy_retry Retry = {};
	TArray<uint8> Packed;
	bool bCompresses = true;
	bool bRecovered = false;
};
