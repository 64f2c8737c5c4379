#pragma once
#include "Engine/EngineTypes.h"
#include "Engine/NetConnection.h"
#if UE_SHIM_VERSION >= 504
#include "Net/NetworkMetricsDatabase.h"
#endif

class ENGINE_API UNetDriver : public UObject {
 public:
  using Super = UObject;
  static UClass *StaticClass();
  bool IsServer() const { return ServerConnection == nullptr; }
  ENetMode GetNetMode() const { return IsServer() ? NM_ListenServer : NM_Client; }
  UWorld *GetWorld() const override { return World; }
#if UE_SHIM_VERSION >= 504
  UNetworkMetricsDatabase *GetMetrics();
#endif
  FName NetDriverName{TEXT("GameNetDriver")};
  TObjectPtr<UNetConnection> ServerConnection;
  TArray<TObjectPtr<UNetConnection>> ClientConnections;
  TObjectPtr<UWorld> World;
  uint32 InBytesPerSecond = 0, OutBytesPerSecond = 0, InPackets = 0, OutPackets = 0, InPacketsLost = 0,
         OutPacketsLost = 0;
  uint32 InTotalBytes = 0, OutTotalBytes = 0, InTotalPackets = 0, OutTotalPackets = 0, InTotalPacketsLost = 0,
         OutTotalPacketsLost = 0;

 private:
#if UE_SHIM_VERSION >= 504
  TObjectPtr<UNetworkMetricsDatabase> Metrics;
#endif
};
