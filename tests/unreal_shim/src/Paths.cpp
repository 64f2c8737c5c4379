// FPaths. The project lies in the folder of UE_SHIM_PROJECT, else in the working folder.
#include "Misc/Paths.h"

#include "CoreMinimal.h"
#include "GenericPlatform/GenericPlatformFile.h"
#include "Misc/App.h"

FString FPaths::ProjectDir() {
  const FString Folder = FPlatformMisc::GetEnvironmentVariable(TEXT("UE_SHIM_PROJECT"));
  return Folder.IsEmpty() ? FString(TEXT("./")) : Folder / TEXT("");
}
static FString InProject(const TCHAR *Name) { return FPaths::ProjectDir() + Name; }
FString FPaths::ProjectSavedDir() { return InProject(TEXT("Saved/")); }
FString FPaths::ProjectUserDir() { return ProjectDir(); }
FString FPaths::ProjectPersistentDownloadDir() { return InProject(TEXT("PersistentDownloadDir")); }
bool FPaths::HasProjectPersistentDownloadDir() { return PLATFORM_ANDROID; }
FString FPaths::EngineDir() { return FPlatformMisc::EngineDir(); }
FString FPaths::GetCleanFilename(const FString &Path) {
  int32 Slash = INDEX_NONE;
  return Path.FindLastChar(TCHAR('/'), Slash) ? Path.Mid(Slash + 1) : Path;
}
FString FPaths::GetPath(const FString &Path) {
  int32 Slash = INDEX_NONE;
  return Path.FindLastChar(TCHAR('/'), Slash) ? Path.Left(Slash) : FString();
}
bool FPaths::FileExists(const FString &Path) { return IPlatformFile::GetPlatformPhysical().FileExists(*Path); }
bool FPaths::DirectoryExists(const FString &Path) {
  return IPlatformFile::GetPlatformPhysical().DirectoryExists(*Path);
}
bool FPaths::IsRelative(const FString &Path) { return !Path.StartsWith(TEXT("/")); }
bool FPaths::CollapseRelativeDirectories(FString &Path) {
  TArray<FString> Parts, Kept;
  Path.ParseIntoArray(Parts, TEXT("/"));
  for (const FString &Part : Parts) {
    if (Part == TEXT(".")) continue;
    if (Part != TEXT(".."))
      Kept.Add(Part);
    else if (Kept.IsEmpty())
      return false;
    else
      Kept.Pop();
  }
  Path = (Path.StartsWith(TEXT("/")) ? FString(TEXT("/")) : FString()) + FString::Join(Kept, TEXT("/")) +
         (Path.EndsWith(TEXT("/")) && Kept.Num() ? TEXT("/") : TEXT(""));
  return true;
}
FString FPaths::ConvertRelativePathToFull(const FString &Path) {
  return ConvertRelativePathToFull(FPlatformProcess::GetCurrentWorkingDirectory(), Path);
}
FString FPaths::ConvertRelativePathToFull(const FString &Base, const FString &Path) {
  FString Full = IsRelative(Path) ? Base / Path : Path;
  CollapseRelativeDirectories(Full);
  return Full;
}
FString FPaths::CreateTempFilename(const TCHAR *Path, const TCHAR *Prefix, const TCHAR *Extension) {
  return FString(Path) / *(FString(Prefix) + FGuid::NewGuid().ToString() + Extension);
}
