#pragma once
#include "Containers/UnrealString.h"

struct CORE_API FPaths {
  static FString ProjectDir();
  static FString ProjectSavedDir();
  static FString ProjectUserDir();
  static FString ProjectPersistentDownloadDir();
  static bool HasProjectPersistentDownloadDir();
  static FString EngineDir();
  static FString GetCleanFilename(const FString &Path);
  static FString GetPath(const FString &Path);
  static bool FileExists(const FString &Path);
  static bool DirectoryExists(const FString &Path);
  static bool IsRelative(const FString &Path);
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
