// Another plugin in the same process that does what Sentry's does: it wraps GError, listens to the log and logs itself
// meanwhile, binds the heartbeat's single delegates and hears of errors and ensures. It is installed before our session
// or after.
#include <atomic>

#include "HAL/ThreadHeartBeat.h"
#include "Misc/CoreDelegates.h"
#include "Misc/OutputDeviceError.h"
#include "Misc/OutputDeviceRedirector.h"
#include "Scene.h"
#include "Tachy.h"
#include "TachySession.h"
#include "unreal_shim/Engine.h"

DEFINE_LOG_CATEGORY_STATIC(LogSentry, Log, All);
DEFINE_LOG_CATEGORY_STATIC(LogBeside, Log, All);

namespace {

class ErrorDevice : public FOutputDeviceError {
 public:
  void Serialize(const TCHAR *text, ELogVerbosity::Type verbosity, const FName &category) override {
    parent->Serialize(text, verbosity, category);
  }
  void HandleError() override { parent->HandleError(); }

  FOutputDeviceError *parent = nullptr;
};

class LogDevice : public FOutputDevice {
 public:
  void Serialize(const TCHAR *text, ELogVerbosity::Type, const FName &category) override {
    if (!text || category != FName(TEXT("LogBeside"))) return;
    heard++;
    UE_LOG(LogSentry, Log, TEXT("breadcrumb"));
  }
  bool CanBeUsedOnAnyThread() const override { return true; }
  bool CanBeUsedOnMultipleThreads() const override { return true; }

  std::atomic<int> heard{0};
};

struct Sentry {
  ErrorDevice error;
  LogDevice log;
  std::atomic<int> ensures{0}, errors{0}, stuck{0};

  void Install() {
    error.parent = GError;
    GError = &error;
    GLog->AddOutputDevice(&log);
    FThreadHeartBeat::Get().GetOnThreadStuck().BindLambda([this](uint32) { stuck++; });
    FCoreDelegates::OnHandleSystemEnsure.AddLambda([this] { ensures++; });
    FCoreDelegates::OnHandleSystemError.AddLambda([this] { errors++; });
  }
};
Sentry sentry;

void Fail(bool good) { (void)ensureMsgf(good, TEXT("beside Sentry")); }

void Play(bool first, Report &report) {
  if (first) {
    Tachy::Stop();
    sentry.Install();
    Tachy::Start(FString(), nullptr, {});
  } else {
    sentry.Install();
  }
  unreal_shim::LoadMap(TEXT("/Game/Maps/Arena"));
  for (int i = 0; i < 20; i++) {
    UE_LOG(LogBeside, Warning, TEXT("line %d"), i);
    unreal_shim::Tick();
  }
  Fail(false);
  unreal_shim::ThreadStuck(1);
  report.Set("heard", sentry.log.heard);
  report.Set("ensures", sentry.ensures);
  report.Set("stuck", sentry.stuck);
  report.Set("chain", GError == &sentry.error);
  report.Print();
  unreal_shim::Crash();
}

}  // namespace

SHIM_SCENE(SentryFirst) { Play(true, report); }

SHIM_SCENE(SentryLast) { Play(false, report); }
