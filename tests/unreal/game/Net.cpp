// A server with three clients, and then a client: what the engine has counted is measured once a second.
#include "Engine/NetDriver.h"
#include "Scene.h"
#include "unreal_shim/Engine.h"
#if UE_SHIM_VERSION >= 507
#include "Net/NetworkMetricsDefs.h"
#endif

namespace {

void Count(UNetDriver *driver, int64 clients) {
#if UE_SHIM_VERSION >= 507
  namespace M = UE::Net::Metric;
  UNetworkMetricsDatabase *const metrics = driver->GetMetrics();
  metrics->SetInt(M::InRate, 1000);
  metrics->SetInt(M::OutRate, 2000);
  metrics->SetInt(M::InPackets, 30);
  metrics->SetInt(M::OutPackets, 60);
  metrics->SetInt(M::InPacketsLost, 1);
  metrics->SetInt(M::OutPacketsLost, 2);
  metrics->SetInt(M::NumClients, clients);
  metrics->SetFloat(M::Ping, 40);
  metrics->SetFloat(M::AverageJitterInMS, 3.5);
#else
  driver->InBytesPerSecond = 1000;
  driver->OutBytesPerSecond = 2000;
  driver->InPackets = 30;
  driver->OutPackets = 60;
  driver->InPacketsLost = 1;
  driver->OutPacketsLost = 2;
  if (clients == 0) {
    driver->ServerConnection->AvgLag = 0.04f;
    driver->ServerConnection->Jitter_ = 3.5;
  }
#endif
}

void TickSeconds(int seconds) {
  for (int i = 0; i < seconds; i++) unreal_shim::Tick({.Delta = 1.0});
}

}  // namespace

SHIM_SCENE(Net) {
  Count(unreal_shim::CreateNetDriver(unreal_shim::LoadMap(TEXT("/Game/Maps/Arena")), true, 3), 3);
  TickSeconds(5);
  unreal_shim::Exec(TEXT("tachy.Net 0"));
  TickSeconds(3);
  unreal_shim::Exec(TEXT("tachy.Net 1"));
  Count(unreal_shim::CreateNetDriver(unreal_shim::LoadMap(TEXT("/Game/Maps/Hall")), false, 0), 0);
  TickSeconds(2);
}
