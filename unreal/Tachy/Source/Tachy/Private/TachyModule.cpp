// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachyModule.h"

#include "HAL/PlatformMisc.h"
#include "HAL/PlatformProcess.h"
#include "Misc/App.h"
#include "Misc/CoreDelegates.h"
#include "Misc/EngineVersion.h"
#include "Misc/OutputDeviceRedirector.h"
#include "Modules/ModuleManager.h"
#include "Tachy.h"

DEFINE_LOG_CATEGORY_STATIC(LogTachy, Log, All);

namespace
{

constexpr uint32 EndMs = 2000; // how long the engine's end may wait for what has no file

void Describe(const ANSICHAR* Key, const FString& Value)
{
	tachy_set_process_property(Key, TCHAR_TO_UTF8(*Value));
}

void DescribeProcess()
{
	Describe("platform", FPlatformMisc::GetUBTPlatform());
	Describe("engine-version", FEngineVersion::Current().ToString());
	Describe("build-version", FApp::GetBuildVersion());
	Describe("build-config", LexToString(FApp::GetBuildConfiguration()));
	Describe("build-target", LexToString(FApp::GetBuildTargetType()));
	Describe("project", FApp::GetProjectName());
	Describe("cpu", FPlatformMisc::GetCPUBrand());
	Describe("gpu", FPlatformMisc::GetPrimaryGPUBrand());
	Describe("cores", FString::FromInt(FPlatformMisc::NumberOfCores()));
	Describe("cores-logical", FString::FromInt(FPlatformMisc::NumberOfCoresIncludingHyperthreads()));
	Describe("pid", FString::FromInt(static_cast<int32>(FPlatformProcess::GetCurrentProcessId())));
}

} // namespace

void FTachyModule::StartupModule()
{
	Options = FTachyOptions::Read();
	if (Options.bRecord && StartSession())
	{
		PreExit = FCoreDelegates::OnPreExit.AddRaw(this, &FTachyModule::EndSession);
	}
}

void FTachyModule::ShutdownModule()
{
	FCoreDelegates::OnPreExit.Remove(PreExit);
	EndSession();
}

bool FTachyModule::StartSession()
{
	const FTCHARToUTF8 Exe(FPlatformProcess::ExecutableName(false));
	const FTCHARToUTF8 Folder(*Options.Folder);
	const FTCHARToUTF8 Url(*Options.Url);
	tachy_config Config = {};
	Config.exe = Exe.Get();
	Config.sdk = "unreal " TACHY_VERSION;
	Config.session_folder = Folder.Get();
	Config.destination = Url.Get();
	const tachy_status Result = tachy_start(&Config);
	if (Result != TACHY_OK && Result != TACHY_JOINED)
	{
		UE_LOG(LogTachy, Warning, TEXT("Nothing is recorded: tachy_start answers %d"), static_cast<int32>(Result));
		return false;
	}
	bRuns = true;
	DescribeProcess();
	FModuleManager::Get().LoadModule(TEXT("HTTP")); // on this thread: requests are made on another
	Sender = MakeUnique<FTachySender>(Options.Url, Options.Key);
	if (!Sender->Start())
	{
		UE_LOG(LogTachy, Warning, TEXT("Nothing is sent: there is no thread for it"));
		Sender.Reset();
	}
	if (Options.bLog)
	{
		LogDevice = MakeUnique<FTachyLogDevice>();
		GLog->AddOutputDevice(LogDevice.Get());
	}
	Net = MakeUnique<FTachyNet>();
	return true;
}

void FTachyModule::EndSession()
{
	if (!bRuns)
	{
		return;
	}
	bRuns = false;
	if (LogDevice)
	{
		GLog->RemoveOutputDevice(LogDevice.Get());
	}
	LogDevice.Reset();
	Net.Reset();
	if (Sender)
	{
		Sender->Hurry();
	}
	tachy_stop(EndMs);
	Sender.Reset();
}

FString FTachyModule::Status() const
{
	if (!bRuns)
	{
		return TEXT("tachy: off");
	}
	tachy_stats Stats;
	tachy_get_stats(&Stats);
	const auto Total = [](const uint64_t(&Counts)[4])
	{ return static_cast<uint64>(Counts[1] + Counts[2] + Counts[3]); };
	const FTachySender::FState State = Sender ? Sender->GetState() : FTachySender::FState{0, 0, 0, TEXT("no thread")};
	return FString::Printf(
	    TEXT("tachy: on, process %s, to %s%s%s\n")
	        TEXT("tachy: %llu events recorded, %llu dropped, %llu sent; %llu bytes wait in memory, %llu in files"),
	    *Tachy::ProcessId(), *Options.Url, State.Error.IsEmpty() ? TEXT("") : TEXT(": "), *State.Error,
	    Total(Stats.recorded), Total(Stats.dropped), Total(Stats.sent), static_cast<uint64>(Stats.outbox_bytes),
	    static_cast<uint64>(Stats.spool_bytes));
}

IMPLEMENT_MODULE(FTachyModule, Tachy)
