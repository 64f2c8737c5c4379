#pragma once
#include "CoreTypes.h"

#define MAX_NUM_GPUS 1
extern RHI_API int32 GNumDrawCallsRHI[MAX_NUM_GPUS];
extern RHI_API int32 GNumPrimitivesDrawnRHI[MAX_NUM_GPUS];
