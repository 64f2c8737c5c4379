#pragma once
#include "Containers/UnrealString.h"

struct CORE_API FCommandLine {
  static const TCHAR *Get();
  static bool IsInitialized();
  static bool Set(const TCHAR *New);
  static void Append(const TCHAR *More);
};
