// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachyAutomation.h"

#include <atomic>

#include "Async/Async.h"
#include "HttpModule.h"
#include "Interfaces/IHttpRequest.h"
#include "Interfaces/IHttpResponse.h"
#include "Misc/CString.h"
#include "Tachy.h"
#include "TachyLogDevice.h"
#include "TachyModule.h"
#include "TachySession.h"

namespace
{

constexpr float SendSeconds = 60.0f;
constexpr float QuerySeconds = 60.0f;

/** The first number behind a text, which Rest is moved over; negative: there is none. */
double TakeNumber(FString& Rest, const TCHAR* Before)
{
	const int32 Begin = Rest.Find(Before);
	if (Begin == INDEX_NONE)
	{
		return -1.0;
	}
	Rest.RightChopInline(Begin + FCString::Strlen(Before));
	return FCString::Atod(*Rest);
}

} // namespace

/** Written by other threads until bDone. */
struct FTachySpanBudget::FAnswer
{
	int32 Status = 0;
	FString Body;
	FString Error;
	std::atomic<bool> bDone = false;
};

FTachySpanBudget::FTachySpanBudget(FAutomationTestBase& InTest, const FString& InSpan, double InP99Ms)
    : Test(InTest)
    , Span(InSpan)
    , P99Ms(InP99Ms)
{
}

bool FTachySpanBudget::Update()
{
	if (!Answer)
	{
		Answer = MakeShared<FAnswer, ESPMode::ThreadSafe>();
		Ask();
	}
	if (!Answer->bDone)
	{
		return false;
	}
	Judge();
	return true;
}

void FTachySpanBudget::Ask()
{
	const FTachyModule* const Module = FTachyModule::Find();
	if (!Module || !Module->GetDestination())
	{
		Answer->Error = TEXT("no session runs");
		Answer->bDone = true;
		return;
	}
	const FString Name =
	    Span.Replace(TEXT("'"), TEXT("''")).Replace(TEXT("\\"), TEXT("\\\\")).Replace(TEXT("\""), TEXT("\\\""));
	const FString Body =
	    FString::Printf(TEXT("{\"sql\": \"SELECT count(*), approx_percentile_cont(duration, 0.99) FROM thread_spans "
	                         "WHERE process_id = '%s' AND name = '%s' AND NOT is_open\"}"),
	                    *Tachy::ProcessId(), *Name);
	AsyncTask(ENamedThreads::AnyBackgroundThreadNormalTask,
	          [Destination = *Module->GetDestination(), Body, Told = Answer]()
	          {
		          const FTachyQuiet Quiet;
		          if (!Tachy::Flush(SendSeconds))
		          {
			          Told->Error = TEXT("what was recorded could not be sent");
			          Told->bDone = true;
			          return;
		          }
		          TSharedRef<IHttpRequest, ESPMode::ThreadSafe> Request = FHttpModule::Get().CreateRequest();
		          Request->SetURL(Destination.Url + TEXT("/api/query"));
		          Request->SetVerb(TEXT("POST"));
		          Request->SetHeader(TEXT("Content-Type"), TEXT("application/json"));
		          const FTCHARToUTF8 Bytes(*Body);
		          Request->SetContent(TArray<uint8>(reinterpret_cast<const uint8*>(Bytes.Get()), Bytes.Length()));
		          Request->SetTimeout(QuerySeconds);
		          Request->SetDelegateThreadPolicy(EHttpRequestDelegateThreadPolicy::CompleteOnHttpThread);
		          Request->OnProcessRequestComplete().BindLambda(
		              [Told](FHttpRequestPtr, FHttpResponsePtr Response, bool bConnected)
		              {
			              if (bConnected && Response.IsValid())
			              {
				              Told->Status = Response->GetResponseCode();
				              Told->Body = Response->GetContentAsString();
			              }
			              Told->bDone = true;
		              });
		          Destination.Authenticator->Sign(*Request);
		          if (!Request->ProcessRequest())
		          {
			          Told->bDone = true;
		          }
	          });
}

void FTachySpanBudget::Judge()
{
	FString Rest = Answer->Status == 200 ? Answer->Body : FString();
	TakeNumber(Rest, TEXT("\"rows\":["));
	const double Count = TakeNumber(Rest, TEXT("["));
	const double Ms = TakeNumber(Rest, TEXT(",")) * 1e-6;
	if (!Answer->Error.IsEmpty())
	{
		Test.AddError(FString::Printf(TEXT("%s: %s"), *Span, *Answer->Error));
	}
	else if (Count < 0.0)
	{
		Test.AddError(
		    FString::Printf(TEXT("%s: the server answers %d %s"), *Span, Answer->Status, *Answer->Body.Left(200)));
	}
	else if (Count < 1.0)
	{
		Test.AddError(FString::Printf(TEXT("%s: no such span was recorded"), *Span));
	}
	else if (Ms > P99Ms)
	{
		Test.AddError(
		    FString::Printf(TEXT("%s: p99 of %.0f spans is %.3f ms, the budget %.3f ms"), *Span, Count, Ms, P99Ms));
	}
	else
	{
		Test.AddInfo(FString::Printf(TEXT("%s: p99 of %.0f spans is %.3f ms of %.3f ms"), *Span, Count, Ms, P99Ms));
	}
}
