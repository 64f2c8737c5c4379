#pragma once
#include "Containers/UnrealString.h"
#include "Misc/DateTime.h"
#include "Templates/Function.h"

struct FFileStatData {
  FDateTime CreationTime, AccessTime, ModificationTime;
  int64 FileSize = -1;
  bool bIsDirectory = false, bIsReadOnly = false, bIsValid = false;
};
class IFileHandle {
 public:
  virtual ~IFileHandle() = default;
  virtual int64 Tell() = 0;
  virtual bool Seek(int64 NewPosition) = 0;
  virtual bool SeekFromEnd(int64 FromEnd = 0) = 0;
  virtual bool Read(uint8 *Destination, int64 BytesToRead) = 0;
  virtual bool ReadAt(uint8 *Destination, int64 BytesToRead, int64 Offset) = 0;
  virtual bool Write(const uint8 *Source, int64 BytesToWrite) = 0;
  virtual bool Flush(const bool bFullFlush = false) = 0;
  virtual bool Truncate(int64 NewSize) = 0;
  virtual int64 Size() = 0;
};
class CORE_API IPlatformFile {
 public:
  class FDirectoryVisitor {
   public:
    virtual ~FDirectoryVisitor() = default;
    virtual bool Visit(const TCHAR *Path, bool bIsDirectory) = 0;
  };
  using FDirectoryVisitorFunc = TFunctionRef<bool(const TCHAR *, bool)>;
  static IPlatformFile &GetPlatformPhysical();
  virtual ~IPlatformFile() = default;
  virtual bool FileExists(const TCHAR *Path) = 0;
  virtual int64 FileSize(const TCHAR *Path) = 0;
  virtual bool DeleteFile(const TCHAR *Path) = 0;
  virtual bool IsReadOnly(const TCHAR *Path) = 0;
  virtual bool MoveFile(const TCHAR *To, const TCHAR *From) = 0;
  virtual FDateTime GetTimeStamp(const TCHAR *Path) = 0;
  virtual FFileStatData GetStatData(const TCHAR *Path) = 0;
  virtual IFileHandle *OpenRead(const TCHAR *Path, bool bAllowWrite = false) = 0;
  virtual IFileHandle *OpenWrite(const TCHAR *Path, bool bAppend = false, bool bAllowRead = false) = 0;
  virtual bool DirectoryExists(const TCHAR *Path) = 0;
  virtual bool CreateDirectory(const TCHAR *Path) = 0;
  virtual bool CreateDirectoryTree(const TCHAR *Path) = 0;
  virtual bool DeleteDirectory(const TCHAR *Path) = 0;
  virtual bool DeleteDirectoryRecursively(const TCHAR *Path) = 0;
  virtual bool CopyFile(const TCHAR *To, const TCHAR *From) = 0;
  virtual bool IterateDirectory(const TCHAR *Path, FDirectoryVisitor &Visitor) = 0;
  virtual bool IterateDirectory(const TCHAR *Path, FDirectoryVisitorFunc Visitor) = 0;
  virtual FString ConvertToAbsolutePathForExternalAppForRead(const TCHAR *Path) = 0;
  virtual FString ConvertToAbsolutePathForExternalAppForWrite(const TCHAR *Path) = 0;
};
