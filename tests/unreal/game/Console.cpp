// What the console switches, one switch at a time: each step records one log, one metric and one span under its name.
#include "Scene.h"
#include "Tachy.h"
#include "TachySettings.h"

DEFINE_LOG_CATEGORY_STATIC(LogConsoleScene, Log, All);

namespace {

#define RECORD_STEP(Name)                                     \
  do {                                                        \
    TACHY_SPAN_SCOPE("Console." Name, Name);                  \
    TACHY_LOG("Console." Name, Tachy::Info, Name);            \
    TACHY_IMETRIC("Console." Name, Tachy::Min, Name, "1", 1); \
  } while (false)

void RecordFlight() {
  for (int i = 0; i < 7; i++) {
    TACHY_SPAN_SCOPE("Console.Flight", "Span");
  }
}

}  // namespace

SHIM_SCENE(ConsoleSwitches) {
  RECORD_STEP("All");
  unreal_shim::Exec(TEXT("tachy.Spans 0"));
  RECORD_STEP("NoSpans");
  unreal_shim::Exec(TEXT("tachy.Spans 1"));
  unreal_shim::Exec(TEXT("tachy.Log 0"));
  RECORD_STEP("NoLog");
  unreal_shim::Exec(TEXT("tachy.Log 1"));
  unreal_shim::Exec(TEXT("tachy.Metrics 0"));
  RECORD_STEP("NoMetrics");
  unreal_shim::Exec(TEXT("tachy.Metrics 1"));
  unreal_shim::Exec(TEXT("tachy.Enable 0"));
  RECORD_STEP("None");
  unreal_shim::Exec(TEXT("tachy.Enable 1"));
  RECORD_STEP("AllAgain");
  unreal_shim::Exec(TEXT("tachy.LogFilter LogConsoleScene Warning"));
  UE_LOG(LogConsoleScene, Display, TEXT("filtered"));
  UE_LOG(LogConsoleScene, Warning, TEXT("passes"));
  unreal_shim::Exec(TEXT("tachy.LogFilter LogConsoleScene loud"));
  unreal_shim::Exec(TEXT("tachy.LogFilter LogConsoleScene"));
  UE_LOG(LogConsoleScene, Display, TEXT("passes again"));
  unreal_shim::Exec(TEXT("tachy.Set mood grim"));
  TACHY_LOG("Console.Set", Tachy::Info, "set");
  unreal_shim::Exec(TEXT("tachy.Set mood"));
  TACHY_LOG("Console.Set", Tachy::Info, "unset");
  unreal_shim::Exec(TEXT("tachy.Mark here it was"));
  unreal_shim::Exec(TEXT("tachy.Flush"));
  unreal_shim::Exec(TEXT("tachy.Status"));
}

SHIM_SCENE(ConsoleFlight) {
  unreal_shim::Exec(TEXT("tachy.Flight 1"));
  Tachy::Flush(20);  // it is on
  RecordFlight();
  Tachy::Flush(20);
}

SHIM_SCENE(ConsoleSnapshot) {
  unreal_shim::Exec(TEXT("tachy.Flight 1"));
  Tachy::Flush(20);
  RecordFlight();
  unreal_shim::Exec(TEXT("tachy.Snapshot the door is stuck"));
}

#if WITH_EDITOR
// The settings page changes: what is on follows at once, unless the console has said something else.
SHIM_SCENE(SettingsPage) {
  UTachySettings *const settings = GetMutableDefault<UTachySettings>();
  report.Set("url", settings->Url);
  report.Set("section", settings->GetCategoryName().ToString() + TEXT("/") + settings->GetSectionName().ToString());
  RECORD_STEP("Before");
  unreal_shim::Exec(TEXT("tachy.Log 1"));
  settings->bMetrics = false;
  settings->bLog = false;
  settings->bSpansInEditor = true;
  settings->LogFilter = {TEXT("Console.Filtered = Off")};
  unreal_shim::Exec(TEXT("tachy.Hitch.BudgetMs"));
  unreal_shim::Exec(TEXT("tachy.HangSeconds"));
  unreal_shim::Exec(TEXT("tachy.Hitch.IdleSeconds 7"));
  settings->HitchBudgetMs = 80;
  settings->HitchIdleSeconds = 8;
  settings->HangSeconds = 9;
  FPropertyChangedEvent event;
  settings->PostEditChangeProperty(event);
  for (const TCHAR *name : {TEXT("tachy.Hitch.BudgetMs"), TEXT("tachy.Hitch.IdleSeconds"), TEXT("tachy.HangSeconds")}) {
    unreal_shim::Exec(name);
  }
  RECORD_STEP("Changed");
  RECORD_STEP("Filtered");
  settings->LogFilter.Reset();
  settings->PostEditChangeProperty(event);
  RECORD_STEP("Unfiltered");
}
#endif
