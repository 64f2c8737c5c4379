// What the shim's own test runs: each check by name, so that a failure says what broke. Its first argument is the URL
// of a test server.
#include <stdlib.h>

#include "Containers/Ticker.h"
#include "CoreMinimal.h"
#include "Features/IModularFeatures.h"
#include "HAL/IConsoleManager.h"
#include "HAL/RunnableThread.h"
#include "HttpModule.h"
#include "Misc/Compression.h"
#include "Misc/ConfigCacheIni.h"
#include "Misc/CoreDelegates.h"
#include "Misc/Optional.h"
#include "Misc/ScopeLock.h"
#include "Modules/ModuleManager.h"
#include "ProfilingDebugging/ExternalProfiler.h"
#include "checks.h"
#include "unreal_shim/Loop.h"

DEFINE_LOG_CATEGORY_STATIC(LogSelf, Log, All);

static void Strings() {
  EXPECT(FString::Printf(TEXT("%d %5.2f %s %hs %08x %lld %-4d| %c %%"), -3, 1.5, TEXT("ü"), "ansi", 0xabcu,
                         int64(1) << 40, 7, TCHAR('x')) == TEXT("-3  1.50 ü ansi 00000abc 1099511627776 7   | x %"));
  const FString Euro(UTF8_TO_TCHAR("\xe2\x82\xac\xf0\x9f\x98\x80"));
  EXPECT(FString(TCHAR_TO_UTF8(*Euro)).Len() == 7);
  EXPECT(Euro.Len() == (sizeof(TCHAR) == 2 ? 3 : 2));
  TArray<FString> Parts;
  EXPECT(FString(TEXT("a,,b,c")).ParseIntoArray(Parts, TEXT(",")) == 3 && Parts[2] == TEXT("C"));
  EXPECT(FString(TEXT("a,,b")).ParseIntoArray(Parts, TEXT(","), false) == 3 && Parts[1].IsEmpty());
  EXPECT(FString(TEXT("Hello")).Contains(TEXT("ELL")) &&
         !FString(TEXT("Hello")).Contains(TEXT("ELL"), ESearchCase::CaseSensitive));
  EXPECT(FString(TEXT("abc")) == TEXT("ABC") && !FString(TEXT("abc")).Equals(TEXT("ABC")));
  EXPECT(FString(TEXT("a")) / TEXT("b") == TEXT("a/b"));
  FDateTime Date;
  EXPECT(FDateTime::ParseHttpDate(TEXT("Thu, 26 Nov 2026 14:03:01 GMT"), Date) &&
         Date.ToString() == TEXT("2026.11.26-14.03.01") && !FDateTime::ParseHttpDate(TEXT("soon"), Date));
  FString Left, Right;
  EXPECT(FString(TEXT("k=v=w")).Split(TEXT("="), &Left, &Right) && Left == TEXT("k") && Right == TEXT("v=w"));
}
static void Names() {
  const FName First(TEXT("Door"));
  EXPECT(First == FName(TEXT("dOOR")) && FName(TEXT("Door")) != FName(TEXT("Window")));
  EXPECT(FName(TEXT("Door_3")).GetNumber() == 4 && FName(TEXT("Door_3")).GetPlainNameString() == TEXT("Door"));
  EXPECT(FName(TEXT("Door_03")).GetNumber() == 0 && FName(TEXT("Door_3")).ToString() == TEXT("Door_3"));
  EXPECT(FName().IsNone() && FName(TEXT("None")).IsNone() && FName(TEXT("never seen"), FNAME_Find).IsNone());
  EXPECT(FName(NAME_Gzip).ToString() == TEXT("Gzip") && FName(TEXT("gzip")) == NAME_Gzip);
  const FNameBuilder Builder(FName(TEXT("Door_3")));
  EXPECT(FStringView(Builder).Equals(TEXTVIEW("Door_3")));
#if WITH_CASE_PRESERVING_NAME
  EXPECT(FName(TEXT("dOOR")).ToString().Equals(TEXT("dOOR")));
#else
  EXPECT(FName(TEXT("dOOR")).ToString().Equals(TEXT("Door")));
#endif
}
static void Containers() {
  TMap<FString, int32> Map;
  for (int32 I = 0; I < 1000; ++I) Map.Add(FString::FromInt(I), I);
  for (int32 I = 0; I < 1000; I += 2) EXPECT(Map.Remove(FString::FromInt(I)) == 1);
  EXPECT(Map.Num() == 500 && *Map.Find(TEXT("501")) == 501 && !Map.Contains(TEXT("500")));
  for (auto It = Map.CreateIterator(); It; ++It)
    if (It.Value() > 10) It.RemoveCurrent();
  EXPECT(Map.Num() == 5);
  TArray<int32> Array{5, 3, 9, 1};
  Array.Sort();
  Array.Insert(4, 2);
  EXPECT((Array == TArray<int32>{1, 3, 4, 5, 9}) && Array.RemoveAll([](int32 V) { return V > 4; }) == 2);
  TSet<FName> Set{FName(TEXT("a")), FName(TEXT("A"))};
  EXPECT(Set.Num() == 1);
  TSharedPtr<FString> Shared = MakeShared<FString>(TEXT("x"));
  TWeakPtr<FString> Weak = Shared;
  EXPECT(Weak.Pin().IsValid());
  EXPECT(Shared.GetSharedReferenceCount() == 1);
  Shared.Reset();
  EXPECT(!Weak.IsValid() && !Weak.Pin());
  TOptional<FString> Optional;
  EXPECT(!Optional.IsSet() && (Optional = FString(TEXT("o")), *Optional == TEXT("o")));
  TFunction<int32(int32)> Add = [Array](int32 V) { return V + Array[0]; };
  const TFunction<int32(int32)> Copy = Add;
  EXPECT(Copy(1) == 2 && Add(2) == 3);
}
static void Delegates() {
  struct FHolder {
    int32 Calls = 0;
    void Call(int32 N) { Calls += N; }
  } Holder;
  DECLARE_MULTICAST_DELEGATE_OneParam(FOnNumber, int32);
  FOnNumber On;
  FString Order;
  On.AddLambda([&](int32) { Order += TEXT("first"); });
  const FDelegateHandle Handle = On.AddRaw(&Holder, &FHolder::Call);
  On.AddLambda([&](int32) { Order += TEXT("last "); });
  On.Broadcast(2);
  EXPECT(Holder.Calls == 2 && Order == TEXT("last first"));
  EXPECT(On.Remove(Handle) && !On.Remove(Handle));
  On.AddRaw(&Holder, &FHolder::Call);
  EXPECT(On.RemoveAll(&Holder) == 1);
  On.Broadcast(2);
  EXPECT(Holder.Calls == 2);
  FSimpleMulticastDelegate Changing;
  FString Called;
  const FDelegateHandle Gone = Changing.AddLambda([&] { Called += TEXT("gone"); });
  FDelegateHandle Itself;
  Itself = Changing.AddLambda([&] {
    Called += TEXT("itself ");
    EXPECT(Changing.Remove(Itself) && Changing.Remove(Gone));
    Changing.AddLambda([&] { Called += TEXT("later "); });
  });
  Changing.Broadcast();
  Changing.Broadcast();
  EXPECT(Called == TEXT("itself later "));
  int32 Counted = 0;
  FSimpleMulticastDelegate Quiet;
  Quiet.AddLambda([&] { ++Counted; });
  const uint64 Allocated = unreal_shim::Allocations();
  Quiet.Broadcast();
  EXPECT(Counted == 1 && unreal_shim::Allocations() == Allocated);
  TDelegate<int32(int32)> One;
  EXPECT(!One.IsBound());
  One.BindLambda([](int32 N, int32 Extra) { return N + Extra; }, 5);
  EXPECT(One.Execute(1) == 6);
}

struct FDevice final : FOutputDevice {
  explicit FDevice(bool b) : bAnyThread(b) {}
  using FOutputDevice::Serialize;
  void Serialize(const TCHAR *, ELogVerbosity::Type, const FName &) override {}
  void Serialize(const TCHAR *V, ELogVerbosity::Type, const FName &Category, const double) override {
    if (Category != FName(TEXT("LogSelf"))) return;
    const FScopeLock Lock(&Mutex);
    Lines.Add(V);
    OtherThreads += !IsInGameThread();
  }
  bool CanBeUsedOnAnyThread() const override { return bAnyThread; }
  bool CanBeUsedOnMultipleThreads() const override { return bAnyThread; }
  bool bAnyThread;
  FCriticalSection Mutex;
  TArray<FString> Lines;
  int32 OtherThreads = 0;
};
struct FLogger final : FRunnable {
  uint32 Run() override {
    UE_LOG(LogSelf, Log, TEXT("from a thread"));
    return 0;
  }
};
static void Log() {
  FDevice Any(true), Game(false);
  GLog->AddOutputDevice(&Any);
  GLog->AddOutputDevice(&Game);
  FLogger Logger;
  TUniquePtr<FRunnableThread> Thread(FRunnableThread::Create(&Logger, TEXT("Logger")));
  Thread->WaitForCompletion();
#if !NO_LOGGING
  EXPECT(Any.Lines.Num() == 1 && Any.OtherThreads == 1 && Game.Lines.Num() == 0);
  UE_LOG(LogSelf, Display, TEXT("from %s"), TEXT("here"));
  UE_LOG(LogSelf, Verbose, TEXT("not shown"));
  EXPECT(Game.Lines.Num() == 2 && Game.Lines[0] == TEXT("from a thread") && Game.Lines[1] == TEXT("from here") &&
         Game.OtherThreads == 0);
  EXPECT(unreal_shim::Exec(TEXT("log LogSelf Verbose")));
  UE_LOG(LogSelf, Verbose, TEXT("shown"));
  EXPECT(Game.Lines.Num() == 3);
#endif
  GLog->RemoveOutputDevice(&Any);
  GLog->RemoveOutputDevice(&Game);
  int32 Ensured = 0;
  const FDelegateHandle Handle = FCoreDelegates::OnHandleSystemEnsure.AddLambda([&] { Ensured += GErrorHist[0] != 0; });
  for (int32 I = 0; I < 3; ++I) EXPECT(!ensure(I < 0));
  EXPECT(Ensured == (DO_ENSURE ? 1 : 0));
  FCoreDelegates::OnHandleSystemEnsure.Remove(Handle);
}

static int32 GNumber = 5;
static FAutoConsoleVariableRef CVarNumber(TEXT("self.Number"), GNumber, TEXT("a number"));
static TAutoConsoleVariable<bool> CVarFlag(TEXT("self.Flag"), true, TEXT("a flag"));
static TArray<FString> CommandArgs;
static FAutoConsoleCommand Command(TEXT("self.Command"), TEXT("keeps its arguments"),
                                   FConsoleCommandWithArgsDelegate::CreateLambda([](const TArray<FString> &Args) {
                                     CommandArgs = Args;
                                   }));
static void Console() {
  int32 Changes = 0;
  CVarNumber->OnChangedDelegate().AddLambda([&](IConsoleVariable *V) { Changes += V->GetInt() == 7; });
  EXPECT(GNumber == 6);  // [ConsoleVariables] of UE_SHIM_INI
  EXPECT(unreal_shim::Exec(TEXT("SELF.number 7")) && GNumber == 7 && Changes == 1);
  CVarNumber->Set(8);  // weaker than the console
  EXPECT(GNumber == 7);
  EXPECT(unreal_shim::Exec(TEXT("self.Flag 0")) && !CVarFlag.GetValueOnAnyThread());
  EXPECT(unreal_shim::Exec(TEXT("self.Command one \"two three\"")) && CommandArgs.Num() == 2 &&
         CommandArgs[1] == TEXT("two three"));
  EXPECT(!unreal_shim::Exec(TEXT("self.Unknown")));
  CVarNumber->OnChangedDelegate().Clear();
}
static void Ticker() {
  int32 Ticks = 0, Tasks = 0;
  const FTSTicker::FDelegateHandle Handle =
      FTSTicker::GetCoreTicker().AddTicker(FTickerDelegate::CreateLambda([&](float) { return ++Ticks < 100; }));
  FTSTicker::GetCoreTicker().AddTicker(FTickerDelegate::CreateLambda([&](float) { return ++Tasks, false; }), 0.05f);
  for (int32 I = 0; I < 5; ++I) unreal_shim::Tick();
  EXPECT(Ticks == 5 && Tasks == 1 && GFrameCounter == 5);
  FTSTicker::RemoveTicker(Handle);
  unreal_shim::Tick();
  EXPECT(Ticks == 5);
}
static void Config() {
  FString Value;
  TArray<FString> Values;
  EXPECT(GConfig->GetString(TEXT("/Script/Self.Settings"), TEXT("Url"), Value, GEngineIni) &&
         Value == TEXT("http://from.ini"));
  EXPECT(GConfig->GetArray(TEXT("/Script/Self.Settings"), TEXT("Names"), Values, GEngineIni) == 2 &&
         Values[1] == TEXT("b"));
  EXPECT(GConfig->GetString(TEXT("Self"), TEXT("Key"), Value, GEngineIni) && Value == TEXT("from the line"));
  uint8 Packed[256], Unpacked[64], Plain[64] = {1, 2, 3};
  int32 Size = sizeof Packed;
  EXPECT(FCompression::CompressMemory(NAME_Gzip, Packed, Size, Plain, sizeof Plain) && Packed[0] == 0x1f);
  EXPECT(FCompression::UncompressMemory(NAME_Gzip, Unpacked, sizeof Unpacked, Packed, Size) &&
         FMemory::Memcmp(Plain, Unpacked, 64) == 0);
}
static void Http(const FString &URL) {
  EXPECT(!FModuleManager::Get().IsModuleLoaded("HTTP"));
  for (const EHttpRequestDelegateThreadPolicy Policy : {EHttpRequestDelegateThreadPolicy::CompleteOnGameThread,
                                                        EHttpRequestDelegateThreadPolicy::CompleteOnHttpThread}) {
    const bool bHere = Policy == EHttpRequestDelegateThreadPolicy::CompleteOnGameThread;
    const FHttpRequestRef Request = FHttpModule::Get().CreateRequest();
    Request->SetURL(URL + TEXT("/echo"));
    Request->SetVerb(TEXT("POST"));
    Request->SetHeader(TEXT("X-Self"), TEXT("yes"));
    Request->SetContentAsString(TEXT("body ü"));
    Request->SetDelegateThreadPolicy(Policy);
    std::atomic<int32> Code{0};
    Request->OnProcessRequestComplete().BindLambda([&](FHttpRequestPtr, FHttpResponsePtr Response, bool bConnected) {
      EXPECT(bConnected && IsInGameThread() == bHere && Response &&
             Response->GetContentAsString() == TEXT("POST yes body ü"));
      Code = bConnected ? Response->GetResponseCode() : -1;
    });
    EXPECT(Request->ProcessRequest());
    for (int32 I = 0; I < 5000 && Code == 0; ++I) {
      if (bHere) unreal_shim::Tick();
      FPlatformProcess::Sleep(0.001f);
    }
    EXPECT(Code == 201);
  }
  const FHttpRequestRef Slow = FHttpModule::Get().CreateRequest();
  Slow->SetURL(URL + TEXT("/slow"));
  bool bFailed = false;
  Slow->OnProcessRequestComplete().BindLambda(
      [&](FHttpRequestPtr, FHttpResponsePtr Response, bool bConnected) { bFailed = !bConnected && !Response; });
  Slow->ProcessRequest();
  Slow->CancelRequest();
  FHttpModule::Get().GetHttpManager().Flush(EHttpFlushReason::Default);
  EXPECT(bFailed && Slow->GetStatus() == EHttpRequestStatus::Failed);
}
#if UE_EXTERNAL_PROFILING_ENABLED
struct FProfiler final : FExternalProfiler {
  void FrameSync() override { ++Frames; }
  void ProfilerPauseFunction() override {}
  void ProfilerResumeFunction() override {}
  const TCHAR *GetProfilerName() const override { return TEXT("Self"); }
  using FExternalProfiler::StartScopedEvent;
  void StartScopedEvent(const FColor &, const TCHAR *Text) override { Events += FString(Text) + TEXT("("); }
  void EndScopedEvent() override { Events += TEXT(")"); }
  int32 Frames = 0;
  FString Events;
};
static FProfiler Profiler;
static void Profile() {
  EXPECT(FActiveExternalProfilerBase::GetActiveProfiler() == &Profiler && Profiler.Frames > 0);
  {
    SCOPED_NAMED_EVENT(Outer, FColor::Red);
    SCOPED_NAMED_EVENT_FSTRING(FString(TEXT("Inner")), FColor::Red);
    QUICK_SCOPE_CYCLE_COUNTER(STAT_Off);
  }
  unreal_shim::Exec(TEXT("stat namedevents"));
  { QUICK_SCOPE_CYCLE_COUNTER(STAT_On); }
  EXPECT(Profiler.Events == TEXT("Outer(Inner())STAT_On()"));
}
#endif
class FSelfModule final : public FDefaultModuleImpl {
  void StartupModule() override { Steps += TEXT("start "); }
  void ShutdownModule() override { Steps += TEXT("shutdown "); }

 public:
  static FString Steps;
};
FString FSelfModule::Steps;
#if IS_MONOLITHIC
IMPLEMENT_MODULE(FSelfModule, Self)
#endif

#if !IS_MONOLITHIC
static void Reload() {  // a module in a shared library: loaded, unloaded, and loaded again
  FModuleManager &Manager = FModuleManager::Get();
  EXPECT(Manager.ModuleExists(TEXT("SelfModule")) && !Manager.IsModuleLoaded("SelfModule"));
  for (int32 I = 0; I < 2; ++I) {
    EXPECT(Manager.LoadModule("SelfModule") != nullptr && Manager.IsModuleLoaded("SelfModule"));
    EXPECT(unreal_shim::Exec(TEXT("selfmodule.Number 4")));
    EXPECT(IConsoleManager::Get().FindConsoleVariable(TEXT("selfmodule.Number"))->GetInt() == 4);
    EXPECT(Manager.UnloadModule("SelfModule") && !unreal_shim::Exec(TEXT("selfmodule.Number")));
  }
  EXPECT(Manager.LoadModule("NoSuchModule") == nullptr);
}
#endif

int main(int Argc, char **Argv) {
#if UE_EXTERNAL_PROFILING_ENABLED
  IModularFeatures::Get().RegisterModularFeature(FExternalProfiler::GetFeatureName(), &Profiler);
#endif
  FCoreDelegates::OnPreExit.AddLambda([] { FSelfModule::Steps += TEXT("preexit "); });
#if IS_MONOLITHIC
  unreal_shim::Start(Argc, Argv, {{TEXT("Self"), unreal_shim::EPhase::PostConfigInit}});
#else
  unreal_shim::AddModuleFolder(SELF_MODULE_FOLDER);
  unreal_shim::Start(Argc, Argv);
  Reload();
#endif
  Strings();
  Names();
  Containers();
  Delegates();
  Log();
  Console();
  Ticker();
  Config();
  EngineChecks();
  Http(FString(UTF8_TO_TCHAR(Argv[1])));
#if UE_EXTERNAL_PROFILING_ENABLED
  Profile();
#endif
  if (Argc > 2 && FString(Argv[2]) == TEXT("crash")) {
    FCoreDelegates::OnHandleSystemError.AddLambda([] { printf("error handled\n"), fflush(stdout); });
    unreal_shim::Crash();
  }
  unreal_shim::End();
#if IS_MONOLITHIC
  EXPECT(FSelfModule::Steps == TEXT("start preexit shutdown "));
#endif
  printf(Failures ? "%d failures\n" : "all well\n", Failures);
  return Failures != 0;
}
