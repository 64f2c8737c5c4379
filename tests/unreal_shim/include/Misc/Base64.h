#pragma once
#include "Containers/UnrealString.h"

struct CORE_API FBase64 {
  static FString Encode(const FString &Text);
  static FString Encode(const TArray<uint8> &Bytes);
};
