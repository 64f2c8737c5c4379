#pragma once
#include "Misc/OutputDevice.h"

struct CORE_API FOutputDeviceHelper {
  static const TCHAR *VerbosityToString(ELogVerbosity::Type Verbosity) { return ToString(Verbosity); }
};
