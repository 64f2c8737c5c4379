#pragma once
#include "Engine/EngineTypes.h"
#include "GameFramework/Actor.h"

class UNetDriver;
class UGameInstance;
class APlayerController;
class ENGINE_API UWorld : public UObject {
 public:
  using Super = UObject;
  static UClass *StaticClass();
  FString GetMapName() const;  // with the PIE prefix, as in the engine
  static FString RemovePIEPrefix(const FString &Source, int32 *OutPIEInstance = nullptr);
  ENetMode GetNetMode() const;
  APlayerController *GetFirstPlayerController() const;
  UNetDriver *GetNetDriver() const { return NetDriver; }
  UWorld *GetWorld() const override { return const_cast<UWorld *>(this); }
  template <typename T>
  T *SpawnActor(const FVector &Location = FVector(), const FRotator &Rotation = FRotator()) {
    return static_cast<T *>(SpawnActor(T::StaticClass(), Location, Rotation));
  }
  AActor *SpawnActor(UClass *Class, const FVector &Location, const FRotator &Rotation);
  EWorldType::Type WorldType = EWorldType::Game;
  UNetDriver *NetDriver = nullptr;
  UGameInstance *OwningGameInstance = nullptr;
  double TimeSeconds = 0;
  float DeltaTimeSeconds = 0;
  bool bIsTearingDown = false;
  TArray<AActor *> Actors;
  void Tick_(float Delta);
  void BeginPlay();
  void EndPlay_(EEndPlayReason::Type Reason);

 private:
  bool bBegunPlay = false;
};
