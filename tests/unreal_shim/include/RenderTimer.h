// Times of the last frame, in cycles.
#pragma once
#include "CoreTypes.h"

extern RENDERCORE_API uint32 GGameThreadTime;
