#pragma once
#include "Delegates/Delegate.h"
#include "Features/IModularFeature.h"
#include "UObject/NameTypes.h"

class CORE_API IModularFeatures {
 public:
  static IModularFeatures &Get();
  void RegisterModularFeature(const FName Type, IModularFeature *Feature);
  void UnregisterModularFeature(const FName Type, IModularFeature *Feature);
  int32 GetModularFeatureImplementationCount(const FName Type) const;
  IModularFeature *GetModularFeatureImplementation(const FName Type, int32 Index);
  DECLARE_EVENT_TwoParams(IModularFeatures, FOnModularFeatureRegistered, const FName &,
                          IModularFeature *) FOnModularFeatureRegistered &OnModularFeatureRegistered();
  template <typename T>
  TArray<T *> GetModularFeatureImplementations(const FName Type) {
    TArray<T *> Result;
    for (int32 I = 0; I < GetModularFeatureImplementationCount(Type); ++I)
      Result.Add(static_cast<T *>(GetModularFeatureImplementation(Type, I)));
    return Result;
  }

 private:
  IModularFeatures();
  struct FState;
  FState *State;
};
