// The platform: types, switches and attributes. Every switch is 0 or 1, as under UnrealBuildTool.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifndef UE_SHIM_VERSION  // 503 is Unreal Engine 5.3
#define UE_SHIM_VERSION 508
#endif
#if UE_SHIM_VERSION < 503 || UE_SHIM_VERSION > 508
#error "UE_SHIM_VERSION is one of 503 to 508"
#endif
#ifndef UE_SHIM_WCHAR  // 1: TCHAR is wchar_t, as on Windows; 0: char16_t, as elsewhere
#define UE_SHIM_WCHAR 0
#endif

#ifndef UE_BUILD_SHIPPING
#define UE_BUILD_SHIPPING 0
#endif
#ifndef UE_BUILD_TEST
#define UE_BUILD_TEST 0
#endif
#ifndef UE_BUILD_DEBUG
#define UE_BUILD_DEBUG 0
#endif
#ifndef UE_BUILD_DEVELOPMENT
#define UE_BUILD_DEVELOPMENT (!UE_BUILD_SHIPPING && !UE_BUILD_TEST && !UE_BUILD_DEBUG)
#endif
#ifndef WITH_EDITOR
#define WITH_EDITOR 0
#endif
#ifndef UE_EDITOR
#define UE_EDITOR WITH_EDITOR
#endif
#ifndef UE_SERVER
#define UE_SERVER 0
#endif
#ifndef UE_GAME
#define UE_GAME (!UE_EDITOR && !UE_SERVER)
#endif
#ifndef UE_CLIENT
#define UE_CLIENT 0
#endif
#ifndef WITH_SERVER_CODE
#define WITH_SERVER_CODE 1
#endif
#ifndef WITH_ENGINE
#define WITH_ENGINE 1
#endif
#ifndef IS_PROGRAM
#define IS_PROGRAM 0
#endif
#ifndef IS_MONOLITHIC
#define IS_MONOLITHIC (!WITH_EDITOR)
#endif
#ifndef WITH_EDITORONLY_DATA
#define WITH_EDITORONLY_DATA WITH_EDITOR
#endif
#ifndef WITH_CASE_PRESERVING_NAME
#define WITH_CASE_PRESERVING_NAME WITH_EDITORONLY_DATA
#endif
#ifndef WITH_DEV_AUTOMATION_TESTS
#define WITH_DEV_AUTOMATION_TESTS (!UE_BUILD_SHIPPING)
#endif
#ifndef USE_LOGGING_IN_SHIPPING
#define USE_LOGGING_IN_SHIPPING 0
#endif
#ifndef NO_LOGGING
#define NO_LOGGING (UE_BUILD_SHIPPING && !USE_LOGGING_IN_SHIPPING)
#endif
#ifndef DO_CHECK
#define DO_CHECK (!UE_BUILD_SHIPPING)
#endif
#ifndef DO_ENSURE
#define DO_ENSURE DO_CHECK
#endif
#ifndef STATS
#define STATS (!UE_BUILD_SHIPPING && !UE_BUILD_TEST)
#endif
#ifndef ENABLE_NAMED_EVENTS
#define ENABLE_NAMED_EVENTS (!UE_BUILD_SHIPPING)
#endif
#ifndef UE_EXTERNAL_PROFILING_ENABLED
#define UE_EXTERNAL_PROFILING_ENABLED (!UE_BUILD_SHIPPING)
#endif
#ifndef CSV_PROFILER
#define CSV_PROFILER 0
#endif
#ifndef WITH_LIVE_CODING
#define WITH_LIVE_CODING 0
#endif
#ifndef UE_BUILD_DOCS
#define UE_BUILD_DOCS 0
#endif

#ifndef PLATFORM_WINDOWS
#define PLATFORM_WINDOWS 0
#endif
#ifndef PLATFORM_LINUX
#define PLATFORM_LINUX (!PLATFORM_WINDOWS)
#endif
#ifndef PLATFORM_MAC
#define PLATFORM_MAC 0
#endif
#ifndef PLATFORM_ANDROID
#define PLATFORM_ANDROID 0
#endif
#ifndef PLATFORM_IOS
#define PLATFORM_IOS 0
#endif
#define PLATFORM_APPLE 0
#define PLATFORM_TVOS 0
#define PLATFORM_MICROSOFT PLATFORM_WINDOWS
#define PLATFORM_UNIX PLATFORM_LINUX
#define PLATFORM_DESKTOP 1
#define PLATFORM_64BITS 1
#define PLATFORM_LITTLE_ENDIAN 1
#define PLATFORM_CPU_X86_FAMILY 1
#define PLATFORM_CPU_ARM_FAMILY 0
#define PLATFORM_CONSOLE_DYNAMIC_LINK 0
#define PLATFORM_TCHAR_IS_UTF8CHAR 0
#define PLATFORM_LIMIT_PROFILER_UNIQUE_NAMED_EVENTS 0
#define PLATFORM_EXCEPTIONS_DISABLED 0

using uint8 = unsigned char;
using uint16 = unsigned short;
using uint32 = unsigned int;
using uint64 = unsigned long long;
using int8 = signed char;
using int32 = signed int;
using int64 = long long;
using ANSICHAR = char;
#if UE_SHIM_WCHAR
using WIDECHAR = wchar_t;
#define TEXT_PASTE(X) L##X
#define PLATFORM_WIDECHAR_IS_CHAR16 0
#else
using WIDECHAR = char16_t;
#define TEXT_PASTE(X) u##X
#define PLATFORM_WIDECHAR_IS_CHAR16 1
#endif
using TCHAR = WIDECHAR;
#if UE_SHIM_VERSION >= 507
using UTF8CHAR = char8_t;
#else
enum UTF8CHAR : unsigned char {};
#endif
using UPTRINT = uintptr_t;
using SIZE_T = size_t;

#define TEXT(X) TEXT_PASTE(X)
#define INDEX_NONE (-1)
enum EForceInit { ForceInit, ForceInitToZero };
enum { UNICODE_BOM = 0xfeff };

#define DLLEXPORT __attribute__((visibility("default")))
#define DLLIMPORT __attribute__((visibility("default")))
#define FORCEINLINE inline __attribute__((always_inline))
#define FORCENOINLINE __attribute__((noinline))
#define PLATFORM_BREAK() __builtin_trap()
#define UE_DEPRECATED(Version, Message) [[deprecated(Message)]]
#define PLATFORM_CACHE_LINE_SIZE 64

#define UE_SHIM_PRAGMA(X) _Pragma(#X)
#define PRAGMA_DISABLE_DEPRECATION_WARNINGS \
  UE_SHIM_PRAGMA(GCC diagnostic push) UE_SHIM_PRAGMA(GCC diagnostic ignored "-Wdeprecated-declarations")
#define PRAGMA_ENABLE_DEPRECATION_WARNINGS UE_SHIM_PRAGMA(GCC diagnostic pop)

#define PREPROCESSOR_JOIN_INNER(A, B) A##B
#define PREPROCESSOR_JOIN(A, B) PREPROCESSOR_JOIN_INNER(A, B)
#define PREPROCESSOR_TO_STRING_INNER(X) #X
#define PREPROCESSOR_TO_STRING(X) PREPROCESSOR_TO_STRING_INNER(X)
#define ANONYMOUS_VARIABLE(Name) PREPROCESSOR_JOIN(Name, __COUNTER__)

// The shim's own library stands for all engine modules.
#ifndef UE_SHIM_API
#define UE_SHIM_API DLLEXPORT
#endif
#define CORE_API UE_SHIM_API
#define COREUOBJECT_API UE_SHIM_API
#define ENGINE_API UE_SHIM_API
#define HTTP_API UE_SHIM_API
#define RHI_API UE_SHIM_API
#define RENDERCORE_API UE_SHIM_API
#define DEVELOPERSETTINGS_API UE_SHIM_API
#define SLATE_API UE_SHIM_API
