#pragma once
#include "Containers/UnrealString.h"
#include "HAL/Runnable.h"

enum EThreadPriority {
  TPri_Normal,
  TPri_AboveNormal,
  TPri_BelowNormal,
  TPri_Highest,
  TPri_Lowest,
  TPri_SlightlyBelowNormal,
  TPri_TimeCritical,
  TPri_Num
};
enum class EThreadCreateFlags : int8 { None = 0, SMTExclusive = 1 };
struct FPlatformAffinity {
  static uint64 GetNoAffinityMask() { return 0xFFFFFFFFFFFFFFFFull; }
};
class CORE_API FRunnableThread {
 public:
  static FRunnableThread *Create(FRunnable *Runnable, const TCHAR *ThreadName, uint32 StackSize = 0,
                                 EThreadPriority Priority = TPri_Normal,
                                 uint64 AffinityMask = FPlatformAffinity::GetNoAffinityMask(),
                                 EThreadCreateFlags Flags = EThreadCreateFlags::None);
  virtual ~FRunnableThread() = default;
  virtual void SetThreadPriority(EThreadPriority NewPriority) = 0;
  virtual void Suspend(bool bShouldPause = true) = 0;
  virtual bool Kill(bool bShouldWait = true) = 0;
  virtual void WaitForCompletion() = 0;
  const FString &GetThreadName() const { return ThreadName; }

 protected:
  FString ThreadName;
  uint32 ThreadID = 0;
};
