#pragma once
#include "CoreTypes.h"
#include "Misc/Timespan.h"

enum class EEventMode { AutoReset, ManualReset };
class FEvent {
 public:
  virtual ~FEvent() = default;
  virtual bool Create(bool bIsManualReset = false) = 0;
  virtual bool IsManualReset() = 0;
  virtual void Trigger() = 0;
  virtual void Reset() = 0;
  virtual bool Wait(uint32 Milliseconds, bool bIgnoreThreadIdleStats = false) = 0;
  bool Wait() { return Wait(0xffffffffu); }
  bool Wait(const FTimespan &Time, bool bIgnoreThreadIdleStats = false) {
    return Wait(uint32(Time.GetTotalMilliseconds()), bIgnoreThreadIdleStats);
  }
};
class CORE_API FEventRef {
 public:
  explicit FEventRef(EEventMode Mode = EEventMode::AutoReset);
  ~FEventRef();
  FEventRef(const FEventRef &) = delete;
  FEvent *operator->() const { return Event; }
  FEvent *Get() const { return Event; }

 private:
  FEvent *Event;
};
