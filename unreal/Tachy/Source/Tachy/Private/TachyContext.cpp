// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/** Sets of properties: the context of every log and metric, and those of single ones. */
#include "Tachy.h"

#include "HAL/CriticalSection.h"
#include "HAL/IConsoleManager.h"
#include "Misc/OutputDevice.h"
#include "Misc/ScopeLock.h"

namespace Tachy
{

std::atomic<uint32> ContextSet = 0;

namespace
{

constexpr int32 MostProperties = 32; // of a set

struct FContext
{
	FCriticalSection Lock;
	TMap<FString, FString> Pairs;
};

FContext& TheContext()
{
	static FContext Context;
	return Context;
}

uint32 MakeSet(const TMap<FString, FString>& Pairs)
{
	TArray<TArray<ANSICHAR>> Texts;
	TArray<tachy_property> Properties;
	const auto Keep = [&Texts](const FString& Text)
	{
		TArray<ANSICHAR>& Bytes = Texts.AddDefaulted_GetRef();
		const SIZE_T Length = static_cast<SIZE_T>(Text.Len());
		Bytes.SetNumZeroed(static_cast<int32>(Length * Utf8Bytes<TCHAR>) + 1);
		PutUtf8(*Text, Length, Bytes.GetData());
		return Bytes.GetData();
	};
	for (const TPair<FString, FString>& Pair : Pairs)
	{
		const ANSICHAR* const Key = Keep(Pair.Key);
		Properties.Add(tachy_property{Key, Keep(Pair.Value)});
	}
	return tachy_property_set(Properties.GetData(), static_cast<size_t>(Properties.Num()));
}

FAutoConsoleCommandWithOutputDevice ContextCommand(TEXT("tachy.Context"),
                                                   TEXT("Prints the properties that every log and metric has."),
                                                   FConsoleCommandWithOutputDeviceDelegate::CreateLambda(
                                                       [](FOutputDevice& Out)
                                                       {
	                                                       for (const TPair<FString, FString>& Pair : GetContext())
	                                                       {
		                                                       Out.Logf(TEXT("%s = %s"), *Pair.Key, *Pair.Value);
	                                                       }
                                                       }));

} // namespace

bool SetContext(const FString& Key, const FString& Value)
{
	return SetContext(TMap<FString, FString>{{Key, Value}});
}

bool SetContext(const TMap<FString, FString>& Changes)
{
	FContext& Context = TheContext();
	FScopeLock Guard(&Context.Lock);
	bool bAll = true;
	for (const TPair<FString, FString>& Change : Changes)
	{
		if (Change.Value.IsEmpty())
		{
			Context.Pairs.Remove(Change.Key);
		}
		else if (Context.Pairs.Num() < MostProperties || Context.Pairs.Contains(Change.Key))
		{
			Context.Pairs.Add(Change.Key, Change.Value);
		}
		else
		{
			bAll = false;
		}
	}
	ContextSet.store(MakeSet(Context.Pairs), std::memory_order_relaxed);
	return bAll;
}

void ClearContext()
{
	FContext& Context = TheContext();
	FScopeLock Guard(&Context.Lock);
	Context.Pairs.Empty();
	ContextSet.store(0, std::memory_order_relaxed);
}

TMap<FString, FString> GetContext()
{
	FContext& Context = TheContext();
	FScopeLock Guard(&Context.Lock);
	return Context.Pairs;
}

FProperties::FProperties(const TMap<FString, FString>& Pairs)
    : Number(MakeSet(Pairs))
{
}

} // namespace Tachy
