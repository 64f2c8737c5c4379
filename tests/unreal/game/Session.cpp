// Sessions: who records, where it goes, what the game itself starts and ends, what the background does.
#include "HAL/FileManager.h"
#include "HAL/PlatformMisc.h"
#include "HAL/PlatformProcess.h"
#include "HAL/PlatformTime.h"
#include "Interfaces/IHttpRequest.h"
#include "Scene.h"
#include "Tachy.h"
#include "TachySession.h"

DEFINE_LOG_CATEGORY_STATIC(LogSessionScene, Log, All);

namespace {

void RecordOfEach(int times) {
  for (int i = 0; i < times; i++) {
    TACHY_SPAN_SCOPE("Session", "Span");
    TACHY_LOG("Session", Tachy::Info, "log");
    TACHY_IMETRIC("Session", Tachy::Min, "Metric", "1", i);
  }
}

// Ready from its third question on; says what it signs, on the sender's thread, which must not be recorded.
class Login : public ITachyAuthenticator {
 public:
  bool IsReady() override { return ++asked >= 3; }
  void Sign(IHttpRequest &request) override {
    UE_LOG(LogSessionScene, Warning, TEXT("signing for %s"), *request.GetURL());
    request.SetHeader(TEXT("X-Ticket"), FString::Printf(TEXT("%d bytes"), request.GetContent().Num()));
    signed_here = signed_here && !IsInGameThread();
  }
  std::atomic<int> asked = 0;
  std::atomic<bool> signed_here = true;
};

}  // namespace

SHIM_SCENE(Session) {
  RecordOfEach(5);
  unreal_shim::Tick();
  unreal_shim::Exec(TEXT("tachy.Status"));
  report.Set("inherited", FPlatformMisc::GetEnvironmentVariable(TEXT("TACHY_PARENT_PROCESS_ID")));
}

SHIM_SCENE(StartedByGame) {
  RecordOfEach(3);  // nobody records yet
  const TSharedRef<Login, ESPMode::ThreadSafe> login = MakeShared<Login, ESPMode::ThreadSafe>();
  const bool started = Tachy::Start(FPlatformMisc::GetEnvironmentVariable(TEXT("SCENE_URL")) + TEXT("/"), login,
                                    {{TEXT("flavour"), TEXT("strawberry")}});
  const FString first = Tachy::ProcessId();
  RecordOfEach(4);
  report.Set("flushed", Tachy::Flush(20));
  Tachy::Stop();
  RecordOfEach(2);  // nor now
  const bool again = Tachy::Start(FPlatformMisc::GetEnvironmentVariable(TEXT("SCENE_URL")), nullptr);
  RecordOfEach(1);
  report.Set("started", started && again);
  report.Set("first", first);
  report.Set("asked", login->asked);
  report.Set("signed_here", login->signed_here);
  report.Set("flushed_again", Tachy::Flush(20));
}

// The server answers the first batch with "in a minute", and writes a file then; the background does not wait for it.
SHIM_SCENE(Background) {
  const FString file = FPlatformMisc::GetEnvironmentVariable(TEXT("SCENE_FILE"));
  RecordOfEach(2);
  for (int i = 0; i < 2000 && !IFileManager::Get().FileExists(*file); i++) FPlatformProcess::Sleep(0.01f);
  FPlatformProcess::Sleep(0.2f);  // until the sender pauses
  RecordOfEach(1);
  const double before = FPlatformTime::Seconds();
  unreal_shim::EnterBackground();
  report.Set("blocked", FPlatformTime::Seconds() - before);
  unreal_shim::Terminate();
  report.Set("flushed", Tachy::Flush(20));
}
