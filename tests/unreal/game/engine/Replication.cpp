// What an engine that is built from source has after the recipe of docs/unreal.md: lines of the engine's own that use
// the plugin's macros, in a module that knows the plugin's headers and does not depend on it.
#include "Replication.h"

#include "TachyFromMicromegas.h"

static void Replicate(const TCHAR *name, uint32 &position, uint32 bits) {
  MICROMEGAS_NET_OBJECT_SCOPE(FName(name), position);
  position += bits;
  MICROMEGAS_NET_PROPERTY(FName("Health"), bits);
}

void ReplicateActors(const TCHAR *connection, bool outgoing) {
  MICROMEGAS_NET_CONNECTION_SCOPE(FName(connection), outgoing);
  uint32 position = 0;
  Replicate(TEXT("Pawn"), position, 96);
  Replicate(TEXT("Idle"), position, 0);
  Replicate(TEXT("Door"), position, 4);
  {
    MICROMEGAS_NET_RPC_SCOPE(TEXT("ClientJump"), position);
    position += 20;
  }
}
