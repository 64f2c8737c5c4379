// FTSTicker: functions called once a frame (or every so often) on the game thread, until they answer false.
#pragma once
#include "Containers/UnrealString.h"
#include "Delegates/Delegate.h"
#include "Templates/Function.h"

using FTickerDelegate = TDelegate<bool(float)>;
class CORE_API FTSTicker {
  struct FElement;

 public:
  using FDelegateHandle = TWeakPtr<FElement>;
  static FTSTicker &GetCoreTicker();
  FTSTicker();
  ~FTSTicker();
  FDelegateHandle AddTicker(const FTickerDelegate &Delegate, float Delay = 0.0f);
  FDelegateHandle AddTicker(const TCHAR *Name, float Delay, TFunction<bool(float)> Function);
  static void RemoveTicker(FDelegateHandle Handle);  // waits while the function runs on another thread
  void Tick(float DeltaTime);
  void Reset();

 private:
  struct FState;
  FState *State;
};
class CORE_API FTSTickerObjectBase {
 public:
  explicit FTSTickerObjectBase(float Delay = 0.0f, FTSTicker &Ticker = FTSTicker::GetCoreTicker());
  virtual ~FTSTickerObjectBase();
  virtual bool Tick(float DeltaTime) = 0;

 private:
  FTSTicker::FDelegateHandle TickerHandle;
};
