// Play in the editor. Only in editor builds.
#pragma once
#include "CoreMinimal.h"

#if WITH_EDITOR
class ENGINE_API FEditorDelegates {
 public:
  DECLARE_MULTICAST_DELEGATE_OneParam(FOnPIEEvent, const bool) static FOnPIEEvent PreBeginPIE, BeginPIE, PostPIEStarted,
      PrePIEEnded, EndPIE, PausePIE, ResumePIE;
};
#endif
