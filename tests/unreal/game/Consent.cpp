// What the player says: nothing leaves before, everything after, nothing remains once he takes it back.
#include "HAL/FileManager.h"
#include "HAL/PlatformProcess.h"
#include "Misc/Paths.h"
#include "Scene.h"
#include "Tachy.h"
#include "TachyConsent.h"
#include "TachySession.h"

namespace {

void Say(int times) {
  for (int i = 0; i < times; i++) TACHY_LOG("Consent", Tachy::Info, "said");
}

void SetConsent(Report &report, const char *name) {
  const Tachy::FConsent consent = Tachy::GetConsent();
  report.Set(name, FString::Printf(TEXT("%d%d%d"), consent.bRequired, consent.bGiven, consent.bRevoked));
}

}  // namespace

SHIM_SCENE(ConsentAsked) {
  SetConsent(report, "before");
  Say(10);
  report.Set("flushed", Tachy::Flush(1));
  unreal_shim::Exec(TEXT("tachy.Status"));
}

SHIM_SCENE(ConsentGiven) {
  Say(10);
  Tachy::Flush(0.3f);  // it is in batches, and these wait
  report.Set("kept", Tachy::GiveConsent());
  SetConsent(report, "after");
  Say(5);
  report.Set("flushed", Tachy::Flush(20));
}

SHIM_SCENE(ConsentRevoked) {
  const FString first = Tachy::ProcessId();
  Say(10);
  Tachy::Flush(0.3f);
  Say(10);
  report.Set("kept", Tachy::RevokeConsent());
  SetConsent(report, "after");
  Say(5);
  report.Set("started", Tachy::Start(TEXT(""), nullptr));
  unreal_shim::Exec(TEXT("tachy.Status"));
  report.Set("first", first);
}

SHIM_SCENE(ConsentGivenAgain) {
  SetConsent(report, "before");
  Say(5);
  report.Set("kept", Tachy::GiveConsent());
  Say(3);
  report.Set("flushed", Tachy::Flush(20));
}
