// On Linux a cycle is a microsecond of the monotonic clock.
#pragma once
#include "CoreTypes.h"

struct CORE_API FPlatformTime {
  static double Seconds();
  static uint32 Cycles();
  static uint64 Cycles64();
  static double GetSecondsPerCycle() { return 1e-6; }
  static double GetSecondsPerCycle64() { return 1e-6; }
  static float ToMilliseconds(uint32 Cycles) { return float(double(Cycles) * GetSecondsPerCycle() * 1000.0); }
  static float ToSeconds(uint32 Cycles) { return float(double(Cycles) * GetSecondsPerCycle()); }
  static double ToSeconds64(uint64 Cycles) { return double(Cycles) * GetSecondsPerCycle64(); }
};
