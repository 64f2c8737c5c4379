// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreMinimal.h"

#include <atomic>

#include "HAL/Runnable.h"

class FRunnableThread;
class IImageWrapperModule;

/**
 * Screenshots of the game's viewport, as JPEG within a bound of bytes: the engine hands over its pixels at the end of a
 * frame, a thread of their own makes them small and records them. One at a time. On the game thread.
 */
class FTachyImages : public FRunnable
{
public:
	explicit FTachyImages(uint64 InMostBytes);
	virtual ~FTachyImages();

	/** With the next frame. What to say of it; empty: it is under way. */
	FString Take(const FString& InName);

	virtual uint32 Run() override;

private:
	void TakePixels(int32 InWidth, int32 InHeight, const TArray<FColor>& InPixels);
	bool IsBusy() const;
	void Join();

	const uint64 MostBytes;
	IImageWrapperModule* Wrappers = nullptr;
	FDelegateHandle Captured;
	FString Name;

	/** The thread's, while there is one. */
	FRunnableThread* Thread = nullptr;
	std::atomic<bool> bDone = false;
	TArray<FColor> Pixels;
	int32 Width = 0;
	int32 Height = 0;
};
