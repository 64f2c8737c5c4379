#pragma once
#include "Engine/EngineTypes.h"
#include "unreal_shim/Properties.h"

class UWorld;
struct FActorTickFunction {
  bool bCanEverTick = false;
  bool bStartWithTickEnabled = true;
  float TickInterval = 0;
};
class ENGINE_API AActor : public UObject {
 public:
  using Super = UObject;
  static UClass *StaticClass();
  AActor() = default;
  explicit AActor(const FObjectInitializer &) {}
  virtual void BeginPlay() {}
  virtual void Tick(float DeltaSeconds) { (void)DeltaSeconds; }
  virtual void EndPlay(const EEndPlayReason::Type Reason) { (void)Reason; }
  FVector GetActorLocation() const { return LocationPrivate; }
  FRotator GetActorRotation() const { return RotationPrivate; }
  bool SetActorLocation(const FVector &New) {
    LocationPrivate = New;
    return true;
  }
  bool SetActorRotation(const FRotator &New) {
    RotationPrivate = New;
    return true;
  }
  bool Destroy();
  UWorld *GetWorld() const override;
  FActorTickFunction PrimaryActorTick;

 private:
  FVector LocationPrivate;
  FRotator RotationPrivate;
};
