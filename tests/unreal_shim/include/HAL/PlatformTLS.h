#pragma once
#include "CoreTypes.h"

struct CORE_API FPlatformTLS {
  static uint32 GetCurrentThreadId();
  static uint32 AllocTlsSlot();
  static void SetTlsValue(uint32 Slot, void *Value);
  static void *GetTlsValue(uint32 Slot);
  static void FreeTlsSlot(uint32 Slot);
  static bool IsValidTlsSlot(uint32 Slot) { return Slot != 0xffffffffu; }
};
