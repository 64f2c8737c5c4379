#pragma once
#include "Containers/UnrealString.h"

struct CORE_API FParse {
  static bool Param(const TCHAR *Stream, const TCHAR *Name);  // -Name
  static bool Value(const TCHAR *Stream, const TCHAR *Match, FString &Out,
                    bool bStopOnSeparator = true);  // Match is "Name="
  static bool Value(const TCHAR *Stream, const TCHAR *Match, int32 &Out);
  static bool Value(const TCHAR *Stream, const TCHAR *Match, uint32 &Out);
  static bool Value(const TCHAR *Stream, const TCHAR *Match, uint64 &Out);
  static bool Value(const TCHAR *Stream, const TCHAR *Match, int64 &Out);
  static bool Value(const TCHAR *Stream, const TCHAR *Match, float &Out);
  static bool Value(const TCHAR *Stream, const TCHAR *Match, class FName &Out);
  static bool Bool(const TCHAR *Stream, const TCHAR *Match, bool &Out);
  static bool Command(const TCHAR **Stream, const TCHAR *Match);
  static bool Token(const TCHAR *&Stream, FString &Out, bool bUseEscape);
  static FString Token(const TCHAR *&Stream, bool bUseEscape);
};
