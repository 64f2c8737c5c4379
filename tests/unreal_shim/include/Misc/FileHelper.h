#pragma once
#include "Containers/UnrealString.h"

struct CORE_API FFileHelper {
  enum class EEncodingOptions { AutoDetect, ForceAnsi, ForceUnicode, ForceUTF8, ForceUTF8WithoutBOM };
  static bool LoadFileToArray(TArray<uint8> &Out, const TCHAR *Path, uint32 Flags = 0);
  static bool LoadFileToString(FString &Out, const TCHAR *Path);
  static bool SaveArrayToFile(TArrayView<const uint8> Bytes, const TCHAR *Path);
  static bool SaveStringToFile(FStringView Text, const TCHAR *Path,
                               EEncodingOptions Encoding = EEncodingOptions::AutoDetect,
                               class IFileManager *Manager = nullptr, uint32 WriteFlags = 0);
};
