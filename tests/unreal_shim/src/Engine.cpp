// GEngine, worlds, actors, players.
#include "Engine/Engine.h"

#include "Camera/PlayerCameraManager.h"
#include "Engine/NetDriver.h"
#include "EngineGlobals.h"
#include "Framework/Application/SlateApplication.h"
#include "GameFramework/PlayerController.h"
#include "HAL/IConsoleManager.h"
#include "Misc/App.h"
#include "Render.h"
#include "Scalability.h"
#include "State.h"
#include "UnrealEngine.h"
#include "unreal_shim/Classes.h"
#include "unreal_shim/Engine.h"

UE_SHIM_CLASS(UEngine, "Engine", "Engine", &UObject::StaticClass)
UE_SHIM_CLASS(UWorld, "World", "Engine", &UObject::StaticClass)
UE_SHIM_CLASS(UGameInstance, "GameInstance", "Engine", &UObject::StaticClass)
UE_SHIM_CLASS(UGameViewportClient, "GameViewportClient", "Engine", &UObject::StaticClass)
UE_SHIM_CLASS(UGameUserSettings, "GameUserSettings", "Engine", &UObject::StaticClass)
UE_SHIM_CLASS(AActor, "Actor", "Engine", &UObject::StaticClass)
UE_SHIM_CLASS(APawn, "Pawn", "Engine", &AActor::StaticClass)
UE_SHIM_CLASS(APlayerController, "PlayerController", "Engine", &AActor::StaticClass)
UE_SHIM_CLASS(APlayerCameraManager, "PlayerCameraManager", "Engine", &AActor::StaticClass)

UEngine *GEngine = nullptr;

void UEngine::AddPerformanceDataConsumer(TSharedPtr<IPerformanceDataConsumer> Consumer) {
  check(IsInGameThread());
  if (Consumers_.Contains(Consumer)) return;
  Consumers_.Add(Consumer);
  Consumer->StartCharting();
}
void UEngine::RemovePerformanceDataConsumer(TSharedPtr<IPerformanceDataConsumer> Consumer) {
  check(IsInGameThread());
  if (Consumers_.Remove(Consumer)) Consumer->StopCharting();
}
bool UEngine::Exec(UWorld *, const TCHAR *Command, FOutputDevice &) { return unreal_shim::Exec(Command); }
APlayerController *UEngine::GetFirstLocalPlayerController(const UWorld *World) {
  return World ? World->GetFirstPlayerController() : nullptr;
}
UGameUserSettings *UGameUserSettings::GetGameUserSettings() {
  return GEngine ? GEngine->GetGameUserSettings() : nullptr;
}
static Scalability::FQualityLevels Levels;
Scalability::FQualityLevels Scalability::GetQualityLevels() { return Levels; }
int32 Scalability::FQualityLevels::GetSingleQualityLevel() const {
  const int32 Values[] = {AntiAliasingQuality, ShadowQuality,      GlobalIlluminationQuality,
                          ReflectionQuality,   PostProcessQuality, TextureQuality,
                          EffectsQuality,      FoliageQuality,     ShadingQuality};
  for (const int32 Value : Values)
    if (Value != ViewDistanceQuality) return -1;
  return ViewDistanceQuality;
}
void Scalability::SetQualityLevels(const FQualityLevels &New, bool) { Levels = New; }

FString UWorld::GetMapName() const { return GetName(); }
FString UWorld::RemovePIEPrefix(const FString &Source, int32 *OutInstance) {
  int32 End = INDEX_NONE;
  const int32 At = Source.Find(TEXT("UEDPIE_"));
  if (At == INDEX_NONE || !Source.Mid(At + 7).FindChar(TCHAR('_'), End)) return Source;
  if (OutInstance) *OutInstance = FCString::Atoi(*Source.Mid(At + 7));
  return Source.Left(At) + Source.Mid(At + 7 + End + 1);
}
ENetMode UWorld::GetNetMode() const {
  return IsRunningDedicatedServer() ? NM_DedicatedServer : NetDriver ? NetDriver->GetNetMode() : NM_Standalone;
}
APlayerController *UWorld::GetFirstPlayerController() const {
  for (AActor *Actor : Actors)
    if (APlayerController *Player = Cast<APlayerController>(Actor)) return Player;
  return nullptr;
}
AActor *UWorld::SpawnActor(UClass *Class, const FVector &Location, const FRotator &Rotation) {
  check(IsInGameThread());
  AActor *Actor = static_cast<AActor *>(unreal_shim::Construct(Class, this, NAME_None, RF_NoFlags));
  Actor->SetActorLocation(Location);
  Actor->SetActorRotation(Rotation);
  Actors.Add(Actor);
  if (bBegunPlay) Actor->BeginPlay();
  return Actor;
}
void UWorld::BeginPlay() {
  bBegunPlay = true;
  for (AActor *Actor : TArray<AActor *>(Actors)) Actor->BeginPlay();
}
void UWorld::Tick_(float Delta) {
  TimeSeconds += double(Delta);
  DeltaTimeSeconds = Delta;
  for (AActor *Actor : TArray<AActor *>(Actors))
    if (Actor->PrimaryActorTick.bCanEverTick && IsValid(Actor)) Actor->Tick(Delta);
}
void UWorld::EndPlay_(EEndPlayReason::Type Reason) {
  bIsTearingDown = true;
  for (AActor *Actor : TArray<AActor *>(Actors)) {
    Actor->EndPlay(Reason);
    Actor->MarkAsGarbage();
  }
  Actors.Empty();
  if (NetDriver) NetDriver->MarkAsGarbage();
  NetDriver = nullptr;
  MarkAsGarbage();
}
bool AActor::Destroy() {
  if (!IsValid(this)) return false;
  EndPlay(EEndPlayReason::Destroyed);
  GetWorld()->Actors.Remove(this);
  MarkAsGarbage();
  return true;
}
UWorld *AActor::GetWorld() const { return Cast<UWorld>(GetOuter()); }
void APlayerController::GetPlayerViewPoint(FVector &Location, FRotator &Rotation) const {
  const AActor *View = PlayerCameraManager ? static_cast<const AActor *>(PlayerCameraManager.Get()) : GetPawn();
  Location = View ? View->GetActorLocation() : GetActorLocation();
  Rotation = View ? View->GetActorRotation() : GetActorRotation();
}
bool FSlateApplication::IsInitialized() { return unreal_shim::State().bEngineUp && FApp::CanEverRender(); }
FSlateApplication &FSlateApplication::Get() {
  static FSlateApplication The;
  check(IsInitialized());
  return The;
}
double FSlateApplication::GetCurrentTime() const { return FPlatformTime::Seconds(); }
double FSlateApplication::GetLastUserInteractionTime() const { return unreal_shim::State().LastInput; }

UWorld *unreal_shim::CurrentWorld() {
  return GEngine && GEngine->Contexts.Num() ? GEngine->Contexts[0].World() : nullptr;
}
UWorld *unreal_shim::LoadMap(const TCHAR *Path, EWorldType::Type Type) {
  check(IsInGameThread() && GEngine);
  FCoreUObjectDelegates::PreLoadMap.Broadcast(Path);
  FWorldContext &Context = GEngine->Contexts[0];
  if (UWorld *Old = Context.World()) Old->EndPlay_(EEndPlayReason::LevelTransition);
  Context.SetCurrentWorld(nullptr);
  CollectGarbage(GARBAGE_COLLECTION_KEEPFLAGS);
  const FString Full(Path), Prefix(Type == EWorldType::PIE ? TEXT("UEDPIE_0_") : TEXT(""));
  int32 Slash = INDEX_NONE;
  Full.FindLastChar(TCHAR('/'), Slash);
  UPackage *Package =
      NewObject<UPackage>(static_cast<UObject *>(nullptr), FName(Full.Left(Slash + 1) + Prefix + Full.Mid(Slash + 1)));
  UWorld *World = NewObject<UWorld>(Package, FName(Prefix + Full.Mid(Slash + 1)));
  World->WorldType = Context.WorldType = Type;
  World->OwningGameInstance = Context.OwningGameInstance;
  Context.OwningGameInstance->World = World;
  Context.SetCurrentWorld(World);
  World->BeginPlay();
  FCoreUObjectDelegates::PostLoadMapWithWorld.Broadcast(World);
  return World;
}
APlayerController *unreal_shim::AddPlayer(UWorld *World) {
  APlayerController *Player = World->SpawnActor<APlayerController>();
  Player->SetPawn(World->SpawnActor<APawn>());
  Player->PlayerCameraManager = World->SpawnActor<APlayerCameraManager>();
  return Player;
}

namespace {
void StartEngine() {
  for (const TCHAR *Name : {TEXT("r.VSync"), TEXT("t.MaxFPS")})
    if (!IConsoleManager::Get().IsNameRegistered(Name))
      IConsoleManager::Get().RegisterConsoleVariable(Name, 0, TEXT(""));
  for (const TCHAR *Name : {TEXT("sg.ViewDistanceQuality"), TEXT("sg.AntiAliasingQuality"), TEXT("sg.ShadowQuality"),
                            TEXT("sg.PostProcessQuality"), TEXT("sg.TextureQuality"), TEXT("sg.EffectsQuality"),
                            TEXT("sg.FoliageQuality"), TEXT("sg.ShadingQuality")})
    if (!IConsoleManager::Get().IsNameRegistered(Name))
      IConsoleManager::Get().RegisterConsoleVariable(Name, 3, TEXT(""), ECVF_ScalabilityGroup);
  GEngine = NewObject<UEngine>();
  GEngine->AddToRoot();
  GEngine->UserSettings = NewObject<UGameUserSettings>();
  FWorldContext Context;
  Context.OwningGameInstance = NewObject<UGameInstance>();
  GEngine->Contexts.Add(Context);
  if (FApp::CanEverRender()) {
    GEngine->GameViewport = NewObject<UGameViewportClient>();
    GEngine->GameViewport->Viewport = new FViewport;
  }
  unreal_shim::StartRendering();
}
void TickEngine(const unreal_shim::FFrame &Frame) {
  if (UWorld *World = unreal_shim::CurrentWorld()) World->Tick_(float(Frame.Delta));
  unreal_shim::RenderFrame(Frame);
  IPerformanceDataConsumer::FFrameData Data;
  Data.TrueDeltaSeconds = Data.DeltaSeconds = Frame.Delta;
  Data.IdleSeconds = Frame.Idle;
  Data.IdleOvershootSeconds = Frame.IdleOvershoot;
  Data.GameThreadTimeSeconds = Frame.GameThread;
  Data.RenderThreadTimeSeconds = Frame.RenderThread;
  Data.RHIThreadTimeSeconds = Frame.RHIThread;
  Data.GPUTimeSeconds = Frame.GPU;
  Data.FlushAsyncLoadingTime = Frame.FlushAsyncLoading;
  Data.FlushAsyncLoadingCount = Frame.FlushAsyncLoadingCount;
  const double Most = FMath::Max(FMath::Max3(Frame.GameThread, Frame.RenderThread, Frame.GPU), Frame.RHIThread);
  Data.bGameThreadBound = Most > 0 && Most == Frame.GameThread;
  Data.bRenderThreadBound = Most > 0 && Most == Frame.RenderThread;
  Data.bGPUBound = Most > 0 && Most == Frame.GPU;
  if (Frame.Delta > 0.06)
    Data.HitchStatus = Data.bGPUBound            ? EFrameHitchType::GPU
                       : Data.bRenderThreadBound ? EFrameHitchType::RenderThread
                       : Data.bGameThreadBound   ? EFrameHitchType::GameThread
                                                 : EFrameHitchType::UnknownUnit;
  for (const TSharedPtr<IPerformanceDataConsumer> &Consumer :
       TArray<TSharedPtr<IPerformanceDataConsumer>>(GEngine->Consumers_))
    Consumer->ProcessFrame(Data);
}
void StopEngine() {
  if (UWorld *World = unreal_shim::CurrentWorld()) World->EndPlay_(EEndPlayReason::Quit);
  GEngine->Contexts[0].SetCurrentWorld(nullptr);
  unreal_shim::StopRendering();
  GEngine = nullptr;
}
const bool bHooked = [] {
  unreal_shim::EngineHooks() = {[] {}, StartEngine, TickEngine, StopEngine, [] {}, unreal_shim::CurrentWorld};
  return true;
}();
}  // namespace
