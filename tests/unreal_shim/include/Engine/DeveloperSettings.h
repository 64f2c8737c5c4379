#pragma once
#include "UObject/UObjectGlobals.h"
#include "unreal_shim/Properties.h"

class DEVELOPERSETTINGS_API UDeveloperSettings : public UObject {
 public:
  using Super = UObject;
  static UClass *StaticClass();
  UDeveloperSettings() = default;
  explicit UDeveloperSettings(const FObjectInitializer &) {}
  virtual FName GetCategoryName() const { return CategoryName.IsNone() ? FName(TEXT("Engine")) : CategoryName; }
  virtual FName GetSectionName() const { return SectionName.IsNone() ? GetClass()->GetFName() : SectionName; }
#if WITH_EDITOR
  DECLARE_EVENT_TwoParams(UDeveloperSettings, FOnSettingsChanged, UObject *,
                          FPropertyChangedEvent &) FOnSettingsChanged &OnSettingChanged() {
    return SettingsChanged;
  }
  void PostEditChangeProperty(FPropertyChangedEvent &Event) override { SettingsChanged.Broadcast(this, Event); }
#endif

 protected:
  FName CategoryName, SectionName;

 private:
#if WITH_EDITOR
  FOnSettingsChanged SettingsChanged;
#endif
};
