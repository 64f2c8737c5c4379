// The engine's half of the loop: maps, objects, network, screenshots.
#pragma once
#include "Engine/Engine.h"
#include "unreal_shim/Loop.h"

class UNetDriver;
namespace unreal_shim {
ENGINE_API UWorld *LoadMap(const TCHAR *Path,
                           EWorldType::Type Type = EWorldType::Game);  // /Game/Maps/Arena; ends the world before
ENGINE_API UWorld *CurrentWorld();
ENGINE_API APlayerController *AddPlayer(UWorld *World);  // with a pawn and a camera
ENGINE_API UNetDriver *CreateNetDriver(UWorld *World, bool bServer, int32 Clients);
ENGINE_API void SetViewportPixels(int32 Width, int32 Height, const TArray<FColor> &Pixels);  // what screenshots show
ENGINE_API void ThreadStuck(uint32 ThreadId);
ENGINE_API bool RunAutomation(const TCHAR *Name, TArray<FString> &Errors);  // ticks until its latent commands are done
}  // namespace unreal_shim
