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

// Micromegas's names, so that what asks for them goes on.
#define TACHY_SCALABILITY(Name, Value) \
	do \
	{ \
		const int32 Changed = Changes.Num(); \
		Set(TEXT("Scalability_" #Name), FString::FromInt(Value), Changes); \
		if (Changes.Num() != Changed) \
		{ \
			TACHY_IMETRIC("Scalability", Tachy::Min, #Name, "none", (Value)); \
		} \
	} while (false)

void FTachyGameContext::CompareScalability(TMap<FString, FString>& Changes)
{
	const Scalability::FQualityLevels Levels = Scalability::GetQualityLevels();
	TACHY_SCALABILITY(ResolutionQuality, FMath::RoundToInt(Levels.ResolutionQuality));
	TACHY_SCALABILITY(ViewDistanceQuality, Levels.ViewDistanceQuality);
	TACHY_SCALABILITY(AntiAliasingQuality, Levels.AntiAliasingQuality);
	TACHY_SCALABILITY(ShadowQuality, Levels.ShadowQuality);
	TACHY_SCALABILITY(GlobalIlluminationQuality, Levels.GlobalIlluminationQuality);
	TACHY_SCALABILITY(ReflectionQuality, Levels.ReflectionQuality);
	TACHY_SCALABILITY(PostProcessQuality, Levels.PostProcessQuality);
	TACHY_SCALABILITY(TextureQuality, Levels.TextureQuality);
	TACHY_SCALABILITY(EffectsQuality, Levels.EffectsQuality);
	TACHY_SCALABILITY(FoliageQuality, Levels.FoliageQuality);
	TACHY_SCALABILITY(ShadingQuality, Levels.ShadingQuality);
#if !UE_VERSION_OLDER_THAN(5, 4, 0)
	TACHY_SCALABILITY(LandscapeQuality, Levels.LandscapeQuality);
#endif
	TACHY_SCALABILITY(SingleQualityLevel, Levels.GetSingleQualityLevel());
}

#undef TACHY_SCALABILITY
