#pragma once
#include "Containers/UnrealString.h"
#include "Misc/DateTime.h"

enum EFileWrite {
  FILEWRITE_None = 0,
  FILEWRITE_NoFail = 1,
  FILEWRITE_EvenIfReadOnly = 4,
  FILEWRITE_Append = 8,
  FILEWRITE_AllowRead = 16
};
class CORE_API IFileManager {
 public:
  static IFileManager &Get();
  bool FileExists(const TCHAR *Path);
  bool DirectoryExists(const TCHAR *Path);
  int64 FileSize(const TCHAR *Path);
  bool MakeDirectory(const TCHAR *Path, bool bTree = false);
  bool DeleteDirectory(const TCHAR *Path, bool bRequireExists = false, bool bTree = false);
  FDateTime GetTimeStamp(const TCHAR *Path);
  FString ConvertToAbsolutePathForExternalAppForRead(const TCHAR *Path);
  FString ConvertToAbsolutePathForExternalAppForWrite(const TCHAR *Path);
};
