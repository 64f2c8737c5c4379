#pragma once
#include "CoreTypes.h"

struct CORE_API FPlatformTLS {
  static uint32 GetCurrentThreadId();
};
