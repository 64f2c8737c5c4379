// Plugins by name; unreal_shim::AddPlugin says where one lies.
#pragma once
#include "CoreMinimal.h"

struct FPluginDescriptor {
  FString VersionName, FriendlyName;
  int32 Version = 0;
};
class PROJECTS_API IPlugin {
 public:
  const FString &GetName() const { return Name; }
  FString GetBaseDir() const { return Folder; }
  FString GetContentDir() const { return Folder / TEXT("Content"); }
  const FPluginDescriptor &GetDescriptor() const { return Descriptor; }
  bool IsEnabled() const { return true; }
  FString Name, Folder;
  FPluginDescriptor Descriptor;
};
class PROJECTS_API IPluginManager {
 public:
  static IPluginManager &Get();
  TSharedPtr<IPlugin> FindPlugin(const FString &Name);
};
