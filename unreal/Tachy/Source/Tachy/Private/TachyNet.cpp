// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachyNet.h"

#include "Engine/Engine.h"
#include "Engine/NetConnection.h"
#include "Engine/NetDriver.h"
#include "Engine/World.h"
#include "HAL/IConsoleManager.h"
#include "Misc/EngineVersionComparison.h"
#include "Tachy.h"
#if !UE_VERSION_OLDER_THAN(5, 7, 0)
#include "Net/NetworkMetricsDatabase.h"
#include "Net/NetworkMetricsDefs.h"
#endif

namespace TachyNetSites
{

// The engine's own names of these figures, and what they are counted in.
TACHY_DEFINE_INT_METRIC(InRate, "Net", "InRate", "bytes/s");
TACHY_DEFINE_INT_METRIC(OutRate, "Net", "OutRate", "bytes/s");
TACHY_DEFINE_INT_METRIC(InPackets, "Net", "InPackets", "1/s");
TACHY_DEFINE_INT_METRIC(OutPackets, "Net", "OutPackets", "1/s");
TACHY_DEFINE_INT_METRIC(InPacketsLost, "Net", "InPacketsLost", "1/s");
TACHY_DEFINE_INT_METRIC(OutPacketsLost, "Net", "OutPacketsLost", "1/s");
TACHY_DEFINE_INT_METRIC(NumClients, "Net", "NumClients", "1");
TACHY_DEFINE_FLOAT_METRIC(Ping, "Net", "Ping", "ms");
TACHY_DEFINE_FLOAT_METRIC(AverageJitter, "Net", "AverageJitterInMS", "ms");

int32 Enable = 1;

FAutoConsoleVariableRef EnableVariable(TEXT("tachy.Net"), Enable,
                                       TEXT("1: what net drivers count is measured once a second; 0: it is not."));

} // namespace TachyNetSites

FTachyNet::FTachyNet()
    : Ticker(FTSTicker::GetCoreTicker().AddTicker(FTickerDelegate::CreateRaw(this, &FTachyNet::Measure), 1.0f))
{
}

FTachyNet::~FTachyNet()
{
	FTSTicker::RemoveTicker(Ticker);
}

bool FTachyNet::Measure(float)
{
	if (!GEngine || !TachyNetSites::Enable)
	{
		return true;
	}
	for (const FWorldContext& Context : GEngine->GetWorldContexts())
	{
		UWorld* const World = Context.World();
		UNetDriver* const Driver = World ? World->GetNetDriver() : nullptr;
		if (!Driver)
		{
			continue;
		}
		const FString Names = Driver->NetDriverName.ToString() + TEXT(" ") + World->GetName();
		const uint32* Set = Sets.Find(Names);
		if (!Set)
		{
			const TMap<FString, FString> Pairs{{TEXT("driver"), Driver->NetDriverName.ToString()},
			                                   {TEXT("map"), World->GetName()},
			                                   {TEXT("role"), Driver->IsServer() ? TEXT("server") : TEXT("client")}};
			Set = &Sets.Add(Names, Tachy::FProperties(Pairs).Set());
		}
		MeasureDriver(*Driver, *Set);
	}
	return true;
}

#if !UE_VERSION_OLDER_THAN(5, 7, 0)

void FTachyNet::MeasureDriver(UNetDriver& Driver, uint32 Set)
{
	using namespace TachyNetSites;
	namespace Metric = UE::Net::Metric;
	UNetworkMetricsDatabase* const Known = Driver.GetMetrics();
	if (!Known)
	{
		return;
	}
	const auto Whole = [&](tachy_site& Site, const FName& Name)
	{
		if (Known->Contains(Name))
		{
			tachy_metric_int(&Site, Set, Known->GetInt(Name));
		}
	};
	const auto Number = [&](tachy_site& Site, const FName& Name)
	{
		if (Known->Contains(Name))
		{
			tachy_metric_float(&Site, Set, Known->GetFloat(Name));
		}
	};
	Whole(InRate, Metric::InRate);
	Whole(OutRate, Metric::OutRate);
	Whole(InPackets, Metric::InPackets);
	Whole(OutPackets, Metric::OutPackets);
	Whole(InPacketsLost, Metric::InPacketsLost);
	Whole(OutPacketsLost, Metric::OutPacketsLost);
	if (Driver.IsServer())
	{
		Whole(NumClients, Metric::NumClients);
	}
	else
	{
		Number(Ping, Metric::Ping);
	}
	Number(AverageJitter, Metric::AverageJitterInMS);
}

#else

void FTachyNet::MeasureDriver(UNetDriver& Driver, uint32 Set)
{
	using namespace TachyNetSites;
	tachy_metric_int(&InRate, Set, Driver.InBytesPerSecond);
	tachy_metric_int(&OutRate, Set, Driver.OutBytesPerSecond);
	tachy_metric_int(&InPackets, Set, Driver.InPackets);
	tachy_metric_int(&OutPackets, Set, Driver.OutPackets);
	tachy_metric_int(&InPacketsLost, Set, Driver.InPacketsLost);
	tachy_metric_int(&OutPacketsLost, Set, Driver.OutPacketsLost);
	if (Driver.IsServer())
	{
		tachy_metric_int(&NumClients, Set, Driver.ClientConnections.Num());
	}
	else
	{
		tachy_metric_float(&Ping, Set, Driver.ServerConnection->AvgLag * 1000.0);
		tachy_metric_float(&AverageJitter, Set, Driver.ServerConnection->GetAverageJitterInMS());
	}
}

#endif
