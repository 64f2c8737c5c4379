// A game module: it records with every macro, and prints as JSON how often.
#include <stdio.h>

#include <atomic>

#include "Containers/Ticker.h"
#include "CoreMinimal.h"
#include "HAL/Runnable.h"
#include "HAL/RunnableThread.h"
#include "Modules/ModuleManager.h"
#include "Tachy.h"

DEFINE_LOG_CATEGORY_STATIC(LogShimGame, Log, All);

namespace {

std::atomic<int> spans, logs, metrics;

class Worker : public FRunnable {
 public:
  uint32 Run() override {
    for (int i = 0; i < 1000; i++) {
      TACHY_SPAN_SCOPE("Game.Worker", "Job");
      TACHY_SPAN_SCOPE_CONDITIONAL("Game.Worker", i % 2 == 0, TEXT("Half"));
      spans += 1 + (i % 2 == 0);
      if (i % 100 != 0) continue;
      UE_LOG(LogShimGame, Display, TEXT("job %d"), i);
      logs++;
    }
    return 0;
  }
};

class ShimGame : public IModuleInterface {
 public:
  void StartupModule() override {
    Tachy::SetContext(TEXT("map"), TEXT("Arena"));
    ticker_ = FTSTicker::GetCoreTicker().AddTicker(FTickerDelegate::CreateRaw(this, &ShimGame::Tick));
  }

  void ShutdownModule() override {
    FTSTicker::RemoveTicker(ticker_);
    thread_->Kill(true);
    delete thread_;
    printf("{\"process_id\": \"%s\", \"spans\": %d, \"logs\": %d, \"metrics\": %d}\n", TCHAR_TO_UTF8(*Tachy::ProcessId()),
           spans.load(), logs.load(), metrics.load());
  }

 private:
  bool Tick(float) {
    TACHY_SPAN_FUNCTION("Game");
    if (!thread_) thread_ = FRunnableThread::Create(&worker_, TEXT("Worker"));
    {
      TACHY_SPAN_SCOPE(TEXT("Game.Ai"), TEXT("Größe \U0001F600"));
      TACHY_LOG("Game.Ai", Tachy::Info, FString::Printf(TEXT("%d foes, größer"), frame_));
      TACHY_LOG("Game.Ai", Tachy::Warn, "plain");
      static const Tachy::FProperties boss({{TEXT("boss"), TEXT("Ogre")}});
      TACHY_LOG_PROPERTIES("Game.Ai", Tachy::Error, boss, TEXT("the boss"));
      UE_LOG(LogShimGame, Warning, TEXT("frame %d"), frame_);
    }
    TACHY_IMETRIC("Game", Tachy::Min, "Foes", "1", frame_);
    TACHY_FMETRIC("Game", Tachy::Max, TEXT("Speed"), TEXT("m/s"), 1.5 * frame_);
    TACHY_FRAME();
    spans += 2;
    logs += 4;
    metrics += 2 + (frame_ > 0);
    frame_++;
    return true;
  }

  FTSTicker::FDelegateHandle ticker_;
  Worker worker_;
  FRunnableThread *thread_ = nullptr;
  int frame_ = 0;
};

}  // namespace

IMPLEMENT_MODULE(ShimGame, ShimGame)
