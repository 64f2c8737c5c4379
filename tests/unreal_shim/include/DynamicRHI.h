#pragma once
#include "CoreTypes.h"

class RHI_API FDynamicRHI {
 public:
  const TCHAR *GetName() { return TEXT("Shim"); }
};
extern RHI_API FDynamicRHI *GDynamicRHI;
RHI_API uint32 RHIGetGPUFrameCycles(uint32 GPUIndex = 0);
