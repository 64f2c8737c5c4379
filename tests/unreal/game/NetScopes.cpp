// Replication of an engine that is built from source, as docs/unreal.md has it: in one program.
#include "Scene.h"
#include "unreal_shim/Engine.h"
#if IS_MONOLITHIC
#include "engine/Replication.h"

SHIM_SCENE(NetScopes) {
  unreal_shim::LoadMap(TEXT("/Game/Maps/Arena"));
  for (int32 verbosity = 0; verbosity <= 4; verbosity++) {
    unreal_shim::Exec(*FString::Printf(TEXT("tachy.NetScopes %d"), verbosity));
    ReplicateActors(*FString::Printf(TEXT("Player%c"), TEXT('A') + verbosity), verbosity % 2 == 0);
    unreal_shim::Tick();
  }
}
#endif
