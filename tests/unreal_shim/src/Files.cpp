// Files and folders over POSIX, and the paths of a project.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "CoreMinimal.h"
#include "HAL/FileManager.h"
#include "HAL/PlatformFileManager.h"
#include "Misc/App.h"
#include "Misc/FileHelper.h"
#include "Misc/Paths.h"

namespace {
struct FUtf8Path : FTCHARToUTF8 {
  explicit FUtf8Path(const TCHAR *Path) : FTCHARToUTF8(Path) {}
  operator const char *() const { return Get(); }
};
bool Stat(const TCHAR *Path, struct stat &Out) { return stat(FUtf8Path(Path), &Out) == 0; }
FDateTime Time(const timespec &T) { return FDateTime::FromUnixTimestamp(T.tv_sec) + FTimespan(T.tv_nsec / 100); }

class FPosixHandle final : public IFileHandle {
 public:
  explicit FPosixHandle(int In) : File(In) {}
  ~FPosixHandle() override { close(File); }
  int64 Tell() override { return lseek(File, 0, SEEK_CUR); }
  bool Seek(int64 To) override { return lseek(File, To, SEEK_SET) >= 0; }
  bool SeekFromEnd(int64 From) override { return lseek(File, From, SEEK_END) >= 0; }
  bool Read(uint8 *To, int64 N) override {
    return All([&](int64 Done) { return read(File, To + Done, size_t(N - Done)); }, N);
  }
  bool ReadAt(uint8 *To, int64 N, int64 At) override {
    return All([&](int64 Done) { return pread(File, To + Done, size_t(N - Done), At + Done); }, N);
  }
  bool Write(const uint8 *From, int64 N) override {
    return All([&](int64 Done) { return write(File, From + Done, size_t(N - Done)); }, N);
  }
  bool Flush(const bool bFull) override { return !bFull || fsync(File) == 0; }
  bool Truncate(int64 Size) override { return ftruncate(File, Size) == 0; }
  int64 Size() override {
    struct stat S;
    return fstat(File, &S) == 0 ? S.st_size : -1;
  }

 private:
  static bool All(auto Step, int64 N) {
    for (int64 Done = 0; Done < N;) {
      const ssize_t More = Step(Done);
      if (More <= 0) return false;
      Done += More;
    }
    return true;
  }
  int File;
};
IFileHandle *Open(const TCHAR *Path, int Flags) {
  const int File = open(FUtf8Path(Path), Flags | O_CLOEXEC, 0644);
  return File < 0 ? nullptr : new FPosixHandle(File);
}

class FPosixFiles final : public IPlatformFile {
 public:
  bool FileExists(const TCHAR *Path) override {
    struct stat S;
    return Stat(Path, S) && S_ISREG(S.st_mode);
  }
  int64 FileSize(const TCHAR *Path) override {
    struct stat S;
    return Stat(Path, S) && S_ISREG(S.st_mode) ? S.st_size : -1;
  }
  bool DeleteFile(const TCHAR *Path) override { return FileExists(Path) && unlink(FUtf8Path(Path)) == 0; }
  bool IsReadOnly(const TCHAR *Path) override { return FileExists(Path) && access(FUtf8Path(Path), W_OK) != 0; }
  bool MoveFile(const TCHAR *To, const TCHAR *From) override { return rename(FUtf8Path(From), FUtf8Path(To)) == 0; }
  FDateTime GetTimeStamp(const TCHAR *Path) override { return GetStatData(Path).ModificationTime; }
  FFileStatData GetStatData(const TCHAR *Path) override {
    struct stat S;
    FFileStatData Data;
    if (!Stat(Path, S)) return Data;
    Data.bIsValid = true;
    Data.bIsDirectory = S_ISDIR(S.st_mode);
    Data.FileSize = Data.bIsDirectory ? -1 : S.st_size;
    Data.ModificationTime = Time(S.st_mtim);
    Data.AccessTime = Time(S.st_atim);
    Data.CreationTime = Time(S.st_ctim);
    Data.bIsReadOnly = access(FUtf8Path(Path), W_OK) != 0;
    return Data;
  }
  IFileHandle *OpenRead(const TCHAR *Path, bool) override {
    return DirectoryExists(Path) ? nullptr : Open(Path, O_RDONLY);
  }
  IFileHandle *OpenWrite(const TCHAR *Path, bool bAppend, bool bAllowRead) override {
    return Open(Path, (bAllowRead ? O_RDWR : O_WRONLY) | O_CREAT | (bAppend ? O_APPEND : O_TRUNC));
  }
  bool DirectoryExists(const TCHAR *Path) override {
    struct stat S;
    return Stat(Path, S) && S_ISDIR(S.st_mode);
  }
  bool CreateDirectory(const TCHAR *Path) override {
    return mkdir(FUtf8Path(Path), 0755) == 0 || DirectoryExists(Path);
  }
  bool CreateDirectoryTree(const TCHAR *Path) override {
    const FString Full(Path);
    for (int32 I = 1; I < Full.Len(); ++I)
      if (Full[I] == TCHAR('/')) CreateDirectory(*Full.Left(I));
    return CreateDirectory(Path);
  }
  bool DeleteDirectory(const TCHAR *Path) override { return rmdir(FUtf8Path(Path)) == 0; }
  bool DeleteDirectoryRecursively(const TCHAR *Path) override {
    TArray<TPair<FString, bool>> Inside;
    IterateDirectory(Path, [&](const TCHAR *Name, bool bFolder) {
      Inside.Emplace(FString(Name), bFolder);
      return true;
    });
    for (const TPair<FString, bool> &Entry : Inside)
      Entry.Value ? DeleteDirectoryRecursively(*Entry.Key) : DeleteFile(*Entry.Key);
    return DeleteDirectory(Path);
  }
  bool CopyFile(const TCHAR *To, const TCHAR *From) override {
    TArray<uint8> Bytes;
    return FFileHelper::LoadFileToArray(Bytes, From) && FFileHelper::SaveArrayToFile(Bytes, To);
  }
  bool IterateDirectory(const TCHAR *Path, FDirectoryVisitor &Visitor) override {
    return IterateDirectory(Path, [&](const TCHAR *Name, bool bFolder) { return Visitor.Visit(Name, bFolder); });
  }
  bool IterateDirectory(const TCHAR *Path, FDirectoryVisitorFunc Visitor) override {
    DIR *Folder = opendir(FUtf8Path(Path));
    if (!Folder) return false;
    bool bGoOn = true;
    while (const dirent *Entry = bGoOn ? readdir(Folder) : nullptr) {
      const FString Name(Entry->d_name);
      if (Name == TEXT(".") || Name == TEXT("..")) continue;
      const FString Full = FString(Path) / *FString(UTF8_TO_TCHAR(Entry->d_name));
      bGoOn = Visitor(*Full, DirectoryExists(*Full));
    }
    closedir(Folder);
    return bGoOn;
  }
  FString ConvertToAbsolutePathForExternalAppForRead(const TCHAR *Path) override {
    return FPaths::ConvertRelativePathToFull(Path);
  }
  FString ConvertToAbsolutePathForExternalAppForWrite(const TCHAR *Path) override {
    return FPaths::ConvertRelativePathToFull(Path);
  }
};
}  // namespace

IPlatformFile &IPlatformFile::GetPlatformPhysical() {
  static FPosixFiles *const The = new FPosixFiles;
  return *The;
}
FPlatformFileManager &FPlatformFileManager::Get() {
  static FPlatformFileManager The;
  return The;
}
static IPlatformFile &Physical() { return IPlatformFile::GetPlatformPhysical(); }
IFileManager &IFileManager::Get() {
  static IFileManager The;
  return The;
}
bool IFileManager::FileExists(const TCHAR *Path) { return Physical().FileExists(Path); }
bool IFileManager::DirectoryExists(const TCHAR *Path) { return Physical().DirectoryExists(Path); }
int64 IFileManager::FileSize(const TCHAR *Path) { return Physical().FileSize(Path); }
bool IFileManager::MakeDirectory(const TCHAR *Path, bool bTree) {
  return bTree ? Physical().CreateDirectoryTree(Path) : Physical().CreateDirectory(Path);
}
bool IFileManager::DeleteDirectory(const TCHAR *Path, bool bRequireExists, bool bTree) {
  if (!DirectoryExists(Path)) return !bRequireExists;
  return bTree ? Physical().DeleteDirectoryRecursively(Path) : Physical().DeleteDirectory(Path);
}
FDateTime IFileManager::GetTimeStamp(const TCHAR *Path) { return Physical().GetTimeStamp(Path); }
FString IFileManager::ConvertToAbsolutePathForExternalAppForRead(const TCHAR *Path) {
  return FPaths::ConvertRelativePathToFull(Path);
}
FString IFileManager::ConvertToAbsolutePathForExternalAppForWrite(const TCHAR *Path) {
  return FPaths::ConvertRelativePathToFull(Path);
}

bool FFileHelper::LoadFileToArray(TArray<uint8> &Out, const TCHAR *Path, uint32) {
  const TUniquePtr<IFileHandle> File(Physical().OpenRead(Path));
  if (!File) return false;
  Out.SetNumUninitialized(int32(File->Size()));
  return File->Read(Out.GetData(), Out.Num());
}
bool FFileHelper::LoadFileToString(FString &Out, const TCHAR *Path) {
  TArray<uint8> Bytes;
  if (!LoadFileToArray(Bytes, Path)) return false;
  const bool bMark = Bytes.Num() >= 3 && Bytes[0] == 0xef && Bytes[1] == 0xbb && Bytes[2] == 0xbf;
  Out = FString(FUtf8StringView(reinterpret_cast<const UTF8CHAR *>(Bytes.GetData()) + (bMark ? 3 : 0),
                                Bytes.Num() - (bMark ? 3 : 0)));
  return true;
}
bool FFileHelper::SaveArrayToFile(TArrayView<const uint8> Bytes, const TCHAR *Path) {
  Physical().CreateDirectoryTree(*FPaths::GetPath(Path));
  const TUniquePtr<IFileHandle> File(Physical().OpenWrite(Path));
  return File && File->Write(Bytes.GetData(), Bytes.Num());
}
bool FFileHelper::SaveStringToFile(FStringView Text, const TCHAR *Path, EEncodingOptions, IFileManager *,
                                   uint32 Flags) {
  const FTCHARToUTF8 Utf8(Text.GetData(), Text.Len());
  Physical().CreateDirectoryTree(*FPaths::GetPath(Path));
  const TUniquePtr<IFileHandle> File(Physical().OpenWrite(Path, (Flags & FILEWRITE_Append) != 0));
  return File && File->Write(reinterpret_cast<const uint8 *>(Utf8.Get()), Utf8.Length());
}
