// FTimespan and FDateTime: ticks of 100 ns, the latter since year 1.
#pragma once
#include "Containers/UnrealString.h"

namespace ETimespan {
inline constexpr int64 TicksPerMicrosecond = 10, TicksPerMillisecond = 10000, TicksPerSecond = 10000000,
                       TicksPerMinute = 600000000, TicksPerHour = 36000000000, TicksPerDay = 864000000000;
}
struct CORE_API FTimespan {
  FTimespan() = default;
  explicit FTimespan(int64 InTicks) : Ticks(InTicks) {}
  static FTimespan Zero() { return FTimespan(); }
  int64 GetTicks() const { return Ticks; }
  double GetTotalSeconds() const { return double(Ticks) / double(ETimespan::TicksPerSecond); }
  double GetTotalMilliseconds() const { return double(Ticks) / double(ETimespan::TicksPerMillisecond); }
  FTimespan operator+(FTimespan O) const { return FTimespan(Ticks + O.Ticks); }
  FTimespan operator-(FTimespan O) const { return FTimespan(Ticks - O.Ticks); }
  bool operator<(FTimespan O) const { return Ticks < O.Ticks; }
  bool operator>(FTimespan O) const { return Ticks > O.Ticks; }
  bool operator==(FTimespan O) const { return Ticks == O.Ticks; }

 private:
  int64 Ticks = 0;
};
struct CORE_API FDateTime {
  FDateTime() = default;
  explicit FDateTime(int64 InTicks) : Ticks(InTicks) {}
  FDateTime(int32 Year, int32 Month, int32 Day, int32 Hour = 0, int32 Minute = 0, int32 Second = 0,
            int32 Millisecond = 0);
  static FDateTime UtcNow();
  static FDateTime Now();
  static FDateTime FromUnixTimestamp(int64 Seconds);
  int64 ToUnixTimestamp() const;
  int64 GetTicks() const { return Ticks; }
  static bool ParseHttpDate(const FString &Text, FDateTime &Out);
  FString ToString() const { return ToString(TEXT("%Y.%m.%d-%H.%M.%S")); }
  FString ToString(const TCHAR *Format) const;
  FTimespan operator-(FDateTime O) const { return FTimespan(Ticks - O.Ticks); }
  FDateTime operator+(FTimespan O) const { return FDateTime(Ticks + O.GetTicks()); }
  FDateTime operator-(FTimespan O) const { return FDateTime(Ticks - O.GetTicks()); }
  bool operator<(FDateTime O) const { return Ticks < O.Ticks; }
  bool operator>(FDateTime O) const { return Ticks > O.Ticks; }
  bool operator==(FDateTime O) const { return Ticks == O.Ticks; }

 private:
  int64 Ticks = 0;
};
