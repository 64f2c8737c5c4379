#pragma once
#include "DynamicRHI.h"
#include "RHIGlobals.h"
#include "RHIStats.h"

#if UE_SHIM_VERSION < 508
#if UE_SHIM_VERSION >= 506
UE_DEPRECATED(5.6, "Use RHIGetGPUFrameCycles.")
#endif
extern RHI_API uint32 GGPUFrameTime;
#endif
