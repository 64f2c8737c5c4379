// The names of the container allocators; here they only choose the type of Num(). All memory is FMemory's.
#pragma once
#include "CoreTypes.h"

template <int Bits>
class TSizedDefaultAllocator {
 public:
  using SizeType = int32;
};
template <>
class TSizedDefaultAllocator<64> {
 public:
  using SizeType = int64;
};
using FDefaultAllocator = TSizedDefaultAllocator<32>;
using FDefaultAllocator64 = TSizedDefaultAllocator<64>;
#if UE_SHIM_VERSION >= 504
enum class EAllowShrinking : uint8 { No, Yes, Default = Yes };
#endif
