// One real render thread, from the engine's start to its end. No thread on a server: commands run at once.
#pragma once
#include "CoreMinimal.h"

class FRHICommandListImmediate {};
RENDERCORE_API void FlushRenderingCommands();
namespace unreal_shim {
RENDERCORE_API void EnqueueRenderCommand(TUniqueFunction<void(FRHICommandListImmediate &)> Function);
template <typename Name>
struct TRenderCommand {
  template <typename F>
  void operator()(F &&Function) const {
    EnqueueRenderCommand(Forward<F>(Function));
  }
};
}  // namespace unreal_shim
#define ENQUEUE_RENDER_COMMAND(Name) \
  struct Name##_Tag {};              \
  unreal_shim::TRenderCommand<Name##_Tag>()
