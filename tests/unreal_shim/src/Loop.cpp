// The engine's life: start, frames, end.
#include "unreal_shim/Loop.h"

#include <stdlib.h>

#include "Containers/Ticker.h"
#include "HAL/IConsoleManager.h"
#include "Misc/CommandLine.h"
#include "Misc/ConfigCacheIni.h"
#include "Misc/CoreDelegates.h"
#include "Misc/FileHelper.h"
#include "Misc/Parse.h"
#include "Modules/ModuleManager.h"
#include "ProfilingDebugging/ExternalProfiler.h"
#include "State.h"

using namespace unreal_shim;

static void ReadLine(int Argc, const char *const *Argv) {
  FString Line;
  for (int I = 1; I < Argc; ++I) {
    FString Argument(UTF8_TO_TCHAR(Argv[I]));
    int32 Space = INDEX_NONE, Equals = INDEX_NONE;
    if (Argument.FindChar(TCHAR(' '), Space))  // as a shell's quotes are put back
      Argument = Argument.FindChar(TCHAR('='), Equals) && Equals < Space
                     ? Argument.Left(Equals + 1) + TEXT("\"") + Argument.Mid(Equals + 1) + TEXT("\"")
                     : TEXT("\"") + Argument + TEXT("\"");
    Line += (Line.IsEmpty() ? TEXT("") : TEXT(" ")) + Argument;
  }
  FCommandLine::Set(*Line);
}
// -ini:Engine:[Section]:Key=Value,[Section]:Key=Value
static void ReadOverrides() {
  const TPair<const TCHAR *, FString> Files[] = {{TEXT("-ini:Engine:"), GEngineIni},
                                                 {TEXT("-ini:Game:"), GGameIni},
                                                 {TEXT("-ini:GameUserSettings:"), GGameUserSettingsIni}};
  const TCHAR *Rest = FCommandLine::Get();
  for (FString Word; FParse::Token(Rest, Word, false);)
    for (const TPair<const TCHAR *, FString> &File : Files) {
      if (!Word.StartsWith(File.Key)) continue;
      TArray<FString> Parts;
      Word.Mid(FCString::Strlen(File.Key)).ParseIntoArray(Parts, TEXT(",["));
      for (const FString &Part : Parts) {
        FString Section, Setting, Key, Value;
        if (Part.Split(TEXT("]:"), &Section, &Setting) && Setting.Split(TEXT("="), &Key, &Value))
          GConfig->SetString(*Section.Replace(TEXT("["), TEXT("")), *Key, *Value, File.Value);
      }
    }
}
static void SetVariables() {  // [ConsoleVariables] of the engine's ini, -DPCVars=a=1,b=2
  TArray<FString> Lines, More;
  GConfig->GetSection(TEXT("ConsoleVariables"), Lines, GEngineIni);
  const auto Apply = [](const FString &Line, EConsoleVariableFlags By) {
    FString Name, Value;
    if (!Line.Split(TEXT("="), &Name, &Value)) return;
    if (IConsoleVariable *Variable = IConsoleManager::Get().FindConsoleVariable(*Name)) Variable->Set(*Value, By);
  };
  for (const FString &Line : Lines) Apply(Line, ECVF_SetBySystemSettingsIni);
  FString Text;
  if (FParse::Value(FCommandLine::Get(), TEXT("DPCVars="), Text, false)) Text.ParseIntoArray(More, TEXT(","));
  for (const FString &Line : More) Apply(Line, ECVF_SetByCommandline);
}
static void LoadPhase(const TArray<FModuleToLoad> &Modules, EPhase Phase) {
  for (const FModuleToLoad &Module : Modules)
    if (Module.Phase == Phase) FModuleManager::Get().LoadModuleChecked(FName(Module.Name));
}

void unreal_shim::Start(int Argc, const char *const *Argv, const TArray<FModuleToLoad> &Modules) {
  FState &S = State();
  check(!S.bStarted);
  GGameThreadId = FPlatformTLS::GetCurrentThreadId();
  GIsGameThreadIdInitialized = true;
  GLog->SetCurrentThreadAsPrimaryThread();
  ReadLine(Argc, Argv);
  if (FParse::Param(FCommandLine::Get(), TEXT("stdout"))) PrintLog(true);
  if (!FParse::Param(FCommandLine::Get(), TEXT("nocrashhandler"))) InstallCrashHandler();
  LoadPhase(Modules, EPhase::EarliestPossible);
  GConfig = new FConfigCacheIni;
  FString Ini;
  if (const char *Path = getenv("UE_SHIM_INI"); Path && FFileHelper::LoadFileToString(Ini, UTF8_TO_TCHAR(Path)))
    GConfig->ReadText_(Ini, GEngineIni);
  ReadOverrides();
  S.bStarted = true;
  if (FParse::Param(FCommandLine::Get(), TEXT("statnamedevents"))) GCycleStatsShouldEmitNamedEvents = 1;
  if (FParse::Param(FCommandLine::Get(), TEXT("server"))) S.bDedicatedServer = true;
  FString Commandlet;
  if (FParse::Value(FCommandLine::Get(), TEXT("run="), Commandlet)) S.bCommandlet = true;
  LoadPhase(Modules, EPhase::PostConfigInit);
  SetVariables();
#if UE_EXTERNAL_PROFILING_ENABLED
  FActiveExternalProfilerBase::InitActiveProfiler();
#endif
  if (EngineHooks().StartObjects) EngineHooks().StartObjects();
  S.bObjectsReady = true;
  LoadPhase(Modules, EPhase::PreDefault);
  LoadPhase(Modules, EPhase::Default);
  LoadPhase(Modules, EPhase::PostDefault);
  SetVariables();
  if (EngineHooks().StartEngine) EngineHooks().StartEngine();
  S.bEngineUp = true;
#if UE_SHIM_VERSION >= 508
  FCoreDelegates::GetOnPostEngineInit().Broadcast();
#else
  FCoreDelegates::OnPostEngineInit.Broadcast();
#endif
  LoadPhase(Modules, EPhase::PostEngineInit);
  SetVariables();
  S.CurrentTime = S.LastTime = S.LastInput = FPlatformTime::Seconds();
  FString Commands;
  TArray<FString> Each;
  if (FParse::Value(FCommandLine::Get(), TEXT("ExecCmds="), Commands, false)) Commands.ParseIntoArray(Each, TEXT(","));
  for (const FString &Command : Each) Exec(*Command.TrimStartAndEnd());
}

void unreal_shim::Tick(const FFrame &Frame) {
  FState &S = State();
  check(IsInGameThread() && S.bStarted);
  S.LastTime = S.CurrentTime;
  S.CurrentTime += Frame.Delta;
  S.DeltaTime = Frame.Delta;
  S.GameTime += Frame.Delta;
  S.Idle = Frame.Idle;
  S.IdleOvershoot = Frame.IdleOvershoot;
  if (Frame.bInput) S.LastInput = FPlatformTime::Seconds();
  if (EngineHooks().Tick) EngineHooks().Tick(Frame);
  RunGameThreadTasks();
  FTSTicker::GetCoreTicker().Tick(float(Frame.Delta));
  GLog->FlushThreadedLogs();
#if UE_EXTERNAL_PROFILING_ENABLED
  if (FExternalProfiler *Profiler = FActiveExternalProfilerBase::GetActiveProfiler()) Profiler->FrameSync();
#endif
  FCoreDelegates::OnEndFrame.Broadcast();
  ++GFrameCounter;
}

void unreal_shim::End() {
  FState &S = State();
  if (S.bCommandlet) FCoreDelegates::OnCommandletPostMain.Broadcast();
  FCoreDelegates::OnPreExit.Broadcast();
  if (EngineHooks().StopEngine) EngineHooks().StopEngine();
  S.bEngineUp = false;
  if (EngineHooks().StopObjects) EngineHooks().StopObjects();
  FModuleManager::Get().UnloadModulesAtShutdown();
  FTSTicker::GetCoreTicker().Reset();
  GLog->TearDown();
}
void unreal_shim::EnterBackground() {
  State().bBackground = true;
  FCoreDelegates::ApplicationWillEnterBackgroundDelegate.Broadcast();
}
void unreal_shim::EnterForeground() {
  State().bBackground = false;
  FCoreDelegates::ApplicationHasEnteredForegroundDelegate.Broadcast();
}
void unreal_shim::Terminate() { FCoreDelegates::GetApplicationWillTerminateDelegate().Broadcast(); }
