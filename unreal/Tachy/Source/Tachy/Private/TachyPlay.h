// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreMinimal.h"

#include <atomic>

class UWorld;

/** Whether somebody plays: a frame that loads a map, or lies in the background, says nothing of the game. */
class FTachyPlay
{
public:
	FTachyPlay();
	~FTachyPlay();

	/** The world that is played, in a game or in the editor; null: none is. On the game thread. */
	static UWorld* FindWorld();
	/** Since the player did something; below 0: there is no player who could (a server). On the game thread. */
	static double SecondsSinceInput();
	static bool IsDebugged();

	/** A map is being loaded, or the application is suspended. On any thread. */
	bool IsHeld() const { return bLoading || bSuspended; }
	/** The same at any time since this was asked last. On the game thread. */
	bool TakeHeld();

private:
	void BeginLoad(const FString& Map);
	void EndLoad(UWorld* World);
	void Suspend();
	void Resume();

	std::atomic<bool> bLoading = false;
	std::atomic<bool> bSuspended = false;
	bool bHeld = false;
	FDelegateHandle LoadBegin;
	FDelegateHandle LoadEnd;
	FDelegateHandle Background;
	FDelegateHandle Foreground;
};
