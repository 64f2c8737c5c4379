#pragma once
#include "Containers/UnrealString.h"

class CORE_API FThreadManager {
 public:
  static FThreadManager &Get();
  static const FString &GetThreadName(uint32 ThreadId);
};
