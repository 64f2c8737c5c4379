#pragma once
#include "Misc/OutputDevice.h"

class CORE_API FOutputDeviceError : public FOutputDevice {
 public:
  virtual void HandleError() = 0;
  void SetErrorProgramCounter(void *In) { ProgramCounter = In; }
  void *GetErrorProgramCounter() const { return ProgramCounter; }

 private:
  void *ProgramCounter = nullptr;
};
