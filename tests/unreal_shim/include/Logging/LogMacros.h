// UE_LOG and its categories. With NO_LOGGING only Fatal is left.
#pragma once
#include "Logging/LogCategory.h"
#include "Misc/AssertionMacros.h"

struct CORE_API FMsg {
  static void LogfImpl(const ANSICHAR *File, int32 Line, const FName &Category, ELogVerbosity::Type Verbosity,
                       const TCHAR *Format, const unreal_shim::FFormatArgument *Args, int32 NumArgs);
  template <typename... A>
  static void Logf(const ANSICHAR *File, int32 Line, const FName &Category, ELogVerbosity::Type Verbosity,
                   const TCHAR *Format, A... Args) {
    const unreal_shim::FFormatArgument List[sizeof...(A) + 1] = {unreal_shim::FormatArgument(Args)..., {}};
    LogfImpl(File, Line, Category, Verbosity, Format, List, int32(sizeof...(A)));
  }
};
#if NO_LOGGING
struct FNoLoggingCategory {};
#define UE_LOG(Category, Verbosity, Format, ...)                                                \
  do {                                                                                          \
    if constexpr (ELogVerbosity::Verbosity == ELogVerbosity::Fatal)                             \
      unreal_shim::CheckFailed("Fatal", __FILE__, __LINE__,                                     \
                               unreal_shim::FormatForCheck(Format __VA_OPT__(, ) __VA_ARGS__)); \
  } while (0)
#define DECLARE_LOG_CATEGORY_EXTERN(Name, Default, CompileTime) extern FNoLoggingCategory Name
#define DEFINE_LOG_CATEGORY(Name) FNoLoggingCategory Name
#define DEFINE_LOG_CATEGORY_STATIC(Name, Default, CompileTime) [[maybe_unused]] static FNoLoggingCategory Name
#else
#define UE_LOG(Category, Verbosity, Format, ...)                                                           \
  do {                                                                                                     \
    static_assert((ELogVerbosity::Verbosity & ELogVerbosity::VerbosityMask) < ELogVerbosity::NumVerbosity, \
                  "not a verbosity");                                                                      \
    if constexpr ((ELogVerbosity::Verbosity & ELogVerbosity::VerbosityMask) <=                             \
                  std::decay_t<decltype(Category)>::CompileTimeVerbosity) {                                \
      if constexpr (ELogVerbosity::Verbosity == ELogVerbosity::Fatal)                                      \
        unreal_shim::CheckFailed("Fatal", __FILE__, __LINE__,                                              \
                                 unreal_shim::FormatForCheck(Format __VA_OPT__(, ) __VA_ARGS__));          \
      else if (!Category.IsSuppressed(ELogVerbosity::Verbosity))                                           \
        FMsg::Logf(__FILE__, __LINE__, Category.GetCategoryName(), ELogVerbosity::Verbosity,               \
                   Format __VA_OPT__(, ) __VA_ARGS__);                                                     \
    }                                                                                                      \
  } while (0)
#define UE_SHIM_LOG_CATEGORY_TYPE(Name, Default, CompileTime)                                    \
  struct FLogCategory##Name : FLogCategory<ELogVerbosity::Default, ELogVerbosity::CompileTime> { \
    FLogCategory##Name() : FLogCategory(TEXT(#Name)) {}                                          \
  }
#define DECLARE_LOG_CATEGORY_EXTERN(Name, Default, CompileTime) \
  extern UE_SHIM_LOG_CATEGORY_TYPE(Name, Default, CompileTime) Name
#define DEFINE_LOG_CATEGORY(Name) FLogCategory##Name Name
#define DEFINE_LOG_CATEGORY_STATIC(Name, Default, CompileTime) \
  static UE_SHIM_LOG_CATEGORY_TYPE(Name, Default, CompileTime) Name
#endif
