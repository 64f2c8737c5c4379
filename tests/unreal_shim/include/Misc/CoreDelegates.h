#pragma once
#include "Containers/UnrealString.h"
#include "Delegates/Delegate.h"

class CORE_API FCoreDelegates {
 public:
  static FSimpleMulticastDelegate OnHandleSystemEnsure, OnHandleSystemError, OnShutdownAfterError;
  static FSimpleMulticastDelegate OnBeginFrame, OnEndFrame, OnBeginFrameRT, OnEndFrameRT, OnSamplingInput;
  static FSimpleMulticastDelegate OnPreExit, OnExit, OnEnginePreExit, OnCommandletPreMain, OnCommandletPostMain;
  static FSimpleMulticastDelegate OnFEngineLoopInitComplete, OnAllModuleLoadingPhasesComplete, OnInit;
#if UE_SHIM_VERSION >= 508
  UE_DEPRECATED(5.8, "Use GetOnPostEngineInit.") static FSimpleMulticastDelegate OnPostEngineInit;
  static FSimpleMulticastDelegate &GetOnPostEngineInit();
#else
  static FSimpleMulticastDelegate OnPostEngineInit;
#endif
  static TMulticastDelegate<void()> ApplicationWillDeactivateDelegate, ApplicationHasReactivatedDelegate;
  static TMulticastDelegate<void()> ApplicationWillEnterBackgroundDelegate, ApplicationHasEnteredForegroundDelegate;
  static TMulticastDelegate<void()> &GetApplicationWillTerminateDelegate();
};
