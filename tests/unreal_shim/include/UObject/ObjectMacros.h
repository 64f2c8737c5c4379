// The reflection macros. uht.py reads them in headers and writes X.generated.h, whose macros GENERATED_BODY takes by
// file and line.
#pragma once
#include "CoreTypes.h"

#define BODY_MACRO_COMBINE_INNER(A, B, C, D) A##B##C##D
#define BODY_MACRO_COMBINE(A, B, C, D) BODY_MACRO_COMBINE_INNER(A, B, C, D)
#define GENERATED_BODY(...) BODY_MACRO_COMBINE(CURRENT_FILE_ID, _, __LINE__, _GENERATED_BODY)
#define UCLASS(...)
#define USTRUCT(...)
#define UENUM(...)
#define UPROPERTY(...)
#define UFUNCTION(...)
#define UMETA(...)

enum EObjectFlags {
  RF_NoFlags = 0,
  RF_Public = 0x1,
  RF_Standalone = 0x2,
  RF_Transactional = 0x8,
  RF_ClassDefaultObject = 0x10,
  RF_Transient = 0x40,
  RF_BeginDestroyed = 0x8000,
  RF_MirroredGarbage = 0x40000000
};
inline constexpr EObjectFlags GARBAGE_COLLECTION_KEEPFLAGS = RF_NoFlags;
