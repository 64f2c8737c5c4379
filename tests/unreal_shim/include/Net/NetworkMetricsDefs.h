#pragma once
#include "UObject/NameTypes.h"

namespace UE::Net::Metric {
inline const FName InRate(TEXT("InRate")), OutRate(TEXT("OutRate")), InPackets(TEXT("InPackets")),
    OutPackets(TEXT("OutPackets")), InPacketsLost(TEXT("InPacketsLost")), OutPacketsLost(TEXT("OutPacketsLost")),
    Ping(TEXT("Ping")), NumClients(TEXT("NumClients")), AverageJitterInMS(TEXT("AverageJitterInMS")),
    InBunches(TEXT("InBunches")), OutBunches(TEXT("OutBunches"));
}  // namespace UE::Net::Metric
