#pragma once
#include "Containers/UnrealString.h"
#include "Delegates/Delegate.h"

class CORE_API FCoreDelegates {
 public:
  static FSimpleMulticastDelegate OnHandleSystemEnsure, OnHandleSystemError, OnEndFrame, OnPreExit,
      OnCommandletPostMain;
  static FSimpleMulticastDelegate OnInit;
#if UE_SHIM_VERSION >= 508
  UE_DEPRECATED(5.8, "Use GetOnPostEngineInit.") static FSimpleMulticastDelegate OnPostEngineInit;
  static FSimpleMulticastDelegate &GetOnPostEngineInit();
#else
  static FSimpleMulticastDelegate OnPostEngineInit;
#endif
  static TMulticastDelegate<void()> ApplicationWillEnterBackgroundDelegate, ApplicationHasEnteredForegroundDelegate;
  static TMulticastDelegate<void()> &GetApplicationWillTerminateDelegate();
};
