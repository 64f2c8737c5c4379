#pragma once
#include "UObject/UObjectGlobals.h"

namespace EWindowMode {
enum Type : int { Fullscreen, WindowedFullscreen, Windowed, NumWindowModes };
}
class ENGINE_API UGameUserSettings : public UObject {
 public:
  using Super = UObject;
  static UClass *StaticClass();
  static UGameUserSettings *GetGameUserSettings();
  bool IsVSyncEnabled() const { return bVSync; }
  void SetVSyncEnabled(bool In) { bVSync = In; }
  FIntPoint GetScreenResolution() const { return Resolution; }
  EWindowMode::Type GetFullscreenMode() const { return EWindowMode::Windowed; }
  float GetFrameRateLimit() const { return 0; }
  int32 GetOverallScalabilityLevel() const;

 private:
  bool bVSync = false;
  FIntPoint Resolution{1280, 720};
};
