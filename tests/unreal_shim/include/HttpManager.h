#pragma once
#include "Interfaces/IHttpRequest.h"

enum class EHttpFlushReason : uint8 { Default, Background, Shutdown };
class HTTP_API FHttpManager {
 public:
  FHttpManager();
  ~FHttpManager();
  bool Tick(float DeltaSeconds);        // calls what completes on the game thread
  void Flush(EHttpFlushReason Reason);  // waits (2 s at shutdown), then cancels
#if UE_SHIM_VERSION < 508
  UE_DEPRECATED(5.0, "Use Flush with EHttpFlushReason.") void Flush(bool bShutdown);
#endif
  struct FState;
  FState *State;
};
