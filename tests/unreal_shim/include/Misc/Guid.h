#pragma once
#include "Containers/UnrealString.h"

enum class EGuidFormats { Digits, DigitsLower, DigitsWithHyphens, DigitsWithHyphensLower };
struct CORE_API FGuid {
  uint32 A = 0, B = 0, C = 0, D = 0;
  FGuid() = default;
  FGuid(uint32 InA, uint32 InB, uint32 InC, uint32 InD) : A(InA), B(InB), C(InC), D(InD) {}
  static FGuid NewGuid();
  static bool Parse(const FString &Text, FGuid &Out);
  bool IsValid() const { return (A | B | C | D) != 0; }
  FString ToString(EGuidFormats Format = EGuidFormats::Digits) const;
  uint32 operator[](int32 I) const { return I == 0 ? A : I == 1 ? B : I == 2 ? C : D; }
  friend bool operator==(const FGuid &L, const FGuid &R) {
    return L.A == R.A && L.B == R.B && L.C == R.C && L.D == R.D;
  }
  friend uint32 GetTypeHash(const FGuid &G) { return G.A ^ G.B ^ G.C ^ G.D; }
};
