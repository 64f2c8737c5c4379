// GLog. A device that may be used on multiple threads is called where the line was logged; all others on the game
// thread, in order.
#pragma once
#include "CoreGlobals.h"
#include "Misc/OutputDevice.h"

enum class EOutputDeviceRedirectorFlushOptions : uint32 { None = 0, Async = 1 };
class CORE_API FOutputDeviceRedirector final : public FOutputDevice {
 public:
  FOutputDeviceRedirector();
  ~FOutputDeviceRedirector() override;
  static FOutputDeviceRedirector *Get();
  void AddOutputDevice(FOutputDevice *Device);  // the device's answers to CanBeUsed… are remembered from here on
  void RemoveOutputDevice(FOutputDevice *Device);
  void FlushThreadedLogs(EOutputDeviceRedirectorFlushOptions Options = EOutputDeviceRedirectorFlushOptions::None);
  void Flush() override;
  void TearDown() override;
  void Panic();  // from now on: this thread, and devices that can be used on the panic thread
  void SetCurrentThreadAsPrimaryThread();
  using FOutputDevice::Serialize;
  void Serialize(const TCHAR *V, ELogVerbosity::Type Verbosity, const FName &Category) override;
  void Serialize(const TCHAR *V, ELogVerbosity::Type Verbosity, const FName &Category, double Time) override;
  bool CanBeUsedOnAnyThread() const override { return true; }
  bool CanBeUsedOnMultipleThreads() const override { return true; }

 private:
  struct FState;
  FState *State;
};
