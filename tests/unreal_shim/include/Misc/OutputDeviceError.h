#pragma once
#include "Misc/OutputDevice.h"

class CORE_API FOutputDeviceError : public FOutputDevice {
 public:
  virtual void HandleError() = 0;
};
