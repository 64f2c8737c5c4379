// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachySender.h"

#include "HAL/Event.h"
#include "HAL/PlatformProcess.h"
#include "HAL/PlatformTime.h"
#include "HAL/RunnableThread.h"
#include "HttpModule.h"
#include "Interfaces/IHttpRequest.h"
#include "Interfaces/IHttpResponse.h"
#include "Misc/Compression.h"
#include "Misc/DateTime.h"
#include "Misc/ScopeLock.h"
#include "Modules/ModuleManager.h"
#include "TachyLogDevice.h"
#include "TachySession.h"

namespace
{

constexpr uint32 TakeMs = 1000; // how long one wait for a batch takes
constexpr uint32 LookMs = 100;  // how soon a stop is seen while a request is out
constexpr uint32 HoldMs = 250;  // how often it is asked whether batches may be sent by now
constexpr uint32 HurryMs = 100; // the longest pause once the program ends
constexpr float TimeoutSeconds = 30.0f;

double ReadRetryAfter(const FString& Value)
{
	FDateTime Moment;
	if (Value.IsEmpty())
	{
		return 0.0;
	}
	if (FChar::IsDigit(Value[0]))
	{
		return FCString::Atod(*Value);
	}
	return FDateTime::ParseHttpDate(Value, Moment) ? (Moment - FDateTime::UtcNow()).GetTotalSeconds() : 0.0;
}

} // namespace

/** One request, and what came back. The engine may answer after we have stopped waiting. */
struct FTachySender::FExchange
{
	FExchange()
	    : Done(FPlatformProcess::GetSynchEventFromPool(true))
	{
	}
	~FExchange() { FPlatformProcess::ReturnSynchEventToPool(Done); }

	FEvent* const Done;
	/** 0: no answer. */
	uint32 Status = 0;
	double RetryAfter = 0.0;
	FString Control;
	FString Error = TEXT("no answer");
};

FTachyKeyAuthenticator::FTachyKeyAuthenticator(const FString& InKey)
    : Key(InKey)
{
}

void FTachyKeyAuthenticator::Sign(IHttpRequest& Request)
{
	if (!Key.IsEmpty())
	{
		Request.SetHeader(TEXT("Authorization"), TEXT("Bearer ") + Key);
	}
}

FTachySender::FTachySender(const FString& InUrl,
                           const TSharedRef<ITachyAuthenticator, ESPMode::ThreadSafe>& InAuthenticator,
                           ETachyWork InWork)
    : Url(InUrl)
    , Authenticator(InAuthenticator)
    , Bell(FPlatformProcess::GetSynchEventFromPool(false))
{
	Work = InWork;
	bNotReady = false;
}

FTachySender::~FTachySender()
{
	if (Thread)
	{
		Thread->Kill(true);
		delete Thread;
	}
	FPlatformProcess::ReturnSynchEventToPool(Bell);
	Work = ETachyWork::Send; // nobody holds anything back now
	bNotReady = false;
}

bool FTachySender::Start()
{
	Thread = FRunnableThread::Create(this, TEXT("TachySender"), 0, TPri_BelowNormal);
	return Thread != nullptr;
}

void FTachySender::SetWork(ETachyWork InWork)
{
	Work = InWork;
	Nudge();
}

void FTachySender::Nudge()
{
	bNudged = true;
	Bell->Trigger();
}

void FTachySender::Hurry()
{
	bHurry = true;
	Bell->Trigger();
}

void FTachySender::Stop()
{
	bStopping = true;
	Bell->Trigger();
	tachy_sender_end(Turn);
}

FTachySender::FState FTachySender::GetState() const
{
	FScopeLock Guard(&Lock);
	return State;
}

uint32 FTachySender::Run()
{
	const FTachyQuiet Quiet;
	while (!Turn)
	{
		if (bStopping)
		{
			return 0;
		}
		Turn = tachy_sender_begin(TakeMs);
	}
	int Ended = 0;
	while (!bStopping && !Ended)
	{
		bNotReady = Work == ETachyWork::Send && !Authenticator->IsReady();
		if (IsHeldBack())
		{
			Hold();
		}
		else if (Work == ETachyWork::Send)
		{
			SendNext(Ended);
		}
		else
		{
			Forget(Ended);
		}
	}
	tachy_sender_end(Turn); // it may have come after Stop had looked for it
	return 0;
}

/** Compressed, more of what waits fits into the recorder's bounds. */
void FTachySender::Hold()
{
	while (tachy_batch* const Batch = bStopping ? nullptr : tachy_batch_take_raw())
	{
		Compress(Batch);
		tachy_batch_done(Batch, TACHY_RETRY);
	}
	Pause(HoldMs);
}

void FTachySender::Forget(int& Ended)
{
	if (tachy_batch* const Batch = tachy_batch_take(TakeMs, &Ended))
	{
		tachy_batch_moves();
		tachy_batch_done(Batch, TACHY_REFUSED);
	}
}

void FTachySender::SendNext(int& Ended)
{
	if (!bRecovered)
	{
		bRecovered = true;
		tachy_recover(nullptr, nullptr); // what earlier runs of the game have left for this server
	}
	if (tachy_batch* const Batch = tachy_batch_take(TakeMs, &Ended))
	{
		Compress(Batch);
		uint32 PauseMs = 0;
		const tachy_outcome Outcome = Post(Batch, PauseMs);
		const bool bForgotten = Work == ETachyWork::Forget && Outcome == TACHY_RETRY;
		tachy_batch_done(Batch, bForgotten ? TACHY_REFUSED : Outcome);
		Pause(PauseMs);
	}
}

/** Gzip, which every version of the engine has; what comes out is read back once before it is trusted. */
void FTachySender::Compress(tachy_batch* Batch)
{
	const uint32 Count = tachy_batch_block_count(Batch);
	for (uint32 Block = 0; bCompresses && Block < Count; ++Block)
	{
		uint64_t Size = 0;
		const void* const Body = tachy_batch_body(Batch, Block, &Size);
		if (!Body || Size == 0 || Size > static_cast<uint64_t>(MAX_int32) ||
		    tachy_batch_codec(Batch, Block) != TACHY_CODEC_NONE)
		{
			continue;
		}
		const int32 Plain = static_cast<int32>(Size);
		int32 Done = FCompression::CompressMemoryBound(NAME_Gzip, Plain);
		Packed.SetNumUninitialized(FMath::Max(Done, Packed.Num()));
		if (!FCompression::CompressMemory(NAME_Gzip, Packed.GetData(), Done, Body, Plain))
		{
			continue;
		}
		if (State.Sent == 0)
		{
			TArray<uint8> Back;
			Back.SetNumUninitialized(Plain);
			bCompresses = FCompression::UncompressMemory(NAME_Gzip, Back.GetData(), Plain, Packed.GetData(), Done) &&
			              FMemory::Memcmp(Back.GetData(), Body, Size) == 0;
		}
		if (bCompresses)
		{
			tachy_batch_replace(Batch, Block, TACHY_CODEC_GZIP, Packed.GetData(), static_cast<uint64>(Done));
		}
	}
}

TSharedRef<FTachySender::FExchange, ESPMode::ThreadSafe> FTachySender::Ask(TArray<uint8>&& Body)
{
	TSharedRef<FExchange, ESPMode::ThreadSafe> Exchange = MakeShared<FExchange, ESPMode::ThreadSafe>();
	if (!FModuleManager::Get().IsModuleLoaded("HTTP"))
	{
		Exchange->Error = TEXT("the engine's HTTP module is gone");
		return Exchange;
	}
	TSharedRef<IHttpRequest, ESPMode::ThreadSafe> Request = FHttpModule::Get().CreateRequest();
	Request->SetURL(Url + TEXT("/ingest/v1/batch"));
	Request->SetVerb(TEXT("POST"));
	Request->SetHeader(TEXT("Content-Type"), TEXT("application/octet-stream"));
	Request->SetContent(MoveTemp(Body));
	Request->SetTimeout(TimeoutSeconds);
	Request->SetDelegateThreadPolicy(EHttpRequestDelegateThreadPolicy::CompleteOnHttpThread);
	Request->OnProcessRequestComplete().BindLambda(
	    [Exchange](FHttpRequestPtr, FHttpResponsePtr Response, bool bConnected)
	    {
		    if (bConnected && Response.IsValid())
		    {
			    Exchange->Status = static_cast<uint32>(Response->GetResponseCode());
			    Exchange->RetryAfter = ReadRetryAfter(Response->GetHeader(TEXT("Retry-After")));
			    Exchange->Control = Response->GetHeader(TEXT("Tachy-Control"));
			    Exchange->Error =
			        FString::Printf(TEXT("HTTP %u %s"), Exchange->Status, *Response->GetContentAsString().Left(200));
		    }
		    Exchange->Done->Trigger();
	    });
	Authenticator->Sign(*Request);
	if (!Request->ProcessRequest())
	{
		Exchange->Error = TEXT("the request could not be made");
		return Exchange;
	}
	while (!Exchange->Done->Wait(LookMs))
	{
		if (bStopping || Work != ETachyWork::Send)
		{
			Request->CancelRequest();
			return MakeShared<FExchange, ESPMode::ThreadSafe>();
		}
	}
	return Exchange;
}

tachy_outcome FTachySender::Post(tachy_batch* Batch, uint32& PauseMs)
{
	uint64_t Size = 0;
	const void* const Bytes = tachy_batch_bytes(Batch, &Size);
	TSharedRef<FExchange, ESPMode::ThreadSafe> Exchange = MakeShared<FExchange, ESPMode::ThreadSafe>();
	if (Bytes && Size <= static_cast<uint64_t>(MAX_int32))
	{
		Exchange = Ask(TArray<uint8>(static_cast<const uint8*>(Bytes), static_cast<int32>(Size)));
	}
	if (!Exchange->Control.IsEmpty())
	{
		tachy_control(TCHAR_TO_UTF8(*Exchange->Control));
	}
	const tachy_outcome Outcome = tachy_retry_answer(&Retry, Exchange->Status, Exchange->RetryAfter, &PauseMs);
	FScopeLock Guard(&Lock);
	State.Sent += Outcome == TACHY_SENT;
	State.Retries += Outcome == TACHY_RETRY;
	State.Refused += Outcome == TACHY_REFUSED;
	State.Error = Outcome == TACHY_SENT ? FString() : Exchange->Error;
	return Outcome;
}

void FTachySender::Pause(uint32 Ms)
{
	const double Begin = FPlatformTime::Seconds();
	while (!bStopping && !bNudged.exchange(false))
	{
		const double Limit = bHurry ? FMath::Min(Ms, HurryMs) : Ms;
		const double Left = Limit - (FPlatformTime::Seconds() - Begin) * 1000.0;
		if (Left <= 0.0)
		{
			return;
		}
		Bell->Wait(static_cast<uint32>(Left) + 1);
	}
}
