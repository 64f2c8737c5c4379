// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreMinimal.h"

#include <atomic>

#include "HAL/Runnable.h"

class FEvent;
class FRunnableThread;
class FTachyPlay;

/**
 * Watches the game's frames from a thread of its own: when none has ended for tachy.HangSeconds of play, that is logged
 * once as an error (which is a trigger of the flight recorder), and when they go on, how long it took.
 */
class FTachyHangs : public FRunnable
{
public:
	explicit FTachyHangs(const FTachyPlay& InPlay);
	virtual ~FTachyHangs();

	/** A frame has ended. On the game thread. */
	void EndFrame();

	virtual uint32 Run() override;
	virtual void Stop() override;

private:
	const FTachyPlay& Play;
	FEvent* const Bell;
	FRunnableThread* Thread = nullptr;
	std::atomic<bool> bStopping = false;
	/** As of the last frame. */
	std::atomic<double> FrameEnd = 0.0;
	std::atomic<float> Limit = 0.0f;
	std::atomic<bool> bPlayed = false;
	/** When the frames stopped; 0: they did not. */
	std::atomic<double> HungSince = 0.0;
};
