// Since a fatal signal came, nothing may be allocated.
#pragma once
#include "CoreTypes.h"

struct CORE_API FGenericPlatformMallocCrash {
  static bool IsActive();
};
