// Of the RHI's command lists only what they measure.
#pragma once
#include "CoreTypes.h"

extern RHI_API uint64 GInputLatencyTime;  // cycles, from the input to the frame that shows it
