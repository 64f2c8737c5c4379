#pragma once
#include "CoreMinimal.h"

class SLATE_API FSlateApplication {
 public:
  static bool IsInitialized();
  static FSlateApplication &Get();
  double GetCurrentTime() const;
  double GetLastUserInteractionTime() const;
};
