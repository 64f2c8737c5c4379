// A piece of the engine's replication.
#pragma once
#include "CoreMinimal.h"

void ReplicateActors(const TCHAR *connection, bool outgoing);
