#pragma once
#include "CoreTypes.h"

struct FIntPoint {
  int32 X = 0, Y = 0;
  FIntPoint() = default;
  FIntPoint(int32 InX, int32 InY) : X(InX), Y(InY) {}
  bool operator==(const FIntPoint &O) const { return X == O.X && Y == O.Y; }
  FIntPoint operator-(const FIntPoint &O) const { return {X - O.X, Y - O.Y}; }
};
struct FIntRect {
  FIntPoint Min, Max;
  FIntRect() = default;
  FIntRect(int32 X0, int32 Y0, int32 X1, int32 Y1) : Min(X0, Y0), Max(X1, Y1) {}
  int32 Width() const { return Max.X - Min.X; }
  int32 Height() const { return Max.Y - Min.Y; }
  int32 Area() const { return Width() * Height(); }
};
