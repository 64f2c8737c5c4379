// The one profiler that named events go to. Not in Shipping.
#pragma once
#include "Features/IModularFeature.h"
#include "Math/Color.h"
#include "UObject/NameTypes.h"

#if UE_EXTERNAL_PROFILING_ENABLED
class CORE_API FExternalProfiler : public IModularFeature {
 public:
  FExternalProfiler() = default;
  virtual void FrameSync() = 0;
  virtual void ProfilerPauseFunction() = 0;
  virtual void ProfilerResumeFunction() = 0;
  virtual const TCHAR *GetProfilerName() const = 0;
  virtual void Register() {}
  virtual void StartScopedEvent(const struct FColor &Color, const TCHAR *Text) { (void)Color, (void)Text; }
  virtual void StartScopedEvent(const struct FColor &Color, const ANSICHAR *Text) { (void)Color, (void)Text; }
  virtual void EndScopedEvent() {}
  virtual void SetThreadName(const TCHAR *Name) { (void)Name; }
#if UE_SHIM_VERSION >= 506
  virtual void OnEnableScopedEventsChanged(bool bEnabled) { (void)bEnabled; }
#endif
  static FName GetFeatureName();
};
class CORE_API FActiveExternalProfilerBase {
 public:
  static FExternalProfiler *GetActiveProfiler() { return ActiveProfiler; }
  static FExternalProfiler *
  InitActiveProfiler();  // by -Name, UE_EXTERNAL_PROFILER or the ini; once, when modules of PostConfigInit are there
  static bool SetActiveProfilerRecording(bool bRecording);
  static void EnableScopedEvents(bool bEnable);
  static bool AreScopedEventsEnabled() { return bScopedEvents; }

 protected:
  static FExternalProfiler *ActiveProfiler;
  static bool bDidInitialize, bIsRecording, bScopedEvents;
};
#endif
