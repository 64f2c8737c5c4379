#pragma once
#include "GameFramework/Actor.h"

class ENGINE_API APlayerCameraManager : public AActor {
 public:
  using Super = AActor;
  static UClass *StaticClass();
  FVector GetCameraLocation() const { return GetActorLocation(); }
  FRotator GetCameraRotation() const { return GetActorRotation(); }
  float GetFOVAngle() const { return FOV; }
  void SetFOV(float New) { FOV = New; }

 private:
  float FOV = 90;
};
