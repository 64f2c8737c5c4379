// Globals of the engine's core.
#pragma once
#include "Containers/UnrealString.h"
#include "HAL/PlatformTLS.h"
#include "Logging/LogMacros.h"

class FOutputDeviceRedirector;
class FOutputDeviceError;
class FOutputDevice;
class FConfigCacheIni;
extern CORE_API FOutputDeviceError *GError;
extern CORE_API FConfigCacheIni *GConfig;
extern CORE_API FString GEngineIni, GGameIni, GGameUserSettingsIni;
extern CORE_API TCHAR GErrorHist[16384];
extern CORE_API bool GIsCriticalError, GIsGPUCrashed;
extern CORE_API double GStartTime;
extern CORE_API uint64 GFrameCounter;
extern CORE_API uint32 GGameThreadId, GRenderThreadId;
extern CORE_API bool GIsGameThreadIdInitialized;
extern CORE_API int32 GCycleStatsShouldEmitNamedEvents;
CORE_API FOutputDeviceRedirector *GetGlobalLogSingleton();
#define GLog GetGlobalLogSingleton()
CORE_API bool IsInGameThread();
CORE_API bool IsInRenderingThread();
CORE_API bool IsInActualRenderingThread();
CORE_API bool IsRunningCommandlet();
CORE_API bool IsRunningDedicatedServer();
DECLARE_LOG_CATEGORY_EXTERN(LogTemp, Log, All);
DECLARE_LOG_CATEGORY_EXTERN(LogCore, Log, All);
DECLARE_LOG_CATEGORY_EXTERN(LogOutputDevice, Log, All);
DECLARE_LOG_CATEGORY_EXTERN(LogConsoleResponse, Log, All);
