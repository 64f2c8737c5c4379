// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

/** The console's commands; its variables are in TachySwitches.cpp. docs/unreal.md lists them. */
#include "HAL/IConsoleManager.h"
#include "Modules/ModuleManager.h"
#include "Tachy.h"
#include "TachyModule.h"
#include "TachySwitches.h"

namespace
{

constexpr float FlushSeconds = 5.0f;

const TCHAR* SendEverything()
{
	return Tachy::Flush(FlushSeconds) ? TEXT("everything was sent")
	                                  : TEXT("not everything was sent: tachy.Status says why");
}

void PrintStatus(FOutputDevice& Out)
{
	FTachyModule* const Module = FModuleManager::GetModulePtr<FTachyModule>("Tachy");
	TArray<FString> Lines = Module ? Module->Status() : TArray<FString>{TEXT("not loaded")};
	for (const FString& Line : Lines)
	{
		Out.Log(TEXT("tachy: ") + Line);
	}
}

void RunScreenshot(const TArray<FString>& Words, UWorld*, FOutputDevice& Out)
{
	FTachyModule* const Module = FTachyModule::Find();
	const FString Name = Words.Num() > 0 ? FString::Join(Words, TEXT(" ")) : FString(TEXT("screenshot"));
	const FString Problem = Module ? Module->TakeScreenshot(Name) : FString(TEXT("not loaded"));
	if (!Problem.IsEmpty())
	{
		Out.Log(FString::Printf(TEXT("tachy: no screenshot: %s"), *Problem));
	}
}

/** What a tester marks is also seen, if it can be. */
void MarkAndSee(const FString& Reason)
{
	Tachy::Mark(Reason);
	if (FTachyModule* const Module = FTachyModule::Find())
	{
		Module->TakeScreenshot(Reason);
	}
}

void RunSnapshot(const TArray<FString>& Words, UWorld*, FOutputDevice& Out)
{
	MarkAndSee(Words.Num() > 0 ? FString::Join(Words, TEXT(" ")) : FString(TEXT("snapshot")));
	const TCHAR* const Sent = SendEverything();
	Out.Log(FString::Printf(TEXT("tachy: process %s, %s"), *Tachy::ProcessId(), Sent));
}

void RunFilter(const TArray<FString>& Words, UWorld*, FOutputDevice& Out)
{
	if (Words.Num() == 1)
	{
		TachySwitches::RemoveFilter(Words[0]);
	}
	else if (Words.Num() > 1 && !TachySwitches::SetFilter(Words[0], Words[1]))
	{
		Out.Log(FString::Printf(TEXT("tachy: %s is no level: Fatal, Error, Warning, Display, Log, Verbose, Off"),
		                        *Words[1]));
	}
	for (const FString& Line : TachySwitches::ListFilter())
	{
		Out.Log(TEXT("tachy: ") + Line);
	}
}

FAutoConsoleCommandWithOutputDevice StatusCommand(TEXT("tachy.Status"),
                                                  TEXT("What is recorded, sent and lost, and the process id."),
                                                  FConsoleCommandWithOutputDeviceDelegate::CreateStatic(&PrintStatus));

FAutoConsoleCommandWithOutputDevice
    FlushCommand(TEXT("tachy.Flush"), TEXT("Sends what was recorded, and waits for it at most 5 seconds."),
                 FConsoleCommandWithOutputDeviceDelegate::CreateLambda(
                     [](FOutputDevice& Out) { Out.Log(FString::Printf(TEXT("tachy: %s"), SendEverything())); }));

FAutoConsoleCommand
    MarkCommand(TEXT("tachy.Mark"), TEXT("Sends the spans around this moment, and a screenshot: tachy.Mark REASON."),
                FConsoleCommandWithArgsDelegate::CreateLambda([](const TArray<FString>& Words)
                                                              { MarkAndSee(FString::Join(Words, TEXT(" "))); }));

FAutoConsoleCommandWithWorldArgsAndOutputDevice
    ScreenshotCommand(TEXT("tachy.Screenshot"), TEXT("Sends what the game shows: tachy.Screenshot NAME."),
                      FConsoleCommandWithWorldArgsAndOutputDeviceDelegate::CreateStatic(&RunScreenshot));

FAutoConsoleCommandWithWorldArgsAndOutputDevice
    SnapshotCommand(TEXT("tachy.Snapshot"),
                    TEXT("When something was wrong just now: marks it, sends everything, and prints the process id to "
                         "report: tachy.Snapshot REASON."),
                    FConsoleCommandWithWorldArgsAndOutputDeviceDelegate::CreateStatic(&RunSnapshot));

FAutoConsoleCommandWithWorldArgsAndOutputDevice
    FilterCommand(TEXT("tachy.LogFilter"),
                  TEXT("Of a log category (or target) only these levels: tachy.LogFilter CATEGORY LEVEL; without LEVEL "
                       "all again; alone it lists."),
                  FConsoleCommandWithWorldArgsAndOutputDeviceDelegate::CreateStatic(&RunFilter));

FAutoConsoleCommand
    SetCommand(TEXT("tachy.Set"),
               TEXT("A property of every log and metric from now on: tachy.Set KEY VALUE; without VALUE it goes."),
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
