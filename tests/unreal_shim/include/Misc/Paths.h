#pragma once
#include "Containers/UnrealString.h"

struct CORE_API FPaths {
  static FString ProjectDir();
  static FString ProjectSavedDir();
  static FString ProjectUserDir();
  static FString ProjectConfigDir();
  static FString ProjectContentDir();
  static FString ProjectIntermediateDir();
  static FString ProjectLogDir();
  static FString ProjectPluginsDir();
  static FString ProjectPersistentDownloadDir();
  static bool HasProjectPersistentDownloadDir();
  static FString EngineDir();
  static FString EngineSavedDir();
  static FString ScreenShotDir();
  static FString LaunchDir();
  static FString RootDir();
  static FString GeneratedConfigDir();
  static bool IsProjectFilePathSet() { return true; }
  static FString GetProjectFilePath();
  static FString GetExtension(const FString &Path, bool bIncludeDot = false);
  static FString GetCleanFilename(const FString &Path);
  static FString GetBaseFilename(const FString &Path, bool bRemovePath = true);
  static FString GetPath(const FString &Path);
  static bool FileExists(const FString &Path);
  static bool DirectoryExists(const FString &Path);
  static bool IsRelative(const FString &Path);
  static void NormalizeFilename(FString &Path);
  static void NormalizeDirectoryName(FString &Path);
  static bool CollapseRelativeDirectories(FString &Path);
  static FString ConvertRelativePathToFull(const FString &Path);
  static FString ConvertRelativePathToFull(const FString &Base, const FString &Path);
  static FString CreateTempFilename(const TCHAR *Path, const TCHAR *Prefix = TEXT(""),
                                    const TCHAR *Extension = TEXT(".tmp"));
  template <typename... P>
  static FString Combine(const P &...Parts) {
    FString Result;
    bool bFirst = true;
    ((bFirst ? void(Result = FString(Parts)) : void(Result /= FString(Parts)), bFirst = false), ...);
    return Result;
  }
};
