#pragma once
#include "Containers/UnrealString.h"
#include "Misc/Guid.h"

enum class EBuildConfiguration : uint8 { Unknown, Debug, DebugGame, Development, Shipping, Test };
enum class EBuildTargetType : uint8 { Unknown, Game, Server, Client, Editor, Program };
CORE_API const TCHAR *LexToString(EBuildConfiguration Configuration);
CORE_API const TCHAR *LexToString(EBuildTargetType Type);
struct CORE_API FApp {
  static FString GetBranchName();
  static EBuildConfiguration GetBuildConfiguration();
  static EBuildTargetType GetBuildTargetType();
  static const TCHAR *GetBuildVersion();
  static const TCHAR *GetProjectName();
  static bool HasProjectName() { return true; }
  static FString GetName() { return GetProjectName(); }
  static FString GetBuildDate();
  static FGuid GetSessionId();
  static FGuid GetInstanceId();
  static FString GetSessionName();
  static bool IsGame();
  static bool IsUnattended();
  static bool CanEverRender();
  static bool ShouldUseThreadingForPerformance() { return true; }
  static bool HasFocus();
  static bool IsBenchmarking() { return false; }
  static bool UseVRFocus() { return false; }
  static double GetCurrentTime();
  static double GetLastTime();
  static double GetDeltaTime();
  static double GetIdleTime();
  static double GetIdleTimeOvershoot();
  static double GetGameTime();
  static void SetProjectName(const TCHAR *Name);
};
