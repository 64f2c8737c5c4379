// Modules and modular features; which profiler is the active one.
#include <dlfcn.h>
#include <stdlib.h>

#include "CoreMinimal.h"
#include "Features/IModularFeatures.h"
#include "Misc/CommandLine.h"
#include "Misc/ConfigCacheIni.h"
#include "Misc/Parse.h"
#include "Misc/Paths.h"
#include "Misc/ScopeLock.h"
#include "Modules/ModuleManager.h"
#include "ProfilingDebugging/ExternalProfiler.h"
#include "State.h"

struct FModuleManager::FState {
  struct FModule {
    FName Name;
    IModuleInterface *Module;
    void *Library;
  };
  mutable FCriticalSection Mutex;
  TMap<FName, FInitializeStaticallyLinkedModule> Linked;
  TArray<FModule> Loaded;  // in this order
  FModulesChangedEvent Changed;
  const FModule *Find(const FName Name) const {
    return Loaded.FindByPredicate([&](const FModule &M) { return M.Name == Name; });
  }
};
FModuleManager::FModuleManager() : State(new FState) {}
FModuleManager &FModuleManager::Get() {
  static FModuleManager *const The = new FModuleManager;
  return *The;
}
void FModuleManager::RegisterStaticallyLinkedModule(const FName Name, FInitializeStaticallyLinkedModule Initialize) {
  State->Linked.Add(Name, Initialize);
}
bool FModuleManager::IsModuleLoaded(const FName Name) const {
  const FScopeLock Lock(&State->Mutex);
  return State->Find(Name) != nullptr;
}
static FString LibraryOf(const FName Name) {
  TArray<FString> Folders;
  FPlatformMisc::GetEnvironmentVariable(TEXT("UE_SHIM_MODULES")).ParseIntoArray(Folders, TEXT(":"));
  for (const FString &Folder : Folders) {
    const FString Path = Folder / *(TEXT("libUnrealEditor-") + Name.ToString() + TEXT(".so"));
    if (FPaths::FileExists(Path)) return Path;
  }
  return FString();
}
bool FModuleManager::ModuleExists(const TCHAR *Name) const {
  return State->Linked.Contains(FName(Name)) || !LibraryOf(FName(Name)).IsEmpty();
}
void unreal_shim::AddModuleFolder(const char *Path) {
  const FString Known = FPlatformMisc::GetEnvironmentVariable(TEXT("UE_SHIM_MODULES"));
  setenv("UE_SHIM_MODULES", TCHAR_TO_UTF8(*(Known + TEXT(":") + *FString(Path))), 1);
}
IModuleInterface *FModuleManager::LoadModuleWithFailureReason(const FName Name, EModuleLoadResult &Result) {
  Result = EModuleLoadResult::Success;
  if (IModuleInterface *Module = GetModule(Name)) return Module;
  if (!IsInGameThread()) {
    Result = EModuleLoadResult::NotLoadedByGameThread;
    return nullptr;
  }
  void *Library = nullptr;
  const FInitializeStaticallyLinkedModule *Linked = State->Linked.Find(Name);
  FInitializeStaticallyLinkedModule Initialize = Linked ? *Linked : nullptr;
  if (!Initialize) {
    const FString Path = LibraryOf(Name);
    if (Path.IsEmpty()) {
      Result = EModuleLoadResult::FileNotFound;
      return nullptr;
    }
    Library = dlopen(TCHAR_TO_UTF8(*Path), RTLD_NOW | RTLD_LOCAL);
    if (Library) *reinterpret_cast<void **>(&Initialize) = dlsym(Library, "InitializeModule");
    if (!Initialize) {
      FPlatformMisc::LowLevelOutputDebugString(*FString::Printf(TEXT("%hs\n"), dlerror()));
      Result = EModuleLoadResult::CouldNotBeLoadedByOS;
      return nullptr;
    }
  }
  IModuleInterface *Module = Initialize();
  {
    const FScopeLock Lock(&State->Mutex);
    State->Loaded.Add({Name, Module, Library});
  }
  Module->StartupModule();
  State->Changed.Broadcast(Name, EModuleChangeReason::ModuleLoaded);
  return Module;
}
IModuleInterface *FModuleManager::LoadModule(const FName Name) {
  EModuleLoadResult Result;
  return LoadModuleWithFailureReason(Name, Result);
}
IModuleInterface &FModuleManager::LoadModuleChecked(const FName Name) {
  IModuleInterface *Module = LoadModule(Name);
  if (!Module) unreal_shim::CheckFailed("Module", __FILE__, __LINE__, *Name.ToString());
  return *Module;
}
IModuleInterface *FModuleManager::GetModule(const FName Name) {
  const FScopeLock Lock(&State->Mutex);
  const FState::FModule *Found = State->Find(Name);
  return Found ? Found->Module : nullptr;
}
bool FModuleManager::UnloadModule(const FName Name, bool bIsShutdown) {
  check(IsInGameThread());
  FState::FModule Old;
  {
    const FScopeLock Lock(&State->Mutex);
    const FState::FModule *Found = State->Find(Name);
    if (!Found) return false;
    Old = *Found;
  }
  if (!bIsShutdown) Old.Module->PreUnloadCallback();
  Old.Module->ShutdownModule();
  {
    const FScopeLock Lock(&State->Mutex);
    State->Loaded.RemoveAll([&](const FState::FModule &M) { return M.Name == Name; });
  }
  delete Old.Module;
  State->Changed.Broadcast(Name, EModuleChangeReason::ModuleUnloaded);
  if (Old.Library && !bIsShutdown) unreal_shim::ForgetPackage(TEXT("/Script/") + Name.ToString());
  if (Old.Library && !bIsShutdown) dlclose(Old.Library);
  return true;
}
void FModuleManager::UnloadModulesAtShutdown() {
  while (!State->Loaded.IsEmpty()) UnloadModule(State->Loaded.Last().Name, true);
}
FModuleManager::FModulesChangedEvent &FModuleManager::OnModulesChanged() { return State->Changed; }

struct IModularFeatures::FState {
  mutable FCriticalSection Mutex;
  TArray<TPair<FName, IModularFeature *>> Features;
  FOnModularFeatureRegistered Registered, Unregistered;
};
IModularFeatures::IModularFeatures() : State(new FState) {}
IModularFeatures &IModularFeatures::Get() {
  static IModularFeatures *const The = new IModularFeatures;
  return *The;
}
void IModularFeatures::RegisterModularFeature(const FName Type, IModularFeature *Feature) {
  {
    const FScopeLock Lock(&State->Mutex);
    State->Features.Emplace(Type, Feature);
  }
  State->Registered.Broadcast(Type, Feature);
}
void IModularFeatures::UnregisterModularFeature(const FName Type, IModularFeature *Feature) {
  {
    const FScopeLock Lock(&State->Mutex);
    State->Features.Remove({Type, Feature});
  }
  State->Unregistered.Broadcast(Type, Feature);
}
int32 IModularFeatures::GetModularFeatureImplementationCount(const FName Type) const {
  const FScopeLock Lock(&State->Mutex);
  int32 Count = 0;
  for (const TPair<FName, IModularFeature *> &F : State->Features) Count += F.Key == Type;
  return Count;
}
IModularFeature *IModularFeatures::GetModularFeatureImplementation(const FName Type, int32 Index) {
  const FScopeLock Lock(&State->Mutex);
  for (const TPair<FName, IModularFeature *> &F : State->Features)
    if (F.Key == Type && Index-- == 0) return F.Value;
  return nullptr;
}
IModularFeatures::FOnModularFeatureRegistered &IModularFeatures::OnModularFeatureRegistered() {
  return State->Registered;
}
#if UE_EXTERNAL_PROFILING_ENABLED
FName FExternalProfiler::GetFeatureName() {
  static const FName The(TEXT("ExternalProfiler"));
  return The;
}
FExternalProfiler *FActiveExternalProfilerBase::ActiveProfiler = nullptr;
bool FActiveExternalProfilerBase::bDidInitialize = false;
bool FActiveExternalProfilerBase::bIsRecording = false;
bool FActiveExternalProfilerBase::bScopedEvents = true;
FExternalProfiler *FActiveExternalProfilerBase::InitActiveProfiler() {
  if (bDidInitialize) return ActiveProfiler;
  bDidInitialize = true;
  FString Wanted = FPlatformMisc::GetEnvironmentVariable(TEXT("UE_EXTERNAL_PROFILER"));
  if (Wanted.IsEmpty() && GConfig)
    GConfig->GetString(TEXT("Core.ProfilingDebugging"), TEXT("ExternalProfiler"), Wanted, GEngineIni);
  for (FExternalProfiler *Profiler :
       IModularFeatures::Get().GetModularFeatureImplementations<FExternalProfiler>(FExternalProfiler::GetFeatureName()))
    if (!ActiveProfiler &&
        (FParse::Param(FCommandLine::Get(), Profiler->GetProfilerName()) || Wanted == Profiler->GetProfilerName()))
      ActiveProfiler = Profiler;
  if (ActiveProfiler) ActiveProfiler->Register();
  return ActiveProfiler;
}
bool FActiveExternalProfilerBase::SetActiveProfilerRecording(bool bRecording) {
  if (ActiveProfiler && bRecording != bIsRecording)
    bRecording ? ActiveProfiler->ProfilerResumeFunction() : ActiveProfiler->ProfilerPauseFunction();
  bIsRecording = ActiveProfiler && bRecording;
  return bIsRecording;
}
void FActiveExternalProfilerBase::EnableScopedEvents(bool bEnable) {
  bScopedEvents = bEnable;
#if UE_SHIM_VERSION >= 506
  if (ActiveProfiler) ActiveProfiler->OnEnableScopedEventsChanged(bEnable);
#endif
}
template <typename C>
static void Begin(const FColor &Color, const C *Text) {
  FExternalProfiler *Profiler = FActiveExternalProfilerBase::GetActiveProfiler();
  if (Profiler && FActiveExternalProfilerBase::AreScopedEventsEnabled()) Profiler->StartScopedEvent(Color, Text);
}
void FPlatformMisc::BeginNamedEvent(const FColor &Color, const TCHAR *Text) { Begin(Color, Text); }
void FPlatformMisc::BeginNamedEvent(const FColor &Color, const ANSICHAR *Text) { Begin(Color, Text); }
void FPlatformMisc::EndNamedEvent() {
  FExternalProfiler *Profiler = FActiveExternalProfilerBase::GetActiveProfiler();
  if (Profiler && FActiveExternalProfilerBase::AreScopedEventsEnabled()) Profiler->EndScopedEvent();
}
#else
void FPlatformMisc::BeginNamedEvent(const FColor &, const TCHAR *) {}
void FPlatformMisc::BeginNamedEvent(const FColor &, const ANSICHAR *) {}
void FPlatformMisc::EndNamedEvent() {}
#endif
