#pragma once
#include "Containers/UnrealString.h"
#include "Misc/Guid.h"

enum class EBuildConfiguration : uint8 { Unknown, Debug, DebugGame, Development, Shipping, Test };
enum class EBuildTargetType : uint8 { Unknown, Game, Server, Client, Editor, Program };
CORE_API const TCHAR *LexToString(EBuildConfiguration Configuration);
CORE_API const TCHAR *LexToString(EBuildTargetType Type);
struct CORE_API FApp {
  static EBuildConfiguration GetBuildConfiguration();
  static EBuildTargetType GetBuildTargetType();
  static const TCHAR *GetBuildVersion();
  static const TCHAR *GetProjectName();
  static FString GetName() { return GetProjectName(); }
  static bool CanEverRender();
  static double GetCurrentTime();
};
