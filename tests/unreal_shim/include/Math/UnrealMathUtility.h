#pragma once
#include <math.h>

#include "Templates/UnrealTemplate.h"

template <typename T>
struct TNumericLimits {
  static constexpr T Max() {
    if constexpr (std::is_same_v<T, float>)
      return 3.402823466e+38f;
    else if constexpr (std::is_same_v<T, double>)
      return 1.7976931348623158e+308;
    else if constexpr (std::is_signed_v<T>)
      return T((uint64(1) << (sizeof(T) * 8 - 1)) - 1);
    else
      return T(~T(0));
  }
  static constexpr T Min() {
    if constexpr (std::is_same_v<T, float>)
      return 1.175494351e-38f;
    else if constexpr (std::is_same_v<T, double>)
      return 2.2250738585072014e-308;
    else if constexpr (std::is_signed_v<T>)
      return T(-Max() - 1);
    else
      return 0;
  }
};
#define MAX_int32 (TNumericLimits<int32>::Max())

struct CORE_API FMath {
  template <typename T>
  static constexpr T Min(T A, T B) {
    return B < A ? B : A;
  }
  template <typename T>
  static constexpr T Max(T A, T B) {
    return A < B ? B : A;
  }
  template <typename T>
  static constexpr T Max3(T A, T B, T C) {
    return Max(Max(A, B), C);
  }
  template <typename T>
  static constexpr T Clamp(T X, T Low, T High) {
    return Max(Low, Min(X, High));
  }
  template <typename T>
  static int32 RoundToInt(T X) {
    return int32(floor(double(X) + 0.5));
  }
};
