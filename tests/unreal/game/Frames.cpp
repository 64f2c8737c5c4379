// Frames of known times, a player who stands and looks somewhere: what the engine measures of them arrives as it was.
#include "Camera/PlayerCameraManager.h"
#include "GameFramework/PlayerController.h"
#include "Scene.h"
#include "unreal_shim/Engine.h"

SHIM_SCENE(Frames) {
  UWorld *const world = unreal_shim::LoadMap(TEXT("/Game/Maps/Arena"));
  if (!IsRunningDedicatedServer()) {
    APlayerController *const player = unreal_shim::AddPlayer(world);
    player->GetPawn()->SetActorLocation(FVector(100, 200, 300));
    player->PlayerCameraManager->SetActorLocation(FVector(110, 210, 360));
    player->PlayerCameraManager->SetActorRotation(FRotator(-10, 90, 5));
    player->PlayerCameraManager->SetFOV(75);
  }
  unreal_shim::FFrame frame;
  frame.Delta = 1.0 / 32;
  frame.Idle = 1.0 / 128;
  frame.IdleOvershoot = 1.0 / 1024;
  frame.GameThread = 0.010;
  frame.RenderThread = 0.012;
  frame.RHIThread = 0.006;
  frame.GPU = 0.014;
  frame.InputLatency = 0.040;
  frame.FlushAsyncLoading = 0.002;
  frame.DrawCalls = 1500;
  frame.Primitives = 2000000;
  for (int i = 0; i < 96; i++) unreal_shim::Tick(frame);  // three seconds
}
