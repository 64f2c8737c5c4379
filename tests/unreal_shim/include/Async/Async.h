// AsyncTask: onto the game thread (run by the next tick) or onto a thread of its own.
#pragma once
#include "Templates/Function.h"

namespace ENamedThreads {
enum Type : int32 {
  UnusedAnchor = -1,
  RHIThread,
  GameThread,
  ActualRenderingThread,
  AnyThread = 0xff,
  AnyBackgroundThreadNormalTask,
  AnyHiPriThreadNormalTask,
  AnyNormalThreadNormalTask,
  AnyBackgroundHiPriTask
};
}
CORE_API void AsyncTask(ENamedThreads::Type Thread, TUniqueFunction<void()> Function);
