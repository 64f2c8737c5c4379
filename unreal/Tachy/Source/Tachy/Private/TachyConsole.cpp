// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/** The console's commands: docs/unreal.md lists them. */
#include "HAL/IConsoleManager.h"
#include "Modules/ModuleManager.h"
#include "Tachy.h"
#include "TachyModule.h"

namespace
{

int32 Enable = 1;

FAutoConsoleVariableRef EnableVariable(
	TEXT("tachy.Enable"), Enable, TEXT("0: nothing is recorded; 1: everything is."),
	FConsoleVariableDelegate::CreateLambda([](IConsoleVariable*)
		{ tachy_set_level(Enable ? TACHY_LEVEL_TRACE : TACHY_LEVEL_NONE); }));

FAutoConsoleCommandWithOutputDevice StatusCommand(
	TEXT("tachy.Status"), TEXT("What is recorded, sent and lost, and the process id."),
	FConsoleCommandWithOutputDeviceDelegate::CreateLambda(
		[](FOutputDevice& Out)
		{
			const FTachyModule* const Module = FModuleManager::GetModulePtr<FTachyModule>("Tachy");
			Out.Log(Module ? Module->Status() : FString(TEXT("tachy: not loaded")));
		}));

FAutoConsoleCommand FlushCommand(
	TEXT("tachy.Flush"), TEXT("Sends what was recorded, and waits for it at most 5 seconds."),
	FConsoleCommandDelegate::CreateLambda([]() { Tachy::Flush(5.0f); }));

FAutoConsoleCommand MarkCommand(
	TEXT("tachy.Mark"), TEXT("Sends the spans around this moment: tachy.Mark REASON."),
	FConsoleCommandWithArgsDelegate::CreateLambda(
		[](const TArray<FString>& Words) { Tachy::Mark(FString::Join(Words, TEXT(" "))); }));

FAutoConsoleCommand SetCommand(
	TEXT("tachy.Set"), TEXT("A property of every log and metric from now on: tachy.Set KEY VALUE; without VALUE it goes."),
	FConsoleCommandWithArgsDelegate::CreateLambda(
		[](const TArray<FString>& Words)
		{
			if (Words.Num() > 0)
			{
				TArray<FString> Value = Words;
				Value.RemoveAt(0);
				Tachy::SetContext(Words[0], FString::Join(Value, TEXT(" ")));
			}
		}));

} // namespace
