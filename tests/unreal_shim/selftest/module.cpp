// A module in a shared library of its own.
#include "HAL/IConsoleManager.h"
#include "Modules/ModuleManager.h"

static TAutoConsoleVariable<int32> CVarNumber(TEXT("selfmodule.Number"), 3,
                                              TEXT("goes with its module, keeps its value"));
class FSelfModule final : public IModuleInterface {
  void StartupModule() override { check(CVarNumber.GetValueOnGameThread() >= 3); }
};
IMPLEMENT_MODULE(FSelfModule, SelfModule)
