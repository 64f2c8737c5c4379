// Modules: linked into the program (IS_MONOLITHIC) or in libUnrealEditor-Name.so, in one of
// unreal_shim::AddModuleFolder's folders.
#pragma once
#include "Containers/UnrealString.h"
#include "Delegates/Delegate.h"
#include "Modules/ModuleInterface.h"
#include "UObject/NameTypes.h"

enum class EModuleLoadResult {
  Success,
  FileNotFound,
  FileIncompatible,
  CouldNotBeLoadedByOS,
  FailedToInitialize,
  NotLoadedByGameThread
};
enum class EModuleChangeReason { ModuleLoaded, ModuleUnloaded, PluginDirectoryChanged };
using FInitializeStaticallyLinkedModule = IModuleInterface *(*)();

class CORE_API FModuleManager {
 public:
  static FModuleManager &Get();
  bool IsModuleLoaded(const FName Name) const;
  bool ModuleExists(const TCHAR *Name) const;
  IModuleInterface *LoadModule(const FName Name);
  IModuleInterface &LoadModuleChecked(const FName Name);
  IModuleInterface *LoadModuleWithFailureReason(const FName Name, EModuleLoadResult &Result);
  IModuleInterface *GetModule(const FName Name);
  bool UnloadModule(const FName Name, bool bIsShutdown = false);
  void UnloadModulesAtShutdown();
  template <typename T>
  static T *LoadModulePtr(const FName Name) {
    return static_cast<T *>(Get().LoadModule(Name));
  }
  template <typename T>
  static T &LoadModuleChecked(const FName Name) {
    return static_cast<T &>(Get().LoadModuleChecked(Name));
  }
  template <typename T>
  static T *GetModulePtr(const FName Name) {
    return static_cast<T *>(Get().GetModule(Name));
  }
  DECLARE_EVENT_TwoParams(FModuleManager, FModulesChangedEvent, FName,
                          EModuleChangeReason) FModulesChangedEvent &OnModulesChanged();
  void RegisterStaticallyLinkedModule(const FName Name, FInitializeStaticallyLinkedModule Initialize);

 private:
  FModuleManager();
  struct FState;
  FState *State;
};

class FDefaultModuleImpl : public IModuleInterface {};
template <typename T>
struct FStaticallyLinkedModuleRegistrant {
  explicit FStaticallyLinkedModuleRegistrant(const TCHAR *Name) {
    FModuleManager::Get().RegisterStaticallyLinkedModule(FName(Name),
                                                         [] { return static_cast<IModuleInterface *>(new T()); });
  }
};
#if IS_MONOLITHIC
#define IMPLEMENT_MODULE(Class, Name) \
  static FStaticallyLinkedModuleRegistrant<Class> ModuleRegistrant##Name(TEXT(#Name));
#else
#define IMPLEMENT_MODULE(Class, Name) \
  extern "C" DLLEXPORT IModuleInterface *InitializeModule() { return new Class(); }
#endif
