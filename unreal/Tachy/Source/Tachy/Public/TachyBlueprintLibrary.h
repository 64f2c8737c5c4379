// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreMinimal.h"
#include "Kismet/BlueprintFunctionLibrary.h"
#include "TachyBlueprintLibrary.generated.h"

/** How important a log is. */
UENUM(BlueprintType)
enum class ETachyLevel : uint8
{
	Fatal,
	Error,
	Warning,
	Info,
	Debug,
	Trace
};

/** A span of one event, without a latent node between its begin and its end. */
USTRUCT(BlueprintType)
struct TACHY_API FTachySpan
{
	GENERATED_BODY()

	/** Where it lies on the thread's stack of open spans; 0: not recorded. */
	UPROPERTY(Transient)
	int64 Scope = 0;

	/** When it began, in ticks, by which a span that has ended is known. */
	UPROPERTY(Transient)
	int64 Begin = 0;
};

/** A span that may last for many frames. May be kept in variables and copied; the first end counts. */
USTRUCT(BlueprintType)
struct TACHY_API FTachyAsyncSpan
{
	GENERATED_BODY()

	/** 0: not recorded. */
	UPROPERTY(Transient)
	int64 Id = 0;

	/** How many it is a part of. */
	UPROPERTY(Transient)
	int32 Depth = 0;
};

/** What game code can do with macros, for Blueprint. Targets, names and units are made known once and found again by
 * their text. */
UCLASS()
class TACHY_API UTachyBlueprintLibrary : public UBlueprintFunctionLibrary
{
	GENERATED_BODY()

public:
	/** A log. */
	UFUNCTION(BlueprintCallable, Category = "Tachy")
	static void Log(const FString& Target, ETachyLevel Level, const FString& Message);

	/** A log with properties of its own, in place of the context. */
	UFUNCTION(BlueprintCallable, Category = "Tachy", meta = (AutoCreateRefTerm = "Properties"))
	static void LogWithProperties(const FString& Target, ETachyLevel Level, const TMap<FString, FString>& Properties,
	                              const FString& Message);

	/** A number that belongs to this moment. */
	UFUNCTION(BlueprintCallable, Category = "Tachy")
	static void Metric(const FString& Target, const FString& Name, const FString& Unit, double Value);

	/** A whole number. */
	UFUNCTION(BlueprintCallable, Category = "Tachy")
	static void IntMetric(const FString& Target, const FString& Name, const FString& Unit, int64 Value);

	/** A number with properties of its own, in place of the context. */
	UFUNCTION(BlueprintCallable, Category = "Tachy", meta = (AutoCreateRefTerm = "Properties"))
	static void MetricWithProperties(const FString& Target, const FString& Name, const FString& Unit,
	                                 const TMap<FString, FString>& Properties, double Value);

	/** Begins a span on this thread, which ends in the same event: with latent nodes between, take BeginAsyncSpan. */
	UFUNCTION(BlueprintCallable, Category = "Tachy")
	static FTachySpan BeginSpan(const FString& Target, const FString& Name);

	/** Ends it, and those that began after it. Nothing happens when it has ended. */
	UFUNCTION(BlueprintCallable, Category = "Tachy")
	static void EndSpan(const FTachySpan& Span);

	/** Gives an open span a number. */
	UFUNCTION(BlueprintCallable, Category = "Tachy")
	static void SetSpanNumber(const FTachySpan& Span, const FString& Key, double Value);

	/** Gives an open span a text. */
	UFUNCTION(BlueprintCallable, Category = "Tachy")
	static void SetSpanText(const FTachySpan& Span, const FString& Key, const FString& Value);

	/** Begins a span that may end in another event, frame or object. */
	UFUNCTION(BlueprintCallable, Category = "Tachy")
	static FTachyAsyncSpan BeginAsyncSpan(const FString& Target, const FString& Name);

	/** The same, as a part of another, which may have ended. */
	UFUNCTION(BlueprintCallable, Category = "Tachy")
	static FTachyAsyncSpan BeginChildAsyncSpan(const FTachyAsyncSpan& Parent, const FString& Target,
	                                           const FString& Name);

	/** Ends it. Nothing happens when it has ended. */
	UFUNCTION(BlueprintCallable, Category = "Tachy")
	static void EndAsyncSpan(const FTachyAsyncSpan& Span);

	/** Gives an open async span a number. */
	UFUNCTION(BlueprintCallable, Category = "Tachy")
	static void SetAsyncSpanNumber(const FTachyAsyncSpan& Span, const FString& Key, double Value);

	/** Gives an open async span a text. */
	UFUNCTION(BlueprintCallable, Category = "Tachy")
	static void SetAsyncSpanText(const FTachyAsyncSpan& Span, const FString& Key, const FString& Value);

	/** A property of every log and metric from now on; an empty value takes it away. False: there are 32 others. */
	UFUNCTION(BlueprintCallable, Category = "Tachy")
	static bool SetContext(const FString& Key, const FString& Value);

	/** Takes all of them away. */
	UFUNCTION(BlueprintCallable, Category = "Tachy")
	static void ClearContext();

	/** What every log and metric has. */
	UFUNCTION(BlueprintPure, Category = "Tachy")
	static TMap<FString, FString> GetContext();

	/** A trigger of the flight recorder: the spans around this moment travel. */
	UFUNCTION(BlueprintCallable, Category = "Tachy")
	static void Mark(const FString& Reason);

	/** Sends what was recorded before, and waits for it at most so long; whether the server has it. */
	UFUNCTION(BlueprintCallable, Category = "Tachy")
	static bool Flush(float Seconds);

	/** Under which this run of the game stands in SQL: for bug reports. */
	UFUNCTION(BlueprintPure, Category = "Tachy")
	static FString GetProcessId();

	/** Whether the game must ask the player before anything is sent. */
	UFUNCTION(BlueprintPure, Category = "Tachy|Consent")
	static bool IsConsentRequired();

	/** The player has agreed, in this run or in an earlier one. */
	UFUNCTION(BlueprintPure, Category = "Tachy|Consent")
	static bool IsConsentGiven();

	/** The player has refused: nothing is recorded. */
	UFUNCTION(BlueprintPure, Category = "Tachy|Consent")
	static bool IsConsentRevoked();

	/** What waits is sent, and recording begins where the player had refused. False: not stored, it holds for this run.
	 */
	UFUNCTION(BlueprintCallable, Category = "Tachy|Consent")
	static bool GiveConsent();

	/** Deletes what was not sent yet and records nothing from now on. False: not stored, it holds for this run. */
	UFUNCTION(BlueprintCallable, Category = "Tachy|Consent")
	static bool RevokeConsent();
};
