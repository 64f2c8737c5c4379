// Automation tests that hold spans to a budget: one that keeps it, one that does not, and one of which there are none.
#include "HAL/PlatformTime.h"
#include "Scene.h"
#include "Tachy.h"
#include "TachyAutomation.h"
#include "unreal_shim/Engine.h"

namespace {

void Work(double milliseconds) {
  const double end = FPlatformTime::Seconds() + milliseconds * 1e-3;
  while (FPlatformTime::Seconds() < end) {
  }
}

}  // namespace

#define BUDGET_TEST(Class, Name, Budget)                                                                   \
  IMPLEMENT_SIMPLE_AUTOMATION_TEST(Class, "Budget." #Class,                                                \
                                   EAutomationTestFlags::ClientContext | EAutomationTestFlags::PerfFilter) \
  bool Class::RunTest(const FString &) {                                                                   \
    ADD_LATENT_AUTOMATION_COMMAND(FTachySpanBudget(*this, TEXT(Name), Budget));                            \
    return true;                                                                                           \
  }

BUDGET_TEST(Kept, "it's \"short\"", 10000.0)
BUDGET_TEST(Broken, "long", 1.0)
BUDGET_TEST(Missing, "never", 1.0)

SHIM_SCENE(Budget) {
  for (int i = 0; i < 100; i++) {
    TACHY_SPAN_SCOPE("Game", "it's \"short\"");
  }
  for (int i = 0; i < 5; i++) {
    TACHY_SPAN_SCOPE("Game", "long");
    Work(2.0);
  }
  for (const TCHAR *const name : {TEXT("Budget.Kept"), TEXT("Budget.Broken"), TEXT("Budget.Missing")}) {
    TArray<FString> errors;
    const bool passed = unreal_shim::RunAutomation(name, errors);
    report.Set(TCHAR_TO_UTF8(name), passed ? FString(TEXT("passed")) : FString::Join(errors, TEXT("; ")));
  }
}
