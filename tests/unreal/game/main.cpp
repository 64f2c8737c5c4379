// The engine's part of the game: it loads the modules and ticks. usage: game FRAMES [arguments of the engine]
#include <stdlib.h>

#include "unreal_shim/Loop.h"

int main(int argc, char **argv) {
  using unreal_shim::EPhase;
  unreal_shim::Start(argc - 1, argv + 1,
                     {{TEXT("TachyCore"), EPhase::PostConfigInit}, {TEXT("Tachy"), EPhase::PostConfigInit}, {TEXT("ShimGame")}});
  for (int frame = 0; frame < atoi(argv[1]); frame++) unreal_shim::Tick();
  unreal_shim::Exec(TEXT("tachy.Status"));
  unreal_shim::End();
}
