// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachyGameContext.h"

#include "DynamicRHI.h"
#include "Engine/Engine.h"
#include "Engine/GameViewportClient.h"
#include "Engine/World.h"
#include "HAL/IConsoleManager.h"
#include "Misc/EngineVersionComparison.h"
#include "RHIGlobals.h"
#include "Scalability.h"
#include "Tachy.h"
#include "TachyPlay.h"
#include "UObject/Package.h"

namespace TachyScalabilitySites
{

// Micromegas's names, so that what asks for them goes on.
TACHY_DEFINE_INT_METRIC(Resolution, "Scalability", "ResolutionQuality", "none");
TACHY_DEFINE_INT_METRIC(ViewDistance, "Scalability", "ViewDistanceQuality", "none");
TACHY_DEFINE_INT_METRIC(AntiAliasing, "Scalability", "AntiAliasingQuality", "none");
TACHY_DEFINE_INT_METRIC(Shadow, "Scalability", "ShadowQuality", "none");
TACHY_DEFINE_INT_METRIC(GlobalIllumination, "Scalability", "GlobalIlluminationQuality", "none");
TACHY_DEFINE_INT_METRIC(Reflection, "Scalability", "ReflectionQuality", "none");
TACHY_DEFINE_INT_METRIC(PostProcess, "Scalability", "PostProcessQuality", "none");
TACHY_DEFINE_INT_METRIC(Texture, "Scalability", "TextureQuality", "none");
TACHY_DEFINE_INT_METRIC(Effects, "Scalability", "EffectsQuality", "none");
TACHY_DEFINE_INT_METRIC(Foliage, "Scalability", "FoliageQuality", "none");
TACHY_DEFINE_INT_METRIC(Shading, "Scalability", "ShadingQuality", "none");
#if !UE_VERSION_OLDER_THAN(5, 4, 0)
TACHY_DEFINE_INT_METRIC(Landscape, "Scalability", "LandscapeQuality", "none");
#endif
TACHY_DEFINE_INT_METRIC(Single, "Scalability", "SingleQualityLevel", "none");

} // namespace TachyScalabilitySites

void FTachyGameContext::DescribeRendering()
{
	if (GDynamicRHI)
	{
		tachy_set_process_property("rhi", TCHAR_TO_UTF8(GDynamicRHI->GetName()));
		tachy_set_process_property("gpu-driver", TCHAR_TO_UTF8(*GRHIAdapterUserDriverVersion));
	}
}

void FTachyGameContext::Set(const FString& Key, const FString& Value, TMap<FString, FString>& Changes)
{
	FString* const Old = Known.Find(Key);
	if (Old ? *Old != Value : !Value.IsEmpty())
	{
		Known.Add(Key, Value);
		Changes.Add(Key, Value);
	}
}

void FTachyGameContext::Compare()
{
	TMap<FString, FString> Changes;
	const UWorld* const World = FTachyPlay::FindWorld();
	if (World)
	{
		Set(TEXT("map"), UWorld::RemovePIEPrefix(World->GetOutermost()->GetName()), Changes);
	}
	if (!IsRunningDedicatedServer() && GEngine)
	{
		if (const IConsoleVariable* const VSync = IConsoleManager::Get().FindConsoleVariable(TEXT("r.VSync")))
		{
			Set(TEXT("VSync"), VSync->GetInt() != 0 ? TEXT("1") : TEXT("0"), Changes);
		}
		if (GEngine->GameViewport && GEngine->GameViewport->Viewport)
		{
			FVector2D Size;
			GEngine->GameViewport->GetViewportSize(Size);
			Set(TEXT("resolution"),
			    FString::Printf(TEXT("%dx%d"), static_cast<int32>(Size.X), static_cast<int32>(Size.Y)), Changes);
		}
		CompareScalability(Changes);
	}
	if (Changes.Num() > 0)
	{
		Tachy::SetContext(Changes);
	}
}

void FTachyGameContext::CompareScalability(TMap<FString, FString>& Changes)
{
	using namespace TachyScalabilitySites;
	const auto Level = [&](tachy_site& Site, int32 Value)
	{
		const int32 Before = Changes.Num();
		Set(FString(TEXT("Scalability_")) + UTF8_TO_TCHAR(Site.name), FString::FromInt(Value), Changes);
		if (Changes.Num() != Before)
		{
			tachy_metric_int(&Site, Tachy::Context(), Value);
		}
	};
	const Scalability::FQualityLevels Levels = Scalability::GetQualityLevels();
	Level(Resolution, FMath::RoundToInt(Levels.ResolutionQuality));
	Level(ViewDistance, Levels.ViewDistanceQuality);
	Level(AntiAliasing, Levels.AntiAliasingQuality);
	Level(Shadow, Levels.ShadowQuality);
	Level(GlobalIllumination, Levels.GlobalIlluminationQuality);
	Level(Reflection, Levels.ReflectionQuality);
	Level(PostProcess, Levels.PostProcessQuality);
	Level(Texture, Levels.TextureQuality);
	Level(Effects, Levels.EffectsQuality);
	Level(Foliage, Levels.FoliageQuality);
	Level(Shading, Levels.ShadingQuality);
#if !UE_VERSION_OLDER_THAN(5, 4, 0)
	Level(Landscape, Levels.LandscapeQuality);
#endif
	Level(Single, Levels.GetSingleQualityLevel());
}
