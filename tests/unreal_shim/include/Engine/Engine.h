// GEngine.
#pragma once
#include "ChartCreation.h"
#include "Engine/GameInstance.h"
#include "Engine/GameViewportClient.h"
#include "Engine/World.h"
#include "GameFramework/GameUserSettings.h"

struct FWorldContext {
  EWorldType::Type WorldType = EWorldType::Game;
  TObjectPtr<UGameInstance> OwningGameInstance;
  int32 PIEInstance = INDEX_NONE;
  UWorld *World() const { return Current; }
  void SetCurrentWorld(UWorld *In) { Current = In; }

 private:
  UWorld *Current = nullptr;
};
class ENGINE_API UEngine : public UObject {
 public:
  using Super = UObject;
  static UClass *StaticClass();
  void AddPerformanceDataConsumer(TSharedPtr<IPerformanceDataConsumer> Consumer);
  void RemovePerformanceDataConsumer(TSharedPtr<IPerformanceDataConsumer> Consumer);
  bool Exec(UWorld *World, const TCHAR *Command, FOutputDevice &Ar = *GLog);
  const TArray<FWorldContext> &GetWorldContexts() const { return Contexts; }
  APlayerController *GetFirstLocalPlayerController(const UWorld *World);
  UGameUserSettings *GetGameUserSettings() { return UserSettings; }
  TObjectPtr<UGameViewportClient> GameViewport;
  TObjectPtr<UGameUserSettings> UserSettings;
  TArray<FWorldContext> Contexts;
  TArray<TSharedPtr<IPerformanceDataConsumer>> Consumers_;

 private:
  float MaxFPS = 0;
};
extern ENGINE_API UEngine *GEngine;
