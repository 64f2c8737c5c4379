#pragma once
#include "CoreTypes.h"

class IModuleInterface {
 public:
  virtual ~IModuleInterface() = default;
  virtual void StartupModule() {}
  virtual void PreUnloadCallback() {}
  virtual void ShutdownModule() {}
  virtual bool SupportsDynamicReloading() { return true; }
};
