#pragma once
#include <math.h>

#include "Templates/UnrealTemplate.h"

#define UE_PI (3.1415926535897932f)
#define UE_SMALL_NUMBER (1.e-8f)
#define UE_KINDA_SMALL_NUMBER (1.e-4f)
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
  static constexpr T Lowest() { return std::is_floating_point_v<T> ? T(-Max()) : Min(); }
};
#define MAX_int32 (TNumericLimits<int32>::Max())
#define MIN_int32 (TNumericLimits<int32>::Min())
#define MAX_uint32 (TNumericLimits<uint32>::Max())
#define MAX_int64 (TNumericLimits<int64>::Max())
#define MAX_uint64 (TNumericLimits<uint64>::Max())
#define MAX_uint8 (TNumericLimits<uint8>::Max())
#define MAX_uint16 (TNumericLimits<uint16>::Max())
#define MAX_flt (TNumericLimits<float>::Max())
#define MAX_dbl (TNumericLimits<double>::Max())

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
  static constexpr T Abs(T X) {
    return X < T(0) ? T(-X) : X;
  }
  template <typename T>
  static constexpr T Square(T X) {
    return X * X;
  }
  template <typename T, typename U>
  static constexpr T Lerp(T A, T B, U Alpha) {
    return T(A + Alpha * (B - A));
  }
  template <typename T>
  static constexpr T DivideAndRoundUp(T A, T B) {
    return (A + B - 1) / B;
  }
  template <typename T>
  static constexpr bool IsPowerOfTwo(T X) {
    return X && !(X & (X - 1));
  }
  static uint32 RoundUpToPowerOfTwo(uint32 X) { return X <= 1 ? 1 : 1u << (32 - __builtin_clz(X - 1)); }
  static uint32 FloorLog2(uint32 X) { return X ? 31u - uint32(__builtin_clz(X)) : 0; }
  template <typename T>
  static T Sqrt(T X) {
    return T(sqrt(double(X)));
  }
  template <typename T>
  static T Pow(T A, T B) {
    return T(pow(double(A), double(B)));
  }
  template <typename T>
  static T Exp(T X) {
    return T(exp(double(X)));
  }
  template <typename T>
  static T Sin(T X) {
    return T(sin(double(X)));
  }
  template <typename T>
  static T Cos(T X) {
    return T(cos(double(X)));
  }
  template <typename T>
  static int32 RoundToInt(T X) {
    return int32(floor(double(X) + 0.5));
  }
  template <typename T>
  static int32 FloorToInt(T X) {
    return int32(floor(double(X)));
  }
  template <typename T>
  static int32 CeilToInt(T X) {
    return int32(ceil(double(X)));
  }
  static int32 TruncToInt(double X) { return int32(X); }
  static int64 RoundToInt64(double X) { return int64(floor(X + 0.5)); }
  static int32 FloorToInt32(double X) { return int32(floor(X)); }
  static bool IsFinite(double X) { return isfinite(X) != 0; }
  static bool IsNaN(double X) { return isnan(X) != 0; }
  static bool IsNearlyEqual(double A, double B, double Tolerance = 1.e-8) { return Abs(A - B) <= Tolerance; }
  static bool IsNearlyZero(double A, double Tolerance = 1.e-8) { return Abs(A) <= Tolerance; }
  static int32 Rand();
  static float FRand();
  static int32 RandRange(int32 Low, int32 High);
};
