#pragma once
#include "Camera/PlayerCameraManager.h"
#include "GameFramework/Pawn.h"

class ENGINE_API APlayerController : public AActor {
 public:
  using Super = AActor;
  static UClass *StaticClass();
  APawn *GetPawn() const { return Pawn; }
  void SetPawn(APawn *In) { Pawn = In; }
  void GetPlayerViewPoint(FVector &Location, FRotator &Rotation) const;
  TObjectPtr<APlayerCameraManager> PlayerCameraManager;

 private:
  TObjectPtr<APawn> Pawn;
};
