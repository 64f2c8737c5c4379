// The render thread and what it reports.
#pragma once
#include "unreal_shim/Loop.h"

namespace unreal_shim {
void StartRendering();
void RenderFrame(const FFrame &Frame);
void StopRendering();
}  // namespace unreal_shim
