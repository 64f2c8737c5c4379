// What one test plays: a scene drives the engine's loop itself, records, and reports what it did.
#pragma once

#include <string>

#include "CoreMinimal.h"
#include "Modules/ModuleInterface.h"
#include "unreal_shim/Loop.h"

// What a scene did, as one line of JSON on stdout, with the process's id.
class Report {
 public:
  void Set(const char *name, double number);
  void Set(const char *name, const FString &text);
  void Print();

 private:
  std::string members_;
};

struct Scene {
  using Function = void (*)(Report &report);
  Scene(const char *name, Function function);

  const char *const name;
  const Function play;
  const Scene *const next;
};

// A file of the game has one or more of: SHIM_SCENE(Frames) { unreal_shim::Tick(); report.Set("frames", 1); }
#define SHIM_SCENE(Name)                                    \
  static void Name##Scene(Report &report);                  \
  static const Scene Name##Registered(#Name, &Name##Scene); \
  static void Name##Scene([[maybe_unused]] Report &report)

// The game's module, as the program sees it.
class IShimGame : public IModuleInterface {
 public:
  virtual bool Play(const char *scene) = 0;  // false: there is no such scene
};
