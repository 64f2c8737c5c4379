#pragma once
#include "UObject/UObjectGlobals.h"

class UNetDriver;
class ENGINE_API UNetConnection : public UObject {
 public:
  using Super = UObject;
  static UClass *StaticClass();
  float GetAverageJitterInMS() const { return Jitter_; }
  FString Describe() { return GetName(); }
  TObjectPtr<UNetDriver> Driver;
  float AvgLag = 0;
  int32 InBytesPerSecond = 0, OutBytesPerSecond = 0, InPacketsPerSecond = 0, OutPacketsPerSecond = 0;
  int32 InPackets = 0, OutPackets = 0, InBytes = 0, OutBytes = 0;
  int32 InTotalPackets = 0, OutTotalPackets = 0, InTotalPacketsLost = 0, OutTotalPacketsLost = 0;
  float Jitter_ = 0;
};
