// GConfig: ini files in memory; a section's key may have several values.
#pragma once
#include "Containers/Map.h"
#include "CoreGlobals.h"

class CORE_API FConfigCacheIni {
 public:
  FConfigCacheIni();
  ~FConfigCacheIni();
  bool GetString(const TCHAR *Section, const TCHAR *Key, FString &Value, const FString &Filename);
  bool GetInt(const TCHAR *Section, const TCHAR *Key, int32 &Value, const FString &Filename);
  bool GetFloat(const TCHAR *Section, const TCHAR *Key, float &Value, const FString &Filename);
  bool GetBool(const TCHAR *Section, const TCHAR *Key, bool &Value, const FString &Filename);
  int32 GetArray(const TCHAR *Section, const TCHAR *Key, TArray<FString> &Values, const FString &Filename);
  bool GetSection(const TCHAR *Section, TArray<FString> &Lines, const FString &Filename);
  void SetString(const TCHAR *Section, const TCHAR *Key, const TCHAR *Value, const FString &Filename);
  void SetInt(const TCHAR *Section, const TCHAR *Key, int32 Value, const FString &Filename);
  void SetFloat(const TCHAR *Section, const TCHAR *Key, float Value, const FString &Filename);
  void SetArray(const TCHAR *Section, const TCHAR *Key, const TArray<FString> &Values, const FString &Filename);
  bool RemoveKey(const TCHAR *Section, const TCHAR *Key, const FString &Filename);
  void Flush(bool bRemoveFromCache,
             const FString &Filename = FString());  // writes what was set, where the name is an absolute path
  void ReadText_(const FString &Text, const FString &Filename);

 private:
  struct FState;
  FState *State;
};
