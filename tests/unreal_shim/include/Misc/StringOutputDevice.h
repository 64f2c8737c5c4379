#pragma once
#include "Misc/OutputDevice.h"

class FStringOutputDevice : public FString, public FOutputDevice {
 public:
  explicit FStringOutputDevice(const TCHAR *Initial = TEXT("")) : FString(Initial) {}
  using FOutputDevice::Serialize;
  void Serialize(const TCHAR *V, ELogVerbosity::Type, const FName &) override {
    FString::Append(V);
    if (bAutoEmitLineTerminator) FString::Append(TEXT("\n"));
  }
  void SetAutoEmitLineTerminator(bool b) { bAutoEmitLineTerminator = b; }
};
