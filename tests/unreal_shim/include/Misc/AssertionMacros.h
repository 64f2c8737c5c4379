// check, verify, ensure. A failed check ends the process through the engine's error path; a failed ensure is reported
// once per line.
#pragma once
#include "CoreTypes.h"

struct CORE_API FDebug {
  static bool HasAsserted();
};
namespace unreal_shim {
inline bool Holds(bool bIt) { return bIt; }  // a value that nobody need look at
[[noreturn]] CORE_API void CheckFailed(const char *Expression, const char *File, int32 Line,
                                       const TCHAR *Message = nullptr);
CORE_API bool EnsureFailed(const char *Expression, const char *File, int32 Line,
                           const TCHAR *Message = nullptr);  // answers false
template <typename... A>
const TCHAR *FormatForCheck(const TCHAR *Format, A... Args);  // Containers/UnrealString.h
}  // namespace unreal_shim

#if DO_CHECK
#define check(Expr) ((Expr) ? (void)0 : unreal_shim::CheckFailed(#Expr, __FILE__, __LINE__))
#else
#define check(Expr) ((void)0)
#endif
#define UE_SHIM_ENSURE(Expr, Always, ...)                                                               \
  ((Expr) || ([&]() -> bool {                                                                           \
     static bool bReported = false;                                                                     \
     if (bReported && !Always) return false;                                                            \
     bReported = true;                                                                                  \
     return unreal_shim::EnsureFailed(#Expr, __FILE__,                                                  \
                                      __LINE__ __VA_OPT__(, unreal_shim::FormatForCheck(__VA_ARGS__))); \
   }()))
#if DO_ENSURE
#define ensure(Expr) UE_SHIM_ENSURE(Expr, false)
#define ensureMsgf(Expr, ...) UE_SHIM_ENSURE(Expr, false, __VA_ARGS__)
#else
#define ensure(Expr) unreal_shim::Holds(!!(Expr))
#define ensureMsgf(Expr, ...) unreal_shim::Holds(!!(Expr))
#endif
