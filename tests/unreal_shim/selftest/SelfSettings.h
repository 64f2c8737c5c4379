// Reflected types as a plugin declares them.
#pragma once

#include "CoreMinimal.h"
#include "Engine/DeveloperSettings.h"
#include "GameFramework/Actor.h"
#include "SelfSettings.generated.h"

UENUM(BlueprintType)
enum class ESelfMode : uint8 { Off, Some UMETA(DisplayName = "A, few"), All };

USTRUCT(BlueprintType)
struct FSelfStruct {
  GENERATED_BODY()

  UPROPERTY()
  int32 Number = 3;
};

UCLASS(Config = Engine, DefaultConfig, meta = (DisplayName = "Self (test)"))
class USelfSettings : public UDeveloperSettings {
  GENERATED_BODY()

 public:
  USelfSettings() { CategoryName = TEXT("Plugins"); }
  UPROPERTY(Config, EditAnywhere, Category = "Self", meta = (ClampMin = "0"))
  FString Url = TEXT("none");
  UPROPERTY(EditAnywhere, Config)
  bool bOn = false;
  UPROPERTY(Config)
  uint8 bBit : 1 = 0;
  UPROPERTY(Config)
  float Budget{1.5f};
  UPROPERTY(Config)
  ESelfMode Mode = ESelfMode::Off;
  UPROPERTY(Config)
  TArray<FString> Names;
  UPROPERTY(Transient)
  int32 NotConfig = 4;
};

DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(FSelfEvent, int32, Number);

UCLASS()
class ASelfActor : public AActor {
  GENERATED_BODY()

 public:
  ASelfActor() { PrimaryActorTick.bCanEverTick = true; }
  void BeginPlay() override { Super::BeginPlay(), ++Begun; }
  void Tick(float Delta) override { Super::Tick(Delta), ++Ticks; }
  void EndPlay(const EEndPlayReason::Type Reason) override { Super::EndPlay(Reason), ++Ended; }
  UFUNCTION()
  void Hear(int32 Number) { Heard += Number; }
  UPROPERTY(BlueprintAssignable)
  FSelfEvent Event;
  int32 Ticks = 0, Heard = 0;
  static inline int32 Begun = 0, Ended = 0;
};
