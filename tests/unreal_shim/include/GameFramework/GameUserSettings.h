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

 private:
  bool bVSync = false;
  FIntPoint Resolution{1280, 720};
};
