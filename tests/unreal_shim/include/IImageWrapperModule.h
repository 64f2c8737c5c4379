// JPEG by libjpeg. Other formats: no wrapper.
#pragma once
#include "IImageWrapper.h"
#include "Modules/ModuleInterface.h"

class IImageWrapperModule : public IModuleInterface {
 public:
  virtual TSharedPtr<IImageWrapper> CreateImageWrapper(const EImageFormat Format, const TCHAR *DebugName = nullptr) = 0;
};
