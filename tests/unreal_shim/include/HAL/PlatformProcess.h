#pragma once
#include "Containers/UnrealString.h"
#include "HAL/Event.h"

struct CORE_API FPlatformProcess {
  static uint32 GetCurrentProcessId();
  static const TCHAR *ComputerName();
  static const TCHAR *UserName(bool bOnlyAlphaNumeric = true);
  static const TCHAR *ExecutableName(bool bRemoveExtension = true);
  static const TCHAR *ExecutablePath();
  static FString GetCurrentWorkingDirectory();
  static void Sleep(float Seconds);
  static FEvent *GetSynchEventFromPool(bool bIsManualReset = false);
  static void ReturnSynchEventToPool(FEvent *Event);
};
