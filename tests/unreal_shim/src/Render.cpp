// The render thread, the RHI's and the render core's globals, screenshots.
#include "Render.h"

#include <condition_variable>
#include <mutex>

#include "DynamicRHI.h"
#include "Engine/GameViewportClient.h"
#include "HAL/RunnableThread.h"
#include "Misc/App.h"
#include "Misc/CoreDelegates.h"
#include "RHI.h"
#include "RHICommandList.h"
#include "RenderTimer.h"
#include "RenderingThread.h"
#include "unreal_shim/Engine.h"

uint32 GGameThreadTime;
uint64 GInputLatencyTime;
int32 GNumDrawCallsRHI[MAX_NUM_GPUS], GNumPrimitivesDrawnRHI[MAX_NUM_GPUS];
#if UE_SHIM_VERSION < 508
uint32 GGPUFrameTime;
#endif
static uint32 GPUCycles;
static FDynamicRHI TheRHI;
FDynamicRHI *GDynamicRHI = nullptr;
FRHIGlobals GRHIGlobals;
uint32 RHIGetGPUFrameCycles(uint32) { return GPUCycles; }

namespace {
using FCommand = TUniqueFunction<void(FRHICommandListImmediate &)>;
class FRenderThread final : public FRunnable {
 public:
  bool Init() override {
    GRenderThreadId = FPlatformTLS::GetCurrentThreadId();
    return true;
  }
  uint32 Run() override {
    FRHICommandListImmediate List;
    for (;;) {
      TArray<FCommand> Now;
      {
        std::unique_lock Lock(Mutex);
        Wanted.wait(Lock, [this] { return !Commands.IsEmpty() || bStop; });
        if (Commands.IsEmpty()) break;
        Swap(Now, Commands);
        bBusy = true;
      }
      for (const FCommand &Command : Now) Command(List);
      Now.Empty();
      const std::lock_guard Lock(Mutex);
      bBusy = false;
      Idle.notify_all();
    }
    return 0;
  }
  void Stop() override {
    const std::lock_guard Lock(Mutex);
    bStop = true;
    Wanted.notify_all();
  }
  void Add(FCommand Command) {
    const std::lock_guard Lock(Mutex);
    Commands.Add(MoveTemp(Command));
    Wanted.notify_all();
  }
  void Flush() {
    std::unique_lock Lock(Mutex);
    Idle.wait(Lock, [this] { return Commands.IsEmpty() && !bBusy; });
  }

 private:
  std::mutex Mutex;
  std::condition_variable Wanted, Idle;
  TArray<FCommand> Commands;
  bool bBusy = false, bStop = false;
};
FRenderThread *Renderer = nullptr;
FRunnableThread *Thread = nullptr;
}  // namespace

void unreal_shim::EnqueueRenderCommand(FCommand Function) {
  if (Renderer && !IsInActualRenderingThread()) {
    Renderer->Add(MoveTemp(Function));
  } else {
    FRHICommandListImmediate List;
    Function(List);
  }
}
void FlushRenderingCommands() {
  check(IsInGameThread());
  if (Renderer) Renderer->Flush();
}
void unreal_shim::StartRendering() {
  if (!FApp::CanEverRender()) {
    GUsingNullRHI = true;
    return;
  }
  GDynamicRHI = &TheRHI;
  GRHIGlobals.GpuInfo.AdapterName = FPlatformMisc::GetPrimaryGPUBrand();
  GRHIAdapterUserDriverVersion = TEXT("1.2.3");
  Renderer = new FRenderThread;
  Thread = FRunnableThread::Create(Renderer, TEXT("RenderThread 0"));
}
void unreal_shim::StopRendering() {
  if (!Renderer) return;
  Thread->Kill(true);
  GRenderThreadId = 0;
  delete Thread;
  delete Renderer;
  Thread = nullptr;
  Renderer = nullptr;
}

static bool bWanted = false, bUI = false;
static FString WantedFile;
static FIntPoint ViewSize{64, 36};
static TArray<FColor> ViewPixels;
void FScreenshotRequest::RequestScreenshot(bool bShowUI) { RequestScreenshot(FString(), bShowUI, true); }
void FScreenshotRequest::RequestScreenshot(const FString &Filename, bool bShowUI, bool) {
  bWanted = true;
  bUI = bShowUI;
  WantedFile = Filename;
}
void FScreenshotRequest::Reset() { bWanted = false; }
bool FScreenshotRequest::IsScreenshotRequested() { return bWanted; }
FOnScreenshotRequestProcessed &FScreenshotRequest::OnScreenshotRequestProcessed() {
  static FOnScreenshotRequestProcessed The;
  return The;
}
FOnScreenshotCaptured &UGameViewportClient::OnScreenshotCaptured() {
  static FOnScreenshotCaptured The;
  return The;
}
void unreal_shim::SetViewportPixels(int32 Width, int32 Height, const TArray<FColor> &Pixels) {
  check(Width * Height == Pixels.Num());
  ViewSize = FIntPoint(Width, Height);
  ViewPixels = Pixels;
}
void unreal_shim::RenderFrame(const FFrame &Frame) {
  const auto Cycles = [](double Seconds) { return uint32(Seconds / FPlatformTime::GetSecondsPerCycle() + 0.5); };
  GGameThreadTime = Cycles(Frame.GameThread);
  GPUCycles = Cycles(Frame.GPU);
  GInputLatencyTime = Cycles(Frame.InputLatency);
#if UE_SHIM_VERSION < 508
  PRAGMA_DISABLE_DEPRECATION_WARNINGS
  GGPUFrameTime = GPUCycles;
  PRAGMA_ENABLE_DEPRECATION_WARNINGS
#endif
  if (!FApp::CanEverRender()) return;
  GNumDrawCallsRHI[0] = Frame.DrawCalls;
  GNumPrimitivesDrawnRHI[0] = Frame.Primitives;
  EnqueueRenderCommand([](FRHICommandListImmediate &) {});
  if (!bWanted) return;
  bWanted = false;
  if (ViewPixels.IsEmpty()) ViewPixels.Init(FColor(40, 80, 120), ViewSize.X * ViewSize.Y);
  if (UGameViewportClient::OnScreenshotCaptured().IsBound())
    UGameViewportClient::OnScreenshotCaptured().Broadcast(ViewSize.X, ViewSize.Y, ViewPixels);
  FScreenshotRequest::OnScreenshotRequestProcessed().Broadcast();
}
