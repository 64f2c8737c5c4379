#pragma once
#include "Logging/LogVerbosity.h"
#include "UObject/NameTypes.h"

struct CORE_API FLogCategoryBase {
  FLogCategoryBase(const TCHAR *Name, ELogVerbosity::Type Default, ELogVerbosity::Type CompileTime);
  ~FLogCategoryBase();
  const FName &GetCategoryName() const { return CategoryName; }
  bool IsSuppressed(ELogVerbosity::Type Level) const { return (Level & ELogVerbosity::VerbosityMask) > Verbosity; }
  void SetVerbosity(ELogVerbosity::Type Level) { Verbosity = Level; }
  ELogVerbosity::Type GetCompileTimeVerbosity() const { return CompileTimeVerbosity; }

 private:
  ELogVerbosity::Type Verbosity, CompileTimeVerbosity;
  FName CategoryName;
};
template <ELogVerbosity::Type Default, ELogVerbosity::Type Compiled>
struct FLogCategory : FLogCategoryBase {
  static constexpr ELogVerbosity::Type CompileTimeVerbosity = Compiled;
  explicit FLogCategory(const TCHAR *Name) : FLogCategoryBase(Name, Default, Compiled) {}
};
