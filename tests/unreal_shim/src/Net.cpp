// Network drivers, connections, metrics.
#include "Engine/NetDriver.h"
#include "Engine/World.h"
#include "unreal_shim/Classes.h"
#include "unreal_shim/Engine.h"

UE_SHIM_CLASS(UNetDriver, "NetDriver", "Engine", &UObject::StaticClass)
UE_SHIM_CLASS(UNetConnection, "NetConnection", "Engine", &UObject::StaticClass)
#if UE_SHIM_VERSION >= 504
#include "Net/NetworkMetricsDefs.h"

UE_SHIM_CLASS(UNetworkMetricsDatabase, "NetworkMetricsDatabase", "Engine", &UObject::StaticClass)
UE_SHIM_ABSTRACT_CLASS(UNetworkMetricsBaseListener, "NetworkMetricsBaseListener", "Engine", &UObject::StaticClass)
UNetworkMetricsDatabase *UNetDriver::GetMetrics() {
  if (!Metrics) {
    namespace M = UE::Net::Metric;
    Metrics = NewObject<UNetworkMetricsDatabase>(this);
    for (const FName &Name : {M::InRate, M::OutRate, M::InPackets, M::OutPackets, M::InPacketsLost, M::OutPacketsLost,
                              M::NumClients, M::InBunches, M::OutBunches})
      Metrics->CreateInt(Name, 0);
    for (const FName &Name : {M::Ping, M::AverageJitterInMS}) Metrics->CreateFloat(Name, 0);
  }
  return Metrics;
}
void UNetworkMetricsDatabase::Register(const FName MetricName, TWeakObjectPtr<UNetworkMetricsBaseListener> Reporter) {
  check(Contains(MetricName));
  FListener *Known = Listeners.FindByPredicate([&](const FListener &L) { return L.Listener == Reporter; });
  (Known ? *Known : Listeners.Add_GetRef({Reporter, {}, 0})).Names.AddUnique(MetricName);
}
void UNetworkMetricsDatabase::Reset() {
  Ints.Empty();
  Floats.Empty();
  Listeners.Empty();
}
#endif
UNetDriver *unreal_shim::CreateNetDriver(UWorld *World, bool bServer, int32 Clients) {
  UNetDriver *Driver = NewObject<UNetDriver>(World);
  Driver->World = World;
  const auto Connect = [&] {
    UNetConnection *Connection = NewObject<UNetConnection>(Driver);
    Connection->Driver = Driver;
    return Connection;
  };
  if (!bServer) Driver->ServerConnection = Connect();
  for (int32 I = 0; bServer && I < Clients; ++I) Driver->ClientConnections.Add(Connect());
  World->NetDriver = Driver;
  return Driver;
}
