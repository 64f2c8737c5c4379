// Since 5.4.
#pragma once
#include "UObject/UObjectGlobals.h"

#if UE_SHIM_VERSION < 504
#error "Net/NetworkMetricsDatabase.h came in 5.4"
#endif
namespace UE::Net {
struct FNetworkMetricSnapshot {
  TMap<FName, int64> MetricInts;
  TMap<FName, float> MetricFloats;
};
}  // namespace UE::Net
class ENGINE_API UNetworkMetricsBaseListener : public UObject {
 public:
  using Super = UObject;
  static UClass *StaticClass();
  virtual void Report(const UE::Net::FNetworkMetricSnapshot &Snapshot) { (void)Snapshot; }

 private:
  double IntervalSeconds = 0;
};
class ENGINE_API UNetworkMetricsDatabase : public UObject {
 public:
  using Super = UObject;
  static UClass *StaticClass();
  void CreateInt(const FName MetricName, int64 Initial) { Ints.Add(MetricName, Initial); }
  void CreateFloat(const FName MetricName, float Initial) { Floats.Add(MetricName, Initial); }
  void SetInt(const FName MetricName, int64 Value) { Ints[MetricName] = Value; }
  void SetFloat(const FName MetricName, float Value) { Floats[MetricName] = Value; }
  bool Contains(const FName MetricName) const { return Ints.Contains(MetricName) || Floats.Contains(MetricName); }
  int64 GetInt(const FName MetricName) { return Ints[MetricName]; }
  float GetFloat(const FName MetricName) { return Floats[MetricName]; }
  void Register(const FName MetricName, TWeakObjectPtr<UNetworkMetricsBaseListener> Reporter);
  void Reset();

 private:
  struct FListener {
    TWeakObjectPtr<UNetworkMetricsBaseListener> Listener;
    TArray<FName> Names;
    double Last = 0;
  };
  TMap<FName, int64> Ints;
  TMap<FName, float> Floats;
  TArray<FListener> Listeners;
};
