#pragma once
#include "CoreTypes.h"

struct FIntPoint {
  int32 X = 0, Y = 0;
  FIntPoint() = default;
  FIntPoint(int32 InX, int32 InY) : X(InX), Y(InY) {}
  bool operator==(const FIntPoint &O) const { return X == O.X && Y == O.Y; }
  FIntPoint operator-(const FIntPoint &O) const { return {X - O.X, Y - O.Y}; }
};
