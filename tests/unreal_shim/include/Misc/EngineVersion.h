#pragma once
#include "Containers/UnrealString.h"
#include "Runtime/Launch/Resources/Version.h"

enum class EVersionComponent { Major, Minor, Patch, Changelist, Branch };
class CORE_API FEngineVersion {
 public:
  static const FEngineVersion &Current();
  uint16 GetMajor() const { return ENGINE_MAJOR_VERSION; }
  uint16 GetMinor() const { return ENGINE_MINOR_VERSION; }
  uint16 GetPatch() const { return ENGINE_PATCH_VERSION; }
  FString GetBranch() const { return FString(TEXT("shim")); }
  FString ToString(EVersionComponent Last = EVersionComponent::Branch) const;
};
