#pragma once
#include "Containers/UnrealString.h"
#include "Math/Color.h"

enum class ECrashHandlingType : uint8 { Disabled, Default };
namespace EAppMsgType {
enum Type { Ok, YesNo, OkCancel };
}
struct CORE_API FPlatformMisc {
  static FString GetCPUBrand();
  static FString GetCPUVendor();
  static FString GetPrimaryGPUBrand();
  static FString GetOSVersion();
  static void GetOSVersions(FString &Label, FString &SubLabel);
  static int32 NumberOfCores();
  static int32 NumberOfCoresIncludingHyperthreads();
  static bool IsDebuggerPresent();
  static FString GetEnvironmentVariable(const TCHAR *Name);
  static void SetEnvironmentVar(const TCHAR *Name, const TCHAR *Value);
  static void RequestExit(bool Force, const TCHAR *CallSite = nullptr);
  static void RequestExitWithStatus(bool Force, uint8 Status, const TCHAR *CallSite = nullptr);
  static FString GetDeviceId();
  static FString GetLoginId();
  static FString GetDefaultLocale();
  static FString GetDeviceMakeAndModel();
  static FString GetEpicAccountId() { return FString(); }
  static const TCHAR *GetUBTPlatform() { return TEXT("Linux"); }
  static const TCHAR *ProjectDir();
  static const TCHAR *EngineDir();
  static bool SupportsLocalCaching() { return true; }
  static void LowLevelOutputDebugString(const TCHAR *Text);
  static void LocalPrint(const TCHAR *Text) { LowLevelOutputDebugString(Text); }
  static void MemoryBarrier() { __sync_synchronize(); }
  static void BeginNamedEvent(const FColor &Color, const TCHAR *Text);
  static void BeginNamedEvent(const FColor &Color, const ANSICHAR *Text);
  static void BeginNamedEventFrame() {}
  static void EndNamedEvent();
  static void CustomNamedStat(const TCHAR *, float, const TCHAR *, const TCHAR *) {}
  static void SetCrashHandlingType(ECrashHandlingType Type);  // Disabled: OnHandleSystemError is not called
  static bool IsInLowPowerMode() { return false; }
  static bool IsRemoteSession() { return false; }
};
