#pragma once
#include "CoreTypes.h"

struct FPlatformMemoryConstants {
  uint64 TotalPhysical = 0, TotalVirtual = 0;
  SIZE_T PageSize = 4096;
  uint32 TotalPhysicalGB = 1;
};
struct FPlatformMemoryStats : FPlatformMemoryConstants {
  uint64 AvailablePhysical = 0, AvailableVirtual = 0;
  uint64 UsedPhysical = 0, PeakUsedPhysical = 0, UsedVirtual = 0, PeakUsedVirtual = 0;
};
struct CORE_API FGenericPlatformMemory {
  static bool bIsOOM;
  static uint64 OOMAllocationSize;
  static uint32 OOMAllocationAlignment;
};
struct CORE_API FPlatformMemory : FGenericPlatformMemory {
  static FPlatformMemoryStats GetStats();
  static const FPlatformMemoryConstants &GetConstants();
  [[noreturn]] static void OnOutOfMemory(uint64 Size, uint32 Alignment);
};
