// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachyModule.h"

#include "HAL/FileManager.h"
#include "HAL/PlatformMisc.h"
#include "HAL/PlatformProcess.h"
#include "HAL/PlatformTime.h"
#include "Misc/App.h"
#include "Misc/CoreDelegates.h"
#include "Misc/EngineVersion.h"
#include "Misc/OutputDeviceRedirector.h"
#include "Modules/ModuleManager.h"
#include "Tachy.h"
#include "TachyProfiler.h"
#include "TachySession.h"
#include "TachySwitches.h"

DEFINE_LOG_CATEGORY_STATIC(LogTachy, Log, All);

namespace
{

constexpr uint32 EndMs = 2000;     // how long the engine's end may wait for what has no file
constexpr uint32 ForgetMs = 10000; // how long it may take to delete what is not to be sent
constexpr float CommandletSeconds = 10.0f;
const TCHAR* const ParentVariable = TEXT("TACHY_PARENT_PROCESS_ID");

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

/** A cook counts warnings and fails for errors: what goes wrong with us is neither. */
void Complain(bool bCommandlet, const TCHAR* Text)
{
	if (bCommandlet)
	{
		UE_LOG(LogTachy, Display, TEXT("%s"), Text);
	}
	else
	{
		UE_LOG(LogTachy, Warning, TEXT("%s"), Text);
	}
}

} // namespace

FTachyModule* FTachyModule::Find()
{
	return FModuleManager::GetModulePtr<FTachyModule>("Tachy");
}

void FTachyModule::StartupModule()
{
	Options = FTachyOptions::Read();
	ParentProcess = FPlatformMisc::GetEnvironmentVariable(ParentVariable);
	if (!Options.bUnattended)
	{
		Consent = ReadTachyConsent(Options.Home);
	}
	BindDelegates();
	TachyProfiler::Register();
	if (Options.bAutoStart)
	{
		Start(FString(), nullptr, {});
	}
}

void FTachyModule::ShutdownModule()
{
	UnbindDelegates();
	EndSession();
	TachyProfiler::Unregister();
}

bool FTachyModule::SupportsDynamicReloading()
{
	return !TachyProfiler::IsActive();
}

void FTachyModule::BindDelegates()
{
	PreExit = FCoreDelegates::OnPreExit.AddRaw(this, &FTachyModule::EndSession);
	Background = FCoreDelegates::ApplicationWillEnterBackgroundDelegate.AddRaw(this, &FTachyModule::EnterBackground);
	Terminate = FCoreDelegates::GetApplicationWillTerminateDelegate().AddRaw(this, &FTachyModule::EnterBackground);
	CommandletEnd = FCoreDelegates::OnCommandletPostMain.AddRaw(this, &FTachyModule::EndCommandlet);
}

void FTachyModule::UnbindDelegates()
{
	FCoreDelegates::OnPreExit.Remove(PreExit);
	FCoreDelegates::ApplicationWillEnterBackgroundDelegate.Remove(Background);
	FCoreDelegates::GetApplicationWillTerminateDelegate().Remove(Terminate);
	FCoreDelegates::OnCommandletPostMain.Remove(CommandletEnd);
}

bool FTachyModule::Start(const FString& Url, const TSharedPtr<ITachyAuthenticator, ESPMode::ThreadSafe>& Authenticator,
                         const TMap<FString, FString>& Properties)
{
	EndSession();
	Destination.Reset();
	if (!Options.bRecord)
	{
		return false;
	}
	FString Where = Url.IsEmpty() ? Options.Url : Url;
	while (Where.EndsWith(TEXT("/")))
	{
		Where.LeftChopInline(1);
	}
	if (Authenticator)
	{
		Destination = FTachyDestination{Where, Authenticator.ToSharedRef(), Properties};
	}
	else
	{
		Destination =
		    FTachyDestination{Where, MakeShared<FTachyKeyAuthenticator, ESPMode::ThreadSafe>(Options.Key), Properties};
	}
	return Consent != ETachyConsent::Revoked && StartSession();
}

void FTachyModule::Stop()
{
	EndSession();
	Destination.Reset();
}

ETachyWork FTachyModule::FindWork() const
{
	return NeedsConsent() && Consent != ETachyConsent::Given ? ETachyWork::Wait : ETachyWork::Send;
}

/** Before consent nothing may outlive the process. */
FString FTachyModule::FindFolder(ETachyWork Work) const
{
	if (Work == ETachyWork::Wait || !Options.bOwnFolder || Options.Folder == TEXT("-"))
	{
		return Work == ETachyWork::Wait ? FString(TEXT("-")) : Options.Folder;
	}
	IFileManager::Get().MakeDirectory(*Options.Folder, true);
	return IFileManager::Get().ConvertToAbsolutePathForExternalAppForWrite(*Options.Folder);
}

/** What this program starts is told who has started it; what a later session of ours inherits is our own parent. */
void FTachyModule::InheritParent(bool bRunning)
{
	FPlatformMisc::SetEnvironmentVar(ParentVariable, bRunning ? *Tachy::ProcessId() : *ParentProcess);
}

bool FTachyModule::StartRecorder()
{
	const ETachyWork Work = FindWork();
	const FString Where = FindFolder(Work);
	const FTCHARToUTF8 Exe(FPlatformProcess::ExecutableName(false));
	const FTCHARToUTF8 Folder(*Where);
	const FTCHARToUTF8 Url(*Destination->Url);
	tachy_config Config = {};
	Config.exe = Exe.Get();
	Config.sdk = "unreal " TACHY_VERSION;
	Config.session_folder = Folder.Get();
	Config.destination = Url.Get();
	Config.pool_bytes = Options.PoolBytes;
	Config.spool_bytes = Options.SpoolBytes;
	Config.write_bytes = Options.WriteBytes;
	Config.mode = TachySwitches::IsFlight() ? TACHY_MODE_FLIGHT : TACHY_MODE_ALL;
	InheritParent(false);
	const tachy_status Result = tachy_start(&Config);
	if (Result != TACHY_OK && Result != TACHY_JOINED)
	{
		const FString Text =
		    FString::Printf(TEXT("Nothing is recorded: tachy_start answers %d"), static_cast<int32>(Result));
		Complain(Options.bCommandlet, *Text);
		return false;
	}
	bRuns = true;
	InheritParent(true);
	FModuleManager::Get().LoadModule(TEXT("HTTP")); // on this thread: requests are made on another
	Sender = MakeUnique<FTachySender>(Destination->Url, Destination->Authenticator, Work);
	if (!Sender->Start())
	{
		Complain(Options.bCommandlet, TEXT("Nothing is sent: there is no thread for it"));
		Sender.Reset();
	}
	return true;
}

bool FTachyModule::StartSession()
{
	TachySwitches::Take(Options);
	if (!StartRecorder())
	{
		return false;
	}
	DescribeProcess();
	for (const TPair<FString, FString>& Property : Destination->Properties)
	{
		Describe(TCHAR_TO_UTF8(*Property.Key), Property.Value);
	}
	LogDevice = MakeUnique<FTachyLogDevice>();
	GLog->AddOutputDevice(LogDevice.Get());
	Net = MakeUnique<FTachyNet>();
	Images = MakeUnique<FTachyImages>(Options.ImageBytes);
	Automatic = MakeUnique<FTachyAutomatic>();
	LastTime = FPlatformTime::Seconds();
	LastRecorded = 0;
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
	Images.Reset();
	Automatic.Reset();
	uint32 WaitMs = 0; // for a sender that is held back there is nothing to wait for
	if (Sender && !FTachySender::IsHeldBack())
	{
		WaitMs = Consent == ETachyConsent::Revoked ? ForgetMs : EndMs;
		Sender->Hurry();
	}
	tachy_stop(WaitMs);
	Sender.Reset();
	InheritParent(false);
}

FString FTachyModule::TakeScreenshot(const FString& Name)
{
	return Images ? Images->Take(Name) : FString(TEXT("nothing is recorded"));
}

bool FTachyModule::SetConsent(bool bGiven)
{
	if (Options.bUnattended)
	{
		return true;
	}
	Consent = bGiven ? ETachyConsent::Given : ETachyConsent::Revoked;
	const bool bStored = WriteTachyConsent(Options.Home, Consent);
	if (!bGiven)
	{
		ForgetSessions();
	}
	else if (bRuns && Sender)
	{
		Sender->SetWork(ETachyWork::Send);
	}
	else if (!bRuns && Destination)
	{
		StartSession();
	}
	return bStored;
}

/** First what this run has and has taken over, then what else earlier runs have left. */
void FTachyModule::ForgetSessions()
{
	if (bRuns && Sender)
	{
		Sender->SetWork(ETachyWork::Forget);
	}
	EndSession();
	if (!Options.bOwnFolder || Options.Folder == TEXT("-"))
	{
		return; // a folder that others may use: nothing in it is known to be ours
	}
	const FString Folder = IFileManager::Get().ConvertToAbsolutePathForExternalAppForWrite(*Options.Folder);
	tachy_recover(TCHAR_TO_UTF8(*Folder), nullptr);
	while (tachy_batch* const Batch = tachy_batch_take(0, nullptr))
	{
		tachy_batch_done(Batch, TACHY_REFUSED);
	}
	tachy_stop(0); // gives back what could not be read
}

void FTachyModule::EnterBackground()
{
	if (bRuns && Sender)
	{
		tachy_flush_begin(0); // cut soon, by the recorder's thread
		Sender->Nudge();
	}
}

void FTachyModule::EndCommandlet()
{
	if (bRuns)
	{
		Tachy::Flush(CommandletSeconds);
	}
}

IMPLEMENT_MODULE(FTachyModule, Tachy)
