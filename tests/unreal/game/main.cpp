// The engine's part of the game: it loads the modules and lets one scene play. usage: game SCENE [arguments of the
// engine]
#include <stdio.h>

#include "Modules/ModuleManager.h"
#include "Scene.h"

int main(int argc, char **argv) {
  using unreal_shim::EPhase;
  if (argc < 2) return 2;
  unreal_shim::Start(argc - 1, argv + 1, {
    {TEXT("TachyCore"), EPhase::PostConfigInit}, {TEXT("Tachy"), EPhase::PostConfigInit},
#if WITH_EDITOR
        {TEXT("TachyEditor")},
#endif
    {
      TEXT("ShimGame")
    }
  });
  const bool played = FModuleManager::LoadModuleChecked<IShimGame>(TEXT("ShimGame")).Play(argv[1]);
  if (!played) fprintf(stderr, "no scene %s\n", argv[1]);
  unreal_shim::End();
  return played ? 0 : 2;
}
