#pragma once
#include "CoreMinimal.h"

namespace Scalability {
struct ENGINE_API FQualityLevels {
  float ResolutionQuality = 100;
  int32 ViewDistanceQuality = 3, AntiAliasingQuality = 3, ShadowQuality = 3, GlobalIlluminationQuality = 3,
        ReflectionQuality = 3;
  int32 PostProcessQuality = 3, TextureQuality = 3, EffectsQuality = 3, FoliageQuality = 3, ShadingQuality = 3;
#if UE_SHIM_VERSION >= 504
  int32 LandscapeQuality = 3;
#endif
  int32 GetSingleQualityLevel() const;  // that of all, or -1
};
ENGINE_API FQualityLevels GetQualityLevels();
ENGINE_API void SetQualityLevels(const FQualityLevels &Levels, bool bForce = false);
}  // namespace Scalability
