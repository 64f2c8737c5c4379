// Spans whose names are known at run time only: FNames, objects, texts; switched off; on four threads; too many of
// them.
#include <thread>
#include <vector>

#include "Scene.h"
#include "Tachy.h"
#include "unreal_shim/Engine.h"

namespace {

int evaluated = 0;

FName Evaluated(const TCHAR *text) {
  evaluated++;
  return FName(text);
}

void Conditional(bool wanted) {
  TACHY_SPAN_NAME_CONDITIONAL("Game.Some", wanted, Evaluated(TEXT("Wanted")));
  TACHY_SPAN_UOBJECT_CONDITIONAL("Game.Some", wanted, unreal_shim::CurrentWorld());
}

void SwitchedOff() { TACHY_SPAN_NAME("Game.Off", Evaluated(TEXT("Off"))); }

void Texts(int number) {
  TACHY_SPAN_NAME("Game.Text", TEXT("Größe \U0001F600"));
  TACHY_SPAN_NAME("Game.Text", "plain");
  TACHY_SPAN_NAME("Game.Text", number % 2 ? TEXT("odd") : TEXT("even"));
  TACHY_SPAN_NAME("Game.Text", FString::Printf(TEXT("third %d"), number % 3));
  TACHY_SPAN_NAME("Game.Text", *FString::Printf(TEXT("third %d"), number % 3));  // one with the one before
}

void Objects() {
  UWorld *const world = unreal_shim::CurrentWorld();
  const TWeakObjectPtr<UWorld> weak(world);
  AActor *const nothing = nullptr;
  TACHY_SPAN_UOBJECT("Game.Object", world);
  TACHY_SPAN_UOBJECT("Game.Object", weak);
  TACHY_SPAN_UOBJECT("Game.Object", nothing);
}

void Named(const FName &name) { TACHY_SPAN_NAME("Game.Names", name); }
void NamedElsewhere(const FName &name) { TACHY_SPAN_NAME("Game.Elsewhere", name); }

}  // namespace

SHIM_SCENE(Names) {
  unreal_shim::LoadMap(TEXT("/Game/Maps/Arena"));
#if TACHY_ENABLED
  tachy_set_category("Game.Off", TACHY_LEVEL_NONE);
#endif
  for (int i = 0; i < 10; i++) {
    Conditional(i % 2 == 0);
    SwitchedOff();
    Texts(i);
    Objects();
    Named(FName(TEXT("Door"), i % 2));  // Door, Door_0
    Named(FName(TEXT("DOOR")));         // the same as Door
  }
  report.Set("evaluated", evaluated);
  report.Set("world", unreal_shim::CurrentWorld()->GetName());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++) {
    threads.emplace_back([] {
      for (int j = 0; j < 2000; j++) NamedElsewhere(FName(TEXT("Shared"), 1 + j % 50));
    });
  }
  for (std::thread &thread : threads) thread.join();
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 6000; i++) Named(FName(TEXT("Enemy"), 1 + i));
  }
}
