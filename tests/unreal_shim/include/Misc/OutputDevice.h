#pragma once
#include "Logging/LogMacros.h"

namespace UE {
class FLogRecord;
}
class CORE_API FOutputDevice {
 public:
  FOutputDevice() = default;
  virtual ~FOutputDevice() = default;
  FOutputDevice(FOutputDevice &&) = default;
  FOutputDevice(const FOutputDevice &) = default;
  FOutputDevice &operator=(const FOutputDevice &) = default;

  virtual void Serialize(const TCHAR *V, ELogVerbosity::Type Verbosity, const FName &Category) = 0;
  virtual void Serialize(const TCHAR *V, ELogVerbosity::Type Verbosity, const FName &Category, const double Time) {
    (void)Time;
    Serialize(V, Verbosity, Category);
  }
  virtual void Flush() {}
  virtual void TearDown() { Flush(); }
  virtual bool CanBeUsedOnAnyThread() const { return false; }
  virtual bool CanBeUsedOnMultipleThreads() const { return false; }
  virtual bool CanBeUsedOnPanicThread() const { return false; }

  void Log(const TCHAR *S) { Serialize(S, ELogVerbosity::Log, FName(TEXT("LogConsoleResponse"))); }
  void Log(const FString &S) { Log(*S); }
  void Log(const FName &Category, ELogVerbosity::Type Verbosity, const TCHAR *S) { Serialize(S, Verbosity, Category); }
  void Log(const FName &Category, ELogVerbosity::Type Verbosity, const FString &S) {
    Serialize(*S, Verbosity, Category);
  }
  template <size_t N, typename... A>
  void Logf(const TCHAR (&Format)[N], A... Args) {
    Log(FString::Printf(Format, Args...));
  }
  template <size_t N, typename... A>
  void Logf(ELogVerbosity::Type Verbosity, const TCHAR (&Format)[N], A... Args) {
    Serialize(*FString::Printf(Format, Args...), Verbosity, FName(TEXT("LogConsoleResponse")));
  }

 protected:
  bool bSuppressEventTag = false;
  bool bAutoEmitLineTerminator = true;
};
