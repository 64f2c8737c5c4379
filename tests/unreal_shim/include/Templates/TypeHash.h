// GetTypeHash for the plain types; classes bring their own beside them.
#pragma once
#include <type_traits>

#include "CoreTypes.h"

template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_pointer_v<T>>>
inline uint32 GetTypeHash(T Value) {
  uint64 H = 0;
  if constexpr (std::is_pointer_v<T>)
    H = uint64(UPTRINT(Value));
  else if constexpr (std::is_floating_point_v<T>)
    H = uint64(Value * 4096);
  else
    H = uint64(Value);
  H *= 0x9E3779B97F4A7C15ull;
  return uint32(H >> 32);
}
