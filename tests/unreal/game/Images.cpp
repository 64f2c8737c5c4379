// Screenshots: by command, with a mark, of more pixels than travel, and none where there must be none.
#include "Engine/Engine.h"
#include "Engine/GameViewportClient.h"
#include "HAL/PlatformProcess.h"
#include "Scene.h"
#include "Tachy.h"
#include "UnrealClient.h"
#include "unreal_shim/Engine.h"

namespace {

// The one before it may still be made small.
void Take(const TCHAR *command) {
  for (int i = 0; i < 6000 && !FScreenshotRequest::IsScreenshotRequested(); i++) {
    unreal_shim::Exec(command);
    FPlatformProcess::Sleep(0.01f);
  }
  unreal_shim::Tick();
}

void Show(int32 width, int32 height, bool noise) {
  TArray<FColor> pixels;
  uint32 random = 1;
  for (int32 i = 0; i < width * height; i++) {
    random = random * 1664525 + 1013904223;
    pixels.Add(noise ? FColor(uint8(random >> 24), uint8(random >> 16), uint8(random >> 8)) : FColor(200, 100, 50));
  }
  unreal_shim::SetViewportPixels(width, height, pixels);
}

}  // namespace

SHIM_SCENE(Images) {
  unreal_shim::LoadMap(TEXT("/Game/Maps/Arena"));
  unreal_shim::Tick();
  UGameViewportClient *const viewport = GEngine->GameViewport;
  GEngine->GameViewport = nullptr;
  unreal_shim::Exec(TEXT("tachy.Screenshot nowhere"));
  GEngine->GameViewport = viewport;
  Show(64, 36, false);
  Take(TEXT("tachy.Screenshot"));
  Take(TEXT("tachy.Mark the door is stuck"));
  Show(2001, 1001, true);
  Take(TEXT("telemetry.screenshot noise"));
  const uint8 bytes[] = {1, 2, 3};
  Tachy::SendImage(TEXT("a map"), TEXT("image/x-map"), bytes, sizeof bytes);
  unreal_shim::Exec(TEXT("tachy.Images 0"));
  Tachy::SendImage(TEXT("off"), TEXT("image/x-map"), bytes, sizeof bytes);
  unreal_shim::Exec(TEXT("tachy.Screenshot off"));
  unreal_shim::Tick();
  unreal_shim::Exec(TEXT("tachy.Images 1"));
  FScreenshotRequest::RequestScreenshot(TEXT("theirs.png"), false, false);
  unreal_shim::Exec(TEXT("tachy.Screenshot theirs"));
  FScreenshotRequest::Reset();
  unreal_shim::Exec(TEXT("telemetry.max_queue_bytes 7"));
  unreal_shim::Exec(TEXT("telemetry.spans.all 0"));
  unreal_shim::Exec(TEXT("telemetry.spans.all"));
  unreal_shim::Exec(TEXT("telemetry.spans.all 1"));
  unreal_shim::Exec(TEXT("telemetry.sampling.interaction_timeout 3"));
  unreal_shim::Exec(TEXT("tachy.Hitch.IdleSeconds"));
}
