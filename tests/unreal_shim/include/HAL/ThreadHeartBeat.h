// Hang detection: its delegates are single-cast. unreal_shim::ThreadStuck plays a hang.
#pragma once
#include "Delegates/Delegate.h"

DECLARE_DELEGATE_OneParam(FOnThreadStuck, uint32)
    DECLARE_DELEGATE_OneParam(FOnThreadUnstuck, uint32) class CORE_API FThreadHeartBeat {
 public:
  static FThreadHeartBeat &Get();
  FOnThreadStuck &GetOnThreadStuck() { return Stuck; }

 private:
  FOnThreadStuck Stuck;
  FOnThreadUnstuck Unstuck;
  int32 Suspended = 0;
};
