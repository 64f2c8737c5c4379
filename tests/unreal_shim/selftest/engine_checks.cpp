// The engine half: objects, settings from the ini, worlds, frames, garbage, network, render thread, screenshots.
#include "Engine/NetDriver.h"
#include "GameFramework/PlayerController.h"
#include "IImageWrapperModule.h"
#include "Modules/ModuleManager.h"
#include "RHI.h"
#include "RHICommandList.h"
#include "RenderTimer.h"
#include "RenderingThread.h"
#include "Scalability.h"
#include "SelfSettings.h"
#include "UObject/UObjectArray.h"
#include "UnrealClient.h"
#include "checks.h"
#include "unreal_shim/Engine.h"

static void Settings() {
  const USelfSettings *Settings = GetDefault<USelfSettings>();
  EXPECT(Settings->Url == TEXT("http://from.settings") && Settings->bOn && Settings->bBit && Settings->Budget == 2.5f);
  EXPECT(Settings->Mode == ESelfMode::Some && Settings->Names.Num() == 2 && Settings->NotConfig == 4);
  EXPECT(Settings->GetClass()->GetPathName() == TEXT("/Script/Self.SelfSettings") &&
         Settings->GetCategoryName() == FName(TEXT("Plugins")));
  EXPECT(FSelfStruct().Number == 3);
}
struct FConsumer final : IPerformanceDataConsumer {
  void StartCharting() override { ++Started; }
  void ProcessFrame(const FFrameData &Data) override { GPU += Data.GPUTimeSeconds, Delta += Data.TrueDeltaSeconds; }
  void StopCharting() override { --Started; }
  int32 Started = 0;
  double GPU = 0, Delta = 0;
};
static void Worlds() {
  FString Loads;
  FCoreUObjectDelegates::PreLoadMap.AddLambda([&](const FString &Path) { Loads += TEXT("pre ") + Path + TEXT(" "); });
  FCoreUObjectDelegates::PostLoadMapWithWorld.AddLambda(
      [&](UWorld *World) { Loads += TEXT("post ") + World->GetMapName() + TEXT(" "); });
  UWorld *World = unreal_shim::LoadMap(TEXT("/Game/Maps/Arena"));
  EXPECT(Loads == TEXT("pre /Game/Maps/Arena post Arena ") && World->GetPathName() == TEXT("/Game/Maps/Arena.Arena"));
  ASelfActor *Actor = World->SpawnActor<ASelfActor>(FVector(1, 2, 3));
  const TWeakObjectPtr<ASelfActor> Weak(Actor);
  EXPECT(Actor->GetName() == TEXT("SelfActor_0") && Actor->GetWorld() == World &&
         Cast<APawn>(static_cast<AActor *>(Actor)) == nullptr);
  Actor->Event.AddDynamic(Actor, &ASelfActor::Hear);
  Actor->Event.Broadcast(5);
  EXPECT(Actor->Heard == 5 && ASelfActor::Begun == 1);
  APlayerController *Player = unreal_shim::AddPlayer(World);
  Player->PlayerCameraManager->SetActorLocation(FVector(7, 8, 9));
  FVector Location;
  FRotator Rotation;
  World->GetFirstPlayerController()->GetPlayerViewPoint(Location, Rotation);
  EXPECT(Location == FVector(7, 8, 9));
  const TSharedPtr<FConsumer> Consumer = MakeShared<FConsumer>();
  GEngine->AddPerformanceDataConsumer(Consumer);
  unreal_shim::FFrame Frame;
  Frame.Delta = 0.02;
  Frame.GPU = 0.01;
  Frame.GameThread = 0.008;
  Frame.DrawCalls = 100;
  unreal_shim::Tick(Frame);
  GEngine->RemovePerformanceDataConsumer(Consumer);
  unreal_shim::Tick(Frame);
  EXPECT(Consumer->Started == 0 && Consumer->GPU == 0.01 && Consumer->Delta == 0.02 && Actor->Ticks == 2);
  EXPECT(GNumDrawCallsRHI[0] == 100 && FPlatformTime::ToSeconds(RHIGetGPUFrameCycles()) == 0.01f &&
         FPlatformTime::ToMilliseconds(GGameThreadTime) == 8.0f && GInputLatencyTime == 0);
  int32 Collected = 0;
  const FDelegateHandle Handle = FCoreUObjectDelegates::GetPostGarbageCollect().AddLambda([&] { ++Collected; });
  const int32 Before = GUObjectArray.GetObjectArrayNumMinusAvailable();
  EXPECT(Actor->Destroy() && !Weak.IsValid() && ASelfActor::Ended == 1);
  CollectGarbage(GARBAGE_COLLECTION_KEEPFLAGS);
  EXPECT(Collected == 1 && GUObjectArray.GetObjectArrayNumMinusAvailable() == Before - 1);
  FCoreUObjectDelegates::GetPostGarbageCollect().Remove(Handle);
  FCoreUObjectDelegates::PreLoadMap.Clear();
  FCoreUObjectDelegates::PostLoadMapWithWorld.Clear();
}
static void Network() {
  UNetDriver *Driver = unreal_shim::CreateNetDriver(unreal_shim::CurrentWorld(), true, 2);
  EXPECT(Driver->ClientConnections.Num() == 2 && unreal_shim::CurrentWorld()->GetNetMode() == NM_ListenServer);
#if UE_SHIM_VERSION >= 504
  Driver->GetMetrics()->SetInt(FName(TEXT("InRate")), 77);
  EXPECT(Driver->GetMetrics()->Contains(FName(TEXT("InRate"))) &&
         Driver->GetMetrics()->GetInt(FName(TEXT("InRate"))) == 77);
#endif
}
static void Rendering() {
  Scalability::FQualityLevels Levels = Scalability::GetQualityLevels();
  EXPECT(Levels.GetSingleQualityLevel() == 3);
  Levels.ShadowQuality = 1;
  EXPECT(Levels.GetSingleQualityLevel() == -1);
  bool bThere = false;
  ENQUEUE_RENDER_COMMAND(SelfCommand)
  ([&](FRHICommandListImmediate &) { bThere = IsInRenderingThread() && !IsInGameThread(); });
  FlushRenderingCommands();
  EXPECT(bThere);
  TArray64<uint8> Jpeg;
  const FDelegateHandle Handle = UGameViewportClient::OnScreenshotCaptured().AddLambda(
      [&](int32 Width, int32 Height, const TArray<FColor> &Pixels) {
        IImageWrapperModule &Module = FModuleManager::LoadModuleChecked<IImageWrapperModule>(TEXT("ImageWrapper"));
        const TSharedPtr<IImageWrapper> Wrapper = Module.CreateImageWrapper(EImageFormat::JPEG);
        EXPECT(Wrapper->SetRaw(Pixels.GetData(), Pixels.Num() * 4, Width, Height, ERGBFormat::BGRA, 8));
        Jpeg = Wrapper->GetCompressed(80);
      });
  FScreenshotRequest::RequestScreenshot(false);
  unreal_shim::Tick();
  EXPECT(Jpeg.Num() > 100 && Jpeg[0] == 0xff && Jpeg[1] == 0xd8);
  UGameViewportClient::OnScreenshotCaptured().Remove(Handle);
}
void EngineChecks() {
  Settings();
  Worlds();
  Network();
  Rendering();
}
