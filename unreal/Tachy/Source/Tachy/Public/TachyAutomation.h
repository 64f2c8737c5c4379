// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#pragma once

#include "CoreMinimal.h"
#include "Misc/AutomationTest.h"
#include "Templates/SharedPointer.h"

/**
 * A step of an automation test: sends what was recorded so far, asks the session's server how long the spans of a name
 * took in this run of the game, and fails the test where their 99th percentile is over the budget, where there are
 * none, or where the server does not answer. The game goes on meanwhile.
 *
 *     ADD_LATENT_AUTOMATION_COMMAND(FTachySpanBudget(*this, TEXT("UEnemyDirector::Tick"), 2.5));
 */
class FTachySpanBudget : public IAutomationLatentCommand
{
public:
	/** P99Ms: the budget in milliseconds. */
	TACHY_API FTachySpanBudget(FAutomationTestBase& InTest, const FString& InSpan, double InP99Ms);
	TACHY_API virtual bool Update() override;

private:
	struct FAnswer;

	void Ask();
	void Judge();

	FAutomationTestBase& Test;
	const FString Span;
	const double P99Ms;
	TSharedPtr<FAnswer, ESPMode::ThreadSafe> Answer;
};
