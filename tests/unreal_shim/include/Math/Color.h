#pragma once
#include "CoreTypes.h"

struct FColor {
  union {
    struct {
      uint8 B, G, R, A;
    };
    uint32 Bits;
  };
  constexpr FColor() : Bits(0) {}
  constexpr FColor(uint8 InR, uint8 InG, uint8 InB, uint8 InA = 255) : B(InB), G(InG), R(InR), A(InA) {}
  explicit constexpr FColor(uint32 InBits) : Bits(InBits) {}
  bool operator==(const FColor &O) const { return Bits == O.Bits; }
  static const FColor White, Black, Red, Green, Blue, Yellow, Cyan, Magenta, Orange, Purple, Turquoise, Silver, Emerald,
      Transparent;
};
inline const FColor FColor::White(255, 255, 255), FColor::Black(0, 0, 0), FColor::Red(255, 0, 0),
    FColor::Green(0, 255, 0), FColor::Blue(0, 0, 255), FColor::Yellow(255, 255, 0), FColor::Cyan(0, 255, 255),
    FColor::Magenta(255, 0, 255), FColor::Orange(243, 156, 18), FColor::Purple(169, 7, 228),
    FColor::Turquoise(26, 188, 156), FColor::Silver(189, 195, 199), FColor::Emerald(46, 204, 113),
    FColor::Transparent(0, 0, 0, 0);
