#pragma once
#include "Engine/Engine.h"

struct FSystemResolution {
  int32 ResX = 1280, ResY = 720;
  EWindowMode::Type WindowMode = EWindowMode::Windowed;
};
extern ENGINE_API FSystemResolution GSystemResolution;
