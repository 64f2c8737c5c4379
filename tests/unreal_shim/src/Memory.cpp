// FMemory over malloc; every block is counted.
#include <stdlib.h>

#include <atomic>

#include "HAL/PlatformMallocCrash.h"
#include "HAL/PlatformMemory.h"
#include "HAL/UnrealMemory.h"
#include "Misc/AssertionMacros.h"

static std::atomic<uint64> Count;
uint64 unreal_shim::Allocations() { return Count.load(std::memory_order_relaxed); }

void *FMemory::Malloc(SIZE_T Size, uint32 Alignment) {
  Count.fetch_add(1, std::memory_order_relaxed);
  if (Alignment < 16) Alignment = 16;
  void *P = nullptr;
  if (posix_memalign(&P, Alignment, Size ? Size : 1) != 0) FPlatformMemory::OnOutOfMemory(Size, Alignment);
  return P;
}
void FMemory::Free(void *Original) { free(Original); }
