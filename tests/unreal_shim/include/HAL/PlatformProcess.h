#pragma once
#include "Containers/UnrealString.h"
#include "HAL/Event.h"

struct FProcHandle {
  int32 Pid = -1;
  bool IsValid() const { return Pid > 0; }
};
struct CORE_API FPlatformProcess {
  static uint32 GetCurrentProcessId();
  static const TCHAR *ComputerName();
  static const TCHAR *UserName(bool bOnlyAlphaNumeric = true);
  static const TCHAR *ExecutableName(bool bRemoveExtension = true);
  static const TCHAR *ExecutablePath();
  static const TCHAR *BaseDir();
  static const TCHAR *UserDir();
  static const TCHAR *UserTempDir();
  static FString GetCurrentWorkingDirectory();
  static bool IsApplicationRunning(uint32 ProcessId);
  static void Sleep(float Seconds);
  static void SleepNoStats(float Seconds) { Sleep(Seconds); }
  static void Yield();
  static void YieldThread() { Yield(); }
  static bool SupportsMultithreading() { return true; }
  static FEvent *GetSynchEventFromPool(bool bIsManualReset = false);
  static void ReturnSynchEventToPool(FEvent *Event);
  static void LaunchURL(const TCHAR *URL, const TCHAR *Parms, FString *Error);
  static bool IsFirstInstance() { return true; }
};
