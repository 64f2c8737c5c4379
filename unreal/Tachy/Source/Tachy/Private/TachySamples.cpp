// Copyright 2026 The tachy authors. Licensed under the Apache License, Version 2.0.

#include "TachySamples.h"

#include "Camera/PlayerCameraManager.h"
#include "Engine/Engine.h"
#include "GameFramework/Pawn.h"
#include "GameFramework/PlayerController.h"
#include "HAL/PlatformMemory.h"
#include "Tachy.h"
#include "TachyPlay.h"
#include "UObject/UObjectArray.h"

namespace TachySamples
{

static void TakeMemory()
{
	const FPlatformMemoryStats Memory = FPlatformMemory::GetStats();
	TACHY_IMETRIC("Memory", Tachy::Med, "UsedPhysical", "bytes", static_cast<int64>(Memory.UsedPhysical));
	TACHY_IMETRIC("Memory", Tachy::Med, "PeakUsedPhysical", "bytes", static_cast<int64>(Memory.PeakUsedPhysical));
	TACHY_IMETRIC("Memory", Tachy::Med, "UsedVirtual", "bytes", static_cast<int64>(Memory.UsedVirtual));
	TACHY_IMETRIC("Memory", Tachy::Med, "PeakUsedVirtual", "bytes", static_cast<int64>(Memory.PeakUsedVirtual));
	TACHY_IMETRIC("Memory", Tachy::Med, "UObjects", "count", GUObjectArray.GetObjectArrayNumMinusAvailable());
}

static void TakePlayer(const APlayerController& Player)
{
	if (const APawn* const Pawn = Player.GetPawn())
	{
		const FVector Position = Pawn->GetActorLocation();
		TACHY_FMETRIC("Player", Tachy::Med, "PlayerPositionX", "cm", Position.X);
		TACHY_FMETRIC("Player", Tachy::Med, "PlayerPositionY", "cm", Position.Y);
		TACHY_FMETRIC("Player", Tachy::Med, "PlayerPositionZ", "cm", Position.Z);
	}
	if (const APlayerCameraManager* const Camera = Player.PlayerCameraManager)
	{
		const FVector Position = Camera->GetCameraLocation();
		const FRotator Rotation = Camera->GetCameraRotation();
		TACHY_FMETRIC("Player", Tachy::Med, "CameraPositionX", "cm", Position.X);
		TACHY_FMETRIC("Player", Tachy::Med, "CameraPositionY", "cm", Position.Y);
		TACHY_FMETRIC("Player", Tachy::Med, "CameraPositionZ", "cm", Position.Z);
		TACHY_FMETRIC("Player", Tachy::Med, "CameraPitch", "degrees", Rotation.Pitch);
		TACHY_FMETRIC("Player", Tachy::Med, "CameraYaw", "degrees", Rotation.Yaw);
		TACHY_FMETRIC("Player", Tachy::Med, "CameraRoll", "degrees", Rotation.Roll);
		TACHY_FMETRIC("Player", Tachy::Med, "CameraFOV", "degrees", Camera->GetFOVAngle());
	}
}

void Take()
{
	TakeMemory();
	const double SinceInput = FTachyPlay::SecondsSinceInput();
	if (SinceInput >= 0.0)
	{
		TACHY_FMETRIC("Player", Tachy::Med, "TimeSinceLastInput", "seconds", SinceInput);
	}
	const UWorld* const World = FTachyPlay::FindWorld();
	const APlayerController* const Player = World ? GEngine->GetFirstLocalPlayerController(World) : nullptr;
	if (Player)
	{
		TakePlayer(*Player);
	}
}

} // namespace TachySamples
