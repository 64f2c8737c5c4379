// Automation tests, hang detection.
#include "HAL/ThreadHeartBeat.h"
#include "Misc/AutomationTest.h"
#include "unreal_shim/Engine.h"

static TArray<FAutomationTestBase *> &Tests() {
  static TArray<FAutomationTestBase *> *const The = new TArray<FAutomationTestBase *>;
  return *The;
}
static TArray<TSharedPtr<IAutomationLatentCommand>> Commands;
FAutomationTestBase::FAutomationTestBase(const FString &InName, const bool) : TestName(InName) { Tests().Add(this); }
FAutomationTestBase::~FAutomationTestBase() { Tests().Remove(this); }
FAutomationTestFramework &FAutomationTestFramework::Get() {
  static FAutomationTestFramework The;
  return The;
}
void FAutomationTestFramework::EnqueueLatentCommand(TSharedPtr<IAutomationLatentCommand> Command) {
  Commands.Add(Command);
}
bool unreal_shim::RunAutomation(const TCHAR *Name, TArray<FString> &Errors) {
  FAutomationTestBase *const *Test =
      Tests().FindByPredicate([&](const FAutomationTestBase *T) { return T->TestName == Name; });
  if (!Test) return false;
  (*Test)->Errors.Empty();
  const bool bRan = (*Test)->RunTest(FString());
  while (!Commands.IsEmpty()) {
    const TSharedPtr<IAutomationLatentCommand> Command = Commands[0];
    if (Command->Update())
      Commands.Remove(Command);
    else
      Tick();
  }
  Errors = (*Test)->Errors;
  return bRan && Errors.IsEmpty();
}

FThreadHeartBeat &FThreadHeartBeat::Get() {
  static FThreadHeartBeat The;
  return The;
}
void unreal_shim::ThreadStuck(uint32 ThreadId) { FThreadHeartBeat::Get().GetOnThreadStuck().ExecuteIfBound(ThreadId); }
