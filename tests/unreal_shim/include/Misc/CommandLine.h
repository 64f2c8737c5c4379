#pragma once
#include "Containers/UnrealString.h"

struct CORE_API FCommandLine {
  static const TCHAR *Get();
  static const TCHAR *GetOriginal();
  static const TCHAR *GetForLogging();
  static bool IsInitialized();
  static bool Set(const TCHAR *New);
  static void Append(const TCHAR *More);
};
