#pragma once
#include "GameFramework/Actor.h"

class ENGINE_API APawn : public AActor {
 public:
  using Super = AActor;
  static UClass *StaticClass();
};
