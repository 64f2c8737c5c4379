#pragma once
#include "Containers/UnrealString.h"
#include "Math/Color.h"

namespace EAppMsgType {
enum Type { Ok, YesNo, OkCancel };
}
struct CORE_API FPlatformMisc {
  static FString GetCPUBrand();
  static FString GetPrimaryGPUBrand();
  static int32 NumberOfCores();
  static int32 NumberOfCoresIncludingHyperthreads();
  static bool IsDebuggerPresent();
  static FString GetEnvironmentVariable(const TCHAR *Name);
  static void SetEnvironmentVar(const TCHAR *Name, const TCHAR *Value);
  static const TCHAR *GetUBTPlatform() { return TEXT("Linux"); }
  static const TCHAR *ProjectDir();
  static const TCHAR *EngineDir();
  static void LowLevelOutputDebugString(const TCHAR *Text);
  static void BeginNamedEvent(const FColor &Color, const TCHAR *Text);
  static void BeginNamedEvent(const FColor &Color, const ANSICHAR *Text);
  static void EndNamedEvent();
};
