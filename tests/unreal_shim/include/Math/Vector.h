// FVector, FVector2D, FRotator, FQuat: doubles since 5.0.
#pragma once
#include "Containers/UnrealString.h"
#include "Math/UnrealMathUtility.h"

struct FVector {
  double X, Y, Z;
  FVector() : X(0), Y(0), Z(0) {}
  explicit FVector(double V) : X(V), Y(V), Z(V) {}
  FVector(double InX, double InY, double InZ) : X(InX), Y(InY), Z(InZ) {}
  explicit FVector(EForceInit) : FVector() {}
  FVector operator+(const FVector &O) const { return {X + O.X, Y + O.Y, Z + O.Z}; }
  FVector operator-(const FVector &O) const { return {X - O.X, Y - O.Y, Z - O.Z}; }
  FVector operator*(double S) const { return {X * S, Y * S, Z * S}; }
  FVector &operator+=(const FVector &O) { return *this = *this + O; }
  bool operator==(const FVector &O) const { return X == O.X && Y == O.Y && Z == O.Z; }
  double Dot(const FVector &O) const { return X * O.X + Y * O.Y + Z * O.Z; }
  double SizeSquared() const { return Dot(*this); }
  double Size() const { return sqrt(SizeSquared()); }
  double Length() const { return Size(); }
  bool Equals(const FVector &O, double Tolerance = 1.e-4) const {
    return fabs(X - O.X) <= Tolerance && fabs(Y - O.Y) <= Tolerance && fabs(Z - O.Z) <= Tolerance;
  }
  FString ToString() const { return FString::Printf(TEXT("X=%3.3f Y=%3.3f Z=%3.3f"), X, Y, Z); }
  inline static const FVector &Zero() {
    static const FVector Value;
    return Value;
  }
  static const FVector ZeroVector;
};
inline const FVector FVector::ZeroVector;
struct FVector2D {
  double X = 0, Y = 0;
  FVector2D() = default;
  FVector2D(double InX, double InY) : X(InX), Y(InY) {}
};
struct FRotator {
  double Pitch = 0, Yaw = 0, Roll = 0;
  FRotator() = default;
  FRotator(double InPitch, double InYaw, double InRoll) : Pitch(InPitch), Yaw(InYaw), Roll(InRoll) {}
  bool operator==(const FRotator &O) const { return Pitch == O.Pitch && Yaw == O.Yaw && Roll == O.Roll; }
  FString ToString() const { return FString::Printf(TEXT("P=%f Y=%f R=%f"), Pitch, Yaw, Roll); }
  static const FRotator ZeroRotator;
};
inline const FRotator FRotator::ZeroRotator;
